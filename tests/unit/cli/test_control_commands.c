/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status, cancel and tune as they are typed, against processes that do what a
 * send or a save helper does: a forked child of the test each.
 */
#include "xl-migrate/control/running.h"
#include "xl-migrate/cli/command.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/record.h"
#include "xl-migrate/control/control.h"
#include "xl-migrate/domain/guest_name.h"

#define NR(array)  (sizeof(array) / sizeof((array)[0]))
#define MAX_ARGS   8
#define TEXT_BYTES 8192
#define UUID_OF_9  "00000000-0000-0000-0000-000000000009"

static struct {
    char dir[40];
    pid_t children[4];
    unsigned nr_children;
    char out[TEXT_BYTES], err[TEXT_BYTES]; /* of the last command */
} f;

/* What xenstore would say. */
void guest_name(uint32_t domid, char ret_name[STATUS_TEXT_BYTES],
                char ret_uuid[STATUS_UUID_BYTES])
{
    ret_name[0] = ret_uuid[0] = 0;
    if (domid == 9) {
        strcpy(ret_name, "db");
        strcpy(ret_uuid, UUID_OF_9);
    }
}

/* As a send says it that has moved its domain. */
static bool moved(const char *dir)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/moved", dir);
    return access(path, F_OK) == 0;
}

static void move(int number)
{
    char path[64];

    (void)number;
    snprintf(path, sizeof(path), "%s/moved", f.dir);
    _exit(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
}

bool guest_is_gone(uint32_t domid, const char *uuid)
{
    assert_string_equal(uuid, domid == 9 ? UUID_OF_9 : "");
    return domid == 7 && moved(f.dir);
}

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    strcpy(f.dir, "/tmp/test-commands-XXXXXX");
    if (!mkdtemp(f.dir))
        return -1;
    setenv("XL_MIGRATE_CONF", "/dev/null", 1);
    return setenv("XL_MIGRATE_RUN_DIR", f.dir, 1);
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    for (unsigned i = 0; i < f.nr_children; i++) {
        kill(f.children[i], SIGKILL);
        waitpid(f.children[i], NULL, 0);
    }
    snprintf(command, sizeof(command), "rm -rf %s", f.dir);
    return system(command);
}

/* ---- those that run ----------------------------------------------------- */

enum act {
    SEND,       /* answers, and ends when it is told to */
    SEND_LATE,  /* says no */
    SEND_BUSY,  /* has its socket, and does not answer */
    SEND_MOVED, /* the same, and the guest is at the target already */
    SEND_TWICE, /* ends when it was asked for its status twice */
    HELPER,     /* has its record */
    OTHER,      /* the same, of a program that is none of ours */
};

struct sending {
    bool late, ends;
    int nr_left; /* status requests; negative: any number */
};

static void say_status(void *opaque, struct status *status)
{
    struct sending *sending = opaque;

    strcpy(status->name, "web");
    strcpy(status->host, "host2");
    strcpy(status->what, "Round 3");
    if (sending->nr_left > 0 && --sending->nr_left == 0)
        sending->ends = true;
}

static int cancel(void *opaque, struct xcx_err *err)
{
    struct sending *sending = opaque;

    if (sending->late)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "it is too late");
    sending->ends = true;
    return 0;
}

static int tune(void *opaque, const struct xcx_policy_limits *limits,
                struct xcx_err *err)
{
    struct sending *sending = opaque;

    (void)limits;
    return sending->late ? xcx_err_set(err, XCX_ERR_USAGE, 0, "it is too late")
                         : 0;
}

static void tell_ready(int fd)
{
    if (write(fd, "r", 1) != 1)
        _exit(3);
}

static void send_until_told(enum act act, int ready_fd)
{
    struct sending sending = {.late = act == SEND_LATE,
                              .nr_left = act == SEND_TWICE ? 2 : -1};
    const struct control_ops ops = {.opaque = &sending,
                                    .status = say_status,
                                    .cancel = cancel,
                                    .tune = tune};
    struct control control;
    struct xcx_policy_limits limits;
    struct xcx_err err = XCX_ERR_INIT;

    xcx_policy_limits_default(&limits);
    if (control_open(&control, f.dir, 7, &limits, &ops, &err) < 0)
        _exit(2);
    if (act == SEND_MOVED)
        signal(SIGTERM, move);
    tell_ready(ready_fd);
    while (act == SEND_BUSY || act == SEND_MOVED)
        pause();
    while (!sending.ends) {
        struct pollfd pollfd = {.fd = control.fd, .events = POLLIN};

        poll(&pollfd, 1, -1);
        control_serve(&control);
    }
    control_close(&control);
    _exit(0);
}

