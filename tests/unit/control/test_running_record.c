/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl-migrate/control/running_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* 2026-01-02 03:04:05 UTC */
#define STARTED 1767323045

static void a_save_that_runs(void **state)
{
    static const char text[] =
        "{\"version\":1,\"direction\":\"save\",\"domid\":7,\"pid\":4711,"
        "\"started\":\"2026-01-02T03:04:05Z\",\"state\":\"running\","
        "\"what\":\"Round 2\",\"done\":5,\"total\":10,\"stats\":{"
        "\"total_bytes\":999,\"throttle_percent_min\":70,\"rounds\":["
        "{\"bytes\":1,\"duration_ns\":1,\"predicted_blackout_ns\":1},"
        "{\"bytes\":1048576,\"duration_ns\":500000000,"
        "\"predicted_blackout_ns\":120999999}]}}";
    struct xcx_err err = XCX_ERR_INIT;
    struct running_record record;

    (void)state;
    assert_int_equal(running_record_parse(text, STARTED + 9, &record, &err), 0);
    assert_int_equal(record.pid, 4711);
    assert_string_equal(record.started, "2026-01-02T03:04:05Z");
    assert_int_equal(record.status.domid, 7);
    assert_string_equal(record.status.what, "Round 2");
    assert_int_equal(record.status.done_pages, 5);
    assert_int_equal(record.status.total_pages, 10);
    assert_int_equal(record.status.sent_bytes, 999);
    assert_int_equal(record.status.throttle_percent, 70);
    assert_int_equal(record.status.send_bytes_per_s, 2097152);
    assert_int_equal(record.status.downtime_ms, 120);
    assert_int_equal(record.status.elapsed_ms, 9000);
    assert_false(record.status.has_limits);
}

static void one_that_has_just_begun(void **state)
{
    static const char *const stats[] = {
        "null",
        "[]",
        "{}",
        "{\"rounds\":[]}",
        "{\"rounds\":[7]}",
        "{\"rounds\":[{\"bytes\":5,\"duration_ns\":0}]}",
        "{\"rounds\":[{\"bytes\":-5,\"duration_ns\":7}]}",
        "{\"rounds\":[{\"bytes\":1,\"duration_ns\":1e9}]}",
        "{\"rounds\":[{\"predicted_blackout_ns\":null}]}",
    };

    (void)state;
    for (size_t i = 0; i < NR(stats); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct running_record record;
        char text[512];

        snprintf(text, sizeof(text),
                 "{\"domid\":7,\"pid\":1,\"state\":\"running\",\"started\":"
                 "\"soon\",\"stats\":%s}",
                 stats[i]);
        assert_int_equal(running_record_parse(text, STARTED, &record, &err), 0);
        assert_string_equal(record.started, "");
        assert_true(record.status.elapsed_ms == STATUS_UNKNOWN);
        assert_true(record.status.send_bytes_per_s == STATUS_UNKNOWN);
        assert_true(record.status.downtime_ms == STATUS_UNKNOWN);
    }
}

static void what_is_no_record_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no JSON object"},
        {"[]", "no JSON object"},
        {"{", "no JSON object"},
        {"{}", "no record of a save"},
        {"{\"domid\":7,\"pid\":1,\"state\":\"done\"}", "no record of a save"},
        {"{\"domid\":7,\"pid\":1,\"state\":1}", "no record of a save"},
        {"{\"domid\":7,\"pid\":0,\"state\":\"running\"}",
         "no record of a save"},
        {"{\"domid\":7,\"pid\":-1,\"state\":\"running\"}",
         "no record of a save"},
        {"{\"domid\":7,\"pid\":2147483648,\"state\":\"running\"}",
         "no record of a save"},
        {"{\"domid\":4294967296,\"pid\":1,\"state\":\"running\"}",
         "no record of a save"},
        {"[[[[[[[[[[[[[[[[[", "nested too deep"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct running_record record = {.pid = 77};

        assert_int_equal(
            running_record_parse(cases[i].text, STARTED, &record, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(record.pid, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_that_runs),
        cmocka_unit_test(one_that_has_just_begun),
        cmocka_unit_test(what_is_no_record_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
