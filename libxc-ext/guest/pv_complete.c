/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv_complete: from memory and records to a PV guest that can run. In this
 * order, since Xen looks at the page tables when it is given a vCPU:
 *
 *   the last page tables localised ─▶ shared info ─▶ vCPUs (and start info)
 *   ─▶ page tables pinned ─▶ the guest's own p2m ─▶ grant table
 *
 * A page counts as what the last record that named it said it is. Most page
 * tables have been localised as they came (pv_localise.c).
 */
#include "guest/pv_incoming.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include "guest/pv_pagetable.h"
#include "hv/map.h"
#include "hv/map_write.h"
#include "hv/vcpu_set.h"

/* Pages of the guest that are mapped at once. */
#define BATCH 1024

/* The entry of the guest's own p2m for a page that it does not have. */
#define INVALID_ENTRY UINT64_MAX

_Static_assert(BATCH <= XCX_PINS_MAX, "a batch can be pinned at once");

struct work {
    struct xcx_pv_incoming *pv;
    struct xcx_pv_frames frames; /* a view of pv->p2m */
    unsigned nr;                 /* of all below, in use */
    uint64_t pfns[BATCH];
    uint64_t mfns[BATCH];
    uint8_t levels[BATCH];
    int errors[BATCH];
};

static unsigned level_of(unsigned type)
{
    return type & ~(unsigned)XCX_PAGE_PIN;
}

/* ---- a page of the guest ------------------------------------------------ */

/* All or nothing; the mfns are those of the pfns. */
static void *map_pages(struct work *work, const char *what, struct xcx_err *err)
{
    const struct xcx_hv *hv = work->pv->guest.hv;
    void *pages = xcx_map_writable(hv, work->mfns, work->nr, work->errors);

    if (!pages) {
        xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                    "domain %u: cannot map %u pages (%s)", hv->domid, work->nr,
                    what);
        return NULL;
    }
    for (unsigned i = 0; i < work->nr; i++)
        if (work->errors[i]) {
            xcx_err_set(err, XCX_ERR_HYPERCALL, work->errors[i],
                        "domain %u: cannot map mfn %#" PRIx64 " (%s)",
                        hv->domid, work->mfns[i], what);
            xcx_unmap(hv, pages, work->nr);
            return NULL;
        }
    return pages;
}

/* A pfn that state refers to: of the guest, populated, and of this level. */
static int localise(void *opaque, uint64_t pfn, unsigned level,
                    const char *what, uint64_t *ret_mfn, struct xcx_err *err)
{
    const struct work *work = opaque;
    const struct xcx_pv_incoming *pv = work->pv;
    uint64_t mfn = xcx_pv_pfn_to_mfn(&work->frames, pfn);
    unsigned type;

    if (mfn == UINT64_MAX)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%s is at pfn %#" PRIx64 ", which the guest lacks",
                           what, pfn);
    type = pv->types[pfn];
    if (level ? !xcx_pv_is_table(type) || level_of(type) != level
              : type != XCX_PAGE_NOTAB)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%s is at pfn %#" PRIx64 ", which has type %#x",
                           what, pfn, type);
    *ret_mfn = mfn;
    return 0;
}

/* ---- page tables -------------------------------------------------------- */

static void add_table(struct work *work, uint64_t pfn)
{
    const struct xcx_pv_incoming *pv = work->pv;

    work->pfns[work->nr] = pfn;
    work->mfns[work->nr] = pv->p2m[pfn];
    work->levels[work->nr] = (uint8_t)level_of(pv->types[pfn]);
    work->nr++;
}

/* Fills pfns, mfns and levels from *pfn on; false if there is no more. */
static bool next_to_localise(struct work *work, uint64_t *pfn)
{
    struct xcx_bitmap tables = work->pv->to_localise;

    /* Most of the bitmap is beyond any table, and was never touched. */
    tables.nr_bits = work->pv->tables_end;
    work->nr = 0;
    for (; work->nr < BATCH; ++*pfn) {
        *pfn = xcx_bitmap_next_set(&tables, *pfn);
        if (*pfn >= tables.nr_bits)
            break;
        add_table(work, *pfn);
    }
    return work->nr > 0;
}

