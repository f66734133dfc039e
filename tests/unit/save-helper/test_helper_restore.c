/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --restore-domain on an engine that the test directs (fake_engine.c). */
#include "fake_libxl.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define RESTORE   "--restore-domain 10 11 7 3 1 4 2 768 0"

/* No record is wanted but where a test says so. */
static int set_up(void **state)
{
    (void)state;
    return setenv("XL_MIGRATE_CONF", "/dev/null", 1) ||
           setenv("XL_MIGRATE_STATS_DIR", "", 1);
}

static int tear_down(void **state)
{
    (void)state;
    unsetenv("XL_MIGRATE_STATS_DIR");
    unsetenv("XL_MIGRATE_RESTORE");
    unsetenv("XL_MIGRATE_STOCK_HELPER");
    return 0;
}

static void expect_static_data(struct fake_libxl *libxl, int missing,
                               int answer)
{
    struct heard heard;

    fake_libxl_hear(libxl, &heard);
    assert_int_equal(heard.type, 8);
    assert_int_equal(heard.numbers[0], missing);
    fake_libxl_answer(libxl, answer);
}

#define RESTORE_PARAMS                                                         \
    "domid 7 store 3 1 console 4 2 workers 0 cloexec 1 back 0"

static void a_restore_runs_through(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    fake_libxl_start(&libxl, RESTORE, "ok");
    expect_log(&libxl, 3, RESTORE_PARAMS);
    expect_static_data(&libxl, 2, 0);
    expect_log(&libxl, 3,
               "restored 5 MiB in 7 ms; 1020 pages, 2 superpages, 4 pages "
               "given back; 3 ms after the end of the stream");
    expect_results(&libxl, 0x1000000000005, 6);
    expect_complete(&libxl, 0, 0);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void a_restore_runs_in_limits(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    setenv("FAKE_LIMITS", "1", 1);
    fake_libxl_start(&libxl, RESTORE, "ok");
    unsetenv("FAKE_LIMITS");
    expect_log(&libxl, 3, RESTORE_PARAMS);
    expect_log(&libxl, 3, "oom 500 fits 1 too large 0: named");
    expect_static_data(&libxl, 2, -1);
    expect_failed_restore(
        &libxl, "libxl could not build the domain from the static data",
        EPROTO);
}

static void a_restore_leaves_a_record(void **state)
{
    char dir[] = "/tmp/test-restore-XXXXXX", command[256];
    struct fake_libxl libxl;

    (void)state;
    assert_non_null(mkdtemp(dir));
    setenv("XL_MIGRATE_STATS_DIR", dir, 1);
    fake_libxl_start(&libxl, RESTORE, "fail");
    expect_log(&libxl, 8, "record 3 is bad");
    expect_results(&libxl, 0, 0);
    snprintf(command, sizeof(command),
             "grep -q '\"direction\": \"restore\"' %s/*-dom7.json && "
             "grep -q 'record 3 is bad' %s/*-dom7.json && rm -r %s",
             dir, dir, dir);
    assert_int_equal(system(command), 0);
    expect_complete(&libxl, -1, EBADMSG);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void a_record_that_cannot_be_written_is_a_warning(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    setenv("XL_MIGRATE_STATS_DIR", "/dev/null/x", 1);
    fake_libxl_start(&libxl, RESTORE, "fail");
    expect_log(&libxl, 8, "record 3 is bad");
    expect_log(&libxl, 7, "no statistics: /dev/null/x: Not a directory");
    expect_results(&libxl, 0, 0);
    expect_complete(&libxl, -1, EBADMSG);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void static_data_refused_fails_the_restore(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    fake_libxl_start(&libxl, RESTORE, "ok");
    expect_log(&libxl, 3, RESTORE_PARAMS);
    expect_static_data(&libxl, 2, -1);
    expect_failed_restore(
        &libxl, "libxl could not build the domain from the static data",
        EPROTO);
}

static void a_restore_without_callbacks_asks_nothing(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;

    (void)state;
    fake_libxl_start(&libxl, "--restore-domain 10 11 7 3 1 4 2 0 0", "ok");
    expect_log(&libxl, 3, RESTORE_PARAMS);
    fake_libxl_hear(&libxl, &heard);
    assert_int_equal(heard.type, 1);
    expect_results(&libxl, 0x1000000000005, 6);
    expect_complete(&libxl, 0, 0);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void a_failed_restore_is_one_line_and_an_errno(void **state)
{
    static const struct {
        const char *engine, *line;
        int errnoval;
    } cases[] = {
        {"fail", "record 3 is bad", EBADMSG},
        {"silent", "restore failed without a reason", EIO},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct fake_libxl libxl;

        fake_libxl_start(&libxl, RESTORE, cases[i].engine);
        expect_failed_restore(&libxl, cases[i].line, cases[i].errnoval);
    }
}

static void sigterm_kills_a_restore(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    fake_libxl_start(&libxl, RESTORE, "wait");
    expect_log(&libxl, 3, "waiting");
    kill(libxl.pid, SIGTERM);
    assert_int_equal(fake_libxl_end(&libxl), -SIGTERM);
}

static void a_restore_goes_to_the_stock_helper_if_so_configured(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    setenv("XL_MIGRATE_RESTORE", "stock", 1);
    setenv("XL_MIGRATE_STOCK_HELPER", "/nonexistent", 1);
    fake_libxl_start(&libxl, RESTORE, "ok");
    expect_failed_restore(
        &libxl, "stock helper /nonexistent: No such file or directory", ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restore_runs_through),
        TEST(a_restore_runs_in_limits),
        TEST(a_restore_leaves_a_record),
        TEST(a_record_that_cannot_be_written_is_a_warning),
        TEST(static_data_refused_fails_the_restore),
        TEST(a_restore_without_callbacks_asks_nothing),
        TEST(a_failed_restore_is_one_line_and_an_errno),
        TEST(sigterm_kills_a_restore),
        TEST(a_restore_goes_to_the_stock_helper_if_so_configured),
    };

    return cmocka_run_group_tests(tests, fake_libxl_find, NULL);
}
