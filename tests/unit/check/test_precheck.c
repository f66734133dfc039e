/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is asked in which case, with made-up answers of both ends. */
#include "xl-migrate/check/precheck.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/saver.h"
#include "xl-migrate/facts/facts_gather.h"
#include "unit/check_sample.h"
#include "unit/scratch.h"

#define MS UINT64_C(1000000)

/* ---- the answers -------------------------------------------------------- */

static struct {
    struct xcx_err guest, target, link, probe; /* as they fail */
    bool unsupported;
    uint64_t nr_dirty; /* after a second */
    unsigned nr_links, nr_probes;
    struct saver saver; /* that is found */
    struct xcx_err no_proc;
    unsigned nr_looks, saver_from; /* it is there from this look on */
} world;

static const struct config_xenstore_keys the_keys = {.nr = 1};

static int answer(const struct xcx_err *how, struct xcx_err *err)
{
    if (!xcx_err_is_set(how))
        return 0;
    *err = *how;
    return -1;
}

int facts_guest_gather(struct host *host, const struct domain *domain,
                       const char *config_json,
                       const struct config_xenstore_keys *more_keys,
                       struct facts_guest *ret_guest, struct xcx_err *err)
{
    assert_int_equal(more_keys->nr, 1);
    assert_string_equal(config_json, "{\"sent\": 1}");
    (void)host;
    (void)domain;
    *ret_guest = sample.guest;
    return answer(&world.guest, err);
}

int facts_host_gather(struct host *host, const struct facts_query *query,
                      const char *version, struct facts_host *ret_host,
                      struct xcx_err *err)
{
    (void)host;
    (void)query;
    (void)version;
    (void)err;
    *ret_host = sample.here;
    return 0;
}

int facts_ask(const struct facts_ask_params *params,
              const struct facts_query *query, struct facts_host *ret_host,
              struct xcx_err *err)
{
    (void)query;
    assert_string_equal(params->host, "host2");
    *ret_host = sample.there;
    return answer(&world.target, err);
}

int probe_link(const struct probe_link_params *params,
               struct probe_link *ret_link, struct xcx_err *err)
{
    assert_string_equal(params->host, "host2");
    assert_int_equal(params->limit_bytes_per_s, 50u << 20);
    world.nr_links++;
    ret_link->bytes_per_s = 100u << 20;
    return answer(&world.link, err);
}

int saver_find(const char *proc_dir, uint32_t domid, struct saver *ret_saver,
               struct xcx_err *err)
{
    assert_string_equal(proc_dir, SAVER_PROC);
    assert_int_equal(domid, 5);
    *ret_saver =
        ++world.nr_looks > world.saver_from ? world.saver : (struct saver){0};
    return answer(&world.no_proc, err);
}

int xcx_probe(const struct xcx_probe_params *params,
              struct xcx_probe *ret_probe, struct xcx_err *err)
{
    assert_int_equal(params->domid, 5);
    world.nr_probes++;
    *ret_probe = (struct xcx_probe){
        .unsupported = world.unsupported,
        .nr_pages = 262144,
        .nr_samples = 2,
        .samples = {{500 * MS, world.nr_dirty / 2},
                    {1000 * MS, world.nr_dirty}},
    };
    return answer(&world.probe, err);
}

/* ---- fixture ------------------------------------------------------------ */

static const struct domain domain = {.domid = 5, .kind = DOMAIN_HVM};
static struct precheck_params params;
static struct precheck precheck;

static int set_up(void **state)
{
    (void)state;
    check_sample_make();
    memset(&world, 0, sizeof(world));
    params = (struct precheck_params){
        .domain = &domain,
        .ask = {.ssh = "ssh", .host = "host2", .command = "xl-migrate"},
        .wishes = {.target = "host2"},
        .config_json = "{\"sent\": 1}",
        .more_keys = &the_keys,
        .version = "0.1",
        .probe = true,
        .cancel_fd = -1,
    };
    xcx_policy_limits_default(&params.limits);
    params.limits.bandwidth_bytes_per_s = 50u << 20;
    return 0;
}

static void run(void)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (precheck_run(&params, &precheck, &err))
        fail_msg("%s", err.msg);
}

static enum check_level level_of(const char *id, const char *text)
{
    for (unsigned i = 0; i < precheck.check.nr_findings; i++) {
        const struct check_finding *finding = &precheck.check.findings[i];

        if (strcmp(finding->id, id) == 0 && strstr(finding->text, text))
            return finding->level;
    }
    fail_msg("no finding %s with \"%s\"", id, text);
    return CHECK_OK;
}

static void fails(struct xcx_err *how, enum xcx_err_kind kind)
{
    xcx_err_set(how, kind, 0, "made up");
}

