/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv_p2m: finding and mapping a PV guest's own table from pfn to mfn.
 *
 * The guest offers it in one of two ways (Xen's public arch-x86/xen.h,
 * struct arch_shared_info):
 *
 *   linear list      p2m_cr3 ─▶ L4 ─▶ L3 ─▶ L2 ─▶ L1 ─▶ leaf frames
 *                    at p2m_vaddr; p2m_generation is odd while it changes
 *   frame list list  pfn_to_mfn_frame_list_list ─▶ frame lists ─▶ leaf frames
 *
 * A leaf frame has 512 entries. The guest may reserve much more than it has
 * and let the rest share one empty table; that tail is left out.
 *
 * Every number comes from a running guest and is checked before its use.
 * Errors: GUEST for a table that makes no sense; HYPERCALL, RESOURCE.
 */
#ifndef XCX_GUEST_PV_P2M_H
#define XCX_GUEST_PV_P2M_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/hv.h"

#define XCX_P2M_FRAME_ENTRIES 512

/* X86_PV_P2M_FRAMES counts pfns in 32 bits: 16 TiB. */
#define XCX_P2M_MAX_PFNS (UINT64_C(1) << 32)

struct xcx_pv_p2m {
    uint64_t nr_pfns;        /* a multiple of a frame's entries, or less */
    uint64_t nr_frames;      /* leaves */
    uint64_t *frame_mfns;    /* of the leaves */
    const uint64_t *entries; /* the leaves, mapped; the guest writes them */
    uint64_t generation;     /* linear list only */
};

struct shared_info;

/*
 * Locates the leaves of the table that shared_info tells of, without mapping
 * them. nr_mfns bounds every mfn. The previous contents of p2m are ignored;
 * xcx_pv_p2m_done() releases it, whatever happened.
 */
int xcx_pv_p2m_find(const struct xcx_hv *hv,
                    const struct shared_info *shared_info, uint64_t nr_mfns,
                    struct xcx_pv_p2m *p2m, struct xcx_err *err);

/* Maps the leaves that were found. */
int xcx_pv_p2m_map(const struct xcx_hv *hv, struct xcx_pv_p2m *p2m,
                   struct xcx_err *err);

/* Whether the table is where it was: false after a change of generation. */
bool xcx_pv_p2m_is_current(const struct shared_info *shared_info,
                           const struct xcx_pv_p2m *p2m);

bool xcx_pv_p2m_same_leaves(const struct xcx_pv_p2m *a,
                            const struct xcx_pv_p2m *b);

/* Idempotent; a zeroed one is fine. */
void xcx_pv_p2m_done(const struct xcx_hv *hv, struct xcx_pv_p2m *p2m);

#endif
