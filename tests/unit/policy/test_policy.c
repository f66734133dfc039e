/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The forecast. See test_policy_decision.c for what follows from it. */
#include "policy_samples.h"

static void defaults_are_as_promised(void **state)
{
    struct xcx_policy_limits limits;
    struct xcx_policy_costs costs;

    (void)state;
    xcx_policy_limits_default(&limits);
    assert_int_equal(limits.downtime_target_ns, 300 * MS);
    assert_int_equal(limits.time_budget_ns, 0);
    assert_int_equal(limits.max_rounds, 30);
    assert_int_equal(limits.bandwidth_bytes_per_s, 0);
    assert_int_equal(limits.on_slow, XCX_ON_SLOW_THROTTLE);
    xcx_policy_costs_default(&costs);
    assert_int_equal(
        costs.suspend_ns + costs.final_scan_ns + costs.cpu_state_ns, 16 * MS);
}

static void idle_guest_stops_after_round_0(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy policy;
    struct xcx_policy_decision decision;

    (void)state;
    xcx_policy_init(&policy, &limits);
    decision = step(&policy, round_of(1, 0));
    assert_int_equal(decision.action, XCX_POLICY_STOP_AND_COPY);
    assert_int_equal(decision.predicted_blackout_ns, 0);
    assert_string_equal(decision.reason, "the rest fits the downtime target");
}

/* 100,000 pages a second: 30,000 take just 300 ms. */
static const struct {
    const char *what;
    uint64_t dirty, left;
    struct xcx_policy_costs costs;
    uint64_t bandwidth;
    uint64_t predicted_ns;
    enum xcx_policy_action action;
} forecasts[] = {
    {"just fits",
     30000,
     0,
     {0, 0, 0, 0, 0},
     0,
     300 * MS,
     XCX_POLICY_STOP_AND_COPY},
    {"one page too many",
     30001,
     0,
     {0, 0, 0, 0, 0},
     0,
     300 * MS + 10000,
     XCX_POLICY_ABORT},
    {"deferred pages count",
     29999,
     2,
     {0, 0, 0, 0, 0},
     0,
     300 * MS + 10000,
     XCX_POLICY_ABORT},
    {"scan and state count",
     20000,
     0,
     {0, 40 * MS, 61 * MS, 0, 0},
     0,
     301 * MS,
     XCX_POLICY_ABORT},
    /* 50 ms of suspend dirty another 5 % of a second's 20,000 pages. */
    {"suspend dirties more",
     20000,
     0,
     {50 * MS, 0, 0, 0, 0},
     0,
     260 * MS,
     XCX_POLICY_STOP_AND_COPY},
    /* So does what comes before it, which is no blackout. */
    {"settling dirties more",
     20000,
     0,
     {0, 0, 0, 50 * MS, 0},
     0,
     210 * MS,
     XCX_POLICY_STOP_AND_COPY},
    {"a bandwidth limit",
     1000,
     0,
     {0, 0, 0, 0, 0},
     4104000,
     S,
     XCX_POLICY_ABORT},
    {"a limit above the rate",
     1000,
     0,
     {0, 0, 0, 0, 0},
     41040000000,
     10 * MS,
     XCX_POLICY_STOP_AND_COPY},
};

static void forecast_adds_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forecasts) / sizeof(forecasts[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
        struct xcx_policy_sample sample = round_of(1, forecasts[i].dirty);
        struct xcx_policy policy;
        struct xcx_policy_decision decision;

        limits.max_rounds = 1; /* so it stops or it aborts */
        limits.bandwidth_bytes_per_s = forecasts[i].bandwidth;
        sample.nr_pfns_left = forecasts[i].left;
        sample.costs = forecasts[i].costs;
        xcx_policy_init(&policy, &limits);
        decision = step(&policy, sample);
        print_message("%s\n", forecasts[i].what);
        assert_int_equal(decision.predicted_blackout_ns,
                         forecasts[i].predicted_ns);
        assert_int_equal(decision.action, forecasts[i].action);
    }
}

static void no_forecast_before_anything_was_sent(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, 1);
    struct xcx_policy policy;
    struct xcx_policy_decision decision;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    sample.nr_pfns_sent = 0;
    xcx_policy_init(&policy, &limits);
    decision = step(&policy, sample);
    assert_int_equal(decision.action, XCX_POLICY_CONTINUE);
    assert_true(decision.predicted_blackout_ns == XCX_POLICY_UNKNOWN_NS);
    assert_int_equal(xcx_policy_abort_err(&policy, &decision, &err), -1);
    assert_string_equal(err.msg,
                        "the dirty set still shrinks; no forecast of the "
                        "downtime yet, target 300 ms");
}

static void a_tiny_round_does_not_set_the_rate(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample tiny = round_of(2, 20000);
    struct xcx_policy policy;
    struct xcx_policy_decision decision;

    (void)state;
    limits.max_rounds = 2;
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 100000));
    tiny.nr_pfns_sent = 10;
    tiny.send_ns = 20 * MS; /* 500 pages a second */
    decision = step(&policy, tiny);
    assert_int_equal(decision.action, XCX_POLICY_STOP_AND_COPY);
    assert_in_range(decision.predicted_blackout_ns, 200 * MS, 210 * MS);
}

