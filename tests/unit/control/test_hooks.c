/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real programs in a folder of the test's own; they write into DIR/out. */
#include "xl-migrate/control/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct {
    char dir[32];
    char hooks_dir[64];
    char log[65536];
    struct hooks hooks;
    struct xcx_log to;
} f;

static void keep(void *opaque, enum xcx_log_level level, const char *line)
{
    size_t used = strlen(f.log);

    (void)opaque;
    (void)level;
    snprintf(f.log + used, sizeof(f.log) - used, "%s\n", line);
}

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    strcpy(f.dir, "/tmp/test-hooks-XXXXXX");
    if (!mkdtemp(f.dir))
        return -1;
    snprintf(f.hooks_dir, sizeof(f.hooks_dir), "%s/d", f.dir);
    f.to.emit = keep;
    f.hooks = (struct hooks){
        .dir = f.hooks_dir, .timeout_ms = 60000, .log = &f.to, .cancel_fd = -1};
    return mkdir(f.hooks_dir, 0755);
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", f.dir);
    return system(command);
}

/* A shell script; in it, $OUT is the file that the test reads. */
static void put_hook(const char *name, mode_t mode, const char *script)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", f.hooks_dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\nOUT=%s/out\n%s\n", f.dir, script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static const char *output(void)
{
    static char text[4096];
    char path[128];
    size_t nr_bytes;
    FILE *file;

    snprintf(path, sizeof(path), "%s/out", f.dir);
    file = fopen(path, "r");
    if (!file)
        return "";
    nr_bytes = fread(text, 1, sizeof(text) - 1, file);
    text[nr_bytes] = 0;
    fclose(file);
    return text;
}

static const struct hooks_case about = {
    .side = "source",
    .id = "00ff",
    .uuid = "u-u",
    .name = "web one",
    .domid = 7,
    .source = "host1",
    .target = "host2",
};

static int run(enum hooks_phase phase, struct xcx_err *err)
{
    *err = XCX_ERR_INIT;
    return hooks_run(&f.hooks, phase, &about, err);
}

static void they_run_in_order_and_know_the_case(void **state)
{
    struct xcx_err err;

    (void)state;
    put_hook("20-b", 0755, "echo b $# $1 >>$OUT; cat >>$OUT");
    put_hook("10-a", 0755,
             "echo $XL_MIGRATE_PHASE,$XL_MIGRATE_SIDE,$XL_MIGRATE_ID,"
             "$XL_MIGRATE_UUID,$XL_MIGRATE_NAME,$XL_MIGRATE_DOMID,"
             "$XL_MIGRATE_SOURCE,$XL_MIGRATE_TARGET,${XL_MIGRATE_ERROR-unset} "
             ">>$OUT");
    put_hook("3", 0755, "echo 3 >>$OUT");
    assert_int_equal(run(HOOKS_PRE_SEND, &err), 0);
    assert_string_equal(output(),
                        "pre-send,source,00ff,u-u,web one,7,host1,host2,\n"
                        "b 1 pre-send\n3\n");
}

/* A source and a guest choose these texts, and a terminal obeys them. */
static void control_characters_reach_no_hook(void **state)
{
    struct hooks_case named = about;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    named.name = "g1 \x1b[2K\r\xc3\xa9\x7f\xc2\x9b";
    put_hook("10-a", 0755, "echo \"$XL_MIGRATE_NAME\" >>$OUT");
    assert_int_equal(hooks_run(&f.hooks, HOOKS_PRE_SEND, &named, &err), 0);
    assert_string_equal(output(), "g1 ?[2K?\xc3\xa9???\n");
}

