/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define MIB UINT64_C(1048576)

static uint64_t wanted;
static unsigned nr_asked;

static void want(void *opaque, struct xcx_policy_limits *limits)
{
    assert_ptr_equal(opaque, &wanted);
    nr_asked++;
    limits->bandwidth_bytes_per_s = wanted;
}

static const struct xcx_save_ops ops = {.opaque = &wanted, .limits = want};

static void batches_are_a_twentieth_of_a_second(void **state)
{
    static const struct {
        uint64_t bytes_per_s;
        unsigned max_batch;
    } cases[] = {
        {0, 1024},          {1, 16},
        {MIB, 16},          {10 * MIB, 128},
        {79 * MIB, 1011},   {80 * MIB, 1024},
        {1000 * MIB, 1024}, {UINT64_MAX, 1024},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_limits limits = {
            .ops = &ops, .now.bandwidth_bytes_per_s = cases[i].bytes_per_s};

        assert_int_equal(xcx_limits_max_batch(&limits), cases[i].max_batch);
    }
}

static void who_does_not_want_to_be_asked_is_not(void **state)
{
    const struct xcx_save_ops silent = {.opaque = &wanted};
    struct xcx_limits limits = {.ops = &silent, .now.max_rounds = 7};
    struct xcx_bucket bucket;

    (void)state;
    xcx_limits_fill(&limits, &bucket);
    assert_false(xcx_limits_follow(&limits, &bucket));
    assert_int_equal(limits.now.max_rounds, 7);
}

static void another_rate_counts_at_once(void **state)
{
    struct xcx_limits limits = {.ops = &ops,
                                .now.bandwidth_bytes_per_s = 20 * MIB};
    struct xcx_bucket bucket;

    (void)state;
    nr_asked = 0;
    wanted = 20 * MIB;
    xcx_limits_fill(&limits, &bucket);
    assert_int_equal(xcx_bucket_take(&bucket, MIB, 0), 0);
    assert_int_equal(xcx_bucket_take(&bucket, 20 * MIB, 0), 1000000000);
    assert_false(xcx_limits_follow(&limits, &bucket));
    assert_int_equal(bucket.bytes_per_s, 20 * MIB);
    wanted = 40 * MIB;
    assert_true(xcx_limits_follow(&limits, &bucket));
    assert_int_equal(nr_asked, 2);
    /* The debt is forgiven. */
    assert_int_equal(xcx_bucket_take(&bucket, 2 * MIB, 0), 0);
    assert_int_equal(xcx_bucket_take(&bucket, 20 * MIB, 0), 500000000);
    wanted = 0;
    assert_true(xcx_limits_follow(&limits, &bucket));
    assert_int_equal(xcx_bucket_take(&bucket, 20 * MIB, 0), 0);
    assert_false(xcx_limits_follow(&limits, &bucket));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_a_twentieth_of_a_second),
        cmocka_unit_test(who_does_not_want_to_be_asked_is_not),
        cmocka_unit_test(another_rate_counts_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
