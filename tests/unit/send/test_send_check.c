/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What send asks before it begins, what it says of it, and what it learns. */
#include "xl-migrate/send/send_check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "xl-migrate/check/precheck.h"
#include "unit/scratch.h"

#define MS  UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

static const struct forecast_move pvh_nics = {.kind = DOMAIN_PVH,
                                              .has_nics = true};

/* ---- what is found out ----------------------------------------------------
 */

static struct {
    struct xcx_err fails;
    struct check check;
    bool has_forecast;
    struct precheck_params asked;
} world;

int precheck_run(const struct precheck_params *params, struct precheck *ret,
                 struct xcx_err *err)
{
    world.asked = *params;
    memset(ret, 0, sizeof(*ret));
    if (xcx_err_is_set(&world.fails)) {
        *err = world.fails;
        return -1;
    }
    strcpy(ret->guest.name, "web");
    ret->check = world.check;
    ret->has_link = true;
    ret->link.bytes_per_s = 40 * MIB;
    ret->move = pvh_nics;
    ret->has_forecast = world.has_forecast;
    ret->forecast.total_ns = 9000 * MS;
    ret->forecast.downtime_ns = 300 * MS;
    ret->forecast.bytes = 130 * MIB;
    ret->forecast.reason = "the rest fits";
    return 0;
}

/* ---- fixture --------------------------------------------------------------
 */

static struct send_options options;
static struct send_session session;
static struct peer peer;
static char logged[512];
static char printed[2][4096]; /* on standard output and error */

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque;
    snprintf(logged, sizeof(logged), "%d %s", level, line);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    memset(&session, 0, sizeof(session));
    memset(&options, 0, sizeof(options));
    memset(printed, 0, sizeof(printed));
    logged[0] = 0;
    check_add(&world.check, "state", CHECK_OK, "", "web (PVH) runs");
    check_add(&world.check, "tsc", CHECK_WARNING, "another one", "it differs");
    world.has_forecast = true;
    peer.plugin = true;
    options.host = "host2";
    config_default(&session.config);
    strcpy(session.config.journal_dir, scratch_dir);
    session.options = &options;
    session.log = (struct xcx_log){.emit = on_log};
    session.peer = &peer;
    session.address.ssh = "rsh";
    session.address.host = "host2";
    session.cancel.fd = 77;
    session.domain.domid = 7;
    session.domain.kind = DOMAIN_PVH;
    report_init(&session.report);
    return 0;
}

/* Lets fd lead to a file; the one it led to before. */
static int divert(int fd, FILE *to)
{
    int before = dup(fd);

    fflush(NULL);
    assert_true(before >= 0);
    assert_int_equal(dup2(fileno(to), fd), fd);
    return before;
}

static void give_back(int fd, int before, FILE *from, char *text)
{
    fflush(NULL);
    assert_int_equal(dup2(before, fd), fd);
    close(before);
    rewind(from);
    text[fread(text, 1, sizeof(printed[0]) - 1, from)] = 0;
    fclose(from);
}

static int look(struct xcx_err *ret_refusal, struct xcx_err *err)
{
    FILE *out = tmpfile(), *errors = tmpfile();
    int out_before, errors_before, rc;

    assert_true(out && errors);
    out_before = divert(STDOUT_FILENO, out);
    errors_before = divert(STDERR_FILENO, errors);
    *ret_refusal = XCX_ERR_INIT;
    rc = send_check(&session, ret_refusal, err);
    give_back(STDOUT_FILENO, out_before, out, printed[0]);
    give_back(STDERR_FILENO, errors_before, errors, printed[1]);
    return rc;
}

/* ---- before ---------------------------------------------------------------
 */

static void warnings_are_said_and_it_goes_on(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    assert_int_equal(look(&refusal, &err), 0);
    assert_false(xcx_err_is_set(&refusal));
    assert_string_equal(printed[0], "");
    assert_non_null(strstr(printed[1], "tsc: it differs"));
    assert_null(strstr(printed[1], "state"));
    assert_int_equal(session.link_bytes_per_s, 40 * MIB);
    assert_int_equal(session.move.kind, DOMAIN_PVH);
    assert_true(session.move.has_nics);
    assert_int_equal(session.report.forecast.total_ns, 9000 * MS);
    assert_int_equal(session.report.forecast.downtime_ns, 300 * MS);
    assert_int_equal(session.report.forecast.bytes, 130 * MIB);
}

