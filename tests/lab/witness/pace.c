/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pace.h"

#include "clock.h"

#define BURST_S 0.1

void pace_init(struct pace *pace, double units_per_s, int64_t now_ns)
{
    *pace = (struct pace){.units_per_s = units_per_s, .last_ns = now_ns};
}

uint32_t pace_take(struct pace *pace, int64_t now_ns, uint32_t max)
{
    double burst = pace->units_per_s * BURST_S;
    uint32_t take;

    if (pace->units_per_s <= 0)
        return max;
    if (now_ns > pace->last_ns)
        pace->tokens += (double)(now_ns - pace->last_ns) * pace->units_per_s /
                        (double)NS_PER_S;
    pace->last_ns = now_ns;
    if (burst < 1)
        burst = 1;
    if (pace->tokens > burst)
        pace->tokens = burst;
    take = pace->tokens < max ? (uint32_t)pace->tokens : max;
    pace->tokens -= take;
    return take;
}

int64_t pace_wait_ns(const struct pace *pace)
{
    if (pace->units_per_s <= 0 || pace->tokens >= 1)
        return 0;
    return (int64_t)((1 - pace->tokens) * (double)NS_PER_S / pace->units_per_s);
}
