/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole of a forecast, and how it is corrected by what happened. */
#include "xl-migrate/check/forecast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static const struct forecast_move pvh = {.kind = DOMAIN_PVH};
static const struct forecast_move hvm = {.kind = DOMAIN_HVM};
static const struct forecast_move pv_all = {
    .kind = DOMAIN_PV,
    .has_disks = true,
    .has_qemu_disks = true,
    .has_nics = true,
    .is_stock = true,
};

static struct forecast_params idle_guest(void)
{
    struct forecast_params params = {
        .kind = DOMAIN_PVH,
        .probe = {.nr_pages = 32768,
                  .nr_pfns_p2m = 32768,
                  .clean_ns = MS,
                  .count_ns = MS / 10,
                  .nr_samples = 1,
                  .samples = {{1 * S, 0}}},
        .link = {.bytes_per_s = 100u << 20},
        .costs = {.nr_seen = 1,
                  .setup_ns = 2 * S,
                  .resume_ns = 300 * MS,
                  .finish_ns = 1 * S,
                  .suspend_ns = 20 * MS,
                  .cpu_state_ns = 5 * MS,
                  .save_bytes_per_s = 50u << 20,
                  .link_bytes_per_s = 100u << 20},
    };

    xcx_policy_limits_default(&params.limits);
    return params;
}

