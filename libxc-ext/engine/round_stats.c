/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/round_stats.h"

void xcx_stats_add_round(struct xcx_save_stats *stats,
                         const struct xcx_round_stats *round)
{
    struct xcx_round_stats *last;

    if (stats->nr_rounds < XCX_STATS_MAX_ROUNDS) {
        stats->round[stats->nr_rounds++] = *round;
        return;
    }
    last = &stats->round[XCX_STATS_MAX_ROUNDS - 1];
    last->round = round->round;
    last->final = round->final;
    last->duration_ns += round->duration_ns;
    last->nr_pfns_dirty += round->nr_pfns_dirty;
    last->nr_pfns_sent += round->nr_pfns_sent;
    last->nr_pfns_deferred += round->nr_pfns_deferred;
    last->nr_pfns_no_data += round->nr_pfns_no_data;
    last->nr_pfns_written += round->nr_pfns_written;
    last->bytes += round->bytes;
    last->predicted_blackout_ns = round->predicted_blackout_ns;
}