/* Who may write to a folder on the way can put another one in its place. */
static void a_path_through_a_folder_of_others_is_refused(void **state)
{
    char other[64], real[96], expected[256];
    struct xcx_err err;

    (void)state;
    put_hook("a", 0755, "echo a >>$OUT");
    snprintf(other, sizeof(other), "%s/other", f.dir);
    snprintf(real, sizeof(real), "%s/d", other);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(rename(f.hooks_dir, real), 0);
    assert_int_equal(symlink(real, f.hooks_dir), 0);
    assert_int_equal(run(HOOKS_PRE_SEND, &err), 0);
    assert_string_equal(output(), "a\n");

    assert_int_equal(chmod(other, 0777), 0);
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    snprintf(expected, sizeof(expected),
             "%s could be written by others than root: chown root and chmod "
             "go-w it",
             other);
    assert_string_equal(err.msg, expected);
    assert_string_equal(output(), "a\n");
}

static void other_files_are_left_out(void **state)
{
    struct xcx_err err;
    char expected[256];

    (void)state;
    put_hook("10-a.sh", 0755, "echo dot >>$OUT");
    put_hook("20-b~", 0755, "echo backup >>$OUT");
    put_hook(".30-c", 0755, "echo hidden >>$OUT");
    put_hook("40-d", 0644, "echo not executable >>$OUT");
    snprintf(expected, sizeof(expected), "%s/50-e", f.hooks_dir);
    assert_int_equal(mkdir(expected, 0755), 0);
    assert_int_equal(run(HOOKS_PRE_CHECK, &err), 0);
    assert_string_equal(output(), "");
    snprintf(expected, sizeof(expected),
             "%s/10-a.sh: not run: a name has letters, digits, - and _ only",
             f.hooks_dir);
    assert_non_null(strstr(f.log, expected));
}

static void no_folder_is_no_hooks(void **state)
{
    struct xcx_err err;

    (void)state;
    assert_int_equal(rmdir(f.hooks_dir), 0);
    assert_int_equal(run(HOOKS_PRE_SEND, &err), 0);
    f.hooks.dir = "";
    assert_int_equal(run(HOOKS_PRE_SEND, &err), 0);
    f.hooks.dir = "/proc/self/exe";
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, ENOTDIR);
}

static void the_first_that_fails_stops_it(void **state)
{
    static const struct {
        enum hooks_phase phase;
        const char *output;
    } cases[] = {
        {HOOKS_PRE_CHECK, "a\n"}, {HOOKS_PRE_SEND, "a\n"},
        {HOOKS_PRE_START, "a\n"}, {HOOKS_POST_START, "a\nc\n"},
        {HOOKS_FAILED, "a\nc\n"},
    };
    struct xcx_err err;
    char path[128];

    (void)state;
    put_hook("a", 0755, "echo a >>$OUT");
    put_hook("b", 0755, "echo first; echo not tonight >&2; exit 3");
    put_hook("c", 0755, "echo c >>$OUT; exit 4");
    snprintf(path, sizeof(path), "%s/out", f.dir);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unlink(path);
        assert_int_equal(run(cases[i].phase, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_GUEST);
        assert_string_equal(err.msg, "hook b: exit status 3: not tonight");
        assert_string_equal(output(), cases[i].output);
    }
}

static void one_that_cannot_be_run_is_named(void **state)
{
    struct xcx_err err;
    char path[128];
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/a", f.hooks_dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/no/such/shell\n");
    fclose(file);
    chmod(path, 0755);
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    assert_int_equal(err.os_errno, ENOENT);
    assert_non_null(strstr(err.msg, path));
}

static void what_others_could_have_written_is_refused(void **state)
{
    static const struct {
        mode_t dir, file;
    } cases[] = {{0755, 0757}, {0757, 0755}};
    struct xcx_err err;
    char expected[256];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        put_hook("a", cases[i].file, "echo a >>$OUT");
        assert_int_equal(chmod(f.hooks_dir, cases[i].dir), 0);
        assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
        snprintf(expected, sizeof(expected),
                 "%s%s could be written by others than root: chown root and "
                 "chmod go-w it",
                 f.hooks_dir, i == 0 ? "/a" : "");
        assert_string_equal(err.msg, expected);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_string_equal(output(), "");
    }
}

