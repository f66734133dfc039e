/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats_json: the statistics of a save or a restore (xcext.h) as JSON.
 *
 * A save's are one object. Quantities carry their unit in the key, as in the
 * structs; what is not known is null; keys are only ever added:
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
 * A restore's have the counters of struct xcx_restore_stats by name:
 *
 *   { "version": 1, "domid": 8, "kind": "hvm", "nr_records": ..., ... }
 *
 * Threads: any, each with structs of its own.
 */
#ifndef COMMON_STATS_JSON_H
#define COMMON_STATS_JSON_H

#include "xcext.h"

/*
 * *ret_json is malloc'ed, the caller's. Errors: RESOURCE; USAGE if there are
 * more rounds than the struct has room for.
 */
int stats_json_save(const struct xcx_save_stats *stats, char **ret_json,
                    struct xcx_err *err);
int stats_json_restore(const struct xcx_restore_stats *stats, char **ret_json,
                       struct xcx_err *err);

#endif
