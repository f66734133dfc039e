/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole migrations of a modelled guest under the policy: a working set that
 * is written uniformly, n pages after time t as W * (1 - exp(-rate * t / W)),
 * over a link of constant rate with some noise, which round 0's long runs may
 * use better than the pages of later rounds. Nothing here reads a clock.
 */
#include "policy/policy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define NS 1e9

struct model {
    double nr_pfns;      /* the guest's */
    double working_set;  /* pages */
    double writes_per_s; /* without a cap */
    double link_per_s;   /* pages */
    double noise;        /* 0.1: the link is up to 10 % faster or slower */
    double suspend_s, scan_s, state_s, settle_s;
    double scatter; /* pages by the way take so many times as long as runs */
    uint32_t seed;
};

struct outcome {
    enum xcx_policy_action action;
    unsigned nr_rounds;
    unsigned cap_percent;
    double live_s;
    double blackout_s; /* only after STOP_AND_COPY */
    double predicted_s;
    const char *reason;
};

static double random_unit(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (double)(1u << 24);
}

static double dirtied(const struct model *model, unsigned cap, double seconds)
{
    double writes = model->writes_per_s * cap / 100 * seconds;

    if (model->working_set == 0)
        return 0;
    return floor(model->working_set * (1 - exp(-writes / model->working_set)));
}

static double send_s(struct model *model, double nr_pfns, bool in_runs)
{
    double noise = 1 + model->noise * (2 * random_unit(&model->seed) - 1);

    if (in_runs && model->scatter != 0)
        noise /= model->scatter;
    return nr_pfns / model->link_per_s * noise;
}

static void fill_costs(const struct model *model,
                       struct xcx_policy_sample *sample)
{
    sample->costs.suspend_ns = (uint64_t)(model->suspend_s * NS);
    sample->costs.final_scan_ns = (uint64_t)(model->scan_s * NS);
    sample->costs.settle_ns = (uint64_t)(model->settle_s * NS);
    sample->costs.cpu_state_ns = (uint64_t)(model->state_s * NS);
}

/*
 * One round with nine peeks and its end; the decision it came to, what the
 * next round has to send, and what a blackout would have.
 */
static struct xcx_policy_decision one_round(struct model *model,
                                            struct xcx_policy *policy,
                                            struct outcome *outcome,
                                            double nr_pfns, double *ret_dirty,
                                            double *ret_final)
{
    double took_s =
        send_s(model, nr_pfns, outcome->nr_rounds == 0) + model->scan_s;
    struct xcx_policy_decision decision = {.action = XCX_POLICY_CONTINUE};

    for (unsigned tenth = 1; tenth <= 10; tenth++) {
        double at_s = took_s * tenth / 10;
        struct xcx_policy_sample sample = {
            .round_end = tenth == 10,
            .nr_rounds = outcome->nr_rounds + (tenth == 10),
            .elapsed_ns = (uint64_t)((outcome->live_s + at_s) * NS),
            .round_ns = (uint64_t)(at_s * NS),
            .nr_pfns_sent = (uint64_t)(nr_pfns * tenth / 10),
            .send_ns = (uint64_t)(at_s * NS),
        };

        *ret_dirty = dirtied(model, outcome->cap_percent, at_s);
        sample.nr_pfns_dirty = (uint64_t)*ret_dirty;
        if (tenth < 10)
            sample.nr_pfns_left = (uint64_t)(nr_pfns * (10 - tenth) / 10);
        fill_costs(model, &sample);
        xcx_policy_step(policy, &sample, &decision);
        *ret_dirty += (double)sample.nr_pfns_left;
        *ret_final = (double)sample.nr_pfns_left +
                     dirtied(model, outcome->cap_percent,
                             at_s + model->settle_s + model->suspend_s);
        if (decision.action != XCX_POLICY_CONTINUE || tenth == 10) {
            outcome->live_s += at_s;
            break;
        }
    }
    outcome->nr_rounds++;
    return decision;
}

