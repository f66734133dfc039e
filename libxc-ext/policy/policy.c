/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy/policy.h"

#include <inttypes.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
#define PS_PER_NS 1000

/* A page on the wire: its contents and its eight bytes of pfn. */
#define PAGE_WIRE_BYTES 4104

/* Fewer pages than this are mostly a round's overhead, not a rate. */
#define RATE_MIN_PFNS 512

/* A shorter time between two samples gives no slope worth having. */
#define SLOPE_MIN_NS (5 * NS_PER_MS)

/* Rounds at most that are only there to make a downtime that fits shorter. */
#define MAX_EXTRA_ROUNDS 4

/* Pages here and there may take so many times as long as round 0's. */
#define ROUND0_DOUBT 3

/* See xcx_policy_suspend_guess(). */
#define SUSPEND_MIN_NS    (10 * NS_PER_MS)
#define SUSPEND_MAX_NS    (150 * NS_PER_MS)
#define SUSPEND_PER_COUNT 200

/* Caps in the order they are tried, in percent. */
static const unsigned caps_percent[] = {70, 40, 20, 10, 5};
#define NR_CAPS (sizeof(caps_percent) / sizeof(caps_percent[0]))

void xcx_policy_limits_default(struct xcx_policy_limits *ret_limits)
{
    *ret_limits = (struct xcx_policy_limits){
        .downtime_target_ns = 300 * NS_PER_MS,
        .time_budget_ns = 0,
        .max_rounds = 30,
        .bandwidth_bytes_per_s = 0,
        .on_slow = XCX_ON_SLOW_THROTTLE,
    };
}

void xcx_policy_costs_default(struct xcx_policy_costs *ret_costs)
{
    *ret_costs = (struct xcx_policy_costs){
        .suspend_ns = SUSPEND_MIN_NS,
        .final_scan_ns = 1 * NS_PER_MS,
        .cpu_state_ns = 5 * NS_PER_MS,
        .suspend_nr_pfns = 256,
    };
}

uint64_t xcx_policy_suspend_guess(uint64_t count_ns)
{
    if (count_ns >= SUSPEND_MAX_NS / SUSPEND_PER_COUNT)
        return SUSPEND_MAX_NS;
    if (count_ns <= SUSPEND_MIN_NS / SUSPEND_PER_COUNT)
        return SUSPEND_MIN_NS;
    return count_ns * SUSPEND_PER_COUNT;
}

void xcx_policy_init(struct xcx_policy *policy,
                     const struct xcx_policy_limits *limits)
{
    *policy = (struct xcx_policy){.limits = *limits};
}

void xcx_policy_set_limits(struct xcx_policy *policy,
                           const struct xcx_policy_limits *limits)
{
    policy->limits = *limits;
}

/* ---- arithmetic that saturates ----------------------------------------- */

/* a * b / c, rounded up; UINT64_MAX where that is too large or c is 0. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    if (c == 0)
        return product == 0 ? 0 : UINT64_MAX;
    product = product / c + (product % c != 0);
    return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- rates -------------------------------------------------------------- */

static void note_slope(struct xcx_policy *policy,
                       const struct xcx_policy_sample *sample)
{
    uint64_t ns;

    /* A round that has just begun: its CLEAN has emptied the set. */
    if (sample->round_ns < policy->previous_round_ns) {
        policy->previous_round_ns = 0;
        policy->previous_dirty = 0;
    }
    ns = sample->round_ns - policy->previous_round_ns;
    if (ns < SLOPE_MIN_NS && (!sample->round_end || policy->dirtied_ns != 0))
        return;
    policy->dirtied_pfns = 0;
    if (sample->nr_pfns_dirty > policy->previous_dirty)
        policy->dirtied_pfns = sample->nr_pfns_dirty - policy->previous_dirty;
    policy->dirtied_ns = ns;
    policy->previous_dirty = sample->nr_pfns_dirty;
    policy->previous_round_ns = sample->round_ns;
}

/* Ends the measurement: the next sample belongs to another round. */
static void end_slope(struct xcx_policy *policy)
{
    policy->previous_round_ns = UINT64_MAX;
}

