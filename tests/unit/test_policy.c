/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Single samples in, decisions out. See test_policy_model.c for whole runs. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define MS       UINT64_C(1000000)
#define S        UINT64_C(1000000000)
#define GIB_PFNS UINT64_C(262144)

static const struct xcx_policy_costs no_costs = {0};

static struct xcx_policy_limits limits_of(enum xcx_on_slow on_slow)
{
    struct xcx_policy_limits limits;

    xcx_policy_limits_default(&limits);
    limits.on_slow = on_slow;
    return limits;
}

/* The end of a round of one second in which 100,000 pages were sent. */
static struct xcx_policy_sample round_of(unsigned nr_rounds,
                                         uint64_t nr_pfns_dirty)
{
    return (struct xcx_policy_sample){
        .round_end = true,
        .nr_rounds = nr_rounds,
        .elapsed_ns = nr_rounds * S,
        .round_ns = S,
        .nr_pfns_dirty = nr_pfns_dirty,
        .nr_pfns_sent = 100000,
        .send_ns = S,
        .costs = no_costs,
    };
}

static struct xcx_policy_decision step(struct xcx_policy *policy,
                                       struct xcx_policy_sample sample)
{
    struct xcx_policy_decision decision;

    memset(&decision, 0xa5, sizeof(decision));
    xcx_policy_step(policy, &sample, &decision);
    assert_non_null(decision.reason);
    return decision;
}

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
static void forecast_adds_up(void **state)
{
    static const struct {
        const char *what;
        uint64_t dirty, left;
        struct xcx_policy_costs costs;
        uint64_t bandwidth;
        uint64_t predicted_ns;
        enum xcx_policy_action action;
    } cases[] = {
        {"just fits",
         30000,
         0,
         {0, 0, 0},
         0,
         300 * MS,
         XCX_POLICY_STOP_AND_COPY},
        {"one page too many",
         30001,
         0,
         {0, 0, 0},
         0,
         300 * MS + 10000,
         XCX_POLICY_CONTINUE},
        {"deferred pages count",
         29999,
         2,
         {0, 0, 0},
         0,
         300 * MS + 10000,
         XCX_POLICY_CONTINUE},
        {"scan and state count",
         20000,
         0,
         {0, 40 * MS, 61 * MS},
         0,
         301 * MS,
         XCX_POLICY_CONTINUE},
        /* 50 ms of suspend dirty another 5 % of a second's 20,000 pages. */
        {"suspend dirties more",
         20000,
         0,
         {50 * MS, 0, 0},
         0,
         260 * MS,
         XCX_POLICY_STOP_AND_COPY},
        {"a bandwidth limit",
         1000,
         0,
         {0, 0, 0},
         4104000,
         S,
         XCX_POLICY_CONTINUE},
        {"a limit above the rate",
         1000,
         0,
         {0, 0, 0},
         41040000000,
         10 * MS,
         XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
        struct xcx_policy_sample sample = round_of(1, cases[i].dirty);
        struct xcx_policy policy;
        struct xcx_policy_decision decision;

        limits.bandwidth_bytes_per_s = cases[i].bandwidth;
        sample.nr_pfns_left = cases[i].left;
        sample.costs = cases[i].costs;
        xcx_policy_init(&policy, &limits);
        decision = step(&policy, sample);
        print_message("%s\n", cases[i].what);
        assert_int_equal(decision.predicted_blackout_ns, cases[i].predicted_ns);
        assert_int_equal(decision.action, cases[i].action);
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
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 100000));
    tiny.nr_pfns_sent = 10;
    tiny.send_ns = 20 * MS; /* 500 pages a second */
    decision = step(&policy, tiny);
    assert_int_equal(decision.action, XCX_POLICY_STOP_AND_COPY);
    assert_in_range(decision.predicted_blackout_ns, 200 * MS, 210 * MS);
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

/* Runs a list of dirty counts; returns how many steps were continued. */
static unsigned run(struct xcx_policy *policy, const uint64_t *dirty,
                    unsigned nr, struct xcx_policy_decision *ret_last)
{
    for (unsigned i = 0; i < nr; i++) {
        *ret_last = step(policy, round_of(i + 1, dirty[i]));
        if (ret_last->action != XCX_POLICY_CONTINUE)
            return i;
    }
    return nr;
}

static void slow_is_two_rounds_without_progress(void **state)
{
    static const struct {
        const char *what;
        uint64_t dirty[6];
        unsigned nr_continued;
    } cases[] = {
        {"shrinks by halves",
         {800000, 400000, 200000, 100000, 50000, 40000},
         6},
        {"one noisy round",
         {800000, 400000, 600000, 200000, 250000, 100000},
         6},
        {"a tenth a round",
         {800000, 720000, 640000, 570000, 510000, 450000},
         6},
        {"constant", {800000, 800000, 800000}, 2},
        {"grows", {800000, 900000, 990000}, 2},
        {"one in twenty in two", {800000, 780000, 760000}, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_ABORT);
        struct xcx_policy policy;
        struct xcx_policy_decision last;

        print_message("%s\n", cases[i].what);
        xcx_policy_init(&policy, &limits);
        assert_int_equal(run(&policy, cases[i].dirty, 6, &last),
                         cases[i].nr_continued);
        if (cases[i].nr_continued < 6) {
            assert_int_equal(last.action, XCX_POLICY_ABORT);
            assert_string_equal(last.reason, "the dirty set no longer shrinks");
        }
    }
}

static void what_slow_leads_to(void **state)
{
    static const uint64_t dirty[] = {800000, 800000, 800000};
    static const struct {
        enum xcx_on_slow on_slow;
        uint64_t target_ns;
        enum xcx_policy_action action;
    } cases[] = {
        {XCX_ON_SLOW_ABORT, 300 * MS, XCX_POLICY_ABORT},
        {XCX_ON_SLOW_STOP, 300 * MS, XCX_POLICY_STOP_AND_COPY},
        {XCX_ON_SLOW_THROTTLE, 300 * MS, XCX_POLICY_THROTTLE},
        {XCX_ON_SLOW_THROTTLE_THEN_STOP, 300 * MS, XCX_POLICY_THROTTLE},
        {XCX_ON_SLOW_ABORT, 0, XCX_POLICY_STOP_AND_COPY},
        {XCX_ON_SLOW_THROTTLE, 0, XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(cases[i].on_slow);
        struct xcx_policy policy;
        struct xcx_policy_decision last;

        limits.downtime_target_ns = cases[i].target_ns;
        xcx_policy_init(&policy, &limits);
        assert_int_equal(run(&policy, dirty, 3, &last), 2);
        assert_int_equal(last.action, cases[i].action);
        assert_int_equal(last.predicted_blackout_ns, 8 * S);
    }
}

static void caps_go_down_to_the_lowest_and_then_the_last_word(void **state)
{
    static const unsigned caps[] = {70, 40, 20, 10, 5};
    static const struct {
        enum xcx_on_slow on_slow;
        enum xcx_policy_action last_word;
    } cases[] = {
        {XCX_ON_SLOW_THROTTLE, XCX_POLICY_ABORT},
        {XCX_ON_SLOW_THROTTLE_THEN_STOP, XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(cases[i].on_slow);
        struct xcx_policy policy;
        struct xcx_policy_decision last;
        struct xcx_err err = XCX_ERR_INIT;

        xcx_policy_init(&policy, &limits);
        step(&policy, round_of(1, 800000));
        step(&policy, round_of(2, 800000));
        for (unsigned n = 0; n < 5; n++) {
            last = step(&policy, round_of(3 + n, 800000));
            assert_int_equal(last.action, XCX_POLICY_THROTTLE);
            assert_int_equal(last.cap_percent, caps[n]);
        }
        last = step(&policy, round_of(8, 800000));
        assert_int_equal(last.action, cases[i].last_word);
        xcx_policy_abort_err(&policy, &last, &err);
        assert_int_equal(err.kind, XCX_ERR_GUEST);
        assert_string_equal(err.msg,
                            "the dirty set no longer shrinks at the lowest "
                            "cap: forecast 8000 ms of downtime, target 300 "
                            "ms");
    }
}

static void a_cap_that_helps_is_kept(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy policy;
    struct xcx_policy_decision last;

    (void)state;
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 800000));
    step(&policy, round_of(2, 800000));
    last = step(&policy, round_of(3, 800000));
    assert_int_equal(last.action, XCX_POLICY_THROTTLE);
    last = step(&policy, round_of(4, 400000));
    assert_int_equal(last.action, XCX_POLICY_CONTINUE);
    last = step(&policy, round_of(5, 20000));
    assert_int_equal(last.action, XCX_POLICY_STOP_AND_COPY);
}

static void limits_end_the_live_phase(void **state)
{
    static const struct {
        enum xcx_on_slow on_slow;
        unsigned max_rounds;
        uint64_t budget_ns;
        enum xcx_policy_action action;
        const char *reason;
    } cases[] = {
        {XCX_ON_SLOW_THROTTLE, 1, 0, XCX_POLICY_ABORT,
         "the limit of live rounds is reached"},
        {XCX_ON_SLOW_STOP, 1, 0, XCX_POLICY_STOP_AND_COPY,
         "the limit of live rounds is reached"},
        {XCX_ON_SLOW_ABORT, 0, S, XCX_POLICY_ABORT,
         "the time budget is used up"},
        {XCX_ON_SLOW_STOP, 0, S, XCX_POLICY_STOP_AND_COPY,
         "the time budget is used up"},
        {XCX_ON_SLOW_ABORT, 0, S + 1, XCX_POLICY_CONTINUE,
         "the dirty set still shrinks"},
        {XCX_ON_SLOW_ABORT, 0, 0, XCX_POLICY_CONTINUE,
         "the dirty set still shrinks"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(cases[i].on_slow);
        struct xcx_policy policy;
        struct xcx_policy_decision last;

        limits.max_rounds = cases[i].max_rounds;
        limits.time_budget_ns = cases[i].budget_ns;
        xcx_policy_init(&policy, &limits);
        last = step(&policy, round_of(1, 800000));
        assert_int_equal(last.action, cases[i].action);
        assert_string_equal(last.reason, cases[i].reason);
    }
}

static void with_half_used_one_stalled_round_is_enough(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy policy;

    (void)state;
    limits.time_budget_ns = 3 * S;
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 800000));
    assert_int_equal(step(&policy, round_of(2, 800000)).action,
                     XCX_POLICY_THROTTLE);
}