static struct outcome migrate(struct model model,
                              const struct xcx_policy_limits *limits)
{
    struct outcome outcome = {.cap_percent = 100};
    struct xcx_policy_decision decision;
    struct xcx_policy policy;
    double nr_pfns = model.nr_pfns;
    double dirty = 0, final = 0;

    xcx_policy_init(&policy, limits);
    for (;;) {
        decision =
            one_round(&model, &policy, &outcome, nr_pfns, &dirty, &final);
        if (decision.action == XCX_POLICY_THROTTLE)
            outcome.cap_percent = decision.cap_percent;
        else if (decision.action != XCX_POLICY_CONTINUE)
            break;
        nr_pfns = dirty;
        assert_in_range(outcome.nr_rounds, 1, 1000);
    }
    outcome.action = decision.action;
    outcome.reason = decision.reason;
    outcome.predicted_s = (double)decision.predicted_blackout_ns / NS;
    outcome.blackout_s = model.suspend_s + model.scan_s + model.state_s +
                         send_s(&model, final, false);
    return outcome;
}

static struct model gib_guest(double working_set, double writes_per_s)
{
    return (struct model){
        .nr_pfns = 262144,
        .working_set = working_set,
        .writes_per_s = writes_per_s,
        .link_per_s = 100000,
        .noise = 0.05,
        .suspend_s = 0.02,
        .scan_s = 0.001,
        .state_s = 0.005,
        .seed = 7,
    };
}

static void forecasts_come_true(void **state)
{
    static const struct {
        double working_set, writes_per_s;
        unsigned max_rounds;
    } cases[] = {
        {0, 0, 1},          {1000, 1000000, 2}, {20000, 1000000, 2},
        {26000, 60000, 4},  {200000, 5000, 3},  {200000, 30000, 6},
        {200000, 60000, 9}, {262144, 1000, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits;
        struct outcome outcome;

        xcx_policy_limits_default(&limits);
        outcome = migrate(
            gib_guest(cases[i].working_set, cases[i].writes_per_s), &limits);
        print_message("%zu: %u rounds, cap %u, %.3f s foreseen, %.3f s\n", i,
                      outcome.nr_rounds, outcome.cap_percent,
                      outcome.predicted_s, outcome.blackout_s);
        assert_int_equal(outcome.action, XCX_POLICY_STOP_AND_COPY);
        assert_int_equal(outcome.cap_percent, 100);
        assert_in_range(outcome.nr_rounds, 1, cases[i].max_rounds);
        assert_true(outcome.predicted_s <= 0.3);
        assert_true(outcome.blackout_s <= 0.3 * 1.1);
        assert_true(fabs(outcome.predicted_s - outcome.blackout_s) <=
                    0.15 * outcome.blackout_s + 0.01);
    }
}

/* Neither too high nor too low, over many guests that may be stopped. */
static void forecasts_have_no_bias(void **state)
{
    static const double scatters[] = {0.2, 1, 5};
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(scatters) / sizeof(scatters[0]); i++) {
        double foreseen_s = 0, came_s = 0;

        for (unsigned j = 0; j < 500; j++) {
            struct model model = gib_guest(pow(10, 3 + 2 * random_unit(&seed)),
                                           pow(10, 4 + random_unit(&seed)));
            struct xcx_policy_limits limits;
            struct outcome outcome;

            xcx_policy_limits_default(&limits);
            limits.on_slow = XCX_ON_SLOW_STOP;
            model.scatter = scatters[i];
            model.noise = 0.2;
            model.settle_s = 0.02;
            model.seed = j;
            outcome = migrate(model, &limits);
            foreseen_s += outcome.predicted_s;
            came_s += outcome.blackout_s;
        }
        print_message("%g: %.3f s foreseen, %.3f s\n", scatters[i],
                      foreseen_s / 500, came_s / 500);
        assert_true(fabs(foreseen_s - came_s) <= 0.15 * came_s);
    }
}

/* It fits after the first round, but further ones cost little. */
static void a_guest_that_converges_is_stopped_briefly(void **state)
{
    struct xcx_policy_limits limits;
    struct outcome outcome;

    (void)state;
    xcx_policy_limits_default(&limits);
    outcome = migrate(gib_guest(200000, 10000), &limits);
    assert_int_equal(outcome.action, XCX_POLICY_STOP_AND_COPY);
    assert_true(outcome.blackout_s <= 2 * (0.02 + 0.001 + 0.005));
    assert_true(outcome.live_s <= 2.62144 * 1.25);
}

static void a_guest_too_fast_for_the_link_is_slowed_until_it_fits(void **state)
{
    struct xcx_policy_limits limits;
    struct outcome outcome;

    (void)state;
    xcx_policy_limits_default(&limits);
    outcome = migrate(gib_guest(200000, 180000), &limits);
    assert_int_equal(outcome.action, XCX_POLICY_STOP_AND_COPY);
    assert_in_range(outcome.cap_percent, 10, 70);
    assert_true(outcome.blackout_s <= 0.3 * 1.1);
}