static bool next_pinned(struct work *work, uint64_t *pfn)
{
    const struct xcx_pv_incoming *pv = work->pv;

    work->nr = 0;
    for (; *pfn < pv->tables_end && work->nr < BATCH; ++*pfn) {
        unsigned type = pv->types[*pfn];

        if (xcx_pv_is_table(type) && (type & XCX_PAGE_PIN))
            add_table(work, *pfn);
    }
    return work->nr > 0;
}

static int localise_batch(struct work *work, struct xcx_err *err)
{
    uint64_t *tables = map_pages(work, "page table", err);
    int rc = 0;

    if (!tables)
        return -1;
    for (unsigned i = 0; i < work->nr && !rc; i++) {
        rc = xcx_pv_localise_table(work->pv,
                                   tables + (size_t)i * XCX_PT_ENTRIES, err);
        if (rc)
            xcx_err_prefix(err, "page table of level %u at pfn %#" PRIx64,
                           work->levels[i], work->pfns[i]);
    }
    xcx_unmap(work->pv->guest.hv, tables, work->nr);
    work->pv->guest.memory.stats->nr_tables_at_end += work->nr;
    return rc;
}

static int localise_tables(struct work *work, struct xcx_err *err)
{
    uint64_t pfn = 0;

    while (next_to_localise(work, &pfn))
        if (localise_batch(work, err))
            return -1;
    return 0;
}

static int pin_tables(struct work *work, struct xcx_err *err)
{
    uint64_t pfn = 0;

    while (next_pinned(work, &pfn))
        if (xcx_pin_tables(work->pv->guest.hv, work->mfns, work->levels,
                           work->nr, err))
            return -1;
    return 0;
}

/* ---- state -------------------------------------------------------------- */

/* Event channels begin anew: nothing is pending, all is masked. */
static int put_shared_info(struct work *work, struct xcx_err *err)
{
    const struct xcx_pv_incoming *pv = work->pv;
    const shared_info_t *sent = (const void *)pv->shared_info;
    shared_info_t *info;

    if (!pv->has_shared_info)
        return 0;
    work->nr = 1;
    work->mfns[0] = pv->guest.info.shared_info_mfn;
    info = map_pages(work, "shared info", err);
    if (!info)
        return -1;
    memcpy(info->vcpu_info, sent->vcpu_info, sizeof(info->vcpu_info));
    memcpy(&info->arch, &sent->arch, sizeof(info->arch));
    info->arch.pfn_to_mfn_frame_list_list = 0;
    memset(info->evtchn_pending, 0, sizeof(info->evtchn_pending));
    memset(info->evtchn_mask, 0xff, sizeof(info->evtchn_mask));
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        info->vcpu_info[i].evtchn_pending_sel = 0;
    xcx_unmap(pv->guest.hv, info, 1);
    return 0;
}

/* Where the guest finds its rings, and itself, when it wakes up. */
static int fill_start_info(struct work *work, start_info_t *start,
                           struct xcx_err *err)
{
    struct xcx_incoming *guest = &work->pv->guest;
    struct xcx_rings *rings = &guest->rings;

    if (localise(work, start->store_mfn, 0, "xenstore's ring",
                 &rings->store_frame, err) ||
        localise(work, start->console.domU.mfn, 0, "the console's ring",
                 &rings->console_frame, err))
        return -1;
    start->store_mfn = rings->store_frame;
    start->store_evtchn = rings->store_port;
    start->console.domU.mfn = rings->console_frame;
    start->console.domU.evtchn = rings->console_port;
    start->nr_pages = guest->nr_pfns;
    start->shared_info = guest->info.shared_info_mfn << XCX_PAGE_SHIFT;
    start->flags = 0;
    return 0;
}

static int put_start_info(struct work *work, uint64_t mfn, struct xcx_err *err)
{
    start_info_t *start;
    int rc;

    work->nr = 1;
    work->mfns[0] = mfn;
    start = map_pages(work, "start info", err);
    if (!start)
        return -1;
    rc = fill_start_info(work, start, err);
    xcx_unmap(work->pv->guest.hv, start, 1);
    return rc;
}

