/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pv.h"

#include <errno.h>

#include "logdirty.h"

static bool is_xen_slot(unsigned level, unsigned slot)
{
    return level == 4 && slot >= SIM_PV_XEN_FIRST && slot <= SIM_PV_XEN_LAST;
}

static uint64_t guest_frame(struct sim_world *w, uint64_t mfn)
{
    uint64_t f = sim_mfn_frame(w, mfn);

    return f != SIM_NO_FRAME && sim_frames(w)[f].state == SIM_FRAME_GUEST
               ? f
               : SIM_NO_FRAME;
}

/* A leaf entry: memory of the guest's, and no page table if writable. */
static int check_leaf(struct sim_world *w, uint64_t pte)
{
    uint64_t f = guest_frame(w, sim_pte_mfn(pte));

    if (f == SIM_NO_FRAME)
        return -EINVAL;
    return (pte & SIM_PTE_RW) && sim_frames(w)[f].type ? -EINVAL : 0;
}

static int get_entry(struct sim_world *w, uint64_t pte, unsigned level)
{
    uint64_t f;

    if (level == 1)
        return check_leaf(w, pte);
    f = guest_frame(w, sim_pte_mfn(pte));
    return f == SIM_NO_FRAME ? -EINVAL : sim_pv_get_table(w, f, level - 1);
}

static void put_entries(struct sim_world *w, const uint64_t *table,
                        unsigned level, unsigned end)
{
    for (unsigned i = 0; i < end && level > 1; i++) {
        uint64_t f;

        if (!(table[i] & SIM_PTE_PRESENT) || is_xen_slot(level, i))
            continue;
        f = guest_frame(w, sim_pte_mfn(table[i]));
        if (f != SIM_NO_FRAME)
            sim_pv_put_table(w, f);
    }
}

int sim_pv_get_table(struct sim_world *w, uint64_t frame, unsigned level)
{
    struct sim_frame *info = &sim_frames(w)[frame];
    uint64_t *table = sim_ram(w, frame);

    if (info->type && info->type != level)
        return -EINVAL;
    if (info->type) {
        info->nr_refs++;
        return 0;
    }
    info->type = (uint8_t)level; /* so that a table that maps itself ends */
    info->nr_refs = 1;
    for (unsigned i = 0; i < 512; i++) {
        /* The hypervisor writes its own slots, whatever was there. */
        if (is_xen_slot(level, i))
            table[i] = ((uint64_t)(i + 3) << SIM_PAGE_SHIFT) | SIM_PTE_RO_FLAGS;
        else if ((table[i] & SIM_PTE_PRESENT) &&
                 get_entry(w, table[i], level)) {
            put_entries(w, table, level, i);
            info->type = 0;
            info->nr_refs = 0;
            return -EINVAL;
        }
    }
    sim_dirty_mark(w, info->pfn);
    return 0;
}

void sim_pv_put_table(struct sim_world *w, uint64_t frame)
{
    struct sim_frame *info = &sim_frames(w)[frame];
    unsigned level = info->type;

    if (!level || --info->nr_refs)
        return;
    info->type = 0;
    put_entries(w, sim_ram(w, frame), level, 512);
    sim_dirty_mark(w, info->pfn);
}

int sim_pv_pin(struct sim_world *w, uint64_t frame, unsigned level)
{
    struct sim_frame *info = &sim_frames(w)[frame];
    int rc;

    if (info->state != SIM_FRAME_GUEST || info->pinned)
        return -EINVAL;
    rc = sim_pv_get_table(w, frame, level);
    if (!rc)
        info->pinned = 1;
    return rc;
}

int sim_pv_unpin(struct sim_world *w, uint64_t frame)
{
    struct sim_frame *info = &sim_frames(w)[frame];

    if (info->state != SIM_FRAME_GUEST || !info->pinned)
        return -EINVAL;
    info->pinned = 0;
    sim_pv_put_table(w, frame);
    return 0;
}

void sim_pv_normalise(struct sim_world *w, uint64_t frame,
                      uint64_t ret_table[512])
{
    unsigned level = sim_frames(w)[frame].type;
    const uint64_t *table = sim_ram(w, frame);

    for (unsigned i = 0; i < 512; i++) {
        uint64_t pte = table[i], f;

        if (is_xen_slot(level, i))
            pte = 0;
        if (pte & SIM_PTE_PRESENT) {
            f = guest_frame(w, sim_pte_mfn(pte));
            pte = f == SIM_NO_FRAME
                      ? UINT64_MAX
                      : (pte & ~SIM_PTE_FRAME) | (uint64_t)sim_frames(w)[f].pfn
                                                     << SIM_PAGE_SHIFT;
        }
        ret_table[i] = pte;
    }
}