/* What is checked is what is sent; what is overruled stands in the report. */
static void options_are_passed_on(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;
    char config[] = "{}";

    (void)state;
    session.config_json = config;
    assert_int_equal(check_ids_parse("disk", &options.ignore, &err), 0);
    check_add(&world.check, "disk", CHECK_BLOCKER, "", "there is no x");
    check_ignore(&world.check, &options.ignore);
    assert_int_equal(look(&refusal, &err), 0);
    assert_false(xcx_err_is_set(&refusal));
    assert_true(world.asked.config_json == config);
    assert_true(check_ids_have(&world.asked.ignore, "disk"));
    assert_string_equal(session.report.ignored, "disk");
    assert_non_null(strstr(printed[1], "ignored  disk: there is no x"));
}

static void a_blocker_refuses(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    check_add(&world.check, "memory", CHECK_BLOCKER, "free some", "too little");
    check_add(&world.check, "disk", CHECK_BLOCKER, "", "there is no x");
    check_add(&world.check, "disk", CHECK_BLOCKER, "", "there is no y");
    world.has_forecast = false;
    assert_int_equal(look(&refusal, &err), 0);
    assert_string_equal(refusal.msg, "refused by a check: memory, disk");
    assert_non_null(strstr(printed[1], "memory: too little"));
    assert_non_null(strstr(printed[1], "free some"));
    assert_true(session.report.forecast.total_ns == REPORT_UNKNOWN);
}

static void quiet_says_blockers_only(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    options.quiet = true;
    assert_int_equal(look(&refusal, &err), 0);
    assert_string_equal(printed[1], "");
    check_add(&world.check, "memory", CHECK_BLOCKER, "free some", "too little");
    assert_int_equal(look(&refusal, &err), 0);
    assert_true(xcx_err_is_set(&refusal));
    assert_non_null(strstr(printed[1], "memory: too little"));
    assert_null(strstr(printed[1], "tsc"));
}

static void a_dry_run_says_all_of_it(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    options.dry_run = true;
    assert_int_equal(look(&refusal, &err), 0);
    assert_string_equal(printed[1], "");
    assert_non_null(strstr(printed[0], "state: web (PVH) runs"));
    assert_non_null(strstr(printed[0], "tsc: it differs"));
    options.json = true;
    assert_int_equal(look(&refusal, &err), 0);
    assert_int_equal(printed[0][0], '{');
    assert_non_null(strstr(printed[0], "\"verdict\": \"warning\""));
}

static void a_quiet_dry_run_says_blockers_only(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    options.dry_run = options.quiet = true;
    assert_int_equal(look(&refusal, &err), 0);
    assert_string_equal(printed[0], "");
    assert_string_equal(printed[1], "");
    check_add(&world.check, "memory", CHECK_BLOCKER, "", "too little");
    assert_int_equal(look(&refusal, &err), 0);
    assert_string_equal(printed[0], "");
    assert_string_equal(printed[1], "blocker  memory: too little\n");
    options.json = true;
    assert_int_equal(look(&refusal, &err), 0);
    assert_int_equal(printed[0][0], '{');
    assert_string_equal(printed[1], "");
}

static void what_is_asked(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    session.config.bandwidth_mib_per_s = 5;
    session.config.lock_dir[0] = 0;
    assert_int_equal(look(&refusal, &err), 0);
    assert_string_equal(world.asked.ask.ssh, "rsh");
    assert_string_equal(world.asked.ask.host, "host2");
    assert_string_equal(world.asked.wishes.target, "host2");
    assert_false(world.asked.ask.stock);
    assert_false(world.asked.wishes.pv_may_pause);
    assert_null(world.asked.lock_dir);
    assert_string_equal(world.asked.costs_dir, scratch_dir);
    assert_int_equal(world.asked.limits.bandwidth_bytes_per_s, 5 * MIB);
    assert_int_equal(world.asked.cancel_fd, 77);
    assert_true(world.asked.probe);

    peer.plugin = false;
    session.config.pv_without_logdirty = 1;
    strcpy(session.config.lock_dir, "/run/locks");
    assert_int_equal(look(&refusal, &err), 0);
    assert_true(world.asked.ask.stock);
    assert_true(world.asked.wishes.pv_may_pause);
    assert_string_equal(world.asked.lock_dir, "/run/locks");
}

static void what_cannot_be_checked_is_said(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    xcx_err_set(&world.fails, XCX_ERR_HYPERCALL, 0, "no such call");
    assert_int_equal(look(&refusal, &err), 0);
    assert_false(xcx_err_is_set(&refusal));
    assert_false(xcx_err_is_set(&err));
    assert_non_null(strstr(logged, "not checked: no such call"));
}