static void note_send_rate(struct xcx_policy *policy,
                           const struct xcx_policy_sample *sample)
{
    bool is_round0 = sample->nr_rounds <= (sample->round_end ? 1 : 0);
    bool is_few = sample->nr_pfns_sent < RATE_MIN_PFNS;
    uint64_t page_ps;

    if (sample->nr_pfns_sent == 0 || sample->send_ns == 0)
        return;
    page_ps = mul_div(sample->send_ns, PS_PER_NS, sample->nr_pfns_sent);
    if (policy->page_ps == 0 || (policy->rate_is_of_few && !is_few) ||
        (policy->rate_is_of_round0 && !is_few && !is_round0)) {
        policy->page_ps = page_ps;
        policy->rate_is_of_few = is_few;
        policy->rate_is_of_round0 = is_round0;
    } else if (!is_few || policy->rate_is_of_few) {
        policy->page_ps = policy->page_ps / 2 + page_ps / 2;
    }
}

/* How long sending takes. */
static uint64_t time_to_send(const struct xcx_policy *policy, uint64_t nr_pfns)
{
    uint64_t ns;

    if (nr_pfns == 0)
        return 0;
    if (policy->page_ps == 0)
        return XCX_POLICY_UNKNOWN_NS;
    ns = mul_div(nr_pfns, policy->page_ps, PS_PER_NS);
    if (policy->limits.bandwidth_bytes_per_s != 0)
        ns = max(ns, mul_div(mul_div(nr_pfns, PAGE_WIRE_BYTES, 1), NS_PER_S,
                             policy->limits.bandwidth_bytes_per_s));
    return ns;
}

uint64_t xcx_policy_note_time(struct xcx_policy_times *times, uint64_t ns)
{
    uint64_t least_ns = ns;

    times->ns[times->nr++ % XCX_POLICY_NR_TIMES] = ns;
    for (unsigned i = 0; i < XCX_POLICY_NR_TIMES && i < times->nr; i++) {
        if (times->ns[i] < least_ns)
            least_ns = times->ns[i];
    }
    return least_ns;
}

bool xcx_policy_is_worth_a_look(const struct xcx_policy_times *times,
                                uint64_t suspend_ns,
                                const struct xcx_policy_limits *limits)
{
    return times->nr < XCX_POLICY_NR_TIMES && limits->downtime_target_ns &&
           suspend_ns > limits->downtime_target_ns / 2;
}

/* The part of the blackout that no round can shorten. */
static uint64_t fixed_cost(const struct xcx_policy_costs *costs)
{
    return add(costs->suspend_ns,
               add(costs->final_scan_ns, costs->cpu_state_ns));
}

/* The guess of what suspending dirties makes no decision: see policy.h. */
static uint64_t forecast(const struct xcx_policy *policy,
                         const struct xcx_policy_costs *costs, uint64_t copy_ns)
{
    uint64_t ns = add(fixed_cost(costs), copy_ns);

    if (policy->page_ps == 0)
        return ns;
    return add(ns, time_to_send(policy, costs->suspend_nr_pfns));
}

static uint64_t unsent(const struct xcx_policy_sample *sample)
{
    return add(sample->nr_pfns_dirty, sample->nr_pfns_left);
}

static uint64_t copy_time(const struct xcx_policy *policy,
                          const struct xcx_policy_sample *sample)
{
    uint64_t meanwhile = 0;

    if (policy->dirtied_ns != 0)
        meanwhile =
            mul_div(policy->dirtied_pfns,
                    add(sample->costs.settle_ns, sample->costs.suspend_ns),
                    policy->dirtied_ns);
    return time_to_send(policy, add(unsent(sample), meanwhile));
}

/* ---- does it shrink? ---------------------------------------------------- */

static bool half_used(const struct xcx_policy *policy,
                      const struct xcx_policy_sample *sample)
{
    const struct xcx_policy_limits *limits = &policy->limits;

    return (limits->max_rounds != 0 &&
            sample->nr_rounds > limits->max_rounds / 2) ||
           (limits->time_budget_ns != 0 &&
            sample->elapsed_ns > limits->time_budget_ns / 2);
}

