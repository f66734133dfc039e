/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/vcpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

static int vcpu_failed(const struct xcx_hv *hv, unsigned vcpu_id,
                       const char *call, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                       "domain %u: %s of vCPU %u failed", hv->domid, call,
                       vcpu_id);
}

static int copy_blob(const struct xcx_hv *hv, const void *from, size_t bytes,
                     void **ret_blob, size_t *ret_blob_bytes,
                     struct xcx_err *err)
{
    void *blob = NULL;

    if (bytes) {
        blob = malloc(bytes);
        if (!blob)
            return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                               "domain %u: %zu bytes of vCPU state", hv->domid,
                               bytes);
        memcpy(blob, from, bytes);
    }
    *ret_blob = blob;
    *ret_blob_bytes = bytes;
    return 0;
}

/* GDT entries in one frame; the last 14 frames of the table are Xen's own. */
#define GDT_FRAME_ENTRIES 512
#define GDT_MAX_ENTRIES   (FIRST_RESERVED_GDT_ENTRY)

/* A page table root: the frame stands from bit 12 on. */
static int translate_root(xcx_vcpu_translate_fn *translate, void *opaque,
                          const char *what, unsigned long *root,
                          struct xcx_err *err)
{
    uint64_t flags = *root & (XCX_FRAME_BYTES - 1), pfn;

    if (translate(opaque, *root / XCX_FRAME_BYTES, what, &pfn, err))
        return -1;
    *root = pfn * XCX_FRAME_BYTES | flags;
    return 0;
}

static int translate_frame(xcx_vcpu_translate_fn *translate, void *opaque,
                           const char *what, unsigned long *frame,
                           struct xcx_err *err)
{
    uint64_t pfn;

    if (translate(opaque, *frame, what, &pfn, err))
        return -1;
    *frame = pfn;
    return 0;
}

static int translate_basic(unsigned vcpu_id, vcpu_guest_context_t *context,
                           xcx_vcpu_translate_fn *translate, void *opaque,
                           struct xcx_err *err)
{
    unsigned nr_gdt_frames;

    if (context->gdt_ents > GDT_MAX_ENTRIES)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "a GDT of %lu entries",
                           context->gdt_ents);
    nr_gdt_frames =
        (context->gdt_ents + GDT_FRAME_ENTRIES - 1) / GDT_FRAME_ENTRIES;
    for (unsigned i = 0; i < nr_gdt_frames; i++)
        if (translate_frame(translate, opaque, "GDT", &context->gdt_frames[i],
                            err))
            return -1;
    if (vcpu_id == 0 && translate_frame(translate, opaque, "start info",
                                        &context->user_regs.rdx, err))
        return -1;
    if (translate_root(translate, opaque, "cr3", &context->ctrlreg[3], err))
        return -1;
    /* The guest's user-mode root; the stream marks its presence by bit 0. */
    if (!context->ctrlreg[1])
        return 0;
    if (translate_root(translate, opaque, "user cr3", &context->ctrlreg[1],
                       err))
        return -1;
    context->ctrlreg[1] |= 1;
    return 0;
}

int xcx_vcpu_basic(const struct xcx_hv *hv, unsigned vcpu_id,
                   xcx_vcpu_translate_fn *translate, void *opaque,
                   void **ret_blob, size_t *ret_blob_bytes, struct xcx_err *err)
{
    vcpu_guest_context_any_t context;

    if (xc_vcpu_getcontext(hv->xch, hv->domid, vcpu_id, &context))
        return vcpu_failed(hv, vcpu_id, "getvcpucontext", err);
    if (translate_basic(vcpu_id, &context.c, translate, opaque, err))
        return xcx_err_prefix(err, "domain %u: vCPU %u", hv->domid, vcpu_id);
    return copy_blob(hv, &context.c, sizeof(context.c), ret_blob,
                     ret_blob_bytes, err);
}

