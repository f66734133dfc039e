/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole program on an engine that the test directs (fake_engine.c). */
#include "fake_libxl.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define SAVE      "--save-domain 10 11 7 3 136 0"
#define RESTORE   "--restore-domain 10 11 7 3 1 4 2 768 0"
#define REMUS     "--restore-domain 10 11 7 3 0 4 0 800 1"

static char dir[32];

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static int count_files(const char *name)
{
    char command[256];
    FILE *list;
    int nr_files = -1;

    snprintf(command, sizeof(command), "ls %s/%s 2>/dev/null | wc -l", dir,
             name);
    list = popen(command, "r");
    assert_non_null(list);
    assert_int_equal(fscanf(list, "%d", &nr_files), 1);
    pclose(list);
    return nr_files;
}

/* Every run has directories and a configuration of its own. */
static int set_up(void **state)
{
    char text[256];

    (void)state;
    strcpy(dir, "/tmp/test-helper-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(text, sizeof(text),
             "stats_dir = \"%s/stats\"\nrun_dir = "
             "\"%s/run\"\n",
             dir, dir);
    write_file("conf", text, 0644);
    snprintf(text, sizeof(text), "%s/conf", dir);
    setenv("XL_MIGRATE_CONF", text, 1);
    return 0;
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    unsetenv("XL_MIGRATE_STOCK_HELPER");
    unsetenv("XL_MIGRATE_LOG_LEVEL");
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? 0 : -1;
}

static void expect_logdirty(struct fake_libxl *libxl, int on)
{
    struct heard heard;

    fake_libxl_hear(libxl, &heard);
    assert_int_equal(heard.type, 7);
    assert_int_equal(heard.numbers[0], 7);
    assert_int_equal(heard.numbers[1], on);
    fake_libxl_answer(libxl, 0);
}

