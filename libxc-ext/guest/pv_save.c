/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/pv_save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include "base/cleanup.h"
#include "guest/common_records.h"
#include "guest/pv_p2m.h"
#include "guest/pv_pagetable.h"
#include "hv/map.h"
#include "hv/vcpu.h"

#define GUEST_WIDTH 8

struct pv_guest {
    struct xcx_guest guest; /* first: the engine knows only this */
    uint64_t shared_info_mfn;
    unsigned max_vcpu_id;
    const struct shared_info *shared_info; /* mapped */
    const uint64_t *m2p;                   /* mapped */
    uint64_t nr_mfns;
    uint64_t nr_m2p_pages;
    struct xcx_pv_p2m p2m;
    struct xcx_pv_frames frames; /* a view of m2p and p2m */
};

static struct pv_guest *pv_of(struct xcx_guest *guest)
{
    return (struct pv_guest *)guest;
}

/* ---- the p2m ------------------------------------------------------------ */

/* Takes a found table over; the old one goes. */
static int use_p2m(struct pv_guest *pv, struct xcx_pv_p2m *found,
                   struct xcx_err *err)
{
    if (xcx_pv_p2m_map(pv->guest.hv, found, err))
        return -1;
    xcx_pv_p2m_done(pv->guest.hv, &pv->p2m);
    pv->p2m = *found;
    *found = (struct xcx_pv_p2m){0};
    pv->frames = (struct xcx_pv_frames){
        .m2p = pv->m2p,
        .nr_mfns = pv->nr_mfns,
        .p2m = pv->p2m.entries,
        .nr_pfns = pv->p2m.nr_pfns,
    };
    if (pv->p2m.nr_pfns > pv->guest.nr_pfns)
        pv->guest.nr_pfns = pv->p2m.nr_pfns;
    return 0;
}

static int put_p2m_frames(struct pv_guest *pv, struct xcx_writer *writer,
                          struct xcx_err *err)
{
    const struct xcx_pv_p2m *p2m = &pv->p2m;
    struct xcx_p2m_frames frames = {
        .start_pfn = 0,
        .end_pfn = (uint32_t)(p2m->nr_pfns - 1),
    };
    XCX_AUTO_FREE uint64_t *pfns = calloc(p2m->nr_frames, sizeof(*pfns));

    if (!pfns)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: list of p2m frames",
                           pv->guest.hv->domid);
    for (uint64_t i = 0; i < p2m->nr_frames; i++)
        if (!xcx_pv_mfn_to_pfn(&pv->frames, p2m->frame_mfns[i], &pfns[i]))
            return xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "domain %u: its p2m frame %llu (mfn %#llx) is "
                               "not its own",
                               pv->guest.hv->domid, (unsigned long long)i,
                               (unsigned long long)p2m->frame_mfns[i]);
    return xcx_writer_p2m_frames(writer, &frames, GUEST_WIDTH, pfns, err);
}

/*
 * Follows the table if the guest has moved or enlarged it. The frame list
 * list has no generation to tell: it is walked each time, which is cheap as
 * long as its leaves are the same.
 */
static int pv_refresh(struct xcx_guest *guest, struct xcx_writer *writer,
                      bool final, struct xcx_err *err)
{
    struct pv_guest *pv = pv_of(guest);
    struct xcx_pv_p2m found = {0};
    bool is_list = pv->shared_info->arch.p2m_cr3 != 0;
    int rc;

    (void) final;
    if (is_list && xcx_pv_p2m_is_current(pv->shared_info, &pv->p2m))
        return 0;
    rc = xcx_pv_p2m_find(guest->hv, pv->shared_info, pv->nr_mfns, &found, err);
    if (!rc && xcx_pv_p2m_same_leaves(&found, &pv->p2m)) {
        pv->p2m.generation = found.generation;
    } else if (!rc) {
        rc = use_p2m(pv, &found, err);
        if (!rc)
            rc = put_p2m_frames(pv, writer, err);
    }
    xcx_pv_p2m_done(guest->hv, &found);
    return rc;
}

