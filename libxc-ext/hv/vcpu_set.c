/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/vcpu_set.h"

#include <errno.h>
#include <string.h>

#include <xenctrl.h>

/* GDT entries in one frame; the last 14 frames of the table are Xen's own. */
#define GDT_FRAME_ENTRIES 512
#define GDT_MAX_ENTRIES   (FIRST_RESERVED_GDT_ENTRY)

/* The room in a domctl; the structure is shorter, and may grow. */
#define EXTENDED_MAX_BYTES sizeof(((struct xen_domctl *)NULL)->u)

/* The two words of xfeature masks that precede the state itself. */
#define XSAVE_MIN_BYTES 16

static int vcpu_failed(const struct xcx_hv *hv, unsigned vcpu_id,
                       const char *call, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                       "domain %u: %s of vCPU %u failed", hv->domid, call,
                       vcpu_id);
}

uint32_t xcx_vcpu_basic_bytes(void)
{
    return sizeof(vcpu_guest_context_t);
}

int xcx_vcpu_check_bytes(enum xcx_vcpu_part part, uint32_t bytes,
                         struct xcx_err *err)
{
    if (part == XCX_VCPU_EXTENDED && bytes > EXTENDED_MAX_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%u bytes of extended state, at most %zu", bytes,
                           EXTENDED_MAX_BYTES);
    if (part == XCX_VCPU_XSAVE && bytes < XSAVE_MIN_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%u bytes of xsave state, at least %d", bytes,
                           XSAVE_MIN_BYTES);
    if (part == XCX_VCPU_MSRS && bytes % sizeof(xen_domctl_vcpu_msr_t))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%u bytes are no whole number of MSRs", bytes);
    return 0;
}

/* ---- basic -------------------------------------------------------------- */

static int localise_frame(xcx_vcpu_localise_fn *localise, void *opaque,
                          const char *what, unsigned long *frame,
                          struct xcx_err *err)
{
    uint64_t mfn;

    if (localise(opaque, *frame, 0, what, &mfn, err))
        return -1;
    *frame = mfn;
    return 0;
}

static int localise_root(xcx_vcpu_localise_fn *localise, void *opaque,
                         const char *what, unsigned long *root,
                         struct xcx_err *err)
{
    uint64_t mfn;

    if (localise(opaque, *root / XCX_FRAME_BYTES, 4, what, &mfn, err))
        return -1;
    *root = mfn * XCX_FRAME_BYTES;
    return 0;
}

static int localise_basic(unsigned vcpu_id, vcpu_guest_context_t *context,
                          xcx_vcpu_localise_fn *localise, void *opaque,
                          uint64_t *ret_start_info, struct xcx_err *err)
{
    unsigned nr_gdt_frames;

    if (context->gdt_ents > GDT_MAX_ENTRIES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "a GDT of %lu entries",
                           context->gdt_ents);
    nr_gdt_frames =
        (context->gdt_ents + GDT_FRAME_ENTRIES - 1) / GDT_FRAME_ENTRIES;
    for (unsigned i = 0; i < nr_gdt_frames; i++)
        if (localise_frame(localise, opaque, "GDT", &context->gdt_frames[i],
                           err))
            return -1;
    if (vcpu_id == 0) {
        if (localise_frame(localise, opaque, "start info",
                           &context->user_regs.rdx, err))
            return -1;
        *ret_start_info = context->user_regs.rdx;
    }
    if (localise_root(localise, opaque, "cr3", &context->ctrlreg[3], err))
        return -1;
    /* The guest's user-mode root is there if bit 0 says so. */
    if (context->ctrlreg[1] & 1)
        return localise_root(localise, opaque, "user cr3", &context->ctrlreg[1],
                             err);
    return 0;
}

int xcx_vcpu_set_basic(const struct xcx_hv *hv, unsigned vcpu_id,
                       const void *blob, xcx_vcpu_localise_fn *localise,
                       void *opaque, uint64_t *ret_start_info,
                       struct xcx_err *err)
{
    vcpu_guest_context_any_t context = {0};

