/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xl-migrate/check/precheck.h"

/* Short: the guest waits for nothing, but its administrator does. */
#define PROBE_NS  UINT64_C(500000000)
#define IDS_BYTES 256

static void fill_params(const struct send_session *session,
                        struct precheck_params *params)
{
    const struct config *config = &session->config;

    *params = (struct precheck_params){
        .host = (struct host *)&session->host,
        .domain = &session->domain,
        .ask = {.ssh = session->address.ssh,
                .host = session->address.host,
                .command = "xl-migrate",
                .stock = !session->peer->plugin,
                .log = &session->log},
        .wishes = {.target = session->options->host,
                   .pv_may_pause = config->pv_without_logdirty == 1},
        .ignore = session->options->ignore,
        .config_json = session->config_json,
        .more_keys = &config->xenstore_keys,
        .version = XL_MIGRATE_VERSION,
        .lock_dir = config->lock_dir[0] ? config->lock_dir : NULL,
        .costs_dir = config->journal_dir,
        .probe = true,
        .probe_ns = session->options->dry_run ? 0 : PROBE_NS,
        .cancel_fd = session->cancel.fd,
    };
    config_limits(config, &params->limits);
}

static int tell(const struct send_session *session,
                const struct precheck *precheck, struct xcx_err *err)
{
    const struct send_options *options = session->options;

    if (options->dry_run && options->json)
        return precheck_print_json(precheck, options->host, stdout, err);
    if (options->quiet)
        check_print_text(&precheck->check, CHECK_BLOCKER, stderr);
    else if (options->dry_run)
        precheck_print_text(precheck, CHECK_OK, stdout);
    else
        check_print_text(&precheck->check, CHECK_WARNING, stderr);
    return 0;
}

/* The blockers' ids; their texts stand above. */
static void refuse(const struct check *check, struct xcx_err *ret_refusal)
{
    char ids[IDS_BYTES];

    check_list_blockers(check, ids, sizeof(ids));
    xcx_err_set(ret_refusal, XCX_ERR_GUEST, 0, "refused by a check: %s", ids);
}

int send_check(struct send_session *session, struct xcx_err *ret_refusal,
               struct xcx_err *err)
{
    struct precheck *precheck = malloc(sizeof(*precheck));
    struct precheck_params params;
    struct xcx_err why = XCX_ERR_INIT;
    int rc;

    if (!precheck)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "check");
    fill_params(session, &params);
    rc = precheck_run(&params, precheck, &why);
    if (rc && why.kind == XCX_ERR_CANCELLED) {
        *err = why;
    } else if (rc && session->options->dry_run) {
        xcx_err_prefix(&why, "not checked");
        *err = why;
    } else if (rc) {
        xcx_log(&session->log, XCX_LOG_WARN, "not checked: %s", why.msg);
        rc = 0;
    } else if (!(rc = tell(session, precheck, err))) {
        if (check_worst(&precheck->check) == CHECK_BLOCKER)
            refuse(&precheck->check, ret_refusal);
        check_list_ignored(&precheck->check, session->report.ignored,
                           sizeof(session->report.ignored));
        session->move = precheck->move;
        session->link_bytes_per_s =
            precheck->has_link ? precheck->link.bytes_per_s : 0;
        if (precheck->has_forecast)
            session->report.forecast = (struct report_forecast){
                .total_ns = precheck->forecast.total_ns,
                .downtime_ns = precheck->forecast.downtime_ns,
                .bytes = precheck->forecast.bytes,
            };
    }
    free(precheck);
    return rc;
}

void send_check_learn(struct send_session *session)
{
    const struct report *report = &session->report;
    const struct xcx_save_stats *stats = &report->stats;
    uint64_t live_ns = stats->total_ns - stats->blackout_ns;
    struct forecast_outcome outcome = {
        .setup_ns = report->setup_ns,
        .stats = *stats,
        /* A rate that was held down says nothing of one that is not. */
        .link_bytes_per_s =
            session->was_limited ? 0 : session->link_bytes_per_s,
    };
    struct forecast_costs costs;
    struct xcx_err why = XCX_ERR_INIT;

    if (!session->link_bytes_per_s || report->setup_ns == REPORT_UNKNOWN ||
        report->total_ns == REPORT_UNKNOWN ||
        report->downtime_ns == REPORT_UNKNOWN)
        return;
    /* The times of a move that is done are in this order. */
    if (report->downtime_ns < stats->blackout_ns ||
        report->total_ns < report->setup_ns + live_ns + report->downtime_ns)
        return;
    outcome.resume_ns = report->downtime_ns - stats->blackout_ns;
    outcome.finish_ns =
        report->total_ns - report->setup_ns - live_ns - report->downtime_ns;
    forecast_costs_load(session->config.journal_dir, session->options->host,
                        &session->move, &costs);
    forecast_learn(&costs, &outcome);
    if (forecast_costs_save(session->config.journal_dir, session->options->host,
                            &session->move, &costs, &why))
        xcx_log(&session->log, XCX_LOG_INFO, "not learnt from: %s", why.msg);
}