static void save_until_killed(int ready_fd)
{
    const struct timespec started = {1767323045, 0};
    struct xcx_err err = XCX_ERR_INIT;
    struct record record;

    record_init(&record, RECORD_SAVE, "", f.dir, 9, &started);
    if (record_running(&record, "Round 1", 5, 10, &err) < 0)
        _exit(2);
    tell_ready(ready_fd);
    for (;;)
        pause();
}

static pid_t start(enum act act)
{
    int ready[2];
    pid_t pid;
    char c;

    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, act == HELPER  ? "xl-save-helper"
                           : act == OTHER ? "other"
                                          : "xl-migrate");
        if (act == HELPER || act == OTHER)
            save_until_killed(ready[1]);
        send_until_told(act, ready[1]);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    f.children[f.nr_children++] = pid;
    return pid;
}

/* How it ended: its exit status, or 100 + its signal. */
static int end_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (unsigned i = 0; i < f.nr_children; i++)
        if (f.children[i] == pid)
            f.children[i] = f.children[--f.nr_children];
    return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- a command ---------------------------------------------------------- */

static int catch (int fd, FILE **ret_file)
{
    int kept = dup(fd);

    *ret_file = tmpfile();
    assert_non_null(*ret_file);
    dup2(fileno(*ret_file), fd);
    return kept;
}

static void let_go(int fd, int kept, FILE *file, char text[TEXT_BYTES])
{
    size_t nr_bytes;

    dup2(kept, fd);
    close(kept);
    rewind(file);
    nr_bytes = fread(text, 1, TEXT_BYTES - 1, file);
    text[nr_bytes] = 0;
    fclose(file);
}

/* line: the command and its arguments, separated by one blank each. */
static int type(const char *line)
{
    static const struct {
        const char *name;
        command_fn *run;
    } commands[] = {
        {"status", cmd_status}, {"cancel", cmd_cancel}, {"tune", cmd_tune}};
    char copy[256], *args[MAX_ARGS + 1] = {NULL}, *rest = copy;
    FILE *out, *err;
    int argc = 0, kept_out, kept_err, status = -1;

    snprintf(copy, sizeof(copy), "%s", line);
    while (rest && argc < MAX_ARGS)
        args[argc++] = strsep(&rest, " ");
    optind = 0;
    fflush(NULL);
    kept_out = catch (STDOUT_FILENO, &out);
    kept_err = catch (STDERR_FILENO, &err);
    for (size_t i = 0; i < NR(commands); i++)
        if (strcmp(args[0], commands[i].name) == 0)
            status = commands[i].run(argc, args);
    fflush(NULL);
    let_go(STDOUT_FILENO, kept_out, out, f.out);
    let_go(STDERR_FILENO, kept_err, err, f.err);
    return status;
}

static void expect(const char *line, int status, const char *out,
                   const char *err)
{
    assert_int_equal(type(line), status);
    assert_string_equal(f.err, err);
    assert_string_equal(f.out, out);
}

/* ---- tests -------------------------------------------------------------- */

static void nothing_runs(void **state)
{
    (void)state;
    expect("status", 0, "nothing is being moved or saved\n", "");
    expect("status --watch", 0, "nothing is being moved or saved\n", "");
    expect("status web", 1, "",
           "xl-migrate status: web: no such domain is being moved or saved\n");
    expect("cancel 7", 1, "",
           "xl-migrate cancel: 7: no such domain is being moved or saved\n");
    expect("tune web --downtime 5", 1, "",
           "xl-migrate tune: web: no such domain is being moved or saved\n");
    setenv("XL_MIGRATE_RUN_DIR", "/no/such/folder", 1);
    expect("status", 0, "nothing is being moved or saved\n", "");
    setenv("XL_MIGRATE_RUN_DIR", "", 1);
    expect("status", 2, "",
           "xl-migrate status: run_dir is empty in the configuration: nothing "
           "is known of what runs\n");
}