static void test_sum(void **state)
{
    struct forecast_params params = idle_guest();
    struct xcx_err err = XCX_ERR_INIT;
    struct forecast got;

    (void)state;
    assert_int_equal(forecast(&params, &got, &err), 0);
    assert_false(got.aborts);
    /* 326 ms, and some for the pages that suspending itself dirties. */
    assert_in_range(got.downtime_ns, 326 * MS, 360 * MS);
    /* 128 MiB at half of the link's rate, setup, finish and the downtime. */
    assert_in_range(got.total_ns, 5700 * MS, 6100 * MS);
    assert_in_range(got.bytes >> 20, 128, 130);
    assert_non_null(got.reason);

    /* QEMU's disks are flushed while the guest still runs. */
    params.costs.prepare_ns = 2400 * MS;
    assert_int_equal(forecast(&params, &got, &err), 0);
    assert_in_range(got.downtime_ns, 326 * MS, 360 * MS);
    assert_in_range(got.total_ns, 8100 * MS, 8500 * MS);

    params.link.bytes_per_s = 0;
    assert_int_equal(forecast(&params, &got, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

/* What of 50 MiB/s that saves got is believed, as the probe differs. */
static void test_rate(void **state)
{
    static const struct {
        uint64_t link_mib, save_mib; /* per second; save: as forecast */
        bool learnt;
    } cases[] = {{100, 50, true}, {51, 50, true},    {199, 50, true},
                 {25, 25, true},  {1000, 250, true}, {1000, 900, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct forecast_params params = idle_guest();
        struct xcx_err err = XCX_ERR_INIT;
        struct forecast got;
        uint64_t live_ns = 128 * S / cases[i].save_mib;

        params.link.bytes_per_s = cases[i].link_mib << 20;
        if (!cases[i].learnt)
            params.costs.save_bytes_per_s = 0;
        assert_int_equal(forecast(&params, &got, &err), 0);
        live_ns += 3000 * MS + got.downtime_ns;
        assert_in_range(got.total_ns, live_ns - live_ns / 50,
                        live_ns + live_ns / 50);
    }
}

static struct forecast_outcome outcome(void)
{
    return (struct forecast_outcome){
        .setup_ns = 4 * S,
        .resume_ns = 500 * MS,
        .finish_ns = 3 * S,
        .stats = {.nr_rounds = 3,
                  .round = {{.bytes = 300, .duration_ns = 2 * S},
                            {.bytes = 100, .duration_ns = 2 * S},
                            {.final = true, .bytes = 9, .duration_ns = 1}},
                  .prepare_ns = 700 * MS,
                  .suspend_ns = 40 * MS,
                  .cpu_state_ns = 15 * MS},
        .link_bytes_per_s = 200,
    };
}

static void test_learning(void **state)
{
    const struct forecast_outcome seen = outcome();
    struct forecast_outcome odd = outcome();
    struct forecast_costs costs;

    (void)state;
    forecast_costs_default(&hvm, &costs);
    assert_int_equal(costs.nr_seen, 0);
    forecast_learn(&costs, &seen);
    assert_int_equal(costs.nr_seen, 1);
    assert_int_equal(costs.setup_ns, 4 * S);
    assert_int_equal(costs.prepare_ns, 700 * MS);
    assert_int_equal(costs.resume_ns, 500 * MS);
    assert_int_equal(costs.finish_ns, 3 * S);
    assert_int_equal(costs.suspend_ns, 40 * MS);
    assert_int_equal(costs.cpu_state_ns, 15 * MS);
    assert_int_equal(costs.save_bytes_per_s, 100);
    assert_int_equal(costs.link_bytes_per_s, 200);

    odd.setup_ns = 2 * S;
    odd.resume_ns = UINT64_MAX; /* not known */
    odd.link_bytes_per_s = 0;
    forecast_learn(&costs, &odd);
    assert_int_equal(costs.nr_seen, 2);
    assert_int_equal(costs.setup_ns, 3 * S);
    assert_int_equal(costs.resume_ns, 500 * MS);
    assert_int_equal(costs.save_bytes_per_s, 100);
    odd.link_bytes_per_s = 100;
    forecast_learn(&costs, &odd);
    assert_int_equal(costs.save_bytes_per_s, 100);
    assert_int_equal(costs.link_bytes_per_s, 150);
}

/* ---- kept --------------------------------------------------------------- */

static char dir[] = "/tmp/xl-migrate-costs-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path_of("costs.pvh.host2"));
    unlink(path_of("costs.hvm.a_b_.._c"));
    return rmdir(dir);
}

static void test_kept(void **state)
{
    struct forecast_costs costs = idle_guest().costs, got;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(forecast_costs_save(dir, "host2", &pvh, &costs, &err), 0);
    forecast_costs_load(dir, "host2", &pvh, &got);
    assert_memory_equal(&got, &costs, sizeof(got));
    costs.nr_seen = 7;
    assert_int_equal(forecast_costs_save(dir, "host2", &pvh, &costs, &err), 0);
    forecast_costs_load(dir, "host2", &pvh, &got);
    assert_int_equal(got.nr_seen, 7);
    forecast_costs_load(dir, "host2", &hvm, &got);
    assert_int_equal(got.nr_seen, 0);
    forecast_costs_load(dir, "host3", &pvh, &got);
    assert_int_equal(got.nr_seen, 0);

    assert_int_equal(forecast_costs_save(dir, "a/b/../c", &hvm, &costs, &err),
                     0);
    assert_int_equal(access(path_of("costs.hvm.a_b_.._c"), F_OK), 0);

    assert_int_equal(
        forecast_costs_save("/nowhere", "x", &pv_all, &costs, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_non_null(strstr(err.msg, "/nowhere/costs.pv-qdisks-nics-stock.x"));
}

/* Before anything was learnt: devices at the target are not free. */
static void test_guessed(void **state)
{
    const struct forecast_move bare = {.kind = DOMAIN_PV};
    const struct forecast_move disks = {.kind = DOMAIN_PV, .has_disks = true};
    struct forecast_costs with_disks, without, all;

    (void)state;
    forecast_costs_default(&bare, &without);
    forecast_costs_default(&disks, &with_disks);
    forecast_costs_default(&pv_all, &all);
    assert_true(with_disks.resume_ns > without.resume_ns);
    assert_true(all.resume_ns > with_disks.resume_ns);
    assert_int_equal(without.nr_seen, 0);
}

static void test_broken_files(void **state)
{
    static const char *const cases[] = {
        "",
        "setup_ns 1\n", /* seen never */
        "nr_seen 3",    /* cut */
        "nr_seen 3\nsave_bytes_per_s 1125899906842625\n",
        "nr_seen 3\nsetup_ns 99999999999999999999\n",
        "nr_seen 3\nsetup_ns -1\n",
        "nr_seen 3\nother 1\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FILE *file = fopen(path_of("costs.pvh.host2"), "w");
        struct forecast_costs got, wanted;

        assert_non_null(file);
        fputs(cases[i], file);
        fclose(file);
        forecast_costs_default(&pvh, &wanted);
        forecast_costs_load(dir, "host2", &pvh, &got);
        assert_memory_equal(&got, &wanted, sizeof(got));
    }
    unlink(path_of("costs.pvh.host2"));
    assert_int_equal(symlink("/dev/zero", path_of("costs.pvh.host2")), 0);
    {
        struct forecast_costs got;

        forecast_costs_load(dir, "host2", &pvh, &got);
        assert_int_equal(got.nr_seen, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),      cmocka_unit_test(test_rate),
        cmocka_unit_test(test_learning), cmocka_unit_test(test_kept),
        cmocka_unit_test(test_guessed),  cmocka_unit_test(test_broken_files),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
