/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is written is read back by yajl's own parser. */
#include "common/stats_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <yajl/yajl_tree.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static yajl_val parse(const struct xcx_save_stats *stats)
{
    struct xcx_err err = XCX_ERR_INIT;
    char message[256] = "";
    char *json = NULL;
    yajl_val tree;

    assert_int_equal(stats_json_save(stats, &json, &err), 0);
    tree = yajl_tree_parse(json, message, sizeof(message));
    assert_string_equal(message, "");
    assert_non_null(tree);
    free(json);
    return tree;
}

static yajl_val member(yajl_val tree, const char *outer, const char *inner)
{
    const char *path[] = {outer, inner, NULL};
    yajl_val value = yajl_tree_get(tree, path, yajl_t_any);

    if (!value)
        fail_msg("no %s %s", outer, inner ? inner : "");
    return value;
}

static long long count(yajl_val tree, const char *outer, const char *inner)
{
    yajl_val value = member(tree, outer, inner);

    assert_true(YAJL_IS_INTEGER(value));
    return YAJL_GET_INTEGER(value);
}

static void every_counter_comes_back_under_its_name(void **state)
{
    static const struct xcx_save_stats stats = {
        .domid = 1,
        .hvm = true,
        .nr_pfns_p2m = 2,
        .nr_pfns_guest = 3,
        .total_ns = 4,
        .total_bytes = INT64_MAX,
        .suspend_ns = 6,
        .final_scan_ns = 7,
        .prepare_ns = 13,
        .final_copy_ns = 8,
        .cpu_state_ns = 9,
        .blackout_ns = 10,
        .predicted_blackout_ns = 11,
        .throttle_percent_min = 12,
        .stop_reason = "a \"reason\"\n",
    };
    static const struct {
        const char *outer, *inner;
        long long value;
    } counts[] = {
        {"version", NULL, 1},
        {"domid", NULL, 1},
        {"nr_pfns_p2m", NULL, 2},
        {"nr_pfns_guest", NULL, 3},
        {"total_ns", NULL, 4},
        {"total_bytes", NULL, INT64_MAX},
        {"prepare_ns", NULL, 13},
        {"blackout", "suspend_ns", 6},
        {"blackout", "final_scan_ns", 7},
        {"blackout", "final_copy_ns", 8},
        {"blackout", "cpu_state_ns", 9},
        {"blackout", "total_ns", 10},
        {"blackout", "predicted_ns", 11},
        {"throttle_percent_min", NULL, 12},
    };
    yajl_val tree = parse(&stats);

    (void)state;
    for (size_t i = 0; i < NR(counts); i++)
        assert_int_equal(count(tree, counts[i].outer, counts[i].inner),
                         counts[i].value);
    assert_string_equal(YAJL_GET_STRING(member(tree, "kind", NULL)), "hvm");
    assert_string_equal(YAJL_GET_STRING(member(tree, "stop_reason", NULL)),
                        "a \"reason\"\n");
    assert_int_equal(YAJL_GET_ARRAY(member(tree, "rounds", NULL))->len, 0);
    yajl_tree_free(tree);
}

static void what_is_unknown_is_null(void **state)
{
    struct xcx_save_stats stats = {.predicted_blackout_ns = UINT64_MAX};
    yajl_val tree = parse(&stats);

    (void)state;
    assert_true(YAJL_IS_NULL(member(tree, "blackout", "predicted_ns")));
    assert_true(YAJL_IS_NULL(member(tree, "stop_reason", NULL)));
    assert_string_equal(YAJL_GET_STRING(member(tree, "kind", NULL)), "pv");
    yajl_tree_free(tree);
}

static void a_round_has_all_its_counters(void **state)
{
    static const struct xcx_round_stats round = {
        .round = 1,
        .final = true,
        .start_ns = 2,
        .duration_ns = 3,
        .nr_pfns_dirty = 4,
        .nr_pfns_sent = 5,
        .nr_pfns_deferred = 6,
        .nr_pfns_no_data = 7,
        .bytes = 8,
        .predicted_blackout_ns = 9,
        .nr_pfns_written = 10,
    };
    static const char *const keys[] = {
        "round",           "start_ns",     "duration_ns",
        "nr_pfns_dirty",   "nr_pfns_sent", "nr_pfns_deferred",
        "nr_pfns_no_data", "bytes",        "predicted_blackout_ns",
        "nr_pfns_written",
    };
    struct xcx_save_stats stats = {.nr_rounds = 1, .round = {round}};
    yajl_val tree, rounds;

    (void)state;
    tree = parse(&stats);
    rounds = member(tree, "rounds", NULL);
    assert_int_equal(YAJL_GET_ARRAY(rounds)->len, 1);
    for (size_t i = 0; i < NR(keys); i++)
        assert_int_equal(
            count(YAJL_GET_ARRAY(rounds)->values[0], keys[i], NULL), i + 1);
    assert_true(
        YAJL_IS_TRUE(member(YAJL_GET_ARRAY(rounds)->values[0], "final", NULL)));
    yajl_tree_free(tree);
}

static void too_many_rounds_are_refused(void **state)
{
    struct xcx_save_stats stats = {.nr_rounds = XCX_STATS_MAX_ROUNDS + 1};
    struct xcx_err err = XCX_ERR_INIT;
    char *json = NULL;

    (void)state;
    assert_int_equal(stats_json_save(&stats, &json, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_string_equal(err.msg, "statistics of 65 rounds, 64 at most");
    assert_null(json);
}

static void a_restore_has_all_its_counters(void **state)
{
    static const struct xcx_restore_stats stats = {
        .domid = 1,
        .hvm = true,
        .nr_records = 2,
        .nr_pages_placed = 3,
        .nr_pfns_populated = 4,
        .nr_superpages = 5,
        .nr_pfns_given_back = 6,
        .nr_pages_verified = 7,
        .nr_pages_not_as_sent = 8,
        .total_bytes = 9,
        .total_ns = 10,
        .complete_ns = 11,
        .nr_tables_at_end = 12,
    };
    static const char *const keys[] = {
        "domid",
        "nr_records",
        "nr_pages_placed",
        "nr_pfns_populated",
        "nr_superpages",
        "nr_pfns_given_back",
        "nr_pages_verified",
        "nr_pages_not_as_sent",
        "total_bytes",
        "total_ns",
        "complete_ns",
        "nr_tables_at_end",
    };
    struct xcx_err err = XCX_ERR_INIT;
    char message[256] = "";
    char *json = NULL;
    yajl_val tree;

    (void)state;
    assert_int_equal(stats_json_restore(&stats, &json, &err), 0);
    tree = yajl_tree_parse(json, message, sizeof(message));
    assert_string_equal(message, "");
    free(json);
    assert_int_equal(count(tree, "version", NULL), 1);
    assert_string_equal(YAJL_GET_STRING(member(tree, "kind", NULL)), "hvm");
    for (size_t i = 0; i < NR(keys); i++)
        assert_int_equal(count(tree, keys[i], NULL), i + 1);
    yajl_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_comes_back_under_its_name),
        cmocka_unit_test(what_is_unknown_is_null),
        cmocka_unit_test(a_round_has_all_its_counters),
        cmocka_unit_test(too_many_rounds_are_refused),
        cmocka_unit_test(a_restore_has_all_its_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
