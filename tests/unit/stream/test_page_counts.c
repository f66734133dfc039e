/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/page_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define LEAF_AND_NODES_BYTES (4096 + 4 * 128 * sizeof(void *))

static void each_pfn_has_its_own_count(void **state)
{
    static const uint64_t pfns[] = {
        0, 1, 4095, 4096, 1 << 19, 1 << 26, 1l << 33, XCX_PAGE_COUNTS_MAX_PFN,
    };
    struct xcx_page_counts counts = {.max_bytes = 1 << 20};

    (void)state;
    for (unsigned times = 1; times <= 3; times++)
        for (unsigned i = 0; i < sizeof(pfns) / sizeof(pfns[0]); i++)
            assert_int_equal(xcx_page_counts_add(&counts, pfns[i]), times);
    xcx_page_counts_done(&counts);
    xcx_page_counts_done(&counts);
    assert_int_equal(xcx_page_counts_add(&counts, 0), 1);
    xcx_page_counts_done(&counts);
}

static void a_count_stops_at_its_highest(void **state)
{
    struct xcx_page_counts counts = {.max_bytes = 1 << 20};

    (void)state;
    for (unsigned times = 1; times <= 255; times++)
        assert_int_equal(xcx_page_counts_add(&counts, 77), times);
    assert_int_equal(xcx_page_counts_add(&counts, 77), XCX_PAGE_COUNT_MAX);
    xcx_page_counts_done(&counts);
}

static void memory_has_a_bound(void **state)
{
    struct xcx_page_counts counts = {.max_bytes = LEAF_AND_NODES_BYTES + 4095};

    (void)state;
    assert_int_equal(xcx_page_counts_add(&counts, 5), 1);
    assert_int_equal(counts.bytes, LEAF_AND_NODES_BYTES);
    assert_int_equal(xcx_page_counts_add(&counts, 4096), 0);
    assert_int_equal(xcx_page_counts_add(&counts, UINT64_C(1) << 39), 0);
    assert_int_equal(xcx_page_counts_add(&counts, 5), 2);
    assert_true(counts.bytes <= counts.max_bytes);
    xcx_page_counts_done(&counts);
}

static void a_pfn_that_no_machine_has_is_not_counted(void **state)
{
    struct xcx_page_counts counts = {.max_bytes = 1 << 20};

    (void)state;
    assert_int_equal(xcx_page_counts_add(&counts, XCX_PAGE_COUNTS_MAX_PFN + 1),
                     0);
    assert_int_equal(xcx_page_counts_add(&counts, UINT64_MAX), 0);
    assert_int_equal(counts.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pfn_has_its_own_count),
        cmocka_unit_test(a_count_stops_at_its_highest),
        cmocka_unit_test(memory_has_a_bound),
        cmocka_unit_test(a_pfn_that_no_machine_has_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
