/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A save played through: guests whose curves are known, and what comes out. */
#include "xcext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MS         UINT64_C(1000000)
#define S          (1000 * MS)
#define MIB_PAGES  256
#define PAGE_BYTES 4104

/* A guest of 1 GiB that writes rate pages a second within a set of pages. */
static struct xcx_forecast_params guest(double rate, double set)
{
    struct xcx_forecast_params params = {
        .probe = {.nr_pages = 1024 * MIB_PAGES,
                  .nr_pfns_p2m = 1024 * MIB_PAGES,
                  .clean_ns = 1 * MS,
                  .count_ns = 1 * MS / 2,
                  .nr_samples = 6},
        .bytes_per_s = 100u << 20,
    };

    xcx_policy_limits_default(&params.limits);
    for (unsigned i = 0; i < 6; i++) {
        double t_ns = (double)(1000 * MS >> (5 - i)), left = 1;

        /* (1 - 1/set)^(rate t), by squaring. */
        for (unsigned n = (unsigned)(rate * t_ns / (double)S); n; n--)
            left *= 1 - 1 / set;
        params.probe.samples[i].at_ns = (uint64_t)t_ns;
        params.probe.samples[i].nr_pfns_dirty = (uint64_t)(set * (1 - left));
    }
    return params;
}

static struct xcx_forecast play(const struct xcx_forecast_params *params)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_forecast forecast;

    assert_int_equal(xcx_forecast(params, &forecast, &err), 0);
    return forecast;
}

static void assert_about(uint64_t got, uint64_t want)
{
    assert_in_range(got, want - want / 10, want + want / 10);
}

static void test_idle(void **state)
{
    struct xcx_forecast_params params = guest(0, 1);
    struct xcx_forecast got = play(&params);

    (void)state;
    assert_false(got.aborts);
    assert_about(got.live_ns, 10240 * MS); /* 1 GiB at 100 MiB/s */
    assert_about(got.bytes, UINT64_C(1024) * MIB_PAGES * PAGE_BYTES);
    assert_int_equal(got.throttle_percent_min, 100);
    /* The fixed costs, and 10 ms for what suspending dirties. */
    assert_in_range(got.blackout_ns, 60 * MS, 120 * MS);

    /* Told better, better known. */
    params.suspend_ns = 3 * MS;
    params.cpu_state_ns = 2 * MS;
    got = play(&params);
    assert_about(got.blackout_ns, 16 * MS);
}

static void test_bandwidth(void **state)
{
    struct xcx_forecast_params params = guest(0, 1);

    (void)state;
    params.limits.bandwidth_bytes_per_s = 10u << 20;
    assert_about(play(&params).live_ns, 102400 * MS);
    params.limits.bandwidth_bytes_per_s = 1000u << 20;
    assert_about(play(&params).live_ns, 10240 * MS);
}

/* 64 MiB written over and over: the set is full long before the end. */
static void test_small_hot_set(void **state)
{
    struct xcx_forecast_params params = guest(200000, 64 * MIB_PAGES);
    struct xcx_forecast got;

    (void)state;
    params.limits.on_slow = XCX_ON_SLOW_STOP;
    params.limits.downtime_target_ns = 100 * MS;
    got = play(&params);
    assert_false(got.aborts);
    /* All of the set is left: 640 ms of copying at most, besides the costs. */
    assert_in_range(got.blackout_ns, 300 * MS, 760 * MS);
    assert_in_range(got.live_ns, 10 * S, 16 * S);
}

/* Slower than the link: each round a third of the one before. */
static void test_converges(void **state)
{
    struct xcx_forecast_params params = guest(8000, 1000 * MIB_PAGES);
    struct xcx_forecast got = play(&params);

    (void)state;
    assert_false(got.aborts);
    assert_true(got.nr_rounds > 2);
    assert_true(got.blackout_ns < 300 * MS);
    assert_in_range(got.live_ns, 12 * S, 16 * S);
}

/* Faster than the link; what is done then is as it was asked for. */
static void test_does_not_converge(void **state)
{
    static const struct {
        enum xcx_on_slow on_slow;
        bool aborts, throttled;
    } cases[] = {
        {XCX_ON_SLOW_ABORT, true, false},
        {XCX_ON_SLOW_STOP, false, false},
        {XCX_ON_SLOW_THROTTLE, false, true},
        {XCX_ON_SLOW_THROTTLE_THEN_STOP, false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_forecast_params params = guest(80000, 1000 * MIB_PAGES);
        struct xcx_forecast got;

        params.limits.on_slow = cases[i].on_slow;
        got = play(&params);
        assert_int_equal(got.aborts, cases[i].aborts);
        assert_int_equal(got.throttle_percent_min < 100, cases[i].throttled);
        assert_non_null(got.stop_reason);
        if (cases[i].on_slow == XCX_ON_SLOW_STOP)
            assert_true(got.blackout_ns > 300 * MS);
        /* Decided without the 10 ms for what suspending dirties. */
        if (cases[i].throttled)
            assert_true(got.blackout_ns <= 310 * MS);
    }
}

/*
 * A save decides by its own guess of how long suspending takes, so what was
 * learnt of that changes the downtime that is told, not whether the guest goes.
 */
static void learnt_costs_do_not_decide(void **state)
{
    struct xcx_forecast_params params = guest(100, 256);
    struct xcx_forecast guessed = play(&params), got;

    (void)state;
    params.suspend_ns = 900 * MS; /* QEMU's state, say */
    params.cpu_state_ns = 400 * MS;
    got = play(&params);
    assert_false(got.aborts);
    assert_int_equal(got.nr_rounds, guessed.nr_rounds);
    assert_string_equal(got.stop_reason, guessed.stop_reason);
    assert_in_range(got.blackout_ns, 1300 * MS, 1400 * MS);
}

/* Whatever the numbers: it ends, and no more is dirty than there is. */
static void test_extremes(void **state)
{
    struct xcx_forecast_params params = guest(0, 1);
    struct xcx_forecast got;

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        params.probe.samples[i].nr_pfns_dirty = UINT64_MAX;
    params.limits.on_slow = XCX_ON_SLOW_STOP;
    params.limits.max_rounds = 0;
    got = play(&params);
    assert_true(got.bytes <=
                (got.nr_rounds + 1) * UINT64_C(1024) * MIB_PAGES * PAGE_BYTES);
    params.bytes_per_s = 1;
    params.limits.downtime_target_ns = 0;
    play(&params);
    params.bytes_per_s = UINT64_MAX;
    got = play(&params);
    assert_false(got.aborts);
    params.probe.nr_pages = 0;
    play(&params);
}

static void test_refused(void **state)
{
    struct xcx_forecast_params params = guest(0, 1);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_forecast forecast;

    (void)state;
    params.bytes_per_s = 0;
    assert_int_equal(xcx_forecast(&params, &forecast, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_string_equal(err.msg, "a forecast for a link without a rate");

    err = XCX_ERR_INIT;
    params = guest(0, 1);
    params.probe.nr_samples = 0;
    assert_int_equal(xcx_forecast(&params, &forecast, &err), -1);
    assert_string_equal(err.msg, "a forecast without a probe of the guest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_bandwidth),
        cmocka_unit_test(test_small_hot_set),
        cmocka_unit_test(test_converges),
        cmocka_unit_test(test_does_not_converge),
        cmocka_unit_test(learnt_costs_do_not_decide),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