static bool no_longer_shrinks(struct xcx_policy *policy,
                              const struct xcx_policy_sample *sample)
{
    uint64_t reference = policy->reference_dirty;
    unsigned enough = 2;

    if (!policy->has_reference || unsent(sample) < reference - reference / 8) {
        policy->reference_dirty = unsent(sample);
        policy->has_reference = true;
        policy->nr_stalled = 0;
        return false;
    }
    policy->nr_stalled++;
    if (policy->next_cap > 0 || half_used(policy, sample))
        enough = 1;
    return policy->nr_stalled >= enough;
}

/* ---- what to do --------------------------------------------------------- */

bool xcx_policy_stops_anyway(const struct xcx_policy *policy)
{
    return policy->limits.downtime_target_ns == 0 ||
           policy->limits.on_slow == XCX_ON_SLOW_STOP ||
           policy->limits.on_slow == XCX_ON_SLOW_THROTTLE_THEN_STOP;
}

static void last_word(const struct xcx_policy *policy, const char *reason,
                      struct xcx_policy_decision *decision)
{
    decision->reason = reason;
    decision->action = xcx_policy_stops_anyway(policy)
                           ? XCX_POLICY_STOP_AND_COPY
                           : XCX_POLICY_ABORT;
}

/* Slowing the guest helps only where its pages are what takes too long. */
static bool may_throttle(const struct xcx_policy *policy, uint64_t fixed_ns)
{
    return fixed_ns <= policy->limits.downtime_target_ns &&
           policy->limits.downtime_target_ns != 0 && !policy->no_caps &&
           (policy->limits.on_slow == XCX_ON_SLOW_THROTTLE ||
            policy->limits.on_slow == XCX_ON_SLOW_THROTTLE_THEN_STOP);
}

static void slow(struct xcx_policy *policy,
                 const struct xcx_policy_sample *sample,
                 struct xcx_policy_decision *decision)
{
    if (!may_throttle(policy, fixed_cost(&sample->costs))) {
        last_word(policy, "the dirty set no longer shrinks", decision);
        return;
    }
    if (policy->next_cap == NR_CAPS) {
        last_word(policy, "the dirty set no longer shrinks at the lowest cap",
                  decision);
        return;
    }
    decision->action = XCX_POLICY_THROTTLE;
    decision->cap_percent = caps_percent[policy->next_cap++];
    decision->reason = "the dirty set no longer shrinks";
    policy->nr_stalled = 0;
    policy->reference_dirty = unsent(sample);
}

void xcx_policy_set_no_caps(struct xcx_policy *policy,
                            struct xcx_policy_decision *decision)
{
    policy->no_caps = true;
    last_word(policy,
              "the dirty set no longer shrinks, and the guest's scheduler has "
              "no caps to throttle it with",
              decision);
}

static bool fits(const struct xcx_policy *policy, uint64_t fixed_ns,
                 uint64_t copy_ns)
{
    if (copy_ns == XCX_POLICY_UNKNOWN_NS)
        return false;
    if (policy->limits.downtime_target_ns == 0)
        return copy_ns <= fixed_ns;
    return add(fixed_ns, copy_ns) <= policy->limits.downtime_target_ns;
}

/*
 * The pages are not what makes it too long. One that is to be stopped anyway
 * is stopped when further rounds could at best halve the blackout.
 */
static bool hopeless(const struct xcx_policy *policy,
                     const struct xcx_policy_sample *sample, uint64_t copy_ns)
{
    uint64_t fixed_ns = fixed_cost(&sample->costs);

    if (sample->scan_is_doubtful)
        fixed_ns = add(sample->costs.suspend_ns, sample->costs.cpu_state_ns);
    if (policy->limits.downtime_target_ns == 0 ||
        fixed_ns <= policy->limits.downtime_target_ns)
        return false;
    return xcx_policy_stops_anyway(policy) ? copy_ns <= fixed_ns : true;
}

static bool used_up(const struct xcx_policy_limits *limits,
                    const struct xcx_policy_sample *sample,
                    const char **ret_reason)
{
    if (limits->max_rounds != 0 && sample->nr_rounds >= limits->max_rounds)
        *ret_reason = "the limit of live rounds is reached";
    else if (limits->time_budget_ns != 0 &&
             sample->elapsed_ns >= limits->time_budget_ns)
        *ret_reason = "the time budget is used up";
    else
        return false;
    return true;
}