/* Tiny rounds are all there is: each counts as much as all before it. */
static void old_rounds_fade_from_the_average(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, 100);
    struct xcx_policy policy;

    (void)state;
    xcx_policy_init(&policy, &limits);
    sample.nr_pfns_sent = 100;
    sample.send_ns = 100 * MS; /* 1,000 pages a second */
    assert_int_equal(step(&policy, sample).predicted_blackout_ns, 100 * MS);
    sample.nr_rounds = 2;
    sample.send_ns = 400 * MS; /* 250 */
    assert_int_equal(step(&policy, sample).predicted_blackout_ns, 250 * MS);
    sample.nr_rounds = 3;
    sample.nr_pfns_sent = 1000;
    sample.send_ns = 20 * MS; /* the first that is large enough to tell */
    assert_int_equal(step(&policy, sample).predicted_blackout_ns, 2 * MS);
}

static void a_slower_round_counts_at_once(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample slower = round_of(2, 20000);
    struct xcx_policy policy;

    (void)state;
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 100000));
    slower.nr_pfns_sent = 1000;
    slower.send_ns = 100 * MS; /* 10,000 pages a second */
    assert_int_equal(step(&policy, slower).predicted_blackout_ns, 2 * S);
}

/* Round 0 sends runs; a guest's writes are here and there. */
static void round_0_is_forgotten(void **state)
{
    static const struct {
        uint64_t round0_ms, round1_ms, round2_ms;
        uint64_t predicted_ns; /* for 20,000 pages */
    } cases[] = {
        {1000, 10, 10, 20 * MS}, /* round 0 was slow: not too high a forecast */
        {10, 1000, 1000, 2 * S}, /* it was fast: not too low a one */
        {1, 100, 300, 400 * MS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_STOP);
        struct xcx_policy policy;
        const uint64_t ms[] = {cases[i].round0_ms, cases[i].round1_ms,
                               cases[i].round2_ms};
        struct xcx_policy_decision decision = {0};

        xcx_policy_init(&policy, &limits);
        for (unsigned round = 0; round < 3; round++) {
            struct xcx_policy_sample sample = round_of(round + 1, 20000);

            sample.nr_pfns_sent = 10000;
            sample.send_ns = ms[round] * MS;
            decision = step(&policy, sample);
        }
        assert_int_equal(decision.predicted_blackout_ns, cases[i].predicted_ns);
    }
}

/* 100 ms or more for pages by round 0's rate might as well be 300. */
static void round_0_alone_is_in_doubt(void **state)
{
    static const struct {
        unsigned nr_rounds;
        uint64_t dirty;
        unsigned max_rounds;
        enum xcx_policy_action action;
    } cases[] = {
        {1, 10000, 0, XCX_POLICY_STOP_AND_COPY},
        {1, 10001, 0, XCX_POLICY_CONTINUE},
        {1, 10001, 1, XCX_POLICY_STOP_AND_COPY},
        {2, 10001, 0, XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_STOP);
        struct xcx_policy_sample sample =
            round_of(cases[i].nr_rounds, cases[i].dirty);
        struct xcx_policy policy;

        limits.max_rounds = cases[i].max_rounds;
        sample.round_ns = 110 * MS; /* another round does not pay */
        xcx_policy_init(&policy, &limits);
        assert_int_equal(step(&policy, sample).action, cases[i].action);
    }
}