static void a_dry_run_without_a_check_fails(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    options.dry_run = true;
    xcx_err_set(&world.fails, XCX_ERR_HYPERCALL, 0, "no such call");
    assert_int_equal(look(&refusal, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_string_equal(err.msg, "not checked: no such call");
    assert_false(xcx_err_is_set(&refusal));
    assert_string_equal(logged, "");
    assert_string_equal(printed[0], "");
}

static void cancelling_ends_it(void **state)
{
    struct xcx_err err = XCX_ERR_INIT, refusal;

    (void)state;
    xcx_err_set(&world.fails, XCX_ERR_CANCELLED, 0, "cancelled");
    assert_int_equal(look(&refusal, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    assert_string_equal(err.msg, "cancelled");
    assert_false(xcx_err_is_set(&refusal));
}

/* ---- afterwards -----------------------------------------------------------
 */

static void has_moved(void)
{
    struct report *report = &session.report;

    session.link_bytes_per_s = 50 * MIB;
    session.move = pvh_nics;
    report->setup_ns = 1000 * MS;
    report->total_ns = 10000 * MS;
    report->downtime_ns = 700 * MS;
    report->stats.total_ns = 6000 * MS;
    report->stats.blackout_ns = 200 * MS;
    report->stats.suspend_ns = 50 * MS;
    report->stats.cpu_state_ns = 30 * MS;
    report->stats.nr_rounds = 1;
    report->stats.round[0].bytes = 100 * MIB;
    report->stats.round[0].duration_ns = 4000 * MS;
}

static void learnt(struct forecast_costs *ret_costs)
{
    forecast_costs_load(scratch_dir, "host2", &pvh_nics, ret_costs);
}

static void each_move_is_learnt_from(void **state)
{
    struct forecast_costs costs;

    (void)state;
    has_moved();
    send_check_learn(&session);
    learnt(&costs);
    assert_int_equal(costs.nr_seen, 1);
    assert_int_equal(costs.setup_ns, 1000 * MS);
    assert_int_equal(costs.resume_ns, 500 * MS); /* 700 less 200 */
    /* 10000 less 1000, 5800 live, and 700 */
    assert_int_equal(costs.finish_ns, 2500 * MS);
    assert_int_equal(costs.suspend_ns, 50 * MS);
    assert_int_equal(costs.cpu_state_ns, 30 * MS);
    assert_int_equal(costs.save_bytes_per_s, 25 * MIB);
    assert_int_equal(costs.link_bytes_per_s, 50 * MIB);
    assert_string_equal(logged, "");
}

static void a_move_held_down_teaches_no_rate(void **state)
{
    struct forecast_costs costs;

    (void)state;
    has_moved();
    session.was_limited = true;
    send_check_learn(&session);
    learnt(&costs);
    assert_int_equal(costs.nr_seen, 1);
    assert_int_equal(costs.resume_ns, 500 * MS);
    assert_int_equal(costs.save_bytes_per_s, 0);
    assert_int_equal(costs.link_bytes_per_s, 0);
}

static void what_is_not_known_teaches_nothing(void **state)
{
    static const struct {
        size_t offset;
        uint64_t value;
    } holes[] = {
        {offsetof(struct report, setup_ns), REPORT_UNKNOWN},
        {offsetof(struct report, total_ns), REPORT_UNKNOWN},
        {offsetof(struct report, downtime_ns), REPORT_UNKNOWN},
        {offsetof(struct report, downtime_ns), 199 * MS},
        {offsetof(struct report, total_ns), 7499 * MS},
    };
    struct forecast_costs costs;

    (void)state;
    has_moved();
    session.link_bytes_per_s = 0; /* nor what kind of move it was */
    send_check_learn(&session);
    learnt(&costs);
    assert_int_equal(costs.nr_seen, 0);
    for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        has_moved();
        memcpy((char *)&session.report + holes[i].offset, &holes[i].value,
               sizeof(holes[i].value));
        send_check_learn(&session);
        learnt(&costs);
        assert_int_equal(costs.nr_seen, 0);
    }
}

static void what_cannot_be_kept_is_logged(void **state)
{
    (void)state;
    strcpy(session.config.journal_dir, "/dev/null/x");
    has_moved();
    send_check_learn(&session);
    assert_non_null(strstr(logged, "not learnt from: "));
    assert_non_null(strstr(logged, "Not a directory"));
}

/* ---- all ------------------------------------------------------------------
 */

static int forget(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/costs.pvh-nics.host2", scratch_dir);
    unlink(path);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(warnings_are_said_and_it_goes_on),
        TEST(options_are_passed_on),
        TEST(a_blocker_refuses),
        TEST(quiet_says_blockers_only),
        TEST(a_dry_run_says_all_of_it),
        TEST(a_quiet_dry_run_says_blockers_only),
        TEST(what_is_asked),
        TEST(what_cannot_be_checked_is_said),
        TEST(a_dry_run_without_a_check_fails),
        TEST(cancelling_ends_it),
        TEST(each_move_is_learnt_from),
        TEST(a_move_held_down_teaches_no_rate),
        TEST(what_is_not_known_teaches_nothing),
        TEST(what_cannot_be_kept_is_logged),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove_empty);
}
