/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace: a token bucket that says how much of a rate may be spent by now.
 * It holds 100 ms worth at most, and one unit at least: after a stall, as
 * when the guest was moved, there is no burst to catch up.
 *
 * Pure; one thread at a time. Times in ns of any one clock.
 */
#ifndef WITNESS_PACE_H
#define WITNESS_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    double units_per_s; /* 0: without limit */
    int64_t last_ns;
    double tokens;
};

void pace_init(struct pace *pace, double units_per_s, int64_t now_ns);

/* How many units, up to max, may be spent now; they count as spent. */
uint32_t pace_take(struct pace *pace, int64_t now_ns, uint32_t max);

/* ns until one whole unit may be spent, as seen by the last pace_take. */
int64_t pace_wait_ns(const struct pace *pace);

#endif
