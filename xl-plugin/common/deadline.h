/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * deadline: until when a call may block: a time of CLOCK_MONOTONIC in ns.
 * Threads: any.
 */
#ifndef XL_MIGRATE_DEADLINE_H
#define XL_MIGRATE_DEADLINE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_S       UINT64_C(1000000000)
#define DEADLINE_NEVER UINT64_MAX

static inline uint64_t deadline_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t deadline_in_ms(uint64_t ms)
{
    return deadline_now_ns() + ms * 1000000u;
}

/* For poll(): -1 is for ever; rounded up, so that no caller spins. */
static inline int deadline_left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = deadline_now_ns(), left_ms;

    if (deadline_ns == DEADLINE_NEVER)
        return -1;
    if (deadline_ns <= now_ns)
        return 0;
    left_ms = (deadline_ns - now_ns + 999999u) / 1000000u;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

static inline void deadline_sleep_ns(uint64_t pause_ns)
{
    struct timespec pause = {
        .tv_sec = (time_t)(pause_ns / NS_PER_S),
        .tv_nsec = (long)(pause_ns % NS_PER_S),
    };

    nanosleep(&pause, NULL);
}

#endif
