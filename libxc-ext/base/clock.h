/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clock: monotonic time in nanoseconds. Pure code takes times as arguments
 * instead of asking here. Any thread.
 */
#ifndef XCX_BASE_CLOCK_H
#define XCX_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define XCX_NS_PER_S  UINT64_C(1000000000)
#define XCX_NS_PER_MS UINT64_C(1000000)
#define XCX_NS_PER_US UINT64_C(1000)

/* Since an arbitrary point; never goes back; stands still in suspend. */
static inline uint64_t xcx_clock_ns(void)
{
    struct timespec now;

    /* Cannot fail: the clock exists and the pointer is good. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * XCX_NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
