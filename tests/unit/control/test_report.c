/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is reported of a migration that was done, and of one that was not. */
#include "xl-migrate/control/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <yajl/yajl_tree.h>

static struct report sample(void)
{
    struct report report;

    report_init(&report);
    strcpy(report.name, "web");
    strcpy(report.host, "host2");
    report.kind = "pvh";
    report.target = "plugin";
    report.result = "done";
    report.domid = 7;
    report.total_ns = 9000000000;
    report.downtime_ns = 250000000;
    report.suspend_ns = 20000000;
    report.stream_ns = 120000000;
    report.ready_ns = 50000000;
    report.start_ns = 80000000;
    report.bytes = 300 << 20;
    report.forecast.downtime_ns = 200000000;
    report.stats.nr_rounds = 2;
    report.stats.total_ns = 3000000000;
    report.stats.final_scan_ns = 10000000;
    report.stats.final_copy_ns = 60000000;
    report.stats.cpu_state_ns = 5000000;
    report.stats.stop_reason = "the rest fits";
    return report;
}

static char *print(int (*printer)(const struct report *, FILE *),
                   const struct report *report)
{
    char *text = NULL;
    size_t nr_bytes;
    FILE *out = open_memstream(&text, &nr_bytes);

    assert_non_null(out);
    assert_int_equal(printer(report, out), 0);
    fclose(out);
    return text;
}

static int as_text(const struct report *report, FILE *out)
{
    report_print_text(report, out);
    return 0;
}

static int as_json(const struct report *report, FILE *out)
{
    return report_print_json(report, out, NULL);
}

static void check_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void people_see_outcome_against_forecast(void **state)
{
    struct report report = sample();
    char *text = print(as_text, &report);

    (void)state;
    check_holds(text, "web (pvh) to host2: done\n");
    check_holds(text, "9000 ms\n");
    check_holds(text, "250 ms   (forecast 200 ms)\n");
    check_holds(text, "memory               70 ms\n");
    check_holds(text, "other                25 ms\n");
    check_holds(text, "target ready         50 ms\n");
    check_holds(text, "300 MiB in 2 rounds, 100.0 MiB/s\n");
    check_holds(text, "live phase ended: the rest fits\n");
    assert_null(strstr(text, "device model"));
    free(text);
}

static void a_name_moves_no_cursor(void **state)
{
    struct report report = sample();
    char *text;

    (void)state;
    strcpy(report.name, "web\x1b[A");
    strcpy(report.host, "host2\n");
    text = print(as_text, &report);
    check_holds(text, "web?[A (pvh) to host2?: done\n");
    free(text);
}

static void what_did_not_happen_is_not_shown(void **state)
{
    struct report report = sample();
    char *text;

    (void)state;
    report.result = "failed-guest-at-source";
    strcpy(report.error, "no memory");
    report.downtime_ns = REPORT_UNKNOWN;
    report.bytes = 0;
    text = print(as_text, &report);
    check_holds(text, "failed-guest-at-source\n  no memory\n");
    assert_null(strstr(text, "downtime"));
    assert_null(strstr(text, "MiB"));
    free(text);
}

static void json_has_all_of_it(void **state)
{
    static const char *downtime[] = {"downtime_ns", NULL};
    static const char *model[] = {"downtime_parts", "device_model_ns", NULL};
    static const char *forecast[] = {"forecast", "downtime_ns", NULL};
    static const char *ignored[] = {"ignored", NULL};
    struct report report = sample();
    yajl_val root, list;
    char *text;

    (void)state;
    strcpy(report.ignored, "bridge, disk");
    text = print(as_json, &report);
    root = yajl_tree_parse(text, NULL, 0);
    assert_non_null(root);
    list = yajl_tree_get(root, ignored, yajl_t_array);
    assert_non_null(list);
    assert_int_equal(YAJL_GET_ARRAY(list)->len, 2);
    assert_string_equal(YAJL_GET_STRING(YAJL_GET_ARRAY(list)->values[1]),
                        "disk");
    assert_int_equal(
        YAJL_GET_INTEGER(yajl_tree_get(root, downtime, yajl_t_number)),
        250000000);
    assert_int_equal(
        YAJL_GET_INTEGER(yajl_tree_get(root, forecast, yajl_t_number)),
        200000000);
    assert_non_null(yajl_tree_get(root, model, yajl_t_null));
    yajl_tree_free(root);
    free(text);
}

static long long part(yajl_val root, const char *name)
{
    const char *path[] = {"downtime_parts", name, NULL};
    yajl_val value = yajl_tree_get(root, path, yajl_t_number);

    return value ? YAJL_GET_INTEGER(value) : 0;
}

static void the_parts_add_up_to_the_downtime(void **state)
{
    static const char *const names[] = {
        "suspend_ns", "device_model_ns", "memory_ns",     "cpu_state_ns",
        "other_ns",   "target_ready_ns", "start_there_ns"};
    struct report report = sample();

    (void)state;
    for (int i = 0; i < 2; i++) {
        char *text = print(as_json, &report);
        yajl_val root = yajl_tree_parse(text, NULL, 0);
        long long sum = 0;

        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
            sum += part(root, names[j]);
        assert_int_equal(sum, report.downtime_ns);
        yajl_tree_free(root);
        free(text);
        report.kind = "hvm";
        report.device_model_ns = 7000000;
    }
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct report report = sample();
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(report_save(&report, "/nowhere/at/all", 0, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    check_holds(err.msg, "report /nowhere/at/all/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_see_outcome_against_forecast),
        cmocka_unit_test(a_name_moves_no_cursor),
        cmocka_unit_test(what_did_not_happen_is_not_shown),
        cmocka_unit_test(json_has_all_of_it),
        cmocka_unit_test(the_parts_add_up_to_the_downtime),
        cmocka_unit_test(a_folder_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
