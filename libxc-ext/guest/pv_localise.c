/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv_localise: page tables get this host's frames as soon as they come, while
 * the guest still runs at the source: there is one for each 2 MiB, and after
 * END the guest would stand for all of them.
 *
 *   a record names a table  ─▶ to be localised
 *   its contents have come  ─▶ localised, if every page that it refers to
 *                              has memory or gets some
 *   END                     ─▶ what is still to be localised (pv_complete.c)
 *
 * Entries may refer to pages that come later, or never: they get memory. A
 * table that refers beyond the p2m, or to more pages than the domain may still
 * get, may be rewritten by a later record: it waits, and only at END that is an
 * error.
 */
#include "guest/pv_incoming.h"

#include <inttypes.h>

#include "guest/pv_pagetable.h"

/* An entry of a page table has 40 bits for the frame. */
#define NR_MFNS (UINT64_C(1) << 40)

#define NO_SLOT XCX_PT_ENTRIES

_Static_assert(XCX_PT_ENTRIES <= XCX_PAGE_BATCH_MAX,
               "one table's pages can be populated at once");

struct xcx_pv_frames xcx_pv_frames_of(const struct xcx_pv_incoming *pv)
{
    return (struct xcx_pv_frames){
        .nr_mfns = NR_MFNS, .p2m = pv->p2m, .nr_pfns = pv->guest.nr_pfns};
}

/*
 * Pfns that the table refers to and that have no memory; how many. *ret_slot:
 * the first entry that refers beyond the p2m, or NO_SLOT.
 */
static unsigned list_missing(const struct xcx_pv_incoming *pv,
                             const uint64_t *table,
                             uint64_t ret_pfns[XCX_PT_ENTRIES],
                             unsigned *ret_slot)
{
    unsigned nr = 0;

    *ret_slot = NO_SLOT;
    for (unsigned slot = 0; slot < XCX_PT_ENTRIES; slot++) {
        uint64_t pfn = (table[slot] & XCX_PTE_FRAME_MASK) >> XCX_PAGE_SHIFT;

        if (!(table[slot] & XCX_PTE_PRESENT))
            continue;
        if (pfn >= pv->guest.nr_pfns) {
            *ret_slot = slot;
            break;
        }
        if (!pv->p2m[pfn])
            ret_pfns[nr++] = pfn;
    }
    return nr;
}

static int populate(struct xcx_pv_incoming *pv, const uint64_t *pfns,
                    unsigned nr, struct xcx_err *err)
{
    const struct xcx_incoming_memory *memory = &pv->guest.memory;

    return nr ? memory->populate(memory->opaque, pfns, nr, err) : 0;
}

int xcx_pv_localise_table(struct xcx_pv_incoming *pv, uint64_t *table,
                          struct xcx_err *err)
{
    const struct xcx_pv_frames frames = xcx_pv_frames_of(pv);
    uint64_t missing[XCX_PT_ENTRIES];
    unsigned slot, nr = list_missing(pv, table, missing, &slot);

    if (slot != NO_SLOT)
        return xcx_err_set(
            err, XCX_ERR_STREAM, 0,
            "entry %u refers to pfn %#" PRIx64 ", the guest has %#" PRIx64,
            slot, (table[slot] & XCX_PTE_FRAME_MASK) >> XCX_PAGE_SHIFT,
            pv->guest.nr_pfns);
    if (populate(pv, missing, nr, err))
        return -1;
    if (xcx_pt_localise(&frames, table, &slot) != XCX_PT_OK)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "entry %u refers to a page that the guest lacks",
                           slot);
    return 0;
}

/* Whether the table can be localised now, before more has come. */
static bool is_ready(const struct xcx_pv_incoming *pv, const uint64_t *table)
{
    const struct xcx_incoming_memory *memory = &pv->guest.memory;
    uint64_t missing[XCX_PT_ENTRIES];
    unsigned slot, nr = list_missing(pv, table, missing, &slot);

    return slot == NO_SLOT && nr <= memory->nr_left(memory->opaque);
}

int xcx_pv_localise(struct xcx_incoming *guest, const uint64_t *pfns,
                    unsigned nr_pages, uint8_t *pages, struct xcx_err *err)
{
    struct xcx_pv_incoming *pv = xcx_pv_incoming_of(guest);

    for (unsigned i = 0; i < nr_pages; i++)
        if (xcx_pv_is_table(pv->types[pfns[i]]))
            xcx_bitmap_set(&pv->to_localise, pfns[i]);
    /* From the end, since of a pfn that comes twice the last contents stay. */
    for (unsigned i = nr_pages; i-- > 0;) {
        uint64_t *table = (uint64_t *)(pages + (size_t)i * XCX_PAGE_BYTES);

        if (!xcx_bitmap_test(&pv->to_localise, pfns[i]) || !is_ready(pv, table))
            continue;
        if (xcx_pv_localise_table(pv, table, err))
            return xcx_err_prefix(err, "page table at pfn %#" PRIx64, pfns[i]);
        xcx_bitmap_clear(&pv->to_localise, pfns[i]);
    }
    return 0;
}

void xcx_pv_as_localised(const struct xcx_incoming *guest, uint64_t pfn,
                         uint8_t *page)
{
    const struct xcx_pv_incoming *pv = (const struct xcx_pv_incoming *)guest;
    const struct xcx_pv_frames frames = xcx_pv_frames_of(pv);
    unsigned slot;

    if (xcx_pv_is_table(pv->types[pfn]) &&
        !xcx_bitmap_test(&pv->to_localise, pfn))
        xcx_pt_localise(&frames, (uint64_t *)page, &slot);
}
