/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When worker processes are worth having. */
#include "engine/gain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define US UINT64_C(1000)

static struct xcx_gain noted(unsigned times, uint64_t nr_pages,
                             uint64_t map_ns_per_page,
                             uint64_t write_ns_per_page)
{
    struct xcx_gain gain = {0};

    for (unsigned i = 0; i < times; i++)
        xcx_gain_note(&gain, nr_pages, nr_pages * map_ns_per_page,
                      nr_pages * write_ns_per_page);
    return gain;
}

static void they_pay_where_mapping_is_dear(void **state)
{
    static const struct {
        const char *what;
        uint64_t map_ns, write_ns;
        bool pays;
    } cases[] = {
        {"PV Dom0", 15500, 1500, true},
        {"PVH Dom0", 2500, 1500, true},
        {"free, fast link", 300, 600, false},
        {"free", 300, 3000, false},
        {"free, frames in no order", 800, 600, false},
        {"the same on a busy machine", 1400, 1100, false},
        {"PV Dom0, 50 MB/s", 15500, 80000, false},
        {"PV Dom0, 100 MB/s", 15500, 40000, true},
        {"a quarter", 2000, 6000, true},
        {"just below", 2000, 6004, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_gain gain =
            noted(XCX_GAIN_IN_A_ROW, 128, cases[i].map_ns, cases[i].write_ns);

        print_message("%s\n", cases[i].what);
        assert_int_equal(xcx_gain_pays(&gain), cases[i].pays);
    }
}

static void it_takes_some_batches_in_a_row(void **state)
{
    struct xcx_gain gain = noted(XCX_GAIN_IN_A_ROW - 1, 128, 15500, 1500);

    (void)state;
    assert_false(xcx_gain_pays(&gain));
    xcx_gain_note(&gain, 128, 1 * US, 1000 * US);
    xcx_gain_note(&gain, 128, 2000 * US, 100 * US);
    assert_false(xcx_gain_pays(&gain));
}

static void they_are_kept(void **state)
{
    struct xcx_gain gain = noted(XCX_GAIN_IN_A_ROW, 128, 15500, 1500);

    (void)state;
    xcx_gain_note(&gain, 1024, 1 * US, 1000 * US);
    assert_true(xcx_gain_pays(&gain));
}

static void small_batches_do_not_count(void **state)
{
    struct xcx_gain gain = noted(10, XCX_GAIN_MIN_PAGES - 1, 15500, 1500);

    (void)state;
    assert_false(xcx_gain_pays(&gain));
    assert_int_equal(gain.nr_samples, 0);
    gain = noted(10, 0, 0, 0);
    assert_false(xcx_gain_pays(&gain));
}

static void few_pages_are_those_mapped_within_a_millisecond(void **state)
{
    struct xcx_gain unknown = {0};
    struct xcx_gain dear = noted(1, 1000, 10000, 1000);
    struct xcx_gain cheap = noted(1, 1000, 0, 1000);

    (void)state;
    assert_true(xcx_gain_is_too_few(&unknown, XCX_GAIN_MIN_PAGES - 1));
    assert_false(xcx_gain_is_too_few(&unknown, XCX_GAIN_MIN_PAGES));
    assert_true(xcx_gain_is_too_few(&dear, 99));
    assert_false(xcx_gain_is_too_few(&dear, 100));
    assert_true(xcx_gain_is_too_few(&cheap, 1 << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_pay_where_mapping_is_dear),
        cmocka_unit_test(it_takes_some_batches_in_a_row),
        cmocka_unit_test(they_are_kept),
        cmocka_unit_test(small_batches_do_not_count),
        cmocka_unit_test(few_pages_are_those_mapped_within_a_millisecond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
