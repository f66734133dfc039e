/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workload.h"

#include "build.h"
#include "logdirty.h"
#include "pv.h"

#define NS_PER_S     1000000000ULL
#define CALL_NS      1000000ULL
#define MAX_CATCH_UP 200000 /* pages; a guest that fast is throttled */
#define PER_PAGE     512U
#define RIVAL_DELAY  100U /* pages written */
#define BALLOON_RUN  64U  /* pages one way */

static uint64_t *rng(struct sim_world *w)
{
    return &w->work.rng;
}

/* A page that the guest may use for data; SIM_NO_FRAME if pfn is none. */
static uint64_t data_frame(struct sim_world *w, uint64_t pfn)
{
    uint64_t f = sim_pfn_frame(w, pfn);

    if (f == SIM_NO_FRAME || sim_frames(w)[f].state != SIM_FRAME_GUEST ||
        sim_frames(w)[f].type)
        return SIM_NO_FRAME;
    if (w->spec.kind == SIM_PV &&
        (pfn < w->pv.first_data || pfn == w->pv.moved_pfn))
        return SIM_NO_FRAME;
    return f;
}

static void write_page(struct sim_world *w, uint64_t pfn)
{
    uint64_t f = data_frame(w, pfn), seq;
    uint64_t *page;

    if (f == SIM_NO_FRAME)
        return;
    page = sim_ram(w, f);
    seq = ++w->work.next_seq;
    page[0] = pfn;
    page[seq % PER_PAGE] = seq;
    page[sim_random(rng(w)) % PER_PAGE] = seq;
    if (sim_frames(w)[f].undefined) {
        sim_fill_page(page, SIM_RANDOM, seq, pfn);
        sim_frames(w)[f].undefined = 0;
    }
    /* Xen 4.17 lets a new page of an HVM guest be written until a CLEAN. */
    if (sim_frames(w)[f].born != w->nr_cleans + 1)
        sim_dirty_mark(w, pfn);
    w->work.nr_writes++;
}

static uint64_t pick_page(struct sim_world *w)
{
    uint64_t nr = w->spec.nr_pages, r = sim_random(rng(w));

    if (w->spec.pattern == SIM_SEQ)
        return w->work.next_page++ % nr;
    if (w->spec.pattern == SIM_HOT && r % 10)
        return nr / 2 + (r >> 8) % (nr / 20 + 1);
    return (r >> 8) % nr;
}

/* PV: the guest's own records of where pfn is. */
static void pv_note(struct sim_world *w, uint64_t pfn)
{
    uint64_t f = sim_pfn_frame(w, pfn);
    uint64_t leaf_pfn = sim_pv_leaf(w, (uint32_t)(pfn / PER_PAGE));
    uint64_t l1_pfn = w->pv.l1_direct + pfn / PER_PAGE;
    uint64_t *leaf = sim_pfn_ram(w, leaf_pfn), *l1 = sim_pfn_ram(w, l1_pfn);
    uint64_t mfn = f == SIM_NO_FRAME ? SIM_INVALID_MFN : sim_mfn(w, f);

    leaf[pfn % PER_PAGE] = mfn;
    l1[pfn % PER_PAGE] =
        f == SIM_NO_FRAME
            ? 0
            : (mfn << SIM_PAGE_SHIFT) |
                  (sim_frames(w)[f].type ? SIM_PTE_RO_FLAGS : SIM_PTE_RW_FLAGS);
    sim_dirty_mark(w, leaf_pfn);
    sim_dirty_mark(w, l1_pfn);
}

/*
 * A page of the second half of memory. A balloon driver follows a target: an
 * HVM guest's moves one way for a while, and then the other.
 */
static uint64_t pick_balloon_pfn(struct sim_world *w)
{
    uint64_t half = w->spec.nr_pages / 2, pfn = 0;
    uint64_t nr_moves = w->work.nr_balloon_out + w->work.nr_balloon_in;
    bool out = nr_moves / BALLOON_RUN % 2 == 0;

    for (unsigned i = 0; i < 64; i++) {
        pfn = sim_nth_pfn(&w->spec, half + sim_random(rng(w)) %
                                               (w->spec.nr_pages - half));
        if (w->spec.kind == SIM_PV ||
            (sim_pfn_frame(w, pfn) != SIM_NO_FRAME) == out)
            break;
    }
    return pfn;
}