static int put_vcpu(struct work *work, unsigned vcpu_id, struct xcx_err *err)
{
    const struct xcx_pv_vcpu *vcpu = &work->pv->vcpus[vcpu_id];
    const struct xcx_hv *hv = work->pv->guest.hv;
    uint64_t start_info = 0;

    if (vcpu->basic.bytes &&
        xcx_vcpu_set_basic(hv, vcpu_id, vcpu->basic.bytes, localise, work,
                           &start_info, err))
        return -1;
    if (vcpu_id == 0 && put_start_info(work, start_info, err))
        return -1;
    for (unsigned part = 0; part <= XCX_VCPU_MSRS; part++)
        if (vcpu->parts[part].bytes &&
            xcx_vcpu_set_blob(hv, vcpu_id, part, vcpu->parts[part].bytes,
                              vcpu->parts[part].nr_bytes, err))
            return -1;
    return 0;
}

static int put_vcpus(struct work *work, struct xcx_err *err)
{
    if (!work->pv->vcpus[0].basic.bytes)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "the stream has no state of vCPU 0");
    for (unsigned i = 0; i < work->pv->nr_vcpus; i++)
        if (put_vcpu(work, i, err))
            return -1;
    return 0;
}

/* ---- the guest's own p2m ------------------------------------------------ */

/* The leaf's entries; what lies past the end is left as it was sent. */
static void fill_leaf(const struct xcx_pv_incoming *pv, uint64_t leaf,
                      uint64_t *entries)
{
    uint64_t first = leaf * XCX_PV_LEAF_ENTRIES;

    for (unsigned i = 0;
         i < XCX_PV_LEAF_ENTRIES && first + i < pv->guest.nr_pfns; i++)
        entries[i] = pv->p2m[first + i] ? pv->p2m[first + i] : INVALID_ENTRY;
}

static int find_leaf(struct work *work, uint64_t leaf, uint64_t *ret_mfn,
                     struct xcx_err *err)
{
    uint64_t pfn = work->pv->leaves[leaf];

    if (!pfn)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "the stream names no frame for the p2m of pfn "
                           "%#" PRIx64,
                           leaf * XCX_PV_LEAF_ENTRIES);
    return localise(work, pfn - 1, 0, "a p2m frame", ret_mfn, err);
}

static int put_leaves(struct work *work, uint64_t first, struct xcx_err *err)
{
    uint64_t *leaves;

    for (unsigned i = 0; i < work->nr; i++)
        if (find_leaf(work, first + i, &work->mfns[i], err))
            return -1;
    leaves = map_pages(work, "p2m", err);
    if (!leaves)
        return -1;
    for (unsigned i = 0; i < work->nr; i++)
        fill_leaf(work->pv, first + i,
                  leaves + (size_t)i * XCX_PV_LEAF_ENTRIES);
    xcx_unmap(work->pv->guest.hv, leaves, work->nr);
    return 0;
}

static int put_p2m(struct work *work, struct xcx_err *err)
{
    uint64_t nr_leaves = work->pv->nr_leaves;

    for (uint64_t first = 0; first < nr_leaves; first += BATCH) {
        work->nr =
            nr_leaves - first < BATCH ? (unsigned)(nr_leaves - first) : BATCH;
        if (put_leaves(work, first, err))
            return -1;
    }
    return 0;
}

int xcx_pv_complete(struct xcx_incoming *guest, struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);
    struct work *work = calloc(1, sizeof(*work));
    int rc;

    if (!work)
        return xcx_err_no_memory(err, ENOMEM,
                                 "state for completing a PV guest");
    work->pv = pv;
    work->frames = xcx_pv_frames_of(pv);
    rc = localise_tables(work, err) || put_shared_info(work, err) ||
         put_vcpus(work, err) || pin_tables(work, err) || put_p2m(work, err) ||
         xcx_grants_seed(guest->hv, false, &guest->rings, err);
    free(work);
    return rc ? -1 : 0;
}
