/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/record_prune.h"
#include "common/json.h"
#include "common/lines.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
#define MIB       (1U << 20)

void report_init(struct report *report)
{
    memset(report, 0, sizeof(*report));
    report->kind = report->target = report->result = "";
    report->setup_ns = report->total_ns = REPORT_UNKNOWN;
    report->downtime_ns = report->suspend_ns = REPORT_UNKNOWN;
    report->device_model_ns = report->stream_ns = REPORT_UNKNOWN;
    report->ready_ns = report->prepare_ns = REPORT_UNKNOWN;
    report->start_ns = REPORT_UNKNOWN;
    report->forecast = (struct report_forecast){REPORT_UNKNOWN, REPORT_UNKNOWN,
                                                REPORT_UNKNOWN};
}

/* ---- for people ---------------------------------------------------------- */

static void print_ms(FILE *out, const char *what, uint64_t ns,
                     uint64_t forecast)
{
    if (ns == REPORT_UNKNOWN)
        return;
    fprintf(out, "  %-14s %10" PRIu64 " ms", what, ns / NS_PER_MS);
    if (forecast != REPORT_UNKNOWN)
        fprintf(out, "   (forecast %" PRIu64 " ms)", forecast / NS_PER_MS);
    fputc('\n', out);
}

static void print_part(FILE *out, const char *what, uint64_t ns)
{
    if (ns != REPORT_UNKNOWN && ns)
        fprintf(out, "    %-12s %10" PRIu64 " ms\n", what, ns / NS_PER_MS);
}

static uint64_t memory_ns(const struct report *report)
{
    return report->stats.final_scan_ns + report->stats.final_copy_ns;
}

/* The part of the stream's time that none of the other parts has. */
static uint64_t other_ns(const struct report *report)
{
    uint64_t known_ns = memory_ns(report) + report->stats.cpu_state_ns;

    if (report->suspend_ns != REPORT_UNKNOWN)
        known_ns += report->suspend_ns;
    if (report->device_model_ns != REPORT_UNKNOWN)
        known_ns += report->device_model_ns;
    if (report->stream_ns == REPORT_UNKNOWN || report->stream_ns < known_ns)
        return REPORT_UNKNOWN;
    return report->stream_ns - known_ns;
}

static void print_downtime(const struct report *report, FILE *out)
{
    const struct xcx_save_stats *stats = &report->stats;

    print_ms(out, "downtime", report->downtime_ns,
             report->forecast.downtime_ns);
    if (report->downtime_ns == REPORT_UNKNOWN)
        return;
    print_part(out, "suspend", report->suspend_ns);
    print_part(out, "device model", report->device_model_ns);
    print_part(out, "memory", memory_ns(report));
    print_part(out, "CPU state", stats->cpu_state_ns);
    print_part(out, "other", other_ns(report));
    print_part(out, "target ready", report->ready_ns);
    print_part(out, "start there", report->start_ns);
}

static void print_bytes(const struct report *report, FILE *out)
{
    uint64_t live_ns = report->stats.total_ns;

    fprintf(out, "  %-14s %10" PRIu64 " MiB in %u rounds", "data",
            report->bytes / MIB, report->stats.nr_rounds);
    if (live_ns)
        fprintf(out, ", %.1f MiB/s",
                (double)report->bytes * NS_PER_S / (double)live_ns / MIB);
    if (report->forecast.bytes != REPORT_UNKNOWN)
        fprintf(out, "   (forecast %" PRIu64 " MiB)",
                report->forecast.bytes / MIB);
    fputc('\n', out);
    if (report->stats.stop_reason)
        fprintf(out, "  live phase ended: %s\n", report->stats.stop_reason);
}

void report_print_text(const struct report *report, FILE *out)
{
    lines_print(out, "%s (%s) to %s: %s", report->name, report->kind,
                report->host, report->result);
    if (report->error[0])
        lines_print(out, "  %s", report->error);
    if (report->ignored[0])
        lines_print(out, "  ignored: %s", report->ignored);
    print_ms(out, "total", report->total_ns, report->forecast.total_ns);
    print_downtime(report, out);
    if (report->bytes)
        print_bytes(report, out);
}

/* ---- JSON ---------------------------------------------------------------- */

static void put_ns(struct json *json, const char *key, uint64_t ns)
{
    if (ns == REPORT_UNKNOWN)
        json_null(json, key);
    else
        json_count(json, key, ns);
}

