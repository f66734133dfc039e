/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats: keeping the counters of a save; xcext.h has the structs, and
 * xcx_save_stats_json() and xcx_restore_stats_json().
 *
 * The JSON of a save is one object. Quantities carry their unit in the key, as
 * in the structs; what is not known is null; keys are only ever added:
 *
 *   { "version": 1, "domid": 7, "kind": "hvm",
 *     "nr_pfns_p2m": ..., "nr_pfns_guest": ...,
 *     "total_ns": ..., "total_bytes": ..., "prepare_ns": ...,
 *     "blackout": { "suspend_ns": ..., "final_scan_ns": ...,
 *                   "final_copy_ns": ..., "cpu_state_ns": ...,
 *                   "total_ns": ..., "predicted_ns": ... or null },
 *     "throttle_percent_min": 100, "stop_reason": "..." or null,
 *     "rounds": [ { "round": 0, "final": false, ... }, ... ] }
 *
 * That of a restore has the counters of struct xcx_restore_stats by name:
 *
 *   { "version": 1, "domid": 8, "kind": "hvm", "nr_records": ..., ... }
 *
 * No thread may write a struct while another reads it.
 */
#ifndef XCX_STATS_STATS_H
#define XCX_STATS_STATS_H

#include "xcext.h"

/*
 * Appends a finished round. One that finds no room is added to the last
 * entry, which then covers several: sums of time, pages and bytes stay true,
 * round and the forecast are the newest's, start the oldest's.
 */
void xcx_stats_add_round(struct xcx_save_stats *stats,
                         const struct xcx_round_stats *round);

#endif