/* One such page goes or comes. */
static void balloon(struct sim_world *w)
{
    uint64_t pfn = pick_balloon_pfn(w), f = sim_pfn_frame(w, pfn);

    if (f != SIM_NO_FRAME) {
        if (data_frame(w, pfn) == SIM_NO_FRAME)
            return;
        sim_depopulate(w, pfn);
        w->work.nr_balloon_out++;
    } else if (!sim_populate(w, pfn)) {
        f = sim_pfn_frame(w, pfn);
        sim_fill_page(sim_ram(w, f), SIM_RANDOM, w->work.rng, pfn);
        sim_frames(w)[f].undefined = 1;
        if (w->spec.kind == SIM_HVM)
            sim_frames(w)[f].born = w->nr_cleans + 1;
        w->work.nr_balloon_in++;
    } else {
        return;
    }
    if (w->spec.kind == SIM_PV)
        pv_note(w, pfn);
}

/* A data page of the first half, which is never ballooned. */
static uint64_t pick_steady_data(struct sim_world *w)
{
    uint64_t first = w->pv.first_data, end = w->spec.nr_pages / 2;

    for (unsigned i = 0; i < 64; i++) {
        uint64_t pfn = first + sim_random(rng(w)) % (end - first);

        if (data_frame(w, pfn) != SIM_NO_FRAME)
            return pfn;
    }
    return 0;
}

/* A data page becomes an L1 of the user process. */
static void hang_table(struct sim_world *w, unsigned slot)
{
    uint64_t pfn = pick_steady_data(w), f = sim_pfn_frame(w, pfn);
    uint64_t *table, *l2 = sim_pfn_ram(w, w->pv.l2_user);

    if (!pfn)
        return;
    table = sim_ram(w, f);
    for (unsigned i = 0; i < PER_PAGE; i++) {
        uint64_t to = i % 7 ? 0 : pick_steady_data(w);

        table[i] = to && to != pfn
                       ? (sim_mfn(w, sim_pfn_frame(w, to)) << SIM_PAGE_SHIFT) |
                             SIM_PTE_RO_FLAGS
                       : 0;
    }
    sim_dirty_mark(w, pfn);
    if (sim_pv_get_table(w, f, 1))
        return;
    pv_note(w, pfn);
    l2[slot] = (sim_mfn(w, f) << SIM_PAGE_SHIFT) | SIM_PTE_RW_FLAGS;
    sim_dirty_mark(w, w->pv.l2_user);
    w->pv.user_table[slot] = (uint32_t)pfn;
}

static void take_table(struct sim_world *w, unsigned slot)
{
    uint64_t pfn = w->pv.user_table[slot], f = sim_pfn_frame(w, pfn);
    uint64_t *l2 = sim_pfn_ram(w, w->pv.l2_user);

    l2[slot] = 0;
    sim_dirty_mark(w, w->pv.l2_user);
    sim_pv_put_table(w, f);
    pv_note(w, pfn);
    w->pv.user_table[slot] = 0;
    write_page(w, pfn);
}

static void change_tables(struct sim_world *w)
{
    unsigned slot = (unsigned)(sim_random(rng(w)) % PER_PAGE);

    if (w->spec.kind != SIM_PV)
        return;
    if (w->pv.user_table[slot])
        take_table(w, slot);
    else
        hang_table(w, slot);
    w->work.nr_tables++;
}

static bool owes(uint64_t *owed)
{
    if (*owed < NS_PER_S)
        return false;
    *owed -= NS_PER_S;
    return true;
}

static uint64_t elapsed_ns(struct sim_world *w)
{
    uint64_t now = sim_now_ns(), ns = now - w->work.last_ns;

    w->work.last_ns = now;
    if (w->spec.clock_calls)
        ns = CALL_NS;
    if (w->cap_percent && w->cap_percent < 100)
        ns = ns * w->cap_percent / 100;
    return ns < NS_PER_S ? ns : NS_PER_S;
}

/* Another program on the same guest, which knows nothing of a save. */
static void act_as_rival(struct sim_world *w)
{
    w->work.rival_acts_at = 0;
    if (w->spec.rival == SIM_RIVAL_CLEAN) {
        sim_dirty_read(w, w->max_nr_pfns, NULL, true);
        w->rival_owns = true; /* or so it believes */
        return;
    }
    sim_dirty_switch(w, w->spec.rival == SIM_RIVAL_CYCLE);
    w->rival_owns = w->spec.rival == SIM_RIVAL_CYCLE;
}

