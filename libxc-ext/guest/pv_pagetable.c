/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/pv_pagetable.h"

#define FRAME_SHIFT 12

/* The guest may write the entry meanwhile: one read, no matter what. */
static uint64_t read_once(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static uint64_t frame_of(uint64_t pte)
{
    return (pte & XCX_PTE_FRAME_MASK) >> FRAME_SHIFT;
}

static uint64_t with_frame(uint64_t pte, uint64_t frame)
{
    return (pte & ~XCX_PTE_FRAME_MASK) | frame << FRAME_SHIFT;
}

uint64_t xcx_pv_pfn_to_mfn(const struct xcx_pv_frames *frames, uint64_t pfn)
{
    uint64_t mfn;

    if (pfn >= frames->nr_pfns)
        return UINT64_MAX;
    /* Foreign and identity frames carry flags that no mfn reaches. */
    mfn = read_once(&frames->p2m[pfn]);
    return mfn && mfn < frames->nr_mfns ? mfn : UINT64_MAX;
}

bool xcx_pv_mfn_to_pfn(const struct xcx_pv_frames *frames, uint64_t mfn,
                       uint64_t *ret_pfn)
{
    uint64_t pfn;

    if (mfn >= frames->nr_mfns)
        return false;
    pfn = read_once(&frames->m2p[mfn]);
    if (xcx_pv_pfn_to_mfn(frames, pfn) != mfn)
        return false;
    *ret_pfn = pfn;
    return true;
}

static bool is_xens(unsigned level, unsigned slot)
{
    return level == 4 && slot >= XCX_PT_XEN_FIRST && slot <= XCX_PT_XEN_LAST;
}

enum xcx_pt_result xcx_pt_normalise(const struct xcx_pv_frames *frames,
                                    unsigned level, const uint64_t *src,
                                    uint64_t *dst, unsigned *ret_slot)
{
    for (unsigned slot = 0; slot < XCX_PT_ENTRIES; slot++) {
        uint64_t pte = is_xens(level, slot) ? 0 : read_once(&src[slot]);
        uint64_t pfn;

        if (pte & XCX_PTE_PRESENT) {
            *ret_slot = slot;
            if (level > 1 && pte & XCX_PTE_SUPERPAGE)
                return XCX_PT_SUPERPAGE;
            if (!xcx_pv_mfn_to_pfn(frames, frame_of(pte), &pfn))
                return XCX_PT_FOREIGN;
            pte = with_frame(pte, pfn);
        }
        dst[slot] = pte;
    }
    return XCX_PT_OK;
}

enum xcx_pt_result xcx_pt_localise(const struct xcx_pv_frames *frames,
                                   uint64_t *table, unsigned *ret_slot)
{
    for (unsigned slot = 0; slot < XCX_PT_ENTRIES; slot++) {
        uint64_t mfn;

        if (!(table[slot] & XCX_PTE_PRESENT))
            continue;
        mfn = xcx_pv_pfn_to_mfn(frames, frame_of(table[slot]));
        if (mfn == UINT64_MAX) {
            *ret_slot = slot;
            return XCX_PT_FOREIGN;
        }
        table[slot] = with_frame(table[slot], mfn);
    }
    return XCX_PT_OK;
}
