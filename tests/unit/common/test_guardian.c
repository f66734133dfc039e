/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that is killed leaves its guest to the guardian. What the guardian
 * does to the guest is counted in shared memory, in the place of libxcext.
 */
#include "common/guardian.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/qemu_log_dirty.h"
#include "common/saver.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define DOMID     7
#define WITHIN_MS 1000
#define STEP_MS   5
#define LONG_MS   20000 /* no test may hang */

static struct shared {
    int nr_lifted, nr_settled, nr_qemu_off;
    pid_t parent;     /* that xcx_lift_cap() was told of */
    pid_t guardian;   /* who called it */
    int nr_refusals;  /* of the look for other helpers, to come */
    int nr_held;      /* answers "locked", to come */
    unsigned reason;  /* for which the guest has shut down */
    char cmdline[64]; /* of the guardian */
    long nr_args_bytes;
    int oom_points;
} * shared;

int __wrap_xcx_lift_cap(uint32_t domid, const char *lock_dir, pid_t holder,
                        const struct xcx_log *log, struct xcx_err *err);
int __wrap_xcx_settle_with(uint32_t domid, const char *lock_dir,
                           const struct xcx_save_ops *ops, struct xcx_err *err);
int __wrap_xcx_run_state(uint32_t domid, enum xcx_run_state *ret_state,
                         unsigned *ret_reason, struct xcx_err *err);
int __wrap_qemu_log_dirty_end(const struct qemu_socket *socket,
                              struct xcx_err *err);
int __wrap_saver_refuse(const char *proc_dir, uint32_t domid,
                        struct xcx_err *err);

static void set_oom_points(const char *points)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "we");

    if (file)
        fputs(points, file);
    if (file)
        fclose(file);
}

static void note_oom_points(void)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "re");

    if (!file || fscanf(file, "%d", &shared->oom_points) != 1)
        shared->oom_points = -1;
    if (file)
        fclose(file);
}

static void note_cmdline(void)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    char all[4096] = "";
    size_t nr_bytes = file ? fread(all, 1, sizeof(all), file) : 0;

    if (file)
        fclose(file);
    snprintf(shared->cmdline, sizeof(shared->cmdline), "%s", all);
    shared->nr_args_bytes = 0;
    for (size_t i = strnlen(all, nr_bytes) + 1; i < nr_bytes; i++)
        shared->nr_args_bytes += all[i] != '\0';
}

int __wrap_xcx_lift_cap(uint32_t domid, const char *lock_dir, pid_t holder,
                        const struct xcx_log *log, struct xcx_err *err)
{
    (void)log;
    (void)err;
    if (domid != DOMID || strcmp(lock_dir, "/a/dir") != 0)
        return -1;
    shared->parent = holder;
    shared->guardian = getpid();
    note_cmdline();
    note_oom_points();
    shared->nr_lifted++;
    return 0;
}

int __wrap_xcx_settle_with(uint32_t domid, const char *lock_dir,
                           const struct xcx_save_ops *ops, struct xcx_err *err)
{
    (void)domid;
    (void)lock_dir;
    if (shared->nr_held > 0) {
        shared->nr_held--;
        return xcx_err_set(err, XCX_ERR_GUEST, EBUSY, "locked");
    }
    if (ops->switch_qemu_logdirty(ops->opaque, false, err) < 0)
        return -1;
    shared->nr_settled++;
    return 0;
}

int __wrap_qemu_log_dirty_end(const struct qemu_socket *socket,
                              struct xcx_err *err)
{
    (void)err;
    shared->nr_qemu_off += socket->domid == DOMID && socket->xs;
    return 0;
}

int __wrap_xcx_run_state(uint32_t domid, enum xcx_run_state *ret_state,
                         unsigned *ret_reason, struct xcx_err *err)
{
    (void)domid;
    (void)err;
    *ret_reason = shared->reason;
    *ret_state = shared->reason == XCX_NO_REASON ? XCX_RUNS
                 : shared->reason == 2           ? XCX_SUSPENDED
                                                 : XCX_SHUT_DOWN;
    return 0;
}

int __wrap_saver_refuse(const char *proc_dir, uint32_t domid,
                        struct xcx_err *err)
{
    (void)proc_dir;
    (void)domid;
    if (shared->nr_refusals == 0)
        return 0;
    shared->nr_refusals--;
    return xcx_err_set(err, XCX_ERR_GUEST, EBUSY, "another helper");
}

static int set_up(void **state)
{
    (void)state;
    if (!shared)
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *shared = (struct shared){.reason = XCX_NO_REASON};
    return shared == MAP_FAILED;
}

/* A process with a guardian; its end of held_fd is one that xl waits for. */
static pid_t start_saver(int held_fd)
{
    struct guardian guardian = GUARDIAN_INIT;
    int ready[2];
    pid_t pid;
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int rc;

        set_oom_points("500"); /* as a helper has */
        rc = guardian_start(&guardian, DOMID, "/a/dir", NULL);

        (void)!write(ready[1], rc ? "n" : "y", 1);
        (void)held_fd;
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(ready[0]);
    return pid;
}