/* ---- tests -------------------------------------------------------------- */

static void test_all_is_well(void **state)
{
    (void)state;
    run();
    assert_true(precheck.has_there && precheck.has_link && precheck.has_probe &&
                precheck.has_forecast);
    assert_int_equal(
        level_of("connection", "the target answers over \"ssh host2\""),
        CHECK_OK);
    assert_int_equal(level_of("link", "100 MiB/s"), CHECK_OK);
    assert_false(precheck.forecast.aborts);
    /* 1 GiB at 50 MiB/s, and the fixed costs. */
    assert_in_range(precheck.forecast.total_ns, 20000 * MS, 27000 * MS);
}

/* A NIC's script costs time, and what was learnt of it is found again. */
static void test_what_was_learnt(void **state)
{
    const struct forecast_move move = {.kind = DOMAIN_HVM,
                                       .has_disks = sample.guest.nr_disks > 0,
                                       .has_nics = true};
    struct forecast_costs costs;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    params.costs_dir = scratch_dir;
    sample.guest.nr_nics = 1;
    forecast_costs_default(&move, &costs);
    costs.nr_seen = 4;
    assert_int_equal(
        forecast_costs_save(scratch_dir, "host2", &move, &costs, &err), 0);
    run();
    assert_int_equal(precheck.costs.nr_seen, 4);
    assert_false(precheck.move.is_stock);
    sample.guest.nr_nics = 0;
    run();
    assert_int_equal(precheck.costs.nr_seen, 0);
    sample.guest.nr_nics = 1;
    sample.there.version[0] = 0;
    run();
    assert_int_equal(precheck.costs.nr_seen, 0);
    assert_true(precheck.move.is_stock);
}

static void test_no_probes(void **state)
{
    (void)state;
    params.probe = false;
    run();
    assert_int_equal(world.nr_links + world.nr_probes, 0);
    assert_false(precheck.has_forecast);

    params.probe = true;
    sample.there.free_kib = 0;
    run();
    assert_int_equal(level_of("memory", "host2"), CHECK_BLOCKER);
    assert_int_equal(world.nr_links + world.nr_probes, 0);
}

/* It is as if it were a warning, which keeps nothing from being probed. */
static void test_ignored_blocker(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    sample.there.free_kib = 0;
    assert_int_equal(check_ids_parse("memory", &params.ignore, &err), 0);
    run();
    assert_int_equal(level_of("memory", "host2"), CHECK_WARNING);
    assert_int_equal(world.nr_links + world.nr_probes, 2);
    assert_true(precheck.has_forecast);
}

/* A look must not cost another program its dirty bits. */
static void test_another_program_saves(void **state)
{
    (void)state;
    world.saver = (struct saver){.pid = 77, .name = "libxl-save-helper"};
    run();
    assert_int_equal(level_of("in-use", "web is being saved or migrated by "
                                        "libxl-save-helper, process 77"),
                     CHECK_BLOCKER);
    assert_int_equal(world.nr_links + world.nr_probes, 0);

    /* It has begun while the link was probed. */
    set_up(NULL);
    world.saver = (struct saver){.pid = 77, .name = "libxl-save-helper"};
    world.saver_from = 1;
    run();
    assert_int_equal(level_of("in-use", "process 77"), CHECK_BLOCKER);
    assert_int_equal(world.nr_links, 1);
    assert_int_equal(world.nr_probes, 0);

    /* Where that cannot be seen, nothing is probed. */
    set_up(NULL);
    fails(&world.no_proc, XCX_ERR_RESOURCE);
    run();
    assert_int_equal(level_of("in-use", "made up"), CHECK_UNKNOWN);
    assert_int_equal(world.nr_probes, 0);
}

static void test_silent_target(void **state)
{
    (void)state;
    fails(&world.target, XCX_ERR_IO);
    run();
    assert_false(precheck.has_there);
    assert_int_equal(level_of("connection", "made up"), CHECK_BLOCKER);
    assert_string_equal(precheck.check.findings[0].fix,
                        "\"ssh host2 xl info\" must work without a password");
    assert_int_equal(level_of("state", "web"), CHECK_OK);
    assert_int_equal(world.nr_links + world.nr_probes, 0);
}