static void both_kinds_are_shown(void **state)
{
    (void)state;
    start(SEND);
    start(HELPER);
    assert_int_equal(type("status"), 0);
    assert_string_equal(f.err, "");
    assert_ptr_equal(strstr(f.out,
                            "web (7) to host2: Round 3\n"
                            "db (9), saved by xl-save-helper: Round 1, 50 % "
                            "of 10 pages, "),
                     f.out);
    assert_int_equal(type("status db"), 0);
    assert_int_equal(strncmp(f.out, "db (9)", 6), 0);
    assert_int_equal(type("status " UUID_OF_9), 0);
    assert_int_equal(strncmp(f.out, "db (9)", 6), 0);
    expect("status 7", 0, "web (7) to host2: Round 3\n", "");
}

static yajl_val member(yajl_val object, const char *key)
{
    const char *path[] = {key, NULL};
    yajl_val value = yajl_tree_get(object, path, yajl_t_any);

    assert_non_null(value);
    return value;
}

static void as_json(void **state)
{
    yajl_val root, all, first, second;
    pid_t pid;

    (void)state;
    pid = start(SEND);
    start(HELPER);
    assert_int_equal(type("status --json"), 0);
    root = yajl_tree_parse(f.out, NULL, 0);
    assert_non_null(root);
    assert_int_equal(YAJL_GET_INTEGER(member(root, "version")), 1);
    all = member(root, "running");
    assert_int_equal(YAJL_GET_ARRAY(all)->len, 2);
    first = YAJL_GET_ARRAY(all)->values[0];
    second = YAJL_GET_ARRAY(all)->values[1];
    assert_int_equal(YAJL_GET_INTEGER(member(first, "domid")), 7);
    assert_int_equal(YAJL_GET_INTEGER(member(first, "pid")), pid);
    assert_string_equal(YAJL_GET_STRING(member(first, "name")), "web");
    assert_true(YAJL_IS_TRUE(member(first, "can_be_tuned")));
    assert_int_equal(
        YAJL_GET_INTEGER(member(member(first, "limits"), "downtime_ms")), 300);
    assert_string_equal(YAJL_GET_STRING(member(second, "name")), "db");
    assert_true(YAJL_IS_FALSE(member(second, "can_be_tuned")));
    assert_string_equal(YAJL_GET_STRING(member(second, "program")),
                        "xl-save-helper");
    assert_int_equal(
        YAJL_GET_INTEGER(member(member(second, "record"), "domid")), 9);
    yajl_tree_free(root);
}

static void what_is_left_of_the_dead_is_not_shown(void **state)
{
    pid_t pid = start(HELPER);

    (void)state;
    kill(pid, SIGKILL);
    end_of(pid);
    expect("status", 0, "nothing is being moved or saved\n", "");
    start(OTHER); /* the number is another program's by now */
    expect("status", 0, "nothing is being moved or saved\n", "");
    expect("cancel db", 1, "",
           "xl-migrate cancel: db: no such domain is being moved or saved\n");
}

static void watched_until_the_end(void **state)
{
    pid_t pid = start(SEND_TWICE);

    (void)state;
    expect("status --watch web", 0,
           "web (7) to host2: Round 3\nweb (7) to host2: Round 3\n", "");
    assert_int_equal(end_of(pid), 0);
}

static void limits_are_tuned(void **state)
{
    (void)state;
    start(SEND);
    expect("tune web --downtime 50 --bandwidth 10 --on-slow stop", 0, "", "");
    expect("tune --timeout 60 7", 0, "", "");
    assert_int_equal(type("status --json"), 0);
    assert_non_null(strstr(f.out, "\"downtime_ms\": 50"));
    assert_non_null(strstr(f.out, "\"bandwidth_mib_per_s\": 10"));
    assert_non_null(strstr(f.out, "\"on_slow\": \"stop\""));
    assert_non_null(strstr(f.out, "\"time_budget_s\": 60"));
    start(HELPER);
    expect("tune db --downtime 50", 1, "",
           "xl-migrate tune: db (9): saved by xl-save-helper, which cannot be "
           "tuned: set its limits in xl-migrate.conf beforehand\n");
}

