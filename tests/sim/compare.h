/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compare: whether the guest at the target is the guest at the source.
 *
 * Memory page by page; page tables with pfns in place of machine frames; what
 * a restore rewrites on purpose (the p2m, the start info, xenstore's and the
 * console's pages) by what it should now say; then CPU and platform state.
 */
#ifndef SIM_COMPARE_H
#define SIM_COMPARE_H

#include "world.h"

#define SIM_DIFF_TEXTS 8
#define SIM_DIFF_BYTES 96

struct sim_diff {
    uint64_t nr_compared;
    uint64_t nr_different; /* contents or page table type */
    uint64_t nr_missing;   /* the source has it, the target does not */
    uint64_t nr_extra;     /* was ballooned out after it had been sent */
    uint64_t nr_alien;     /* at the target alone, and never the source's */
    unsigned nr_state;     /* CPU and platform state that is not the same */
    unsigned nr_texts;
    char text[SIM_DIFF_TEXTS][SIM_DIFF_BYTES]; /* the first few, in words */
};

#define SIM_STORE_EVTCHN   11
#define SIM_CONSOLE_EVTCHN 12

/* Both worlds at rest: no lock is taken. */
void sim_compare(struct sim_world *source, struct sim_world *target,
                 struct sim_diff *ret_diff);

static inline bool sim_diff_is_same(const struct sim_diff *diff)
{
    return !diff->nr_different && !diff->nr_missing && !diff->nr_alien &&
           !diff->nr_state && diff->nr_compared;
}

/* Adds to the texts, for compare's own parts. */
void sim_diff_say(struct sim_diff *diff, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* CPU and platform state, in compare_state.c. */
void sim_compare_state(struct sim_world *source, struct sim_world *target,
                       struct sim_diff *diff);

#endif