/* ---- setting up --------------------------------------------------------- */

static int pv_setup(struct xcx_guest *guest, struct xcx_err *err)
{
    struct pv_guest *pv = pv_of(guest);
    struct xcx_pv_p2m found = {0};
    int rc;

    pv->shared_info =
        xcx_map_all(guest->hv, false, &pv->shared_info_mfn, 1, err);
    if (!pv->shared_info)
        return xcx_err_prefix(err, "shared info");
    if (xcx_map_m2p(guest->hv, &pv->m2p, &pv->nr_mfns, &pv->nr_m2p_pages, err))
        return -1;
    rc = xcx_pv_p2m_find(guest->hv, pv->shared_info, pv->nr_mfns, &found, err);
    if (!rc)
        rc = use_p2m(pv, &found, err);
    xcx_pv_p2m_done(guest->hv, &found);
    return rc;
}

static int pv_static_records(struct xcx_guest *guest, struct xcx_writer *writer,
                             struct xcx_err *err)
{
    const struct xcx_pv_info info = {
        .guest_width = GUEST_WIDTH,
        .pt_levels = 4,
    };

    if (xcx_writer_pv_info(writer, &info, err))
        return -1;
    return xcx_put_cpu_policy(guest->hv, writer, err);
}

static int pv_start_records(struct xcx_guest *guest, struct xcx_writer *writer,
                            struct xcx_err *err)
{
    return put_p2m_frames(pv_of(guest), writer, err);
}

/* ---- pages -------------------------------------------------------------- */

static uint64_t pv_frame(const struct xcx_guest *guest, uint64_t pfn)
{
    const struct pv_guest *pv = (const struct pv_guest *)guest;

    return xcx_pv_pfn_to_mfn(&pv->frames, pfn);
}

_Static_assert(XCX_NO_FRAME == UINT64_MAX, "what xcx_pv_pfn_to_mfn() says");

/*
 * Leaves of the p2m: a guest in use of its p2m leaves them at their pfns, and
 * writes the first only when memory at its bottom comes or goes.
 */
static unsigned pv_marks(const struct xcx_guest *guest,
                         struct xcx_mark_page ret_pages[XCX_MAX_MARKS])
{
    const struct pv_guest *pv = (const struct pv_guest *)guest;
    struct xcx_mark_page *page = ret_pages;

    page->frame = pv->p2m.frame_mfns[0];
    return xcx_pv_mfn_to_pfn(&pv->frames, page->frame, &page->pfn) ? 1 : 0;
}

static int pv_normalise(struct xcx_guest *guest, unsigned type, uint64_t pfn,
                        const void *src, void *dst, bool final,
                        enum xcx_normalised *ret_result, struct xcx_err *err)
{
    struct pv_guest *pv = pv_of(guest);
    unsigned slot = 0;

    *ret_result = XCX_NORMALISED;
    switch (xcx_pt_normalise(&pv->frames, type, src, dst, &slot)) {
    case XCX_PT_OK:
        return 0;
    case XCX_PT_SUPERPAGE:
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u: a superpage (L%u at pfn %#llx, slot "
                           "%u) cannot be moved",
                           guest->hv->domid, type, (unsigned long long)pfn,
                           slot);
    case XCX_PT_FOREIGN:
        break;
    }
    if (final)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u: L%u at pfn %#llx, slot %u: maps a frame "
                           "that is not its own (a grant still mapped?)",
                           guest->hv->domid, type, (unsigned long long)pfn,
                           slot);
    *ret_result = XCX_RACED;
    return 0;
}

/* ---- CPU state ---------------------------------------------------------- */

static int translate(void *opaque, uint64_t mfn, const char *what,
                     uint64_t *ret_pfn, struct xcx_err *err)
{
    const struct pv_guest *pv = opaque;

    if (xcx_pv_mfn_to_pfn(&pv->frames, mfn, ret_pfn))
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "%s (mfn %#llx) is not one of its frames", what,
                       (unsigned long long)mfn);
}

