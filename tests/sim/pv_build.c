/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory of a simulated PV guest:
 *
 *   pfn 1..            start info, store, console, GDT
 *                      page tables of the kernel and of one user process
 *                      the p2m's leaves, and the older frame lists
 *   pv.first_data..    data; in its second half some holes
 *
 *   kernel L4 ─[272]─▶ L3 ─▶ L2s ─▶ L1s: every page, page tables read-only
 *             └[402]─▶ L3 ─▶ L2  ─▶ L1s: the linear p2m list (the leaves)
 *   user L4   ─[0]───▶ L3 ─▶ L2: empty at first; workload.c hangs L1s in
 */
#include "build.h"

#include <errno.h>
#include <string.h>

#include "logdirty.h"
#include "pv.h"

#define DIRECT_SLOT 272
#define LIST_SLOT   402
#define LIST_VADDR  0xffffc90000000000UL
#define PER_PAGE    512U

static uint32_t pages_for(uint64_t entries)
{
    return (uint32_t)((entries + PER_PAGE - 1) / PER_PAGE);
}

static void assign(struct sim_pv *pv, uint64_t nr_pfns)
{
    uint32_t next = 1;

    pv->nr_leaves = pages_for(nr_pfns);
    pv->nr_l1_direct = pages_for(nr_pfns);
    pv->nr_l2_direct = pages_for(pv->nr_l1_direct);
    pv->nr_l1_list = pages_for(pv->nr_leaves);
    pv->nr_fl = pages_for(pv->nr_leaves);
    pv->start_info = next++;
    pv->store = next++;
    pv->console = next++;
    pv->gdt = next++;
    pv->l4_kernel = next++;
    pv->l4_user = next++;
    pv->l3_direct = next++;
    pv->l3_list = next++;
    pv->l2_list = next++;
    pv->l3_user = next++;
    pv->l2_user = next++;
    pv->fll = next++;
    pv->l2_direct = next;
    pv->l1_direct = next += pv->nr_l2_direct;
    pv->l1_list = next += pv->nr_l1_direct;
    pv->leaves = next += pv->nr_l1_list;
    pv->fl = next += pv->nr_leaves;
    pv->first_data = next + pv->nr_fl;
}

static uint64_t mfn_of(struct sim_world *w, uint64_t pfn)
{
    uint64_t f = sim_pfn_frame(w, pfn);

    return f == SIM_NO_FRAME ? SIM_INVALID_MFN : sim_mfn(w, f);
}

static uint64_t pte(struct sim_world *w, uint64_t pfn, uint64_t flags)
{
    return (mfn_of(w, pfn) << SIM_PAGE_SHIFT) | flags;
}

static void clear_all(struct sim_world *w, uint32_t first, uint32_t end)
{
    for (uint32_t pfn = first; pfn < end; pfn++)
        memset(sim_pfn_ram(w, pfn), 0, SIM_PAGE_BYTES);
}

/* Fills count tables of one level from first on with the pages from below. */
static void link_tables(struct sim_world *w, uint32_t first, uint32_t below,
                        uint32_t nr_below)
{
    for (uint32_t i = 0; i < nr_below; i++) {
        uint64_t *table = sim_pfn_ram(w, first + i / PER_PAGE);

        table[i % PER_PAGE] = pte(w, below + i, SIM_PTE_RW_FLAGS);
    }
}

static bool is_table(const struct sim_pv *pv, uint64_t pfn)
{
    return (pfn >= pv->l4_kernel && pfn <= pv->l2_user) ||
           (pfn >= pv->l2_direct && pfn < pv->leaves);
}

static void map_everything(struct sim_world *w)
{
    const struct sim_pv *pv = &w->pv;

    for (uint64_t pfn = 0; pfn < w->spec.nr_pfns; pfn++) {
        uint64_t *table = sim_pfn_ram(w, pv->l1_direct + pfn / PER_PAGE);
        uint64_t flags =
            is_table(pv, pfn) ? SIM_PTE_RO_FLAGS : SIM_PTE_RW_FLAGS;

        if (pfn % 3 == 0)
            flags |= SIM_PTE_NX;
        if (sim_pfn_frame(w, pfn) != SIM_NO_FRAME)
            table[pfn % PER_PAGE] = pte(w, pfn, flags);
    }
}