static void a_save_runs_through(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;
    char text[64];

    (void)state;
    fake_libxl_start(&libxl, SAVE, "ok");
    expect_log(&libxl, 1,
               "domid 7 live 1 verify 1 workers 0 qemu 1 cloexec 1 "
               "nonblock 0 back 0 on_slow 3");
    expect_log(&libxl, 3, "info");
    expect_log(&libxl, 7, "warn");
    fake_libxl_hear(&libxl, &heard);
    assert_int_equal(heard.type, 2);
    assert_string_equal(heard.texts[1], "round 0");
    assert_int_equal(count_files("run"), 1);
    expect_logdirty(&libxl, 1);
    fake_libxl_hear(&libxl, &heard);
    assert_int_equal(heard.type, 3);
    fake_libxl_answer(&libxl, 1);
    expect_logdirty(&libxl, 0);
    expect_log(&libxl, 3,
               "saved 5 MiB in 7 ms, 2 rounds; blackout 3 ms, "
               "forecast 2 ms; enough");
    expect_complete(&libxl, 0, 0);
    assert_int_equal(count_files("run"), 0);
    assert_int_equal(count_files("stats"), 1);
    fake_libxl_read_all(libxl.io_fd, text, sizeof(text));
    assert_string_equal(text, "memory");
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

/* Before the first question to libxl: the guest has not been touched. */
static void a_disk_that_cannot_be_flushed_is_refused_at_once(void **state)
{
    struct fake_libxl libxl;

    (void)state;
    setenv("FAKE_DISK", "/local/domain/3/backend/qdisk/7/51712", 1);
    fake_libxl_start(&libxl, SAVE, "ok");
    unsetenv("FAKE_DISK");
    expect_log(&libxl, 8,
               "disk 51712 is served by QEMU in driver domain 3, which cannot "
               "be flushed from here: detach the disk, or serve it from Dom0");
    expect_complete(&libxl, -1, EOPNOTSUPP);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void no_device_model_no_question(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;

    (void)state;
    fake_libxl_start(&libxl, "--save-domain 10 -1 7 0 8 0", "ok");
    fake_libxl_hear(&libxl, &heard);
    assert_non_null(strstr(heard.texts[1], "live 0 verify 0 workers 0 qemu 0"));
    fake_libxl_until(&libxl, 3, &heard);
    fake_libxl_answer(&libxl, 1);
    fake_libxl_hear(&libxl, &heard);
    assert_int_equal(heard.type, 1);
    expect_complete(&libxl, 0, 0);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void a_failure_is_one_line_and_an_errno(void **state)
{
    static const struct {
        const char *engine, *line;
        int errnoval;
    } cases[] = {
        {"fail", "enable log-dirty: Device or resource busy", EBUSY},
        {"silent", "save failed without a reason", EIO},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct fake_libxl libxl;

        fake_libxl_start(&libxl, SAVE, cases[i].engine);
        expect_log(&libxl, 8, cases[i].line);
        expect_complete(&libxl, -1, cases[i].errnoval);
        assert_int_equal(fake_libxl_end(&libxl), 0);
        assert_int_equal(count_files("run"), 0);
    }
}

static void a_guest_that_is_not_suspended_fails_the_save(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;

    (void)state;
    fake_libxl_start(&libxl, SAVE, "ok");
    fake_libxl_until(&libxl, 3, &heard);
    fake_libxl_answer(&libxl, 0);
    expect_log(&libxl, 8, "libxl could not suspend the guest");
    expect_complete(&libxl, -1, EOPNOTSUPP);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void signals_end_it_by_the_error_path(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

    (void)state;
    for (size_t i = 0; i < NR(signals); i++) {
        struct fake_libxl libxl;

        fake_libxl_start(&libxl, SAVE, "wait");
        expect_logdirty(&libxl, 1);
        kill(libxl.pid, signals[i]);
        expect_logdirty(&libxl, 0);
        expect_log(&libxl, 8, "stopped by a signal: cancelled");
        expect_complete(&libxl, -1, EINTR);
        assert_int_equal(fake_libxl_end(&libxl), 0);
    }
}

/* The answer on its way must not be taken for that of the next question. */
static void a_signal_while_an_answer_is_due_loses_neither(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;

    (void)state;
    fake_libxl_start(&libxl, SAVE, "wait");
    fake_libxl_hear(&libxl, &heard);
    assert_int_equal(heard.type, 7);
    kill(libxl.pid, SIGTERM);
    kill(libxl.pid, SIGTERM);
    fake_libxl_answer(&libxl, 0);
    expect_logdirty(&libxl, 0);
    expect_log(&libxl, 8, "stopped by a signal: cancelled");
    expect_complete(&libxl, -1, EINTR);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

/* Before it has begun it may die of it; from then on it says how it ended. */
static void a_signal_at_the_start_ends_it_either_way(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct fake_libxl libxl;
        struct heard heard;
        int status;

        fake_libxl_start(&libxl, SAVE, "wait");
        usleep(i * 100);
        kill(libxl.pid, SIGTERM);
        fake_libxl_hear(&libxl, &heard);
        if (heard.type != 0) {
            assert_int_equal(heard.type, 7);
            fake_libxl_answer(&libxl, 0);
            fake_libxl_until(&libxl, 10, &heard);
            assert_int_equal(heard.numbers[1], EINTR);
            fake_libxl_answer(&libxl, 0);
        }
        status = fake_libxl_end(&libxl);
        assert_int_equal(status, heard.type == 0 ? -SIGTERM : 0);
    }
}

static void libxl_gone_ends_it_too(void **state)
{
    char text[512];

    (void)state;
    /* Its end of stdin is closed; stdout is still read, or is not. */
    for (int both = 0; both < 2; both++) {
        struct fake_libxl libxl;

        fake_libxl_start(&libxl, SAVE, "wait");
        expect_logdirty(&libxl, 1);
        if (both) {
            close(libxl.message_fd);
            libxl.message_fd = -1;
        }
        close(libxl.answer_fd);
        libxl.answer_fd = -1;
        fake_libxl_read_all(libxl.stderr_fd, text, sizeof(text));
        assert_non_null(strstr(text, "libxl is gone: cancelled\n"));
        assert_int_equal(fake_libxl_end(&libxl), 1);
    }
}

static void stray_output_does_not_reach_libxl(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;
    char text[64];

    (void)state;
    fake_libxl_start(&libxl, SAVE, "stdout");
    fake_libxl_until(&libxl, 10, &heard);
    fake_libxl_answer(&libxl, 0);
    fake_libxl_read_all(libxl.stderr_fd, text, sizeof(text));
    assert_string_equal(text, "stray output\n");
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void the_log_level_is_heeded(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;

    (void)state;
    setenv("XL_MIGRATE_LOG_LEVEL", "warn", 1);
    fake_libxl_start(&libxl, SAVE, "ok");
    expect_log(&libxl, 7, "warn");
    fake_libxl_until(&libxl, 7, &heard);
    fake_libxl_answer(&libxl, 0);
    fake_libxl_until(&libxl, 10, &heard);
    fake_libxl_answer(&libxl, 0);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void a_record_that_cannot_be_written_is_one_warning(void **state)
{
    struct fake_libxl libxl;
    struct heard heard;
    char text[128];

    (void)state;
    write_file("run", "", 0644);
    write_file("stats", "", 0644);
    fake_libxl_start(&libxl, SAVE, "ok");
    snprintf(text, sizeof(text),
             "no statistics: %s/run/.7.json.%d: Not a directory", dir,
             (int)libxl.pid);
    expect_log(&libxl, 7, text);
    fake_libxl_until(&libxl, 3, &heard);
    fake_libxl_answer(&libxl, 1);
    expect_logdirty(&libxl, 0);
    fake_libxl_hear(&libxl, &heard);
    assert_int_equal(heard.numbers[0], 3);
    expect_complete(&libxl, 0, 0);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void a_wrong_command_line_is_one_line(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"", "xl-save-helper: expected --save-domain or --restore-domain; "
             "libxl starts this program, see xl-save-helper(8)\n"},
        {"--save-domain 10 11 7 3 136",
         "xl-save-helper: --save-domain takes 6 arguments, not 5\n"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct fake_libxl libxl;
        struct heard heard;
        char text[512];

        fake_libxl_start(&libxl, cases[i].line, "ok");
        fake_libxl_hear(&libxl, &heard);
        assert_int_equal(heard.type, 0);
        fake_libxl_read_all(libxl.stderr_fd, text, sizeof(text));
        assert_string_equal(text, cases[i].message);
        assert_int_equal(fake_libxl_end(&libxl), 2);
    }
}

static void wrong_settings_fail_a_save(void **state)
{
    struct fake_libxl libxl;
    char text[128];

    (void)state;
    write_file("conf", "downtime = 5\n", 0644);
    fake_libxl_start(&libxl, SAVE, "ok");
    snprintf(text, sizeof(text), "%s/conf:1: unknown key downtime", dir);
    expect_log(&libxl, 8, text);
    expect_complete(&libxl, -1, EINVAL);
    assert_int_equal(fake_libxl_end(&libxl), 0);
}

static void wrong_settings_only_warn_a_restore(void **state)
{
    struct fake_libxl libxl;
    char text[128];

    (void)state;
    write_file("conf", "downtime = 5\n", 0644);
    fake_libxl_start(&libxl, RESTORE, "ok");
    snprintf(text, sizeof(text), "%s/conf:1: unknown key downtime", dir);
    expect_log(&libxl, 7, text);
    kill(libxl.pid, SIGKILL);
    fake_libxl_end(&libxl);
}

static void set_stock(const char *path)
{
    setenv("XL_MIGRATE_STOCK_HELPER", path, 1);
}

static void what_is_not_ours_goes_to_the_stock_helper(void **state)
{
    static const char *const lines[] = {
        REMUS,
        "--save-domain 10 11 7 1 184 1",
        "--save-domain 10 11 7 1 248 2",
    };
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/stock", dir);
    write_file("stock",
               "#!/bin/sh\n"
               "printf '%s' \"$*\" >/dev/fd/10\n"
               "grep -h SigIgn /proc/self/status >&2\n"
               "kill -TERM $$\n",
               0755);
    set_stock(path);
    for (size_t i = 0; i < NR(lines); i++) {
        struct fake_libxl libxl;
        char text[128];

        fake_libxl_start(&libxl, lines[i], "ok");
        fake_libxl_read_all(libxl.io_fd, text, sizeof(text));
        assert_string_equal(text, lines[i]);
        fake_libxl_read_all(libxl.stderr_fd, text, sizeof(text));
        assert_int_equal(strtoul(text + strlen("SigIgn:"), NULL, 16) &
                             (1u << (SIGPIPE - 1)),
                         0);
        assert_int_equal(fake_libxl_end(&libxl), -SIGTERM);
    }
}

static void a_stock_helper_that_will_not_do_is_named(void **state)
{
    struct fake_libxl libxl;
    char path[64], text[700];

    (void)state;
    set_stock("/nonexistent");
    fake_libxl_start(&libxl, REMUS, "ok");
    expect_failed_restore(
        &libxl, "stock helper /nonexistent: No such file or directory", ENOENT);

    set_stock("/tmp");
    fake_libxl_start(&libxl, REMUS, "ok");
    expect_failed_restore(
        &libxl, "stock helper /tmp: not a program that may be run", EINVAL);

    snprintf(path, sizeof(path), "%s/loop", dir);
    snprintf(text, sizeof(text), "#!/bin/sh\nexec %s \"$@\"\n",
             fake_libxl_program);
    write_file("loop", text, 0755);
    set_stock(path);
    fake_libxl_start(&libxl, REMUS, "ok");
    snprintf(text, sizeof(text),
             "the stock helper %s leads back to this program", path);
    expect_failed_restore(&libxl, text, EINVAL);

    snprintf(path, sizeof(path), "%s/self", dir);
    assert_int_equal(symlink(fake_libxl_program, path), 0);
    set_stock(path);
    fake_libxl_start(&libxl, REMUS, "ok");
    snprintf(text, sizeof(text), "stock helper %s: that is this program itself",
             path);
    expect_failed_restore(&libxl, text, EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_save_runs_through),
        TEST(a_disk_that_cannot_be_flushed_is_refused_at_once),
        TEST(no_device_model_no_question),
        TEST(a_failure_is_one_line_and_an_errno),
        TEST(a_guest_that_is_not_suspended_fails_the_save),
        TEST(signals_end_it_by_the_error_path),
        TEST(a_signal_while_an_answer_is_due_loses_neither),
        TEST(a_signal_at_the_start_ends_it_either_way),
        TEST(libxl_gone_ends_it_too),
        TEST(stray_output_does_not_reach_libxl),
        TEST(the_log_level_is_heeded),
        TEST(a_record_that_cannot_be_written_is_one_warning),
        TEST(a_wrong_command_line_is_one_line),
        TEST(wrong_settings_fail_a_save),
        TEST(wrong_settings_only_warn_a_restore),
        TEST(what_is_not_ours_goes_to_the_stock_helper),
        TEST(a_stock_helper_that_will_not_do_is_named),
    };

    return cmocka_run_group_tests(tests, fake_libxl_find, NULL);
}
