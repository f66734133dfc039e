/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy_samples: what the tests of the policy feed it with. */
#ifndef TESTS_UNIT_POLICY_SAMPLES_H
#define TESTS_UNIT_POLICY_SAMPLES_H

#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static const struct xcx_policy_costs no_costs = {0};

static inline struct xcx_policy_limits limits_of(enum xcx_on_slow on_slow)
{
    struct xcx_policy_limits limits;

    xcx_policy_limits_default(&limits);
    limits.on_slow = on_slow;
    return limits;
}

/* The end of a round of one second in which 100,000 pages were sent. */
static inline struct xcx_policy_sample round_of(unsigned nr_rounds,
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

static inline struct xcx_policy_decision step(struct xcx_policy *policy,
                                              struct xcx_policy_sample sample)
{
    struct xcx_policy_decision decision;

    memset(&decision, 0xa5, sizeof(decision));
    xcx_policy_step(policy, &sample, &decision);
    assert_non_null(decision.reason);
    return decision;
}

#endif
