/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static void no_limit_never_waits(void **state)
{
    struct xcx_bucket bucket;

    (void)state;
    xcx_bucket_init(&bucket, 0, 0);
    assert_int_equal(xcx_bucket_take(&bucket, UINT64_MAX, 0), 0);
    assert_int_equal(xcx_bucket_take(&bucket, UINT64_MAX, 1), 0);
}

/* Takes one after another, at given times. 1000 bytes/s: 1 byte is 1 ms. */
static void a_bucket_fills_and_empties(void **state)
{
    static const struct {
        uint64_t now_ms, bytes, wait_ms;
    } steps[] = {
        {5000, 300, 0},  /* full at first: 300 bytes are free */
        {5000, 1, 1},    /* and no more */
        {5000, 9, 10},   /* waits add up */
        {5010, 0, 0},    /* paid for */
        {5110, 100, 0},  /* 100 ms later there are 100 bytes again */
        {5110, 1, 1},    /* but no more */
        {99999, 300, 0}, /* never more than the burst */
        {99999, 50, 50}, {99999, 1000, 1050}, /* more than it holds */
    };
    struct xcx_bucket bucket;

    (void)state;
    xcx_bucket_init(&bucket, 1000, 300);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        assert_int_equal(xcx_bucket_take(&bucket, steps[i].bytes,
                                         steps[i].now_ms * XCX_NS_PER_MS),
                         steps[i].wait_ms * XCX_NS_PER_MS);
}

static void it_is_full_even_at_time_zero(void **state)
{
    struct xcx_bucket bucket;

    (void)state;
    xcx_bucket_init(&bucket, 1, 100);
    assert_int_equal(xcx_bucket_take(&bucket, 100, 0), 0);
    assert_int_equal(xcx_bucket_take(&bucket, 1, 0), XCX_NS_PER_S);
}

/* Whatever the sizes, time by time the rate is met and never exceeded. */
static void the_rate_is_exact_in_the_long_run(void **state)
{
    static const uint64_t rates[] = {7, 1000003, UINT64_C(12500000000)};

    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const unsigned nr_takes = 10000;
        uint64_t now_ns = 0, bytes = 0;
        struct xcx_bucket bucket;
        double least_ns;

        xcx_bucket_init(&bucket, rates[i], 0);
        for (unsigned take = 0; take < nr_takes; take++) {
            uint64_t size = 1 + take * 7919 % 4200000;

            now_ns += xcx_bucket_take(&bucket, size, now_ns);
            bytes += size;
        }
        least_ns = (double)bytes / (double)rates[i] * 1e9;
        assert_true((double)now_ns >= least_ns * (1 - 1e-12));
        assert_true((double)now_ns <= least_ns * (1 + 1e-12) + nr_takes);
    }
}

static void huge_debts_do_not_wrap(void **state)
{
    struct xcx_bucket bucket;
    uint64_t wait_ns = 0;

    (void)state;
    xcx_bucket_init(&bucket, 1, 0);
    for (unsigned i = 0; i < 10; i++) {
        uint64_t now_wait_ns = xcx_bucket_take(&bucket, UINT64_MAX, 1000);

        assert_true(now_wait_ns >= wait_ns);
        assert_true(now_wait_ns >= INT64_MAX / 4);
        wait_ns = now_wait_ns;
    }
    assert_true(wait_ns <= INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_never_waits),
        cmocka_unit_test(a_bucket_fills_and_empties),
        cmocka_unit_test(it_is_full_even_at_time_zero),
        cmocka_unit_test(the_rate_is_exact_in_the_long_run),
        cmocka_unit_test(huge_debts_do_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