static int get_extended(const struct xcx_hv *hv, unsigned vcpu_id,
                        void **ret_blob, size_t *ret_blob_bytes,
                        struct xcx_err *err)
{
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_get_ext_vcpucontext,
        .domain = hv->domid,
        .u.ext_vcpucontext.vcpu = vcpu_id,
    };
    struct xen_domctl_ext_vcpucontext *ext = &domctl.u.ext_vcpucontext;

    if (xc_domctl(hv->xch, &domctl))
        return vcpu_failed(hv, vcpu_id, "get_ext_vcpucontext", err);
    if (ext->size > sizeof(*ext))
        return xcx_err_set(err, XCX_ERR_BUG, 0,
                           "domain %u: %u bytes of extended vCPU state",
                           hv->domid, ext->size);
    return copy_blob(hv, ext, ext->size, ret_blob, ret_blob_bytes, err);
}

/* Xen is asked twice: for the size, then for that many bytes. */
static int get_xsave(const struct xcx_hv *hv, unsigned vcpu_id, void **ret_blob,
                     size_t *ret_blob_bytes, struct xcx_err *err)
{
    DECLARE_HYPERCALL_BUFFER(void, buffer);
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_getvcpuextstate,
        .domain = hv->domid,
        .u.vcpuextstate.vcpu = vcpu_id,
    };
    struct xen_domctl_vcpuextstate *state = &domctl.u.vcpuextstate;
    int rc;

    if (xc_domctl(hv->xch, &domctl))
        return vcpu_failed(hv, vcpu_id, "getvcpuextstate (size)", err);
    if (!state->xfeature_mask || !state->size)
        return copy_blob(hv, NULL, 0, ret_blob, ret_blob_bytes, err);
    buffer = xc_hypercall_buffer_alloc(hv->xch, buffer, state->size);
    if (!buffer)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: extended state of vCPU %u", hv->domid,
                           vcpu_id);
    set_xen_guest_handle(state->buffer, buffer);
    if (xc_domctl(hv->xch, &domctl))
        rc = vcpu_failed(hv, vcpu_id, "getvcpuextstate", err);
    else
        rc = copy_blob(hv, buffer, state->size, ret_blob, ret_blob_bytes, err);
    xc_hypercall_buffer_free(hv->xch, buffer);
    return rc;
}

static int get_msrs(const struct xcx_hv *hv, unsigned vcpu_id, void **ret_blob,
                    size_t *ret_blob_bytes, struct xcx_err *err)
{
    DECLARE_HYPERCALL_BUFFER(xen_domctl_vcpu_msr_t, buffer);
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_get_vcpu_msrs,
        .domain = hv->domid,
        .u.vcpu_msrs.vcpu = vcpu_id,
    };
    struct xen_domctl_vcpu_msrs *msrs = &domctl.u.vcpu_msrs;
    int rc;

    if (xc_domctl(hv->xch, &domctl))
        return vcpu_failed(hv, vcpu_id, "get_vcpu_msrs (count)", err);
    if (!msrs->msr_count)
        return copy_blob(hv, NULL, 0, ret_blob, ret_blob_bytes, err);
    buffer = xc_hypercall_buffer_alloc(hv->xch, buffer,
                                       msrs->msr_count * sizeof(*buffer));
    if (!buffer)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: MSRs of vCPU %u", hv->domid, vcpu_id);
    set_xen_guest_handle(msrs->msrs, buffer);
    if (xc_domctl(hv->xch, &domctl))
        rc = vcpu_failed(hv, vcpu_id, "get_vcpu_msrs", err);
    else
        rc = copy_blob(hv, buffer, msrs->msr_count * sizeof(*buffer), ret_blob,
                       ret_blob_bytes, err);
    xc_hypercall_buffer_free(hv->xch, buffer);
    return rc;
}

int xcx_vcpu_blob(const struct xcx_hv *hv, unsigned vcpu_id,
                  enum xcx_vcpu_part part, void **ret_blob,
                  size_t *ret_blob_bytes, struct xcx_err *err)
{
    switch (part) {
    case XCX_VCPU_EXTENDED:
        return get_extended(hv, vcpu_id, ret_blob, ret_blob_bytes, err);
    case XCX_VCPU_XSAVE:
        return get_xsave(hv, vcpu_id, ret_blob, ret_blob_bytes, err);
    case XCX_VCPU_MSRS:
        return get_msrs(hv, vcpu_id, ret_blob, ret_blob_bytes, err);
    }
    return xcx_err_set(err, XCX_ERR_BUG, 0, "vCPU part %d", (int)part);
}