static void build_tables(struct sim_world *w)
{
    const struct sim_pv *pv = &w->pv;
    uint64_t *kernel = sim_pfn_ram(w, pv->l4_kernel);
    uint64_t *user = sim_pfn_ram(w, pv->l4_user);

    map_everything(w);
    link_tables(w, pv->l2_direct, pv->l1_direct, pv->nr_l1_direct);
    link_tables(w, pv->l3_direct, pv->l2_direct, pv->nr_l2_direct);
    link_tables(w, pv->l1_list, pv->leaves, pv->nr_leaves);
    link_tables(w, pv->l2_list, pv->l1_list, pv->nr_l1_list);
    link_tables(w, pv->l3_list, pv->l2_list, 1);
    link_tables(w, pv->l3_user, pv->l2_user, 1);
    kernel[DIRECT_SLOT] = pte(w, pv->l3_direct, SIM_PTE_RW_FLAGS);
    kernel[LIST_SLOT] = pte(w, pv->l3_list, SIM_PTE_RW_FLAGS);
    user[0] = pte(w, pv->l3_user, SIM_PTE_RW_FLAGS);
}

static void build_p2m(struct sim_world *w)
{
    const struct sim_pv *pv = &w->pv;
    uint64_t *fll = sim_pfn_ram(w, pv->fll);

    for (uint32_t i = 0; i < pv->nr_leaves * PER_PAGE; i++) {
        uint64_t *leaf = sim_pfn_ram(w, pv->leaves + i / PER_PAGE);

        leaf[i % PER_PAGE] =
            i < w->spec.nr_pfns ? mfn_of(w, i) : SIM_INVALID_MFN;
    }
    for (uint32_t i = 0; i < pv->nr_leaves; i++) {
        uint64_t *fl = sim_pfn_ram(w, pv->fl + i / PER_PAGE);

        fl[i % PER_PAGE] = mfn_of(w, pv->leaves + i);
    }
    for (uint32_t i = 0; i < pv->nr_fl; i++)
        fll[i] = mfn_of(w, pv->fl + i);
}

static void build_shared_info(struct sim_world *w)
{
    shared_info_t *info = sim_ram(w, w->shared_info_frame);

    info->arch.max_pfn = w->spec.nr_pfns;
    info->wc_sec = 1700000000;
    for (unsigned v = 0; v < w->spec.nr_vcpus; v++)
        info->vcpu_info[v].arch.cr2 = 0x7f0000000000 + v;
    if (w->spec.p2m_tree) {
        info->arch.pfn_to_mfn_frame_list_list = mfn_of(w, w->pv.fll);
        return;
    }
    info->arch.pfn_to_mfn_frame_list_list = SIM_INVALID_MFN;
    info->arch.p2m_cr3 = mfn_of(w, w->pv.l4_kernel) << SIM_PAGE_SHIFT;
    info->arch.p2m_vaddr = LIST_VADDR;
}

static void build_contexts(struct sim_world *w)
{
    for (unsigned v = 0; v < w->spec.nr_vcpus; v++) {
        vcpu_guest_context_t *context = &w->vcpu[v].context;

        if (v == 0)
            context->user_regs.rdx = mfn_of(w, w->pv.start_info);
        context->gdt_ents = 24;
        context->gdt_frames[0] = mfn_of(w, w->pv.gdt);
        context->ctrlreg[3] = mfn_of(w, w->pv.l4_kernel) << SIM_PAGE_SHIFT;
        context->ctrlreg[1] = mfn_of(w, w->pv.l4_user) << SIM_PAGE_SHIFT;
    }
}

int sim_pv_build(struct sim_world *w, struct xcx_err *err)
{
    struct sim_pv *pv = &w->pv;
    start_info_t *start;

    assign(pv, w->spec.nr_pfns);
    if (pv->first_data >= w->spec.nr_pages / 2)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "world: PV: mem too small");
    clear_all(w, pv->start_info, pv->first_data);
    start = sim_pfn_ram(w, pv->start_info);
    memcpy(start->magic, "xen-3.0-x86_64", 15);
    start->nr_pages = w->spec.nr_pfns;
    start->store_mfn = mfn_of(w, pv->store);
    start->console.domU.mfn = mfn_of(w, pv->console);
    build_tables(w);
    build_p2m(w);
    build_shared_info(w);
    build_contexts(w);
    if (sim_pv_pin(w, sim_pfn_frame(w, pv->l4_kernel), 4) ||
        sim_pv_pin(w, sim_pfn_frame(w, pv->l4_user), 4))
        return xcx_err_set(err, XCX_ERR_BUG, 0, "world: bad page tables");
    return 0;
}

void sim_pv_suspend(struct sim_world *w)
{
    start_info_t *start = sim_pfn_ram(w, w->pv.start_info);

    start->store_mfn = w->pv.store;
    start->console.domU.mfn = w->pv.console;
    sim_dirty_mark(w, w->pv.start_info);
}
