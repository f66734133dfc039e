/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv: what the simulated hypervisor does with PV page tables: validating
 * and pinning them, and reading one with its machine frames as pfns.
 * All under the world's lock.
 */
#ifndef SIM_PV_H
#define SIM_PV_H

#include "world.h"

#define SIM_PTE_PRESENT  0x1UL
#define SIM_PTE_RW       0x2UL
#define SIM_PTE_RO_FLAGS 0x65UL /* present, user, accessed, dirty */
#define SIM_PTE_RW_FLAGS 0x67UL
#define SIM_PTE_NX       (1UL << 63)
#define SIM_PTE_FRAME    0x000ffffffffff000UL
#define SIM_PV_XEN_FIRST 256 /* slots of an L4 that are the hypervisor's */
#define SIM_PV_XEN_LAST  271

static inline uint64_t sim_pte_mfn(uint64_t pte)
{
    return (pte & SIM_PTE_FRAME) >> SIM_PAGE_SHIFT;
}

/*
 * Takes one more reference to frame as a page table of this level, which
 * validates it and all below. -EINVAL if it cannot be one.
 */
int sim_pv_get_table(struct sim_world *w, uint64_t frame, unsigned level);

/* Gives the reference back; at the last one the frame is plain memory. */
void sim_pv_put_table(struct sim_world *w, uint64_t frame);

/* The hypercalls' half: the reference that is the pin. */
int sim_pv_pin(struct sim_world *w, uint64_t frame, unsigned level);
int sim_pv_unpin(struct sim_world *w, uint64_t frame);

/*
 * The table in frame, with pfns in place of mfns and without the
 * hypervisor's own entries. An mfn that is no page of the guest gives
 * an entry of all ones.
 */
void sim_pv_normalise(struct sim_world *w, uint64_t frame,
                      uint64_t ret_table[512]);

#endif