static void wrong_arguments_are_named(void **state)
{
    static const struct {
        const char *line, *err;
    } cases[] = {
        {"tune web", "tune: nothing to change is named"},
        {"tune --downtime 5", "tune: expected one DOMAIN, not 0"},
        {"tune a b --downtime 5", "tune: expected one DOMAIN, not 2"},
        {"tune web --downtime", "tune: --downtime needs a value"},
        {"tune web --downtime fast",
         "tune: --downtime = \"fast\": expected a whole number from 0 to "
         "3600000"},
        {"tune web --bandwidth -1",
         "tune: --bandwidth = \"-1\": expected a whole number from 0 to "
         "1000000"},
        {"tune web --on-slow panic",
         "tune: --on-slow = \"panic\": expected \"throttle\" or \"stop\" or "
         "\"abort\" or \"throttle-then-stop\""},
        {"tune web --speed 5", "tune: unknown option \"--speed\""},
        {"status --fast", "status: unknown option \"--fast\""},
        {"status a b", "status: expected one DOMAIN, not 2"},
        {"cancel", "cancel: expected one DOMAIN, not 0"},
        {"cancel a b", "cancel: expected one DOMAIN, not 2"},
        {"cancel --all", "cancel: unknown option \"--all\""},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        char expected[256];

        snprintf(expected, sizeof(expected), "xl-migrate %s\n", cases[i].err);
        expect(cases[i].line, 2, "", expected);
    }
    assert_int_equal(type("status --help"), 0);
    assert_int_equal(type("cancel --help"), 0);
    assert_int_equal(type("tune --help"), 0);
}

static void a_send_is_cancelled(void **state)
{
    pid_t pid = start(SEND);

    (void)state;
    expect("cancel web", 0, "web (7): stopped\n", "");
    assert_int_equal(end_of(pid), 0);
}

static void too_late_is_told(void **state)
{
    (void)state;
    start(SEND_LATE);
    expect("cancel web", 1, "",
           "xl-migrate cancel: web (7): xl-migrate send: it is too late\n");
    expect("tune web --downtime 5", 1, "",
           "xl-migrate tune: web (7): xl-migrate send: it is too late\n");
}

static void a_busy_send_is_cancelled_by_a_signal(void **state)
{
    pid_t pid = start(SEND_BUSY);

    (void)state;
    expect("status", 0, "domain 7: busy, does not answer now\n", "");
    expect("cancel 7", 0, "domain 7: stopped\n", "");
    assert_int_equal(end_of(pid), 100 + SIGTERM);
}

static void a_send_that_has_moved_its_guest_was_not_stopped(void **state)
{
    pid_t pid = start(SEND_MOVED);

    (void)state;
    expect("cancel 7", 1, "",
           "xl-migrate cancel: domain 7: could no longer be stopped: it has "
           "ended, and the domain is not here\n");
    assert_int_equal(end_of(pid), 0);
}

static void a_helper_is_cancelled_by_a_signal(void **state)
{
    pid_t pid = start(HELPER);

    (void)state;
    expect("cancel db", 0, "db (9): stopped\n", "");
    assert_int_equal(end_of(pid), 100 + SIGTERM);
}

/* Two sends that hang, of guests of one name: there is a way to name one. */
static void two_of_one_name_are_told_apart_by_number(void **state)
{
    struct running both[] = {{.domid = 4}, {.domid = 6}};
    const struct running_list list = {.nr = 2, .all = both};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    strcpy(both[0].status.name, "g2");
    strcpy(both[1].status.name, "g2");
    assert_null(running_pick(&list, "g2", &err));
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_string_equal(err.msg, "g2: domains 4 and 6 are both called so: name "
                                 "one by its number, 4 or 6");
    assert_ptr_equal(running_pick(&list, "6", &err), &both[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_runs),
        TEST(both_kinds_are_shown),
        TEST(as_json),
        TEST(what_is_left_of_the_dead_is_not_shown),
        TEST(watched_until_the_end),
        TEST(limits_are_tuned),
        TEST(wrong_arguments_are_named),
        TEST(a_send_is_cancelled),
        TEST(too_late_is_told),
        TEST(a_busy_send_is_cancelled_by_a_signal),
        TEST(a_send_that_has_moved_its_guest_was_not_stopped),
        TEST(a_helper_is_cancelled_by_a_signal),
        cmocka_unit_test(two_of_one_name_are_told_apart_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
