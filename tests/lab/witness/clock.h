/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock: nanoseconds of the clocks that the witness looks at. All times in
 * the witness are int64_t nanoseconds, CLOCK_MONOTONIC unless named
 * otherwise. Any thread may call these.
 */
#ifndef WITNESS_CLOCK_H
#define WITNESS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline int64_t clock_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Sleeps for about that long; a signal may end it earlier. */
static inline void clock_sleep_ns(int64_t span_ns)
{
    struct timespec ts = {.tv_sec = span_ns / NS_PER_S,
                          .tv_nsec = span_ns % NS_PER_S};

    nanosleep(&ts, NULL);
}

#endif
