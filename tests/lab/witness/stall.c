/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stall.h"

#include "clock.h"

const unsigned stall_bucket_ms[STALL_NR_BUCKETS - 1] = {
    2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000,
};

int64_t stall_length_ns(const struct stall *stall)
{
    return stall->gap.real_ns > stall->gap.mono_ns ? stall->gap.real_ns
                                                   : stall->gap.mono_ns;
}

int64_t stall_longest_ns(const struct stall_set *set)
{
    return set->nr_top ? stall_length_ns(&set->top[0]) : 0;
}

static void note_top(struct stall_set *set, const struct stall *stall)
{
    int64_t length_ns = stall_length_ns(stall);
    unsigned i;

    if (set->nr_top < STALL_TOP)
        set->nr_top++;
    else if (stall_length_ns(&set->top[STALL_TOP - 1]) >= length_ns)
        return;
    for (i = set->nr_top - 1; i > 0; i--) {
        if (stall_length_ns(&set->top[i - 1]) >= length_ns)
            break;
        set->top[i] = set->top[i - 1];
    }
    set->top[i] = *stall;
}

void stall_note(struct stall_set *set, const struct stall_times *last,
                const struct stall_times *now)
{
    const struct stall stall = {
        .at = *last,
        .gap = {now->mono_ns - last->mono_ns, now->real_ns - last->real_ns},
    };
    unsigned b = 0;

    while (b < STALL_NR_BUCKETS - 1 &&
           stall_length_ns(&stall) >= stall_bucket_ms[b] * NS_PER_MS)
        b++;
    set->buckets[b]++;
    set->nr_ticks++;
    note_top(set, &stall);
}