static void one_that_does_not_end_is_ended(void **state)
{
    struct xcx_err err;

    (void)state;
    put_hook("a", 0755, "echo begun; exec sleep 1000");
    f.hooks.timeout_ms = 1000;
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_string_equal(err.msg, "hook a: no end after 1 s");
    assert_string_equal(f.log, "hook a: begun\n");
}

/* All that it has started has the pipe open, until the end. */
static void what_it_has_started_is_ended_with_it(void **state)
{
    struct xcx_err err;
    struct pollfd pipe = {.events = POLLIN};
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/pipe", f.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    pipe.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(pipe.fd >= 0);
    put_hook("a", 0755,
             "exec 7>${OUT%/*}/pipe\n"
             "(trap '' TERM; sleep 1000; sleep 1000) & wait");
    f.hooks.timeout_ms = 1000;
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    assert_string_equal(err.msg, "hook a: no end after 1 s");
    assert_int_equal(poll(&pipe, 1, 30000), 1);
    assert_int_equal(read(pipe.fd, path, 1), 0);
    close(pipe.fd);
}

static void a_stop_ends_it(void **state)
{
    struct xcx_err err;

    (void)state;
    put_hook("a", 0755, "exec sleep 1000");
    f.hooks.cancel_fd = eventfd(1, EFD_CLOEXEC);
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    assert_string_equal(err.msg, "hook a: cancelled");
    close(f.hooks.cancel_fd);
}

static void what_it_leaves_behind_is_not_waited_for(void **state)
{
    struct xcx_err err;

    (void)state;
    put_hook("a", 0755, "sleep 1000 & echo $! >$OUT; echo here");
    assert_int_equal(run(HOOKS_PRE_SEND, &err), 0);
    assert_string_equal(f.log, "hook a: here\n");
    assert_int_equal(kill((pid_t)atoi(output()), SIGKILL), 0);
}

static void output_is_bounded_and_plain(void **state)
{
    struct xcx_err err;
    unsigned nr_lines = 0;

    (void)state;
    put_hook("a", 0755,
             "printf 'a\\033[2Jb\\n'; head -c 2000 /dev/zero | tr '\\0' x;"
             "echo; seq 1000; printf 'no newline'; exit 1");
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    assert_string_equal(err.msg, "hook a: exit status 1: no newline");
    assert_non_null(strstr(f.log, "hook a: a?[2Jb\n"));
    for (const char *c = f.log; *c; c++)
        nr_lines += *c == '\n';
    assert_int_equal(nr_lines, 201);
    assert_non_null(strstr(f.log, "hook a: further lines are left out\n"));
}

static void more_than_fit_are_refused(void **state)
{
    struct xcx_err err;
    char name[16], expected[128];

    (void)state;
    for (int i = 0; i < 65; i++) {
        snprintf(name, sizeof(name), "%02d", i);
        put_hook(name, 0755, "echo a >>$OUT");
    }
    assert_int_equal(run(HOOKS_PRE_SEND, &err), -1);
    snprintf(expected, sizeof(expected), "%s: more than 64 hooks", f.hooks_dir);
    assert_string_equal(err.msg, expected);
    assert_string_equal(output(), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(they_run_in_order_and_know_the_case),
        TEST(control_characters_reach_no_hook),
        TEST(a_path_through_a_folder_of_others_is_refused),
        TEST(other_files_are_left_out),
        TEST(no_folder_is_no_hooks),
        TEST(the_first_that_fails_stops_it),
        TEST(one_that_cannot_be_run_is_named),
        TEST(what_others_could_have_written_is_refused),
        TEST(one_that_does_not_end_is_ended),
        TEST(what_it_has_started_is_ended_with_it),
        TEST(a_stop_ends_it),
        TEST(what_it_leaves_behind_is_not_waited_for),
        TEST(output_is_bounded_and_plain),
        TEST(more_than_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
