/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stall: what a thread that looks at the clocks every millisecond learns
 * about the time in which the guest did not run.
 *
 * Two clocks, because neither is enough. CLOCK_MONOTONIC goes on while a
 * guest is paused, but a Linux guest that is moved suspends its timekeeping:
 * the blackout is then missing in MONOTONIC and shows in REALTIME, which is
 * set forward from the hypervisor's wall clock. So a stall's length is the
 * longer of its two gaps. By REALTIME it is as exact as the wall clocks of
 * the two hosts agree, and an administrator's `date -s` in the guest passes
 * for a stall as well; a guest with a NIC has a third witness, its peer's
 * clock (nettrack.h).
 *
 *    tick          tick                                  tick
 *     |--- 1 ms ---|------------- gap --------------------|
 *
 * Pure; the caller locks (see tick.h).
 */
#ifndef WITNESS_STALL_H
#define WITNESS_STALL_H

#include <stdint.h>

#define STALL_TOP        4
#define STALL_NR_BUCKETS 11

/* Upper ends of the histogram's buckets in ms; the last one has none. */
extern const unsigned stall_bucket_ms[STALL_NR_BUCKETS - 1];

struct stall_times {
    int64_t mono_ns;
    int64_t real_ns;
};

struct stall {
    struct stall_times at;  /* when it began */
    struct stall_times gap; /* how long it was by each clock */
};

struct stall_set {
    uint64_t nr_ticks;
    uint64_t buckets[STALL_NR_BUCKETS];
    unsigned nr_top;
    struct stall top[STALL_TOP]; /* the longest first */
};

/* The longer of the gaps in MONOTONIC and REALTIME. */
int64_t stall_length_ns(const struct stall *stall);

/* Length of the longest one; 0 for an empty set. */
int64_t stall_longest_ns(const struct stall_set *set);

/* Adds the gap between two looks. An all-zero set is an empty one. */
void stall_note(struct stall_set *set, const struct stall_times *last,
                const struct stall_times *now);

#endif