static int put_vcpu(struct pv_guest *pv, struct xcx_writer *writer,
                    unsigned vcpu_id, struct xcx_err *err)
{
    static const struct {
        enum xcx_vcpu_part part;
        enum xcx_record_type type;
    } parts[] = {
        {XCX_VCPU_EXTENDED, XCX_REC_X86_PV_VCPU_EXTENDED},
        {XCX_VCPU_XSAVE, XCX_REC_X86_PV_VCPU_XSAVE},
        {XCX_VCPU_MSRS, XCX_REC_X86_PV_VCPU_MSRS},
    };
    XCX_AUTO_FREE void *basic = NULL;
    size_t bytes;

    if (xcx_vcpu_basic(pv->guest.hv, vcpu_id, translate, pv, &basic, &bytes,
                       err) ||
        xcx_writer_vcpu(writer, XCX_REC_X86_PV_VCPU_BASIC, vcpu_id, basic,
                        (uint32_t)bytes, err))
        return -1;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        XCX_AUTO_FREE void *blob = NULL;

        if (xcx_vcpu_blob(pv->guest.hv, vcpu_id, parts[i].part, &blob, &bytes,
                          err))
            return -1;
        if (bytes && xcx_writer_vcpu(writer, parts[i].type, vcpu_id, blob,
                                     (uint32_t)bytes, err))
            return -1;
    }
    return 0;
}

static int pv_end_records(struct xcx_guest *guest, struct xcx_writer *writer,
                          struct xcx_err *err)
{
    struct pv_guest *pv = pv_of(guest);

    if (xcx_put_tsc_info(guest->hv, writer, err) ||
        xcx_writer_record(writer, XCX_REC_SHARED_INFO, pv->shared_info,
                          XCX_PAGE_BYTES, err))
        return -1;
    for (unsigned vcpu_id = 0; vcpu_id <= pv->max_vcpu_id; vcpu_id++) {
        bool online;

        if (xcx_vcpu_is_online(guest->hv, vcpu_id, &online, err))
            return -1;
        if (online && put_vcpu(pv, writer, vcpu_id, err))
            return -1;
    }
    return 0;
}

static void pv_done(struct xcx_guest *guest)
{
    struct pv_guest *pv = pv_of(guest);

    xcx_pv_p2m_done(guest->hv, &pv->p2m);
    xcx_unmap(guest->hv, (void *)pv->m2p, pv->nr_m2p_pages);
    xcx_unmap(guest->hv, (void *)pv->shared_info, 1);
    free(pv);
}

static const struct xcx_guest_ops pv_ops = {
    .type = XCX_GUEST_PV,
    .types_change = true,
    .setup = pv_setup,
    .static_records = pv_static_records,
    .start_records = pv_start_records,
    .refresh = pv_refresh,
    .frame = pv_frame,
    .marks = pv_marks,
    .normalise = pv_normalise,
    .end_records = pv_end_records,
    .done = pv_done,
};

int xcx_pv_save_new(const struct xcx_hv *hv, const struct xcx_domain_info *info,
                    struct xcx_guest **ret_guest, struct xcx_err *err)
{
    struct pv_guest *pv;
    unsigned width;

    if (xcx_domain_guest_width(hv, &width, err))
        return -1;
    if (width != GUEST_WIDTH)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u is a %u-bit PV guest; only 64-bit ones "
                           "can be saved",
                           hv->domid, width * 8);
    pv = calloc(1, sizeof(*pv));
    if (!pv)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: state of a PV guest", hv->domid);
    pv->guest.ops = &pv_ops;
    pv->guest.hv = hv;
    pv->shared_info_mfn = info->shared_info_mfn;
    pv->max_vcpu_id = info->max_vcpu_id;
    *ret_guest = &pv->guest;
    return 0;
}
