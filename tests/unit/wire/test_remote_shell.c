/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A target's shell, which is this machine's. */
#include "xl-migrate/wire/remote_shell.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"
#include "unit/scratch.h"

#define LIMIT_MS 20000
#define HOST     "sh -c \"$XL_MIGRATE_RUN\""

static struct remote_shell shell;

static int start(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return remote_shell_start(&shell, "", HOST, NULL, &err);
}

static int end(void **state)
{
    (void)state;
    remote_shell_done(&shell);
    return 0;
}

static void expect(const char *command, int status, const char *answer)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (remote_shell_run(&shell, command, deadline_in_ms(LIMIT_MS), &err))
        fail_msg("%s", err.msg);
    assert_int_equal(shell.status, status);
    assert_string_equal(shell.answer, answer);
}

static void a_command_s_answer_and_status_are_its_own(void **state)
{
    (void)state;
    expect("echo one; echo two >&2", 0, "one\ntwo\n");
    expect("exit 3", 3, "");
    expect("cat; echo three", 0, "three\n");
    /* Not its own mark: part of no answer, and no end either. */
    expect("echo xl-migrate-command-ended 1 7; echo four", 0, "four\n");
    expect("echo xl-migrate-command-ended x; echo five", 0, "five\n");
}

static void a_late_answer_is_not_taken_for_the_next(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char fifo[64], command[128];
    int fd;

    (void)state;
    snprintf(fifo, sizeof(fifo), "%s/go", scratch_dir);
    snprintf(command, sizeof(command), "read go <%s; echo late; exit 1", fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(
        remote_shell_run(&shell, command, deadline_in_ms(50), &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, ETIMEDOUT);
    fd = open(fifo, O_RDWR | O_CLOEXEC); /* waits for no reader */
    assert_int_equal(write(fd, "\n", 1), 1);
    expect("echo in time", 0, "in time\n");
    close(fd);
}

static void a_shell_that_is_gone_is_an_error(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(
        remote_shell_run(&shell, "kill -9 $$", deadline_in_ms(LIMIT_MS), &err),
        -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    /* By a shell between, or not. */
    assert_true(strstr(err.msg, "killed by signal 9") ||
                strstr(err.msg, "exit status 137"));
}

/* A part of a list, taken for the whole, says of a guest that it is gone. */
static void an_answer_that_is_too_long_is_an_error(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(remote_shell_run(&shell,
                                      "i=0; while [ $i -lt 700 ]; do i=$((i + "
                                      "1)); printf '%0100d\\n' 1; done",
                                      deadline_in_ms(LIMIT_MS), &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_non_null(strstr(err.msg, "an answer of more than 65536 bytes"));
    assert_string_equal(shell.answer, "");
    expect("echo short", 0, "short\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_s_answer_and_status_are_its_own),
        TEST(a_late_answer_is_not_taken_for_the_next),
        TEST(a_shell_that_is_gone_is_an_error),
        TEST(an_answer_that_is_too_long_is_an_error),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