static void a_slow_host_suspends_slowly(void **state)
{
    static const uint64_t cases[][2] = {
        {0, 10 * MS},        {20000, 10 * MS},       {50000, 10 * MS},
        {200000, 40 * MS},   {700000, 140 * MS},     {1 * MS, 150 * MS},
        {31 * MS, 150 * MS}, {UINT64_MAX, 150 * MS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(xcx_policy_suspend_guess(cases[i][0]), cases[i][1]);
}

/* One count that was held up says nothing about how a guest suspends. */
static void the_shortest_of_the_last_three_counts(void **state)
{
    static const uint64_t rows[][2] = {
        {31 * MS, 31 * MS}, {MS / 5, MS / 5},   {2 * MS, MS / 5},
        {3 * MS, MS / 5},   {4 * MS, 2 * MS},   {31 * MS, 3 * MS},
        {31 * MS, 4 * MS},  {31 * MS, 31 * MS},
    };
    const struct xcx_policy_limits limits = {.downtime_target_ns = 100 * MS};
    const struct xcx_policy_limits none = {.downtime_target_ns = 0};
    struct xcx_policy_times times = {.nr = 0};

    (void)state;
    assert_true(xcx_policy_is_worth_a_look(&times, 150 * MS, &limits));
    assert_false(xcx_policy_is_worth_a_look(&times, 150 * MS, &none));
    assert_false(xcx_policy_is_worth_a_look(&times, 50 * MS, &limits));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(xcx_policy_note_time(&times, rows[i][0]), rows[i][1]);
    assert_false(xcx_policy_is_worth_a_look(&times, 150 * MS, &limits));
}

/* They are foreseen, but nothing is refused or slowed because of them. */
static void suspending_dirties_pages(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, 1000);
    struct xcx_policy_decision decision;
    struct xcx_policy policy;

    (void)state;
    sample.costs.suspend_ns = 40 * MS;
    sample.costs.suspend_nr_pfns = 4000;
    xcx_policy_init(&policy, &limits);
    decision = step(&policy, sample);
    assert_int_equal(decision.predicted_blackout_ns, 90 * MS + 400000);
    assert_int_equal(decision.action, XCX_POLICY_STOP_AND_COPY);

    sample.costs.suspend_nr_pfns = 31000;
    xcx_policy_init(&policy, &limits);
    decision = step(&policy, sample);
    assert_int_equal(decision.predicted_blackout_ns, 360 * MS + 400000);
    assert_int_equal(decision.action, XCX_POLICY_STOP_AND_COPY);
}

static void the_last_slope_is_the_dirtying_rate(void **state)
{
    static const struct {
        uint64_t peek_ms, peek_dirty;
        uint64_t predicted_ns;
    } cases[] = {
        /* 100 ms for 10,000 pages, and 50 ms of suspend ... */
        {500, 5000, 155 * MS},  /* 10,000 pages a second all the time */
        {500, 10000, 150 * MS}, /* the working set is in already */
        {900, 0, 200 * MS},     /* 100,000 a second at the end */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
        struct xcx_policy_sample sample = round_of(1, 10000);
        struct xcx_policy_sample peek = {
            .round_ns = cases[i].peek_ms * MS,
            .elapsed_ns = cases[i].peek_ms * MS,
            .nr_pfns_dirty = cases[i].peek_dirty,
        };
        struct xcx_policy policy;

        sample.costs.suspend_ns = 50 * MS;
        xcx_policy_init(&policy, &limits);
        step(&policy, peek);
        assert_int_equal(step(&policy, sample).predicted_blackout_ns,
                         cases[i].predicted_ns);
    }
}

/* The next round's first peek may come later than the last round's end. */
static void slopes_do_not_cross_rounds(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, 100000);
    struct xcx_policy policy;

    (void)state;
    xcx_policy_init(&policy, &limits);
    sample.round_ns = 100 * MS;
    step(&policy, sample);
    sample = round_of(2, 110000);
    sample.costs.suspend_ns = 100 * MS;
    /* 1.1 s, and 11,000 pages dirtied while suspending. */
    assert_int_equal(step(&policy, sample).predicted_blackout_ns,
                     100 * MS + 1210 * MS);
}

/*
 * A few hot pages written in the first millisecond after a CLEAN are no rate:
 * what a longer round has shown stays in force.
 */
static void a_short_round_does_not_set_the_dirtying_rate(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, 100);
    struct xcx_policy policy;

    (void)state;
    xcx_policy_init(&policy, &limits);
    step(&policy, sample); /* 100 pages in a second */
    sample = round_of(2, 100);
    sample.round_ns = MS;
    sample.costs.suspend_ns = 100 * MS;
    /* 100 pages and the 10 of 100 ms; not the 10,000 of 100 a millisecond. */
    assert_int_equal(step(&policy, sample).predicted_blackout_ns,
                     100 * MS + 1100 * MS / 1000);
}

static void extreme_numbers_saturate(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, UINT64_MAX);
    struct xcx_policy policy;
    struct xcx_policy_decision last;

    (void)state;
    limits.bandwidth_bytes_per_s = 1;
    sample.nr_pfns_left = UINT64_MAX;
    sample.nr_pfns_sent = 1;
    sample.send_ns = UINT64_MAX;
    sample.costs = (struct xcx_policy_costs){MS, MS, MS, MS, UINT64_MAX};
    xcx_policy_init(&policy, &limits);
    for (unsigned i = 1; i < 4; i++) {
        sample.nr_rounds = i;
        last = step(&policy, sample);
        assert_true(last.predicted_blackout_ns == UINT64_MAX);
        assert_int_not_equal(last.action, XCX_POLICY_STOP_AND_COPY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_promised),
        cmocka_unit_test(idle_guest_stops_after_round_0),
        cmocka_unit_test(forecast_adds_up),
        cmocka_unit_test(no_forecast_before_anything_was_sent),
        cmocka_unit_test(a_tiny_round_does_not_set_the_rate),
        cmocka_unit_test(old_rounds_fade_from_the_average),
        cmocka_unit_test(a_slower_round_counts_at_once),
        cmocka_unit_test(round_0_is_forgotten),
        cmocka_unit_test(round_0_alone_is_in_doubt),
        cmocka_unit_test(a_slow_host_suspends_slowly),
        cmocka_unit_test(the_shortest_of_the_last_three_counts),
        cmocka_unit_test(suspending_dirties_pages),
        cmocka_unit_test(the_last_slope_is_the_dirtying_rate),
        cmocka_unit_test(slopes_do_not_cross_rounds),
        cmocka_unit_test(a_short_round_does_not_set_the_dirtying_rate),
        cmocka_unit_test(extreme_numbers_saturate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
