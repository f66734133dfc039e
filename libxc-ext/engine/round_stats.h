/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * round_stats: keeps the counters of a save's rounds; xcext.h has the structs.
 *
 * No thread may write a struct while another reads it.
 */
#ifndef XCX_ENGINE_ROUND_STATS_H
#define XCX_ENGINE_ROUND_STATS_H

#include "xcext.h"

/*
 * Appends a finished round. One that finds no room is added to the last
 * entry, which then covers several: sums of time, pages and bytes stay true,
 * round and the forecast are the newest's, start the oldest's.
 */
void xcx_stats_add_round(struct xcx_save_stats *stats,
                         const struct xcx_round_stats *round);

#endif
