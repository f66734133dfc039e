/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl-migrate/control/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static struct status sample(void)
{
    struct status status;

    status_init(&status);
    status.domid = 7;
    strcpy(status.name, "web");
    strcpy(status.uuid, "00000000-0000-0000-0000-000000000007");
    strcpy(status.host, "host2");
    strcpy(status.phase, "copying memory");
    strcpy(status.what, "Round 3");
    status.done_pages = 450;
    status.total_pages = 1000;
    status.send_bytes_per_s = 104857600;
    status.dirty_bytes_per_s = 1572864;
    status.elapsed_ms = 12499;
    status.left_ms = 1500;
    status.downtime_ms = 120;
    status.has_limits = true;
    status.limits = (struct xcx_policy_limits){
        .downtime_target_ns = 50000000,
        .time_budget_ns = 60000000000,
        .max_rounds = 9,
        .bandwidth_bytes_per_s = 104857600,
        .on_slow = XCX_ON_SLOW_STOP,
    };
    return status;
}

/* The text of a message with the status in it. */
static void encode(const struct status *status, char *text, size_t room)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct json json;
    const char *bytes;
    size_t nr_bytes;

    assert_int_equal(message_begin(&json, "status", &err), 0);
    status_put(status, &json);
    json_close_map(&json);
    assert_int_equal(json_get(&json, &bytes, &nr_bytes, &err), 0);
    assert_true(nr_bytes < room);
    memcpy(text, bytes, nr_bytes);
    text[nr_bytes] = 0;
    json_done(&json);
}

static int decode(const char *text, struct status *ret, struct xcx_err *err)
{
    struct message message = MESSAGE_INIT;
    int rc;

    assert_int_equal(message_parse(text, strlen(text), &message, err), 0);
    rc = status_take(&message, ret, err);
    message_done(&message);
    return rc;
}

static void what_is_put_is_taken(void **state)
{
    struct status status = sample(), taken;
    struct xcx_err err = XCX_ERR_INIT;
    char text[4096];

    (void)state;
    encode(&status, text, sizeof(text));
    assert_non_null(strstr(text, "\"on_slow\":\"stop\""));
    assert_null(strstr(text, "sent_bytes\""));
    memset(&taken, 0, sizeof(taken));
    assert_int_equal(decode(text, &taken, &err), 0);
    assert_int_equal(taken.domid, 7);
    assert_string_equal(taken.name, "web");
    assert_string_equal(taken.uuid, status.uuid);
    assert_string_equal(taken.what, "Round 3");
    assert_true(taken.sent_bytes == STATUS_UNKNOWN);
    assert_int_equal(taken.left_ms, 1500);
    assert_true(taken.has_limits);
    assert_memory_equal(&taken.limits, &status.limits, sizeof(taken.limits));
}

static void nothing_is_a_status_too(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char line[STATUS_LINE_BYTES];
    struct status taken;

    (void)state;
    assert_int_equal(decode("{\"type\":\"status\"}", &taken, &err), 0);
    assert_false(taken.has_limits);
    assert_true(taken.downtime_ms == STATUS_UNKNOWN);
    status_line(&taken, line);
    assert_string_equal(line, "");
}

static void nonsense_is_named(void **state)
{
    static const struct {
        const char *text, *message;
        enum xcx_err_kind kind;
    } cases[] = {
        {"{\"type\":\"status\",\"domid\":-1}",
         "a status whose \"domid\" is missing or improper", XCX_ERR_PEER},
        {"{\"type\":\"status\",\"left_ms\":\"soon\"}",
         "a status whose \"left_ms\" is missing or improper", XCX_ERR_PEER},
        {"{\"type\":\"status\",\"uuid\":\"00000000-0000-0000-0000-000000000007"
         "xxxx\"}",
         "a status whose \"uuid\" is missing or improper", XCX_ERR_PEER},
        {"{\"type\":\"status\",\"limits\":{\"on_slow\":\"panic\"}}",
         "on_slow = \"panic\": expected \"throttle\" or \"stop\" or \"abort\" "
         "or \"throttle-then-stop\"",
         XCX_ERR_USAGE},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct status taken = {.domid = 77};

        assert_int_equal(decode(cases[i].text, &taken, &err), -1);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(err.kind, cases[i].kind);
        assert_int_equal(taken.domid, 77);
    }
}

static void limits_not_named_stay(void **state)
{
    static const struct {
        const char *object;
        int rc;
        unsigned nr;
        uint64_t downtime_ms;
        unsigned max_rounds;
    } cases[] = {
        {"{}", 0, 0, 50, 9},
        {"{\"downtime_ms\":20}", 0, 1, 20, 9},
        {"{\"downtime_ms\":\"20\",\"max_rounds\":0}", 0, 2, 20, 0},
        {"{\"downtime_ms\":20,\"max_rounds\":1001}", -1, 0, 50, 9},
        {"{\"downtime_ms\":-1}", -1, 0, 50, 9},
        {"{\"downtime_ms\":1.5}", -1, 0, 50, 9},
        {"{\"downtime_ms\":[]}", -1, 0, 50, 9},
        {"{\"downtime_ms\":99999999999999999999}", -1, 0, 50, 9},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_policy_limits limits = sample().limits;
        struct xcx_err err = XCX_ERR_INIT;
        yajl_val object = yajl_tree_parse(cases[i].object, NULL, 0);
        unsigned nr = 0;

        print_message("%s\n", cases[i].object);
        assert_int_equal(status_take_limits(object, &limits, &nr, &err),
                         cases[i].rc);
        assert_int_equal(err.kind, cases[i].rc ? XCX_ERR_USAGE : XCX_OK);
        assert_int_equal(nr, cases[i].nr);
        assert_int_equal(limits.downtime_target_ns,
                         cases[i].downtime_ms * 1000000);
        assert_int_equal(limits.max_rounds, cases[i].max_rounds);
        yajl_tree_free(object);
    }
}

static void a_line_says_it_to_people(void **state)
{
    struct status status = sample();
    char line[STATUS_LINE_BYTES];

    (void)state;
    status_line(&status, line);
    assert_string_equal(line, "copying memory, Round 3, 45 % of 1000 pages, "
                              "100.0 MiB/s, 1.5 MiB/s dirtied, 12 s so far, "
                              "about 2 s left, downtime about 120 ms");
    status_init(&status);
    status.done_pages = 20;
    status.total_pages = 10;
    status.throttle_percent = 40;
    status_line(&status, line);
    assert_string_equal(line, "100 % of 10 pages, throttled to 40 %");
    status.total_pages = 0;
    status.throttle_percent = 100;
    status_line(&status, line);
    assert_string_equal(line, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_taken),
        cmocka_unit_test(nothing_is_a_status_too),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test(limits_not_named_stay),
        cmocka_unit_test(a_line_says_it_to_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