/* The rest fits, but only if single pages are as fast as round 0's. */
static bool is_doubtful(const struct xcx_policy *policy, uint64_t fixed_ns,
                        uint64_t copy_ns)
{
    return policy->rate_is_of_round0 &&
           !fits(policy, fixed_ns, mul_div(copy_ns, ROUND0_DOUBT, 1));
}

static bool pays(const struct xcx_policy *policy,
                 const struct xcx_policy_sample *sample, uint64_t fixed_ns,
                 uint64_t copy_ns)
{
    uint64_t might_be_ns = copy_ns;

    if (policy->nr_extra >= MAX_EXTRA_ROUNDS)
        return false;
    if (policy->rate_is_of_round0)
        might_be_ns = mul_div(copy_ns, ROUND0_DOUBT, 1);
    return is_doubtful(policy, fixed_ns, copy_ns) ||
           (might_be_ns > fixed_ns && copy_ns <= sample->round_ns / 2);
}

static void decide_at_round_end(struct xcx_policy *policy,
                                const struct xcx_policy_sample *sample,
                                struct xcx_policy_decision *decision)
{
    const struct xcx_policy_limits *limits = &policy->limits;
    uint64_t fixed_ns = fixed_cost(&sample->costs);
    uint64_t copy_ns = copy_time(policy, sample);
    const char *reason = NULL;
    bool is_used_up;

    decision->predicted_blackout_ns = forecast(policy, &sample->costs, copy_ns);
    is_used_up = used_up(limits, sample, &reason);
    if (fits(policy, fixed_ns, copy_ns)) {
        decision->reason = "it fits, and another round makes it shorter";
        if (!is_used_up && pays(policy, sample, fixed_ns, copy_ns)) {
            policy->nr_extra++;
            return;
        }
        decision->action = XCX_POLICY_STOP_AND_COPY;
        decision->reason =
            limits->downtime_target_ns
                ? "the rest fits the downtime target"
                : "more rounds would not shorten the downtime much";
    } else if (is_used_up) {
        last_word(policy, reason, decision);
    } else if (hopeless(policy, sample, copy_ns)) {
        last_word(policy, "suspending alone takes longer than the target",
                  decision);
    } else if (no_longer_shrinks(policy, sample)) {
        slow(policy, sample, decision);
    }
}

void xcx_policy_step(struct xcx_policy *policy,
                     const struct xcx_policy_sample *sample,
                     struct xcx_policy_decision *ret_decision)
{
    struct xcx_policy so_far;

    *ret_decision = (struct xcx_policy_decision){
        .action = XCX_POLICY_CONTINUE,
        .reason = "the dirty set still shrinks",
    };
    note_slope(policy, sample);
    if (sample->round_end) {
        note_send_rate(policy, sample);
        decide_at_round_end(policy, sample, ret_decision);
        end_slope(policy);
        return;
    }
    so_far = *policy;
    note_send_rate(&so_far, sample);
    ret_decision->predicted_blackout_ns =
        forecast(&so_far, &sample->costs, copy_time(&so_far, sample));
    ret_decision->reason = "the round goes on";
    if (policy->limits.time_budget_ns != 0 &&
        sample->elapsed_ns >= policy->limits.time_budget_ns)
        last_word(policy, "the time budget is used up", ret_decision);
}

int xcx_policy_abort_err(const struct xcx_policy *policy,
                         const struct xcx_policy_decision *decision,
                         struct xcx_err *err)
{
    uint64_t target_ms = policy->limits.downtime_target_ns / NS_PER_MS;

    if (decision->predicted_blackout_ns == XCX_POLICY_UNKNOWN_NS)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%s; no forecast of the downtime yet, target "
                           "%" PRIu64 " ms",
                           decision->reason, target_ms);
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "%s: forecast %" PRIu64 " ms of downtime, target "
                       "%" PRIu64 " ms",
                       decision->reason,
                       decision->predicted_blackout_ns / NS_PER_MS, target_ms);
}
