/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rounds beyond the room for them are added to the last one. */
#include "engine/round_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void rounds_without_room_are_added_to_the_last(void **state)
{
    struct xcx_save_stats stats = {.nr_rounds = 0};
    struct xcx_round_stats *last = &stats.round[XCX_STATS_MAX_ROUNDS - 1];

    (void)state;
    for (unsigned i = 0; i < XCX_STATS_MAX_ROUNDS + 2; i++) {
        const struct xcx_round_stats round = {
            .round = i,
            .final = i == XCX_STATS_MAX_ROUNDS + 1,
            .start_ns = i,
            .duration_ns = 1,
            .nr_pfns_dirty = 10,
            .nr_pfns_sent = 100,
            .nr_pfns_deferred = 1000,
            .nr_pfns_no_data = 10000,
            .nr_pfns_written = 20000,
            .bytes = 100000,
            .predicted_blackout_ns = i,
        };

        xcx_stats_add_round(&stats, &round);
    }
    assert_int_equal(stats.nr_rounds, XCX_STATS_MAX_ROUNDS);
    assert_int_equal(last[-1].nr_pfns_sent, 100);
    assert_int_equal(last->round, XCX_STATS_MAX_ROUNDS + 1);
    assert_true(last->final);
    assert_int_equal(last->start_ns, XCX_STATS_MAX_ROUNDS - 1);
    assert_int_equal(last->duration_ns, 3);
    assert_int_equal(last->nr_pfns_dirty, 30);
    assert_int_equal(last->nr_pfns_sent, 300);
    assert_int_equal(last->nr_pfns_deferred, 3000);
    assert_int_equal(last->nr_pfns_no_data, 30000);
    assert_int_equal(last->nr_pfns_written, 60000);
    assert_int_equal(last->bytes, 300000);
    assert_int_equal(last->predicted_blackout_ns, XCX_STATS_MAX_ROUNDS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_without_room_are_added_to_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
