/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When each round of announcements is due, and how many there are. */
#include "announce.h"

uint64_t announce_wait_ms(const struct announce *announce, uint64_t round)
{
    uint64_t wait_ms;

    if (!round)
        return 0;
    wait_ms = announce->initial_ms + (round - 1) * announce->step_ms;
    return wait_ms < announce->max_ms ? wait_ms : announce->max_ms;
}

void announce_bound(struct announce *announce)
{
    uint64_t total_ms = 0;

    for (uint64_t round = 0; round < announce->rounds; round++) {
        total_ms += announce_wait_ms(announce, round);
        if (total_ms > ANNOUNCE_MAX_TOTAL_MS)
            announce->rounds = round;
    }
}
