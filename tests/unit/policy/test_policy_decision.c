/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples in, decisions out. See test_policy_model.c for whole migrations. */
#include "policy_samples.h"

/* A round of one second; 10,000 pages take 100 ms. */
static void it_goes_on_while_that_pays(void **state)
{
    static const struct {
        const char *what;
        uint64_t dirty, round_ms, fixed_ms, budget_s;
        enum xcx_policy_action action;
    } cases[] = {
        {"a tenth of the round", 10000, 1000, 20, 0, XCX_POLICY_CONTINUE},
        {"half of the round", 10000, 200, 20, 0, XCX_POLICY_CONTINUE},
        {"more than half", 10000, 199, 20, 0, XCX_POLICY_STOP_AND_COPY},
        {"fixed costs", 10000, 1000, 100, 0, XCX_POLICY_STOP_AND_COPY},
        {"time is up", 10000, 1000, 20, 1, XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
        struct xcx_policy_sample sample = round_of(2, cases[i].dirty);
        struct xcx_policy policy;

        print_message("%s\n", cases[i].what);
        limits.time_budget_ns = cases[i].budget_s * S;
        sample.round_ns = cases[i].round_ms * MS;
        sample.costs.cpu_state_ns = cases[i].fixed_ms * MS;
        xcx_policy_init(&policy, &limits);
        assert_int_equal(step(&policy, sample).action, cases[i].action);
    }
}

static void it_goes_on_four_times_at_most(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy policy;

    (void)state;
    xcx_policy_init(&policy, &limits);
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(step(&policy, round_of(i, 10000)).action,
                         XCX_POLICY_CONTINUE);
    assert_int_equal(step(&policy, round_of(5, 10000)).action,
                     XCX_POLICY_STOP_AND_COPY);
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
    limits.max_rounds = 5;
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

/* Down by 15 % from where it was applied, not from the smallest ever. */
static void a_cap_is_judged_by_the_set_it_met(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_THROTTLE);
    struct xcx_policy policy;

    (void)state;
    xcx_policy_init(&policy, &limits);
    step(&policy, round_of(1, 800000));
    step(&policy, round_of(2, 800000));
    assert_int_equal(step(&policy, round_of(3, 1000000)).cap_percent, 70);
    assert_int_equal(step(&policy, round_of(4, 850000)).action,
                     XCX_POLICY_CONTINUE);
    assert_int_equal(step(&policy, round_of(5, 800000)).cap_percent, 40);
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

/* A CLEAN may have been held up by another domain's work. */
static void one_slow_scan_is_not_hopeless(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_ABORT);
    struct xcx_policy_sample sample = round_of(1, 0);
    struct xcx_policy policy;

    (void)state;
    sample.costs.suspend_ns = 150 * MS;
    sample.costs.final_scan_ns = 200 * MS;
    sample.scan_is_doubtful = true;
    xcx_policy_init(&policy, &limits);
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_CONTINUE);

    /* The shortest of three: that is what it takes. */
    sample.nr_rounds = 2;
    sample.scan_is_doubtful = false;
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_ABORT);

    /* Hopeless without it. */
    sample.costs.suspend_ns = 301 * MS;
    sample.scan_is_doubtful = true;
    xcx_policy_init(&policy, &limits);
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_ABORT);
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

static void other_limits_count_from_then_on(void **state)
{
    struct xcx_policy_limits limits = limits_of(XCX_ON_SLOW_ABORT);
    struct xcx_policy_sample sample = round_of(1, 20000); /* 200 ms */
    struct xcx_policy policy;

    (void)state;
    limits.downtime_target_ns = 100 * MS;
    xcx_policy_init(&policy, &limits);
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_CONTINUE);
    limits.downtime_target_ns = 300 * MS;
    xcx_policy_set_limits(&policy, &limits);
    sample = round_of(2, 20000);
    sample.round_ns = 300 * MS; /* another one does not pay */
    assert_int_equal(step(&policy, sample).action, XCX_POLICY_STOP_AND_COPY);
    limits.downtime_target_ns = 100 * MS;
    limits.max_rounds = 3;
    xcx_policy_set_limits(&policy, &limits);
    assert_int_equal(step(&policy, round_of(3, 20000)).action,
                     XCX_POLICY_ABORT);
}

/* Asked to throttle, where the scheduler cannot. */
static void without_caps_the_last_word_comes_at_once(void **state)
{
    static const struct {
        enum xcx_on_slow on_slow;
        enum xcx_policy_action action;
    } cases[] = {
        {XCX_ON_SLOW_THROTTLE, XCX_POLICY_ABORT},
        {XCX_ON_SLOW_THROTTLE_THEN_STOP, XCX_POLICY_STOP_AND_COPY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits = limits_of(cases[i].on_slow);
        const uint64_t dirty[] = {800000, 800000, 800000};
        struct xcx_policy_decision decision;
        struct xcx_policy policy;

        xcx_policy_init(&policy, &limits);
        run(&policy, dirty, 3, &decision);
        assert_int_equal(decision.action, XCX_POLICY_THROTTLE);
        xcx_policy_set_no_caps(&policy, &decision);
        assert_int_equal(decision.action, cases[i].action);
        assert_non_null(strstr(decision.reason, "has no caps"));
        /* And it does not ask again. */
        for (unsigned k = 4; k < 7; k++)
            assert_int_not_equal(step(&policy, round_of(k, 800000)).action,
                                 XCX_POLICY_THROTTLE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_while_that_pays),
        cmocka_unit_test(it_goes_on_four_times_at_most),
        cmocka_unit_test(slow_is_two_rounds_without_progress),
        cmocka_unit_test(what_slow_leads_to),
        cmocka_unit_test(caps_go_down_to_the_lowest_and_then_the_last_word),
        cmocka_unit_test(a_cap_that_helps_is_kept),
        cmocka_unit_test(a_cap_is_judged_by_the_set_it_met),
        cmocka_unit_test(limits_end_the_live_phase),
        cmocka_unit_test(with_half_used_one_stalled_round_is_enough),
        cmocka_unit_test(a_peek_only_ends_it_when_time_is_up),
        cmocka_unit_test(costs_above_the_target_are_hopeless),
        cmocka_unit_test(one_slow_scan_is_not_hopeless),
        cmocka_unit_test(other_limits_count_from_then_on),
        cmocka_unit_test(target_0_stops_when_rounds_stop_paying),
        cmocka_unit_test(without_caps_the_last_word_comes_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