static void put_rounds(struct json *json, const struct xcx_save_stats *stats)
{
    json_open_array(json, "rounds");
    for (unsigned i = 0; i < stats->nr_rounds && i < XCX_STATS_MAX_ROUNDS;
         i++) {
        const struct xcx_round_stats *round = &stats->round[i];

        json_open_map(json, NULL);
        json_count(json, "round", round->round);
        json_bool(json, "final", round->final);
        json_count(json, "duration_ns", round->duration_ns);
        json_count(json, "pages_dirty", round->nr_pfns_dirty);
        json_count(json, "pages_sent", round->nr_pfns_sent);
        json_count(json, "bytes", round->bytes);
        json_close_map(json);
    }
    json_close_array(json);
}

static void put_downtime(struct json *json, const struct report *report)
{
    const struct xcx_save_stats *stats = &report->stats;

    put_ns(json, "downtime_ns", report->downtime_ns);
    json_open_map(json, "downtime_parts");
    put_ns(json, "suspend_ns", report->suspend_ns);
    put_ns(json, "device_model_ns", report->device_model_ns);
    json_count(json, "memory_ns", memory_ns(report));
    json_count(json, "cpu_state_ns", stats->cpu_state_ns);
    put_ns(json, "other_ns", other_ns(report));
    put_ns(json, "target_ready_ns", report->ready_ns);
    put_ns(json, "target_prepare_ns", report->prepare_ns);
    put_ns(json, "start_there_ns", report->start_ns);
    json_close_map(json);
}

/* An array of the ids. */
static void put_ignored(struct json *json, const struct report *report)
{
    const char *at = report->ignored;
    char id[REPORT_TEXT_BYTES];

    json_open_array(json, "ignored");
    while (*at) {
        size_t length = strcspn(at, ",");

        snprintf(id, sizeof(id), "%.*s", (int)length, at);
        json_text(json, NULL, id);
        at += length;
        at += strspn(at, ", ");
    }
    json_close_array(json);
}

static void put_all(struct json *json, const struct report *report)
{
    json_count(json, "version", 1);
    json_text(json, "id", report->id);
    json_text(json, "name", report->name);
    json_text(json, "uuid", report->uuid);
    json_count(json, "domid", report->domid);
    json_text(json, "kind", report->kind);
    json_text(json, "host", report->host);
    json_text(json, "target", report->target);
    json_text(json, "result", report->result);
    json_text(json, "error", report->error);
    put_ignored(json, report);
    put_ns(json, "total_ns", report->total_ns);
    put_ns(json, "setup_ns", report->setup_ns);
    put_downtime(json, report);
    json_count(json, "engine_blackout_ns", report->stats.blackout_ns);
    json_count(json, "bytes", report->bytes);
    json_count(json, "throttle_percent_min",
               report->stats.throttle_percent_min);
    json_text(json, "stop_reason", report->stats.stop_reason);
    put_rounds(json, &report->stats);
    json_open_map(json, "forecast");
    put_ns(json, "total_ns", report->forecast.total_ns);
    put_ns(json, "downtime_ns", report->forecast.downtime_ns);
    put_ns(json, "bytes", report->forecast.bytes);
    json_close_map(json);
}

int report_print_json(const struct report *report, FILE *out,
                      struct xcx_err *err)
{
    struct json json;
    int rc;

    if (json_init(&json, err))
        return -1;
    json_open_map(&json, NULL);
    put_all(&json, report);
    json_close_map(&json);
    rc = json_write(&json, out, err);
    json_done(&json);
    return rc;
}

int report_save(const struct report *report, const char *dir,
                unsigned long nr_keep, struct xcx_err *err)
{
    char path[PATH_MAX], stamp[32];
    time_t now = time(NULL);
    struct tm tm;
    FILE *out;
    int fd, rc;

    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
    if (snprintf(path, sizeof(path), "%s/%s-migration-dom%" PRIu32 ".json", dir,
                 stamp, report->domid) >= (int)sizeof(path))
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENAMETOOLONG, "report");
    fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    out = fd < 0 ? NULL : fdopen(fd, "w");
    if (!out) {
        xcx_err_set(err, XCX_ERR_IO, errno, "report %s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    rc = report_print_json(report, out, err);
    if (fclose(out) && !rc)
        rc = xcx_err_set(err, XCX_ERR_IO, errno, "report %s", path);
    return rc ? -1 : record_prune(dir, nr_keep, err);
}