/* As it is run, so that it can be copied. */
static void test_connection_command(void **state)
{
    char long_ssh[400], fix[400];
    const struct {
        const char *ssh, *text, *fix;
    } rows[] = {
        {"sudo ssh -o ConnectTimeout=10",
         "\"sudo ssh -o ConnectTimeout=10 host2\"",
         "\"sudo ssh -o ConnectTimeout=10 host2 xl info\" must work without a "
         "password"},
        {"", "\"host2\"",
         "\"host2\" must reach the target: see -s in xl-migrate(8)"},
        {long_ssh, "xxx...\"", fix},
    };

    (void)state;
    memset(long_ssh, 'x', sizeof(long_ssh));
    long_ssh[sizeof(long_ssh) - 1] = 0;
    snprintf(fix, sizeof(fix), "\"%.252s...\" must work without a password",
             long_ssh);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(NULL);
        params.ask.ssh = rows[i].ssh;
        run();
        assert_int_equal(level_of("connection", rows[i].text), CHECK_OK);
        set_up(NULL);
        params.ask.ssh = rows[i].ssh;
        fails(&world.target, XCX_ERR_IO);
        run();
        assert_string_equal(precheck.check.findings[0].fix, rows[i].fix);
    }
}

static void test_probes_that_fail(void **state)
{
    (void)state;
    fails(&world.link, XCX_ERR_PEER);
    run();
    assert_int_equal(level_of("link", "made up"), CHECK_UNKNOWN);
    assert_int_equal(world.nr_probes, 1);
    assert_false(precheck.has_forecast);

    set_up(NULL);
    fails(&world.probe, XCX_ERR_HYPERCALL);
    run();
    assert_int_equal(level_of("dirty-rate", "made up"), CHECK_UNKNOWN);
    assert_false(precheck.has_forecast);

    set_up(NULL);
    fails(&world.probe, XCX_ERR_GUEST);
    run();
    assert_int_equal(level_of("in-use", "made up"), CHECK_BLOCKER);

    set_up(NULL);
    world.unsupported = true;
    run();
    assert_false(precheck.has_probe || precheck.has_forecast);
}

static void test_cancelled(void **state)
{
    struct xcx_err *const how[] = {&world.target, &world.link, &world.probe};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        set_up(NULL);
        fails(how[i], XCX_ERR_CANCELLED);
        assert_int_equal(precheck_run(&params, &precheck, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    }
}

static void test_guest_gone(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fails(&world.guest, XCX_ERR_GUEST);
    assert_int_equal(precheck_run(&params, &precheck, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
}

static void test_writes_too_fast(void **state)
{
    (void)state;
    world.nr_dirty = 200000;
    params.limits.on_slow = XCX_ON_SLOW_ABORT;
    run();
    assert_true(precheck.forecast.aborts);
    assert_int_equal(level_of("forecast", "web is likely to stay here: the "
                                          "dirty set no longer shrinks"),
                     CHECK_WARNING);
}

static void test_printed(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char *text = NULL;
    size_t nr_bytes;
    FILE *out;

    (void)state;
    sample.there.free_kib = 0;
    run();
    out = open_memstream(&text, &nr_bytes);
    precheck_print_text(&precheck, CHECK_WARNING, out);
    fclose(out);
    assert_int_equal(strncmp(text, "blocker  memory: ", 17), 0);
    assert_null(strstr(text, "forecast"));
    assert_non_null(strstr(text, "check: 1 blockers, 0 warnings"));
    free(text);

    set_up(NULL);
    run();
    out = open_memstream(&text, &nr_bytes);
    precheck_print_text(&precheck, CHECK_WARNING, out);
    fclose(out);
    assert_int_equal(strncmp(text, "forecast: 2", 11), 0);
    assert_non_null(strstr(text, "ms of downtime, 10"));
    assert_non_null(strstr(text, "a guess"));
    free(text);

    out = open_memstream(&text, &nr_bytes);
    assert_int_equal(precheck_print_json(&precheck, "host2", out, &err), 0);
    fclose(out);
    assert_non_null(strstr(text, "\"verdict\": \"unknown\""));
    assert_non_null(strstr(text, "\"target\": \"host2\""));
    assert_non_null(strstr(text, "\"nr_pages\": 262144"));
    assert_non_null(strstr(text, "\"learnt_from\": 0"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_is_well, set_up),
        cmocka_unit_test_setup(test_what_was_learnt, set_up),
        cmocka_unit_test_setup(test_no_probes, set_up),
        cmocka_unit_test_setup(test_ignored_blocker, set_up),
        cmocka_unit_test_setup(test_another_program_saves, set_up),
        cmocka_unit_test_setup(test_silent_target, set_up),
        cmocka_unit_test_setup(test_connection_command, set_up),
        cmocka_unit_test_setup(test_probes_that_fail, set_up),
        cmocka_unit_test_setup(test_cancelled, set_up),
        cmocka_unit_test_setup(test_guest_gone, set_up),
        cmocka_unit_test_setup(test_writes_too_fast, set_up),
        cmocka_unit_test_setup(test_printed, set_up),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
