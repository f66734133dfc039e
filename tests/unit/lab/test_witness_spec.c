/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab/witness/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lab/witness/pace.h"
#include "lab/witness/pick.h"

#define MIB UINT64_C(1048576)

static void good_specs(void **state)
{
    static const struct {
        const char *text;
        struct spec spec;
    } cases[] = {
        {"idle", {SPEC_IDLE, 32 * MIB, 8 * MIB, 8 * MIB, 1, 1, 5000}},
        {"uniform,size=64M,rate=0",
         {SPEC_UNIFORM, 64 * MIB, 0, 8 * MIB, 1, 1, 5000}},
        {"zipf,rate=2000P,seed=18446744073709551615",
         {SPEC_ZIPF, 32 * MIB, 8192000, 8 * MIB, UINT64_MAX, 1, 5000}},
        {"balloon,period=100,tick=1000,verify=4K,size=16P",
         {SPEC_BALLOON, 65536, 8 * MIB, 4096, 1, 1000, 100}},
        {"seq,size=64G", {SPEC_SEQ, 65536 * MIB, 8 * MIB, 8 * MIB, 1, 1, 5000}},
        {"hot,rate=1", {SPEC_HOT, 32 * MIB, 1, 8 * MIB, 1, 1, 5000}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct spec spec;

        assert_int_equal(spec_parse(cases[i].text, &spec, &err), 0);
        assert_memory_equal(&spec, &cases[i].spec, sizeof(spec));
    }
}

static void bad_specs(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "workload: unknown pattern ''"},
        {"Idle", "workload: unknown pattern 'Idle'"},
        {"uniform ", "workload: unknown pattern 'uniform '"},
        {"size=4M", "workload: unknown pattern 'size=4M'"},
        {"seq,", "workload: '' is not KEY=VALUE"},
        {"seq,,rate=1", "workload: '' is not KEY=VALUE"},
        {"seq,rate", "workload: 'rate' is not KEY=VALUE"},
        {"seq,speed=1", "workload: unknown key 'speed'"},
        {"seq,rate=1,rate=1", "workload: 'rate' is given twice"},
        {"seq,rate=", "rate: '' is not a number with K, M, G or P"},
        {"seq,rate=M", "rate: 'M' is not a number with K, M, G or P"},
        {"seq,rate=-1", "rate: '-1' is not a number with K, M, G or P"},
        {"seq,rate=1MB", "rate: '1MB' is not a number with K, M, G or P"},
        {"seq,rate=1m", "rate: '1m' is not a number with K, M, G or P"},
        {"seq,rate=0x10", "rate: '0x10' is not a number with K, M, G or P"},
        {"seq,rate=99999999999999999999",
         "rate: '99999999999999999999' is too large"},
        {"seq,rate=18446744073709551615K",
         "rate: '18446744073709551615K' is too large"},
        {"seq,rate=2048G", "rate: 2199023255552 is not in 0..1099511627776"},
        {"seq,size=4K", "size: 4096 is not in 65536..68719476736"},
        {"seq,size=65537", "size: '65537' is not a multiple of 4096"},
        {"seq,seed=1K", "seed: '1K' is not a number"},
        {"seq,tick=0", "tick: 0 is not in 1..1000"},
        {"seq,verify=0", "verify: 0 is not in 4096..1099511627776"},
        {"balloon,period=99", "period: 99 is not in 100..3600000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct spec spec;

        assert_int_equal(spec_parse(cases[i].text, &spec, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void longest_spec_is_bounded(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char text[300];
    struct spec spec;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_int_equal(spec_parse(text, &spec, &err), -1);
    assert_string_equal(err.msg, "workload: longer than 255 characters");
}

/* Counts the first 100000 picks of each of 1000 pages. */
static void count_picks(enum spec_pattern pattern, uint64_t seed,
                        unsigned counts[1000])
{
    struct pick pick;

    memset(counts, 0, 1000 * sizeof(counts[0]));
    pick_init(&pick, pattern, seed, 1000);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t page = pick_next(&pick);

        assert_true(page < 1000);
        counts[page]++;
    }
}

static void seq_goes_round(void **state)
{
    struct pick pick;

    (void)state;
    pick_init(&pick, SPEC_SEQ, 1, 3);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(pick_next(&pick), i % 3);
}

static void uniform_is_even(void **state)
{
    unsigned counts[1000];

    (void)state;
    count_picks(SPEC_UNIFORM, 1, counts);
    for (unsigned i = 0; i < 1000; i++)
        assert_in_range(counts[i], 50, 160);
}

static void hot_has_nine_tenths_in_one(void **state)
{
    unsigned counts[1000], hot = 0;

    (void)state;
    count_picks(SPEC_HOT, 1, counts);
    for (unsigned i = 0; i < 100; i++)
        hot += counts[i];
    assert_in_range(hot, 89000, 91000);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(counts[i] > 0);
}

/* With 1000 pages and 0.99, zeta is 7.73: ranks 0, 1, 9 follow from it. */
static void zipf_follows_its_law(void **state)
{
    static const struct {
        unsigned rank, count;
    } cases[] = {{0, 12940}, {1, 6515}, {9, 1324}, {99, 136}};
    unsigned counts[1000];

    (void)state;
    count_picks(SPEC_ZIPF, 1, counts);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned page = cases[i].rank * UINT64_C(4294967291) % 1000;

        assert_in_range(counts[page], cases[i].count * 8 / 10,
                        cases[i].count * 12 / 10);
    }
}

static void the_seed_decides(void **state)
{
    static const enum spec_pattern patterns[] = {SPEC_UNIFORM, SPEC_ZIPF,
                                                 SPEC_HOT, SPEC_BALLOON};
    unsigned a[1000], b[1000], c[1000];

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        count_picks(patterns[i], 7, a);
        count_picks(patterns[i], 7, b);
        count_picks(patterns[i], 8, c);
        assert_memory_equal(a, b, sizeof(a));
        assert_memory_not_equal(a, c, sizeof(a));
    }
}

static void few_pages_are_enough(void **state)
{
    (void)state;
    for (unsigned p = 0; p < SPEC_NR_PATTERNS; p++) {
        for (uint32_t nr_pages = 1; nr_pages < 20; nr_pages++) {
            struct pick pick;

            pick_init(&pick, (enum spec_pattern)p, 1, nr_pages);
            for (unsigned i = 0; i < 1000; i++)
                assert_true(pick_next(&pick) < nr_pages);
        }
    }
}

static void pace_keeps_the_rate(void **state)
{
    struct pace pace;
    unsigned total = 0;

    (void)state;
    pace_init(&pace, 2000, 0);
    for (int64_t ms = 0; ms <= 1000; ms++)
        total += pace_take(&pace, ms * 1000000, 32);
    assert_in_range(total, 1999, 2000);
    assert_in_range(pace_wait_ns(&pace), 400000, 500000);
}

static void pace_does_not_catch_up_after_a_stall(void **state)
{
    struct pace pace;

    (void)state;
    pace_init(&pace, 2000, 0);
    assert_int_equal(pace_take(&pace, INT64_C(60000000000), 10000), 200);
    assert_int_equal(pace_take(&pace, INT64_C(60000000000), 10000), 0);
    /* A clock that goes back does no harm. */
    assert_int_equal(pace_take(&pace, INT64_C(50000000000), 10000), 0);
    assert_int_equal(pace_take(&pace, INT64_C(50001000000), 10000), 2);
}

static void pace_of_nothing_and_of_little(void **state)
{
    struct pace pace;

    (void)state;
    pace_init(&pace, 0, 0);
    assert_int_equal(pace_take(&pace, 0, 32), 32);
    assert_int_equal(pace_wait_ns(&pace), 0);
    pace_init(&pace, 0.25, 0);
    assert_int_equal(pace_take(&pace, INT64_C(3900000000), 32), 0);
    assert_int_equal(pace_take(&pace, INT64_C(4100000000), 32), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_specs),
        cmocka_unit_test(bad_specs),
        cmocka_unit_test(longest_spec_is_bounded),
        cmocka_unit_test(seq_goes_round),
        cmocka_unit_test(uniform_is_even),
        cmocka_unit_test(hot_has_nine_tenths_in_one),
        cmocka_unit_test(zipf_follows_its_law),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(few_pages_are_enough),
        cmocka_unit_test(pace_keeps_the_rate),
        cmocka_unit_test(pace_does_not_catch_up_after_a_stall),
        cmocka_unit_test(pace_of_nothing_and_of_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