    memcpy(&context.c, blob, sizeof(context.c));
    if (localise_basic(vcpu_id, &context.c, localise, opaque, ret_start_info,
                       err))
        return xcx_err_prefix(err, "vCPU %u", vcpu_id);
    /* Saved or not: a vCPU whose state is there runs. */
    context.c.flags |= VGCF_online;
    if (xc_vcpu_setcontext(hv->xch, hv->domid, vcpu_id, &context))
        return vcpu_failed(hv, vcpu_id, "setvcpucontext", err);
    return 0;
}

/* ---- the others --------------------------------------------------------- */

static int set_extended(const struct xcx_hv *hv, unsigned vcpu_id,
                        const void *blob, uint32_t bytes, struct xcx_err *err)
{
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_set_ext_vcpucontext,
        .domain = hv->domid,
    };

    memcpy(&domctl.u, blob, bytes);
    /* The blob begins with it. */
    domctl.u.ext_vcpucontext.vcpu = vcpu_id;
    if (xc_domctl(hv->xch, &domctl))
        return vcpu_failed(hv, vcpu_id, "set_ext_vcpucontext", err);
    return 0;
}

static int set_xsave(const struct xcx_hv *hv, unsigned vcpu_id,
                     const void *blob, uint32_t bytes, struct xcx_err *err)
{
    DECLARE_HYPERCALL_BUFFER(void, buffer);
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_setvcpuextstate,
        .domain = hv->domid,
        .u.vcpuextstate.vcpu = vcpu_id,
        .u.vcpuextstate.size = bytes,
    };
    int rc = 0;

    buffer = xc_hypercall_buffer_alloc(hv->xch, buffer, bytes);
    if (!buffer)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: extended state of vCPU %u", hv->domid,
                           vcpu_id);
    memcpy(buffer, blob, bytes);
    set_xen_guest_handle(domctl.u.vcpuextstate.buffer, buffer);
    if (xc_domctl(hv->xch, &domctl))
        rc = vcpu_failed(hv, vcpu_id, "setvcpuextstate", err);
    xc_hypercall_buffer_free(hv->xch, buffer);
    return rc;
}

static int set_msrs(const struct xcx_hv *hv, unsigned vcpu_id, const void *blob,
                    uint32_t bytes, struct xcx_err *err)
{
    DECLARE_HYPERCALL_BUFFER(xen_domctl_vcpu_msr_t, buffer);
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_set_vcpu_msrs,
        .domain = hv->domid,
        .u.vcpu_msrs.vcpu = vcpu_id,
        .u.vcpu_msrs.msr_count = bytes / (uint32_t)sizeof(*buffer),
    };
    int rc = 0;

    buffer = xc_hypercall_buffer_alloc(hv->xch, buffer, bytes);
    if (!buffer)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: MSRs of vCPU %u", hv->domid, vcpu_id);
    memcpy(buffer, blob, bytes);
    set_xen_guest_handle(domctl.u.vcpu_msrs.msrs, buffer);
    if (xc_domctl(hv->xch, &domctl))
        rc = vcpu_failed(hv, vcpu_id, "set_vcpu_msrs", err);
    xc_hypercall_buffer_free(hv->xch, buffer);
    return rc;
}

int xcx_vcpu_set_blob(const struct xcx_hv *hv, unsigned vcpu_id,
                      enum xcx_vcpu_part part, const void *blob, uint32_t bytes,
                      struct xcx_err *err)
{
    switch (part) {
    case XCX_VCPU_EXTENDED:
        return set_extended(hv, vcpu_id, blob, bytes, err);
    case XCX_VCPU_XSAVE:
        return set_xsave(hv, vcpu_id, blob, bytes, err);
    case XCX_VCPU_MSRS:
        return set_msrs(hv, vcpu_id, blob, bytes, err);
    }
    return xcx_err_set(err, XCX_ERR_BUG, 0, "vCPU part %d", (int)part);
}