static void what_cannot_fit_ends_as_configured(void **state)
{
    static const struct {
        enum xcx_on_slow on_slow;
        enum xcx_policy_action action;
        unsigned cap_percent;
    } cases[] = {
        {XCX_ON_SLOW_ABORT, XCX_POLICY_ABORT, 100},
        {XCX_ON_SLOW_THROTTLE, XCX_POLICY_ABORT, 5},
        {XCX_ON_SLOW_STOP, XCX_POLICY_STOP_AND_COPY, 100},
        {XCX_ON_SLOW_THROTTLE_THEN_STOP, XCX_POLICY_STOP_AND_COPY, 5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_policy_limits limits;
        struct outcome outcome;

        xcx_policy_limits_default(&limits);
        limits.on_slow = cases[i].on_slow;
        outcome = migrate(gib_guest(200000, 1e8), &limits);
        assert_int_equal(outcome.action, cases[i].action);
        assert_int_equal(outcome.cap_percent, cases[i].cap_percent);
        assert_in_range(outcome.nr_rounds, 3, 12);
        assert_true(fabs(outcome.predicted_s - outcome.blackout_s) <=
                    0.15 * outcome.blackout_s + 0.01);
    }
}

static void a_time_budget_is_kept(void **state)
{
    struct xcx_policy_limits limits;
    struct outcome outcome;

    (void)state;
    xcx_policy_limits_default(&limits);
    limits.on_slow = XCX_ON_SLOW_STOP;
    limits.time_budget_ns = 1000 * MS;
    outcome = migrate(gib_guest(200000, 1e8), &limits);
    assert_int_equal(outcome.action, XCX_POLICY_STOP_AND_COPY);
    assert_string_equal(outcome.reason, "the time budget is used up");
    /* Peeks come every tenth of round 0, which is 2.6 s. */
    assert_true(outcome.live_s < 1.3);
    assert_true(fabs(outcome.predicted_s - outcome.blackout_s) <=
                0.1 * outcome.blackout_s);
}

/*
 * Any guest on any link: it ends, within the rounds allowed, and what does
 * not fit is suspended only where that was asked for.
 */
static void it_always_ends_and_keeps_its_promise(void **state)
{
    uint32_t seed = 2024;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        struct model model = {
            .nr_pfns = floor(pow(2, 4 + 24 * random_unit(&seed))),
            .link_per_s = pow(10, 3 + 4 * random_unit(&seed)),
            .writes_per_s = pow(10, 8 * random_unit(&seed)),
            .noise = 0.5 * random_unit(&seed),
            .suspend_s = 0.2 * random_unit(&seed),
            .scan_s = 0.05 * random_unit(&seed),
            .state_s = 0.05 * random_unit(&seed),
            .seed = i,
        };
        struct xcx_policy_limits limits;
        struct outcome outcome;
        double target_s;

        model.working_set = floor(model.nr_pfns * random_unit(&seed));
        xcx_policy_limits_default(&limits);
        limits.on_slow = (enum xcx_on_slow)(i % 4);
        limits.max_rounds = 1 + (unsigned)(40 * random_unit(&seed));
        limits.downtime_target_ns =
            (uint64_t)(NS * pow(10, -2 + 3 * random_unit(&seed)));
        target_s = (double)limits.downtime_target_ns / NS;
        outcome = migrate(model, &limits);
        assert_in_range(outcome.nr_rounds, 1, limits.max_rounds);
        if (outcome.action == XCX_POLICY_ABORT)
            assert_true(limits.on_slow == XCX_ON_SLOW_ABORT ||
                        limits.on_slow == XCX_ON_SLOW_THROTTLE);
        else if (outcome.predicted_s > target_s)
            assert_true(limits.on_slow == XCX_ON_SLOW_STOP ||
                        limits.on_slow == XCX_ON_SLOW_THROTTLE_THEN_STOP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forecasts_come_true),
        cmocka_unit_test(forecasts_have_no_bias),
        cmocka_unit_test(a_guest_that_converges_is_stopped_briefly),
        cmocka_unit_test(a_guest_too_fast_for_the_link_is_slowed_until_it_fits),
        cmocka_unit_test(what_cannot_fit_ends_as_configured),
        cmocka_unit_test(a_time_budget_is_kept),
        cmocka_unit_test(it_always_ends_and_keeps_its_promise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
