/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats_json.h"

#include <errno.h>
#include <string.h>

#include "json.h"

/* A forecast, where UINT64_MAX says that there was none. */
static void put_forecast(struct json *json, const char *key, uint64_t ns)
{
    if (ns != UINT64_MAX)
        json_count(json, key, ns);
    else
        json_null(json, key);
}

static void put_round(struct json *json, const struct xcx_round_stats *round)
{
    json_open_map(json, NULL);
    json_count(json, "round", round->round);
    json_bool(json, "final", round->final);
    json_count(json, "start_ns", round->start_ns);
    json_count(json, "duration_ns", round->duration_ns);
    json_count(json, "nr_pfns_dirty", round->nr_pfns_dirty);
    json_count(json, "nr_pfns_sent", round->nr_pfns_sent);
    json_count(json, "nr_pfns_deferred", round->nr_pfns_deferred);
    json_count(json, "nr_pfns_no_data", round->nr_pfns_no_data);
    json_count(json, "nr_pfns_written", round->nr_pfns_written);
    json_count(json, "bytes", round->bytes);
    put_forecast(json, "predicted_blackout_ns", round->predicted_blackout_ns);
    json_close_map(json);
}

static void put_blackout(struct json *json, const struct xcx_save_stats *stats)
{
    json_open_map(json, "blackout");
    json_count(json, "suspend_ns", stats->suspend_ns);
    json_count(json, "final_scan_ns", stats->final_scan_ns);
    json_count(json, "final_copy_ns", stats->final_copy_ns);
    json_count(json, "cpu_state_ns", stats->cpu_state_ns);
    json_count(json, "total_ns", stats->blackout_ns);
    put_forecast(json, "predicted_ns", stats->predicted_blackout_ns);
    json_close_map(json);
}

static void put_stats(struct json *json, const struct xcx_save_stats *stats)
{
    json_open_map(json, NULL);
    json_count(json, "version", 1);
    json_count(json, "domid", stats->domid);
    json_text(json, "kind", stats->hvm ? "hvm" : "pv");
    json_count(json, "nr_pfns_p2m", stats->nr_pfns_p2m);
    json_count(json, "nr_pfns_guest", stats->nr_pfns_guest);
    json_count(json, "total_ns", stats->total_ns);
    json_count(json, "total_bytes", stats->total_bytes);
    json_count(json, "prepare_ns", stats->prepare_ns);
    put_blackout(json, stats);
    json_count(json, "throttle_percent_min", stats->throttle_percent_min);
    json_text(json, "stop_reason", stats->stop_reason);
    json_open_array(json, "rounds");
    for (unsigned i = 0; i < stats->nr_rounds; i++)
        put_round(json, &stats->round[i]);
    json_close_array(json);
    json_close_map(json);
}

static void put_restore_stats(struct json *json,
                              const struct xcx_restore_stats *stats)
{
    json_open_map(json, NULL);
    json_count(json, "version", 1);
    json_count(json, "domid", stats->domid);
    json_text(json, "kind", stats->hvm ? "hvm" : "pv");
    json_count(json, "nr_records", stats->nr_records);
    json_count(json, "nr_pages_placed", stats->nr_pages_placed);
    json_count(json, "nr_pfns_populated", stats->nr_pfns_populated);
    json_count(json, "nr_superpages", stats->nr_superpages);
    json_count(json, "nr_pfns_given_back", stats->nr_pfns_given_back);
    json_count(json, "nr_pages_verified", stats->nr_pages_verified);
    json_count(json, "nr_pages_not_as_sent", stats->nr_pages_not_as_sent);
    json_count(json, "total_bytes", stats->total_bytes);
    json_count(json, "total_ns", stats->total_ns);
    json_count(json, "complete_ns", stats->complete_ns);
    json_count(json, "nr_tables_at_end", stats->nr_tables_at_end);
    json_close_map(json);
}

/* The object as a string of the caller's. */
static int copy_text(struct json *json, char **ret_json, struct xcx_err *err)
{
    const char *text;
    size_t nr_bytes;
    char *copy;

    if (json_get(json, &text, &nr_bytes, err))
        return -1;
    copy = strndup(text, nr_bytes);
    if (!copy)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "statistics");
    *ret_json = copy;
    return 0;
}

int stats_json_save(const struct xcx_save_stats *stats, char **ret_json,
                    struct xcx_err *err)
{
    struct json json;
    int rc;

    if (stats->nr_rounds > XCX_STATS_MAX_ROUNDS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "statistics of %u rounds, %d at most",
                           stats->nr_rounds, XCX_STATS_MAX_ROUNDS);
    if (json_init(&json, err))
        return -1;
    put_stats(&json, stats);
    rc = copy_text(&json, ret_json, err);
    json_done(&json);
    return rc;
}

int stats_json_restore(const struct xcx_restore_stats *stats, char **ret_json,
                       struct xcx_err *err)
{
    struct json json;
    int rc;

    if (json_init(&json, err))
        return -1;
    put_restore_stats(&json, stats);
    rc = copy_text(&json, ret_json, err);
    json_done(&json);
    return rc;
}
