/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_gen.h>

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

/* yajl only fails for want of memory here: noted once, told at the end. */
struct writer {
    yajl_gen gen;
    bool failed;
};

static void check(struct writer *writer, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok)
        writer->failed = true;
}

static void put_string(struct writer *writer, const char *text)
{
    check(writer, yajl_gen_string(writer->gen, (const unsigned char *)text,
                                  strlen(text)));
}

static void put_count(struct writer *writer, const char *key, uint64_t value)
{
    char digits[24];
    int nr_digits = snprintf(digits, sizeof(digits), "%" PRIu64, value);

    put_string(writer, key);
    check(writer, yajl_gen_number(writer->gen, digits, (size_t)nr_digits));
}

/* A forecast, where UINT64_MAX says that there was none. */
static void put_forecast(struct writer *writer, const char *key, uint64_t ns)
{
    if (ns != UINT64_MAX) {
        put_count(writer, key, ns);
        return;
    }
    put_string(writer, key);
    check(writer, yajl_gen_null(writer->gen));
}

static void put_text(struct writer *writer, const char *key, const char *text)
{
    put_string(writer, key);
    if (text)
        put_string(writer, text);
    else
        check(writer, yajl_gen_null(writer->gen));
}

static void put_round(struct writer *writer,
                      const struct xcx_round_stats *round)
{
    check(writer, yajl_gen_map_open(writer->gen));
    put_count(writer, "round", round->round);
    put_string(writer, "final");
    check(writer, yajl_gen_bool(writer->gen, round->final));
    put_count(writer, "start_ns", round->start_ns);
    put_count(writer, "duration_ns", round->duration_ns);
    put_count(writer, "nr_pfns_dirty", round->nr_pfns_dirty);
    put_count(writer, "nr_pfns_sent", round->nr_pfns_sent);
    put_count(writer, "nr_pfns_deferred", round->nr_pfns_deferred);
    put_count(writer, "nr_pfns_no_data", round->nr_pfns_no_data);
    put_count(writer, "nr_pfns_written", round->nr_pfns_written);
    put_count(writer, "bytes", round->bytes);
    put_forecast(writer, "predicted_blackout_ns", round->predicted_blackout_ns);
    check(writer, yajl_gen_map_close(writer->gen));
}

static void put_blackout(struct writer *writer,
                         const struct xcx_save_stats *stats)
{
    put_string(writer, "blackout");
    check(writer, yajl_gen_map_open(writer->gen));
    put_count(writer, "suspend_ns", stats->suspend_ns);
    put_count(writer, "final_scan_ns", stats->final_scan_ns);
    put_count(writer, "final_copy_ns", stats->final_copy_ns);
    put_count(writer, "cpu_state_ns", stats->cpu_state_ns);
    put_count(writer, "total_ns", stats->blackout_ns);
    put_forecast(writer, "predicted_ns", stats->predicted_blackout_ns);
    check(writer, yajl_gen_map_close(writer->gen));
}

static void put_stats(struct writer *writer, const struct xcx_save_stats *stats)
{
    check(writer, yajl_gen_map_open(writer->gen));
    put_count(writer, "version", 1);
    put_count(writer, "domid", stats->domid);
    put_text(writer, "kind", stats->hvm ? "hvm" : "pv");
    put_count(writer, "nr_pfns_p2m", stats->nr_pfns_p2m);
    put_count(writer, "nr_pfns_guest", stats->nr_pfns_guest);
    put_count(writer, "total_ns", stats->total_ns);
    put_count(writer, "total_bytes", stats->total_bytes);
    put_count(writer, "prepare_ns", stats->prepare_ns);
    put_blackout(writer, stats);
    put_count(writer, "throttle_percent_min", stats->throttle_percent_min);
    put_text(writer, "stop_reason", stats->stop_reason);
    put_string(writer, "rounds");
    check(writer, yajl_gen_array_open(writer->gen));
    for (unsigned i = 0; i < stats->nr_rounds; i++)
        put_round(writer, &stats->round[i]);
    check(writer, yajl_gen_array_close(writer->gen));
    check(writer, yajl_gen_map_close(writer->gen));
}

static void put_restore_stats(struct writer *writer,
                              const struct xcx_restore_stats *stats)
{
    check(writer, yajl_gen_map_open(writer->gen));
    put_count(writer, "version", 1);
    put_count(writer, "domid", stats->domid);
    put_text(writer, "kind", stats->hvm ? "hvm" : "pv");
    put_count(writer, "nr_records", stats->nr_records);
    put_count(writer, "nr_pages_placed", stats->nr_pages_placed);
    put_count(writer, "nr_pfns_populated", stats->nr_pfns_populated);
    put_count(writer, "nr_superpages", stats->nr_superpages);
    put_count(writer, "nr_pfns_given_back", stats->nr_pfns_given_back);
    put_count(writer, "nr_pages_verified", stats->nr_pages_verified);
    put_count(writer, "nr_pages_not_as_sent", stats->nr_pages_not_as_sent);
    put_count(writer, "total_bytes", stats->total_bytes);
    put_count(writer, "total_ns", stats->total_ns);
    put_count(writer, "complete_ns", stats->complete_ns);
    put_count(writer, "nr_tables_at_end", stats->nr_tables_at_end);
    check(writer, yajl_gen_map_close(writer->gen));
}

static int begin(struct writer *writer, struct xcx_err *err)
{
    *writer = (struct writer){.gen = yajl_gen_alloc(NULL)};
    if (!writer->gen)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "statistics");
    yajl_gen_config(writer->gen, yajl_gen_beautify, 1);
    yajl_gen_config(writer->gen, yajl_gen_indent_string, "  ");
    return 0;
}

static int end(struct writer *writer, char **ret_json, struct xcx_err *err)
{
    const unsigned char *text = NULL;
    size_t nr_bytes = 0;
    char *json = NULL;

    check(writer, yajl_gen_get_buf(writer->gen, &text, &nr_bytes));
    if (!writer->failed)
        json = strndup((const char *)text, nr_bytes);
    yajl_gen_free(writer->gen);
    if (!json)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "statistics");
    *ret_json = json;
    return 0;
}

int xcx_save_stats_json(const struct xcx_save_stats *stats, char **ret_json,
                        struct xcx_err *err)
{
    struct writer writer;

    if (stats->nr_rounds > XCX_STATS_MAX_ROUNDS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "statistics of %u rounds, %d at most",
                           stats->nr_rounds, XCX_STATS_MAX_ROUNDS);
    if (begin(&writer, err) < 0)
        return -1;
    put_stats(&writer, stats);
    return end(&writer, ret_json, err);
}

int xcx_restore_stats_json(const struct xcx_restore_stats *stats,
                           char **ret_json, struct xcx_err *err)
{
    struct writer writer;

    if (begin(&writer, err) < 0)
        return -1;
    put_restore_stats(&writer, stats);
    return end(&writer, ret_json, err);
}
