/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xen/hvm/params.h>

#include "pv.h"
#include "workload.h"

void sim_diff_say(struct sim_diff *diff, const char *fmt, ...)
{
    va_list args;

    if (diff->nr_texts == SIM_DIFF_TEXTS)
        return;
    va_start(args, fmt);
    vsnprintf(diff->text[diff->nr_texts++], SIM_DIFF_BYTES, fmt, args);
    va_end(args);
}

static void differs(struct sim_diff *diff, uint64_t pfn, const char *how)
{
    diff->nr_different++;
    sim_diff_say(diff, "pfn %#llx: %s", (unsigned long long)pfn, how);
}

static bool is_zero(const uint64_t *page)
{
    for (unsigned i = 0; i < 512; i++) {
        if (page[i])
            return false;
    }
    return true;
}

/* The pages that a restore empties for new rings. */
static bool is_cleared(const struct sim_world *w, uint64_t pfn)
{
    static const unsigned params[] = {
        HVM_PARAM_STORE_PFN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_IOREQ_PFN,
        HVM_PARAM_BUFIOREQ_PFN};

    for (unsigned i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        if (w->params[params[i]] == pfn)
            return true;
    }
    return false;
}

static void compare_hvm(struct sim_world *source, struct sim_diff *diff,
                        uint64_t pfn, const void *s, const void *t)
{
    if (is_cleared(source, pfn)) {
        if (!is_zero(t))
            differs(diff, pfn, "a ring that was not emptied");
    } else if (memcmp(s, t, SIM_PAGE_BYTES)) {
        differs(diff, pfn, "contents");
    }
}

/* Which leaf of the p2m pfn is; -1: none. */
static long leaf_index(const struct sim_world *w, uint64_t pfn)
{
    uint64_t nth = pfn - w->pv.leaves;

    if (w->pv.moved_pfn && pfn == w->pv.moved_pfn)
        return w->pv.moved_leaf;
    if (pfn < w->pv.leaves || nth >= w->pv.nr_leaves)
        return -1;
    return sim_pv_leaf(w, (uint32_t)nth) == pfn ? (long)nth : -1;
}

static void compare_leaf(struct sim_world *source, struct sim_world *target,
                         struct sim_diff *diff, long leaf, const uint64_t *t)
{
    for (uint64_t i = 0; i < 512; i++) {
        uint64_t pfn = (uint64_t)leaf * 512 + i;
        uint64_t f = sim_pfn_frame(target, pfn);
        uint64_t want =
            f == SIM_NO_FRAME ? SIM_INVALID_MFN : sim_mfn(target, f);

        if (pfn >= source->spec.nr_pfns)
            return;
        if (t[i] != want) {
            differs(diff, pfn, "the guest's p2m has another frame");
            return;
        }
    }
}

static void compare_start_info(struct sim_world *source,
                               struct sim_world *target, struct sim_diff *diff,
                               const start_info_t *s, const start_info_t *t)
{
    const struct sim_pv *pv = &source->pv;
    uint64_t store = sim_pfn_frame(target, pv->store);
    uint64_t console = sim_pfn_frame(target, pv->console);
    size_t rest = offsetof(start_info_t, console) + sizeof(t->console);

    if (t->store_mfn != sim_mfn(target, store) ||
        t->console.domU.mfn != sim_mfn(target, console) ||
        t->store_evtchn != SIM_STORE_EVTCHN ||
        t->console.domU.evtchn != SIM_CONSOLE_EVTCHN ||
        t->nr_pages != source->spec.nr_pfns ||
        memcmp(s->magic, t->magic, sizeof(s->magic)) ||
        memcmp((const char *)s + rest, (const char *)t + rest,
               SIM_PAGE_BYTES - rest))
        differs(diff, pv->start_info, "start info");
}

static void compare_pv(struct sim_world *source, struct sim_world *target,
                       struct sim_diff *diff, uint64_t fs, uint64_t ft)
{
    const struct sim_frame *s = &sim_frames(source)[fs];
    const struct sim_frame *t = &sim_frames(target)[ft];
    long leaf = leaf_index(source, s->pfn);
    uint64_t ours[512], theirs[512];

    if (s->type != t->type || s->pinned != t->pinned)
        differs(diff, s->pfn, "page table type");
    else if (leaf >= 0)
        compare_leaf(source, target, diff, leaf, sim_ram(target, ft));
    else if (s->pfn == source->pv.start_info)
        compare_start_info(source, target, diff, sim_ram(source, fs),
                           sim_ram(target, ft));
    else if (s->type) {
        sim_pv_normalise(source, fs, ours);
        sim_pv_normalise(target, ft, theirs);
        if (memcmp(ours, theirs, sizeof(ours)))
            differs(diff, s->pfn, "page table");
    } else if (memcmp(sim_ram(source, fs), sim_ram(target, ft),
                      SIM_PAGE_BYTES)) {
        differs(diff, s->pfn, "contents");
    }
}

static void compare_frame(struct sim_world *source, struct sim_world *target,
                          struct sim_diff *diff, uint64_t fs)
{
    const struct sim_frame *s = &sim_frames(source)[fs];
    uint64_t ft = sim_pfn_frame(target, s->pfn);

    diff->nr_compared++;
    if (ft == SIM_NO_FRAME) {
        diff->nr_missing++;
        sim_diff_say(diff, "pfn %#x: missing at the target", s->pfn);
        return;
    }
    if (s->undefined)
        return;
    if (source->spec.kind == SIM_PV)
        compare_pv(source, target, diff, fs, ft);
    else
        compare_hvm(source, diff, s->pfn, sim_ram(source, fs),
                    sim_ram(target, ft));
}

static void count_extra(struct sim_world *source, struct sim_diff *diff,
                        uint64_t pfn)
{
    uint64_t entry = sim_p2m_get(source, pfn);

    if ((entry & SIM_P2M_FRAME) && !(entry & SIM_P2M_SPECIAL))
        return;
    if (entry & SIM_P2M_EVER) {
        diff->nr_extra++;
        return;
    }
    diff->nr_alien++;
    sim_diff_say(diff, "pfn %#llx: was never the source's",
                 (unsigned long long)pfn);
}

void sim_compare(struct sim_world *source, struct sim_world *target,
                 struct sim_diff *ret_diff)
{
    memset(ret_diff, 0, sizeof(*ret_diff));
    for (uint64_t f = 0; f < source->nr_frames; f++) {
        if (sim_frames(source)[f].state == SIM_FRAME_GUEST)
            compare_frame(source, target, ret_diff, f);
    }
    for (uint64_t f = 0; f < target->nr_frames; f++) {
        if (sim_frames(target)[f].state == SIM_FRAME_GUEST)
            count_extra(source, ret_diff, sim_frames(target)[f].pfn);
    }
    sim_compare_state(source, target, ret_diff);
}
