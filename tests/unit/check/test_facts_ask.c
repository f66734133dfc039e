/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a target: one with the plugin, one without, and ones that fail. */
#include "xl-migrate/check/facts_ask.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/check_sample.h"

#define HELLO "printf '{\"type\":\"hello\",\"protocol\":1}\\n'; read query; "
#define FACTS(facts)                                                           \
    "printf '{\"type\":\"log\",\"level\":\"info\",\"text\":\"x\"}\\n"          \
    "{\"type\":\"facts\",\"facts\":" facts "}\\n'; cat >/dev/null"

/* With ssh "", the host is a command for a local shell. */
static struct facts_ask_params to(const char *command)
{
    return (struct facts_ask_params){.ssh = "",
                                     .host = command,
                                     .command = "xl-migrate",
                                     .timeout_ns = UINT64_C(10000000000)};
}

static int set_up(void **state)
{
    (void)state;
    check_sample_make();
    return 0;
}

static void test_plugin(void **state)
{
    /* It has understood the question: the name comes back. */
    const struct facts_ask_params params = to(
        HELLO
        "case \"$XL_MIGRATE_RUN $query\" in "
        "\"xl-migrate receive \"*'\"name\":\"web\"'*) ;; "
        "*) exit 1 ;; esac; " FACTS("{\"host\":\"h2\",\"version\":\"0.9\"}"));
    struct xcx_err err = XCX_ERR_INIT;
    struct facts_host got;

    (void)state;
    if (facts_ask(&params, &sample.query, &got, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(got.host, "h2");
    assert_string_equal(got.version, "0.9");
    assert_int_equal(got.protocol, 1);
    assert_false(got.has_clock);
}

/* The two clocks are one, so they agree within what asking took. */
static void test_clock(void **state)
{
    static const char *const commands[] = {
        HELLO "printf '{\"type\":\"facts\",\"facts\":{\"clock_ns\":%s}}\\n' "
              "$(date +%s%N); cat >/dev/null",
        "case \"$XL_MIGRATE_RUN\" in *receive) exit 127 ;; "
        "*) exec sh ;; esac",
    };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct facts_ask_params params = to(commands[i]);
        struct xcx_err err = XCX_ERR_INIT;
        struct facts_host got;

        if (facts_ask(&params, &sample.query, &got, &err))
            fail_msg("%s", err.msg);
        assert_true(got.has_clock);
        assert_true(got.clock_error_ns > 0);
        assert_true(llabs(got.clock_ahead_ns) <= (long long)got.clock_error_ns);
    }
}

static void test_stock(void **state)
{
    struct facts_ask_params params =
        to("case \"$XL_MIGRATE_RUN\" in "
           "*receive) exit 127 ;; *) exec sh ;; esac");
    struct xcx_err err = XCX_ERR_INIT;
    struct facts_host got;

    (void)state;
    if (facts_ask(&params, &sample.query, &got, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(got.version, "");
    assert_int_equal(strlen(got.boot), 36);
    assert_int_equal(got.nr_files, sample.query.nr_files);

    /* Told so, the plugin is not tried. */
    params = to("exec sh");
    params.stock = true;
    assert_int_equal(facts_ask(&params, &sample.query, &got, &err), 0);
}

static void test_failures(void **state)
{
    static const struct {
        const char *command;
        enum xcx_err_kind kind;
        const char *message;
    } cases[] = {
        {"echo no route >&2; exit 255", XCX_ERR_IO, "no route"},
        {HELLO "exit 9", XCX_ERR_IO, "exit status 9"},
        {HELLO FACTS("7"), XCX_ERR_PEER, "\"facts\""},
        {HELLO FACTS("{\"pv\":\"maybe\"}"), XCX_ERR_PEER, "\"pv\""},
        {HELLO "printf '{\"type\":\"error\",\"text\":\"no xl here\"}\\n'; "
               "cat >/dev/null",
         XCX_ERR_PEER, "no xl here"},
        {"printf '{\"type\":\"hello\",\"protocol\":0}\\n'; cat >/dev/null",
         XCX_ERR_PEER, "\"protocol\""},
        {"echo '{nonsense'", XCX_ERR_PEER, "no JSON"},
        {"case \"$XL_MIGRATE_RUN\" in *receive) exit 127 ;; "
         "*) echo what ;; esac",
         XCX_ERR_PEER, "did not answer the questions"},
        {"exit 127", XCX_ERR_IO, "exit status 127"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct facts_ask_params params = to(cases[i].command);
        struct xcx_err err = XCX_ERR_INIT;
        struct facts_host got = {.nr_files = 99};

        assert_int_equal(facts_ask(&params, &sample.query, &got, &err), -1);
        if (err.kind != cases[i].kind || !strstr(err.msg, cases[i].message))
            fail_msg("case %zu: %s: %s", i, xcx_err_kind_name(err.kind),
                     err.msg);
        assert_int_equal(got.nr_files, 99);
    }
}

static void test_silence(void **state)
{
    struct facts_ask_params params = to("cat >/dev/null");
    struct xcx_err err = XCX_ERR_INIT;
    struct facts_host got;

    (void)state;
    params.timeout_ns = 200000000;
    assert_int_equal(facts_ask(&params, &sample.query, &got, &err), -1);
    assert_int_equal(err.os_errno, ETIMEDOUT);
    err = XCX_ERR_INIT;
    params.stock = true;
    assert_int_equal(facts_ask(&params, &sample.query, &got, &err), -1);
    assert_non_null(strstr(err.msg, "no answer"));
}

static void test_cancel(void **state)
{
    struct facts_ask_params params = to("cat >/dev/null");
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    params.cancel_fd = &fds[0];
    for (unsigned stock = 0; stock < 2; stock++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct facts_host got;

        params.stock = stock;
        assert_int_equal(facts_ask(&params, &sample.query, &got, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_CANCELLED);
        assert_non_null(strstr(err.msg, "was cancelled"));
    }
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_plugin, set_up),
        cmocka_unit_test_setup(test_clock, set_up),
        cmocka_unit_test_setup(test_stock, set_up),
        cmocka_unit_test_setup(test_failures, set_up),
        cmocka_unit_test_setup(test_silence, set_up),
        cmocka_unit_test_setup(test_cancel, set_up),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