static void kill_saver(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* How long *number took to become want, which it has to. */
static long wait_until(const int *number, int want, long limit_ms)
{
    long ms = 0;

    for (; *(volatile const int *)number != want && ms < limit_ms;
         ms += STEP_MS)
        poll(NULL, 0, STEP_MS);
    return ms;
}

static void a_killed_save_is_undone_within_a_second(void **state)
{
    pid_t pid = start_saver(-1);

    (void)state;
    kill_saver(pid);
    assert_true(wait_until(&shared->nr_settled, 1, LONG_MS) < WITHIN_MS);
    assert_int_equal(shared->nr_lifted, 1);
    assert_int_equal(shared->nr_qemu_off, 1);
    assert_int_equal(shared->parent, pid);
    assert_int_equal(shared->nr_args_bytes, 0);
    assert_int_equal(shared->oom_points, 0);
    assert_string_equal(shared->cmdline, "xl-guardian");
}

/* The cap at once; log-dirty, which another helper may be using, later. */
static void another_helper_is_waited_for(void **state)
{
    (void)state;
    shared->nr_refusals = 5;
    shared->nr_held = 3;
    kill_saver(start_saver(-1));
    assert_true(wait_until(&shared->nr_lifted, 1, LONG_MS) < WITHIN_MS);
    wait_until(&shared->nr_settled, 1, LONG_MS);
    assert_int_equal(shared->nr_settled, 1);
    assert_int_equal(shared->nr_refusals, 0);
    assert_int_equal(shared->nr_held, 0);
}

static void a_clean_end_is_left_alone(void **state)
{
    struct guardian guardian = GUARDIAN_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    int status;

    (void)state;
    assert_int_equal(guardian_start(&guardian, DOMID, "/a/dir", &err), 0);
    guardian_end(&guardian);
    guardian_end(&guardian);
    assert_int_equal(guardian.fd, -1);
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
    assert_int_equal(
        shared->nr_lifted + shared->nr_settled + shared->nr_qemu_off, 0);
}

/* Service managers send SIGTERM to all of a group; terminals, SIGHUP. */
static void signals_do_not_end_it(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    pid_t pid = start_saver(-1);

    (void)state;
    shared->nr_refusals = 10;
    kill_saver(pid);
    wait_until(&shared->nr_lifted, 1, LONG_MS);
    for (size_t i = 0; i < NR(signals); i++)
        assert_int_equal(kill(shared->guardian, signals[i]), 0);
    wait_until(&shared->nr_settled, 1, LONG_MS);
    assert_int_equal(shared->nr_settled, 1);
}

/*
 * xl takes the cap of a domain that has shut down into its reboot; a watch of
 * xenstore fires once when it is set.
 */
static void a_guest_that_shuts_down_is_freed_at_once(void **state)
{
    static const struct {
        unsigned reason;
        int nr_lifted;
    } cases[] = {{0, 1}, {1, 1}, {2, 0}, {3, 1}, {XCX_NO_REASON, 0}};

    for (size_t i = 0; i < NR(cases); i++) {
        struct guardian guardian = GUARDIAN_INIT;

        set_up(state);
        shared->reason = cases[i].reason;
        assert_int_equal(guardian_start(&guardian, DOMID, "/a/dir", NULL), 0);
        if (cases[i].nr_lifted)
            assert_true(wait_until(&shared->nr_lifted, 1, LONG_MS) < WITHIN_MS);
        guardian_end(&guardian);
        wait(NULL);
        assert_int_equal(shared->nr_lifted, cases[i].nr_lifted);
        assert_int_equal(shared->nr_settled, 0);
    }
}

/* xl would wait for its pipes, and the other host for the stream's end. */
static void it_holds_no_fd_of_its_parent(void **state)
{
    int ends[2];
    struct pollfd pollfd = {.events = POLLIN};
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid = start_saver(ends[1]);
    close(ends[1]);
    shared->nr_refusals = 1000000;
    kill_saver(pid);
    wait_until(&shared->nr_lifted, 1, LONG_MS);
    pollfd.fd = ends[0];
    assert_int_equal(poll(&pollfd, 1, LONG_MS), 1);
    assert_int_equal(pollfd.revents, POLLHUP);
    close(ends[0]);
    shared->nr_refusals = 0;
    wait_until(&shared->nr_settled, 1, LONG_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_killed_save_is_undone_within_a_second, set_up),
        cmocka_unit_test_setup(another_helper_is_waited_for, set_up),
        cmocka_unit_test_setup(a_clean_end_is_left_alone, set_up),
        cmocka_unit_test_setup(signals_do_not_end_it, set_up),
        cmocka_unit_test_setup(a_guest_that_shuts_down_is_freed_at_once,
                               set_up),
        cmocka_unit_test_setup(it_holds_no_fd_of_its_parent, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
