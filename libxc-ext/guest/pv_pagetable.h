/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv_pagetable: a PV guest's page tables between the host's frame numbers
 * and the stream's pfns. Pure; 64-bit guests (four levels).
 *
 *      host A              stream              host B
 *      mfn ──normalise──▶  pfn  ──localise──▶  mfn'
 *
 * A present entry's frame (bits 12 to 51) is replaced, its flags stay; an
 * entry that is not present is the guest's own business and stays as it is.
 * The slots of an L4 that belong to Xen are emptied: Xen fills them again.
 *
 * The tables are looked at while the guest runs, so every number in them is
 * doubted. Any thread.
 */
#ifndef XCX_GUEST_PV_PAGETABLE_H
#define XCX_GUEST_PV_PAGETABLE_H

#include <stdbool.h>
#include <stdint.h>

#define XCX_PT_ENTRIES     512

#define XCX_PTE_PRESENT    UINT64_C(0x001)
#define XCX_PTE_SUPERPAGE  UINT64_C(0x080) /* in L2 and L3 */
#define XCX_PTE_FRAME_MASK UINT64_C(0x000ffffffffff000)

/* Xen's part of the address space, as slots of an L4, both included. */
#define XCX_PT_XEN_FIRST 256
#define XCX_PT_XEN_LAST  271

/* The two tables; p2m may be changed by the guest at any time. */
struct xcx_pv_frames {
    const uint64_t *m2p;
    uint64_t nr_mfns;
    const uint64_t *p2m;
    uint64_t nr_pfns;
};

/*
 * The pfn at which the guest has this mfn: only if both tables say so. False
 * for a frame that is not the guest's, and *ret_pfn is untouched then.
 */
bool xcx_pv_mfn_to_pfn(const struct xcx_pv_frames *frames, uint64_t mfn,
                       uint64_t *ret_pfn);

/*
 * The mfn of a pfn, or UINT64_MAX if it has none that could be one. Mfn 0 is
 * the host's own, never a guest's.
 */
uint64_t xcx_pv_pfn_to_mfn(const struct xcx_pv_frames *frames, uint64_t pfn);

enum xcx_pt_result {
    XCX_PT_OK,
    XCX_PT_FOREIGN,   /* a frame that is not the guest's (any more, yet) */
    XCX_PT_SUPERPAGE, /* cannot be moved */
};

/*
 * A table of level 1 to 4 from src to dst (which may not overlap). Other than
 * OK: *ret_slot is the first offending entry and dst is half done.
 */
enum xcx_pt_result xcx_pt_normalise(const struct xcx_pv_frames *frames,
                                    unsigned level, const uint64_t *src,
                                    uint64_t *dst, unsigned *ret_slot);

/*
 * The way back, in place, by the receiver's p2m; FOREIGN for a pfn that it
 * has no frame for.
 */
enum xcx_pt_result xcx_pt_localise(const struct xcx_pv_frames *frames,
                                   uint64_t *table, unsigned *ret_slot);

#endif
