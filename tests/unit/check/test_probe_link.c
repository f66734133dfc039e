/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The link, probed into a shell of this very machine. */
#include "xl-migrate/check/probe.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define MS UINT64_C(1000000)

/* With ssh "", the host is a command for a local shell. */
static struct probe_link_params to(const char *command)
{
    return (struct probe_link_params){.ssh = "",
                                      .host = command,
                                      .duration_ns = 50 * MS,
                                      .answer_ns = 10000 * MS,
                                      .cancel_fd = -1};
}

static void test_measures(void **state)
{
    struct probe_link_params params = to("exec sh");
    struct xcx_err err = XCX_ERR_INIT;
    struct probe_link link;

    (void)state;
    if (probe_link(&params, &link, &err))
        fail_msg("%s", err.msg);
    assert_true(link.bytes > 0);
    assert_true(link.bytes_per_s > 0);
    assert_true(link.connect_ns > 0);
    assert_true(link.round_trip_ns > 0);

    /* A login that has something to say. */
    params = to("echo Welcome; exec sh");
    assert_int_equal(probe_link(&params, &link, &err), 0);
}

static void test_keeps_the_limit(void **state)
{
    struct probe_link_params params = to("exec sh");
    struct xcx_err err = XCX_ERR_INIT;
    struct probe_link link;

    (void)state;
    params.duration_ns = 200 * MS;
    params.limit_bytes_per_s = 4u << 20;
    assert_int_equal(probe_link(&params, &link, &err), 0);
    /* 800 KiB, and what one write more is. */
    assert_true(link.bytes <= (800u << 10) + (512u << 10));
}

/*
 * A target that takes its time to end, however long it was sent to: with that
 * counted it were 2 MiB/s. What is lost to a busy machine brings it down too.
 */
static void test_does_not_count_the_end(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct probe_link link;
    struct probe_link_params params =
        to("read x; echo xl-migrate-probe; read x; "
           "echo xl-migrate-probe-begins; cat >/dev/null; sleep 3");

    (void)state;
    params.duration_ns = 1000 * MS;
    params.limit_bytes_per_s = 8u << 20;
    assert_int_equal(probe_link(&params, &link, &err), 0);
    assert_in_range(link.bytes_per_s, 3u << 20, 24u << 20);
}

static void test_failures(void **state)
{
    static const struct {
        const char *command, *message;
        unsigned answer_ms;
    } cases[] = {
        {"exit 255", "exit status 255", 10000},
        {"echo no route >&2; exit 1", "no route", 10000},
        {"cat >/dev/null", "no answer", 300},
        {"yes", "nonsense", 10000},
        /* Dies in the middle. */
        {"read x; echo xl-migrate-probe; read x; "
         "echo xl-migrate-probe-begins; exit 3",
         "exit status 3", 10000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct probe_link_params params = to(cases[i].command);
        struct probe_link link = {.bytes = 77};
        struct xcx_err err = XCX_ERR_INIT;

        params.answer_ns = cases[i].answer_ms * MS;
        assert_int_equal(probe_link(&params, &link, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        if (!strstr(err.msg, cases[i].message))
            fail_msg("\"%s\" has no \"%s\"", err.msg, cases[i].message);
        assert_int_equal(link.bytes, 77);
    }
}

static void test_cancel(void **state)
{
    struct probe_link_params params = to("exec sh");
    struct xcx_err err = XCX_ERR_INIT;
    struct probe_link link;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    params.cancel_fd = fds[0];
    params.duration_ns = 60000 * MS;
    assert_int_equal(probe_link(&params, &link, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_keeps_the_limit),
        cmocka_unit_test(test_does_not_count_the_end),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_cancel),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