static void run_rival(struct sim_world *w)
{
    if (w->work.rival_acts_at && w->work.nr_writes >= w->work.rival_acts_at)
        act_as_rival(w);
}

void sim_workload_run(struct sim_world *w)
{
    struct sim_workload *work = &w->work;
    uint64_t ns = elapsed_ns(w), done = 0;

    if (w->paused || w->shutdown)
        return;
    work->owed_writes += ns * w->spec.dirty_rate;
    work->owed_balloon += ns * w->spec.balloon_rate;
    work->owed_tables += ns * w->spec.tables_rate;
    while (done++ < MAX_CATCH_UP && owes(&work->owed_writes))
        write_page(w, sim_nth_pfn(&w->spec, pick_page(w)));
    run_rival(w);
    while (done++ < MAX_CATCH_UP && owes(&work->owed_balloon))
        balloon(w);
    while (done++ < MAX_CATCH_UP && owes(&work->owed_tables))
        change_tables(w);
}

void sim_workload_suspend(struct sim_world *w)
{
    sim_workload_run(w);
    if (w->lost_pfn) /* so that the loss shows */
        write_page(w, w->lost_pfn);
    for (uint32_t i = 0; i < w->work.nr_silent; i++) {
        uint64_t *page = sim_pfn_ram(w, w->work.silent[i]);

        if (page)
            page[7] = ++w->work.next_seq;
    }
    if (w->spec.kind == SIM_PV)
        sim_pv_suspend(w);
    if (w->spec.rival == SIM_RIVAL_END)
        act_as_rival(w);
    w->shutdown = true;
    w->shutdown_reason = 2; /* SHUTDOWN_suspend */
}

void sim_workload_resume(struct sim_world *w)
{
    w->shutdown = false;
    w->paused = false;
    w->work.last_ns = sim_now_ns();
}

uint64_t sim_pv_leaf(const struct sim_world *w, uint32_t nth)
{
    return w->pv.moved_pfn && w->pv.moved_leaf == nth ? w->pv.moved_pfn
                                                      : w->pv.leaves + nth;
}

/* The p2m's last leaf moves to another page, as when a kernel remaps it. */
static void move_leaf(struct sim_world *w)
{
    shared_info_t *info = sim_ram(w, w->shared_info_frame);
    uint32_t nth = w->pv.nr_leaves - 1;
    uint64_t to = pick_steady_data(w), f = sim_pfn_frame(w, to);
    uint64_t *l1 = sim_pfn_ram(w, w->pv.l1_list + nth / PER_PAGE);
    uint64_t *fl = sim_pfn_ram(w, w->pv.fl + nth / PER_PAGE);
    const uint64_t *from = sim_pfn_ram(w, w->pv.leaves + nth);

    if (!to)
        return;
    info->arch.p2m_generation++;
    for (unsigned i = 0; i < PER_PAGE; i++)
        ((uint64_t *)sim_ram(w, f))[i] = from[i];
    l1[nth % PER_PAGE] = (sim_mfn(w, f) << SIM_PAGE_SHIFT) | SIM_PTE_RW_FLAGS;
    fl[nth % PER_PAGE] = sim_mfn(w, f);
    w->pv.moved_leaf = nth;
    w->pv.moved_pfn = (uint32_t)to;
    info->arch.p2m_generation++;
    sim_dirty_mark(w, to);
    sim_dirty_mark(w, w->pv.l1_list + nth / PER_PAGE);
    sim_dirty_mark(w, w->pv.fl + nth / PER_PAGE);
}

static void grow(struct sim_world *w)
{
    uint64_t first = w->nr_pfns;

    for (uint64_t pfn = first; pfn < first + SIM_GROW_PFNS; pfn++) {
        if (sim_populate(w, pfn))
            return;
        write_page(w, pfn);
    }
}

void sim_workload_at_clean(struct sim_world *w)
{
    w->nr_cleans++;
    if (w->shutdown)
        return;
    if (w->spec.rival && w->spec.rival != SIM_RIVAL_END &&
        w->nr_cleans == w->spec.rival_at)
        w->work.rival_acts_at = w->work.nr_writes + RIVAL_DELAY;
    if (w->spec.kind == SIM_PV && w->nr_cleans == w->spec.move_at)
        move_leaf(w);
    if (w->spec.kind == SIM_HVM && w->nr_cleans == w->spec.grow_at)
        grow(w);
}