static void a_peek_only_ends_it_when_time_is_up(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_STOP);
    struct xcx_policy policy;
    struct xcx_policy_decision last;
    struct xcx_policy_sample peek = {
        .nr_rounds = 1, .round_ns = S, .elapsed_ns = 2 * S};

    (void)state;
    limits.time_budget_ns = 3 * S;
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 800000));
    peek.nr_pfns_dirty = 50000;
    peek.nr_pfns_left = 700000;
    last = step(&policy, peek);
    assert_int_equal(last.action, XCX_POLICY_CONTINUE);
    assert_int_equal(last.predicted_blackout_ns, 7 * S + 500 * MS);
    peek.elapsed_ns = 3 * S;
    assert_int_equal(step(&policy, peek).action, XCX_POLICY_STOP_AND_COPY);
}

static void costs_above_the_target_are_hopeless(void **state)
{
    static const struct {
        enum xcx_on_slow on_slow;
        uint64_t dirty;
        enum xcx_policy_action action;
    } cases[] = {
        {XCX_ON_SLOW_THROTTLE, 800000, XCX_POLICY_ABORT},
        {XCX_ON_SLOW_ABORT, 0, XCX_POLICY_ABORT},
        {XCX_ON_SLOW_STOP, 800000, XCX_POLICY_CONTINUE},
        {XCX_ON_SLOW_STOP, 30000, XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(cases[i].on_slow);
        struct xcx_policy_sample sample = round_of(1, cases[i].dirty);
        struct xcx_policy policy;

        sample.costs.cpu_state_ns = 301 * MS;
        xcx_policy_init(&policy, &limits);
        assert_int_equal(step(&policy, sample).action, cases[i].action);
    }
}

static void target_0_stops_when_rounds_stop_paying(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy_sample sample = round_of(1, 2000);
    struct xcx_policy policy;

    (void)state;
    limits.downtime_target_ns = 0;
    sample.costs.cpu_state_ns = 10 * MS;
    xcx_policy_init(&policy, &limits);
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_CONTINUE);
    sample.nr_rounds = 2;
    sample.nr_pfns_dirty = 1000;
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_STOP_AND_COPY);
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
    sample.costs = (struct xcx_policy_costs){MS, MS, MS};
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
        cmocka_unit_test(a_slower_round_counts_at_once),
        cmocka_unit_test(the_last_slope_is_the_dirtying_rate),
        cmocka_unit_test(slow_is_two_rounds_without_progress),
        cmocka_unit_test(what_slow_leads_to),
        cmocka_unit_test(caps_go_down_to_the_lowest_and_then_the_last_word),
        cmocka_unit_test(a_cap_that_helps_is_kept),
        cmocka_unit_test(limits_end_the_live_phase),
        cmocka_unit_test(with_half_used_one_stalled_round_is_enough),
        cmocka_unit_test(a_peek_only_ends_it_when_time_is_up),
        cmocka_unit_test(costs_above_the_target_are_hopeless),
        cmocka_unit_test(target_0_stops_when_rounds_stop_paying),
        cmocka_unit_test(extreme_numbers_saturate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
