/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The findings and the forecast, for people and as JSON; xl-migrate(8) has the
 * keys. */
#include "precheck.h"

#include <inttypes.h>

#define NS_PER_MS    UINT64_C(1000000)
#define NS_PER_S     UINT64_C(1000000000)

#define JSON_VERSION 1

static void print_forecast(const struct precheck *precheck, FILE *out)
{
    const struct forecast *forecast = &precheck->forecast;

    if (!precheck->has_forecast)
        return;
    fprintf(out,
            "forecast: %" PRIu64 ".%" PRIu64 " s in all, %" PRIu64
            " ms of downtime, %" PRIu64 " MiB in %u rounds%s\n",
            forecast->total_ns / NS_PER_S,
            forecast->total_ns / (NS_PER_S / 10) % 10,
            forecast->downtime_ns / NS_PER_MS, forecast->bytes >> 20,
            forecast->nr_rounds,
            precheck->costs.nr_seen ? ""
                                    : " (the first to this host: a guess)");
    if (forecast->throttle_percent_min < 100)
        fprintf(out, "          throttled to %u %% of its CPU time\n",
                forecast->throttle_percent_min);
    if (forecast->aborts)
        fprintf(out, "          given up by its limits: %s\n",
                forecast->reason);
}

void precheck_print_text(const struct precheck *precheck, enum check_level min,
                         FILE *out)
{
    const struct check *check = &precheck->check;

    check_print_text(check, min, out);
    print_forecast(precheck, out);
    fprintf(out, "check: %u blockers, %u warnings, %u not known, %u ok\n",
            check_count(check, CHECK_BLOCKER),
            check_count(check, CHECK_WARNING),
            check_count(check, CHECK_UNKNOWN), check_count(check, CHECK_OK));
}

static void put_probe(struct json *json, const struct precheck *precheck)
{
    const struct xcx_probe *probe = &precheck->probe;

    if (!precheck->has_probe) {
        json_null(json, "guest_probe");
        return;
    }
    json_open_map(json, "guest_probe");
    json_count(json, "nr_pages", probe->nr_pages);
    json_count(json, "nr_pfns_p2m", probe->nr_pfns_p2m);
    json_count(json, "clean_ns", probe->clean_ns);
    json_count(json, "count_ns", probe->count_ns);
    json_open_array(json, "samples");
    for (unsigned i = 0; i < probe->nr_samples; i++) {
        json_open_map(json, NULL);
        json_count(json, "at_ns", probe->samples[i].at_ns);
        json_count(json, "nr_pfns_dirty", probe->samples[i].nr_pfns_dirty);
        json_close_map(json);
    }
    json_close_array(json);
    json_close_map(json);
}

static void put_link(struct json *json, const struct precheck *precheck)
{
    const struct probe_link *link = &precheck->link;

    if (!precheck->has_link) {
        json_null(json, "link_probe");
        return;
    }
    json_open_map(json, "link_probe");
    json_count(json, "bytes_per_s", link->bytes_per_s);
    json_count(json, "round_trip_ns", link->round_trip_ns);
    json_count(json, "connect_ns", link->connect_ns);
    json_count(json, "bytes", link->bytes);
    json_close_map(json);
}

static void put_forecast(struct json *json, const struct precheck *precheck)
{
    const struct forecast *forecast = &precheck->forecast;

    if (!precheck->has_forecast) {
        json_null(json, "forecast");
        return;
    }
    json_open_map(json, "forecast");
    json_bool(json, "aborts", forecast->aborts);
    json_count(json, "total_ns", forecast->total_ns);
    json_count(json, "downtime_ns", forecast->downtime_ns);
    json_count(json, "bytes", forecast->bytes);
    json_count(json, "nr_rounds", forecast->nr_rounds);
    json_count(json, "throttle_percent_min", forecast->throttle_percent_min);
    json_text(json, "reason", forecast->reason);
    json_count(json, "learnt_from", precheck->costs.nr_seen);
    json_close_map(json);
}

int precheck_print_json(const struct precheck *precheck, const char *target,
                        FILE *out, struct xcx_err *err)
{
    struct json json;
    int rc;

    if (json_init(&json, err))
        return -1;
    json_open_map(&json, NULL);
    json_count(&json, "version", JSON_VERSION);
    json_text(&json, "name", precheck->guest.name);
    json_text(&json, "uuid", precheck->guest.uuid);
    json_count(&json, "domid", precheck->guest.domid);
    json_text(&json, "target", target);
    json_text(&json, "verdict",
              check_level_name(check_worst(&precheck->check)));
    check_print_json(&precheck->check, &json, "findings");
    put_link(&json, precheck);
    put_probe(&json, precheck);
    put_forecast(&json, precheck);
    json_close_map(&json);
    rc = json_write(&json, out, err);
    json_done(&json);
    return rc;
}
