/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who changes a guest's configuration while send holds libxl's lock, played as
 * libxl does it: waits until the guest is gone, and finds it gone.
 */
#include "xl-migrate/send/send_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

static const struct domain domain = {.domid = 7, .uuid = "u", .name = "g1"};
static char lock[256], gone[256];

/* libxl_lock_file(): the lock of the file that has the name then. */
static int lock_as_libxl(int how)
{
    for (;;) {
        int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        struct stat ours, named;

        if (fd < 0 || flock(fd, how)) {
            close(fd);
            return -1;
        }
        fstat(fd, &ours);
        if (!stat(lock, &named) && ours.st_ino == named.st_ino)
            return fd;
        close(fd);
    }
}

static void unlock_as_libxl(int fd)
{
    unlink(lock);
    close(fd);
}

static bool waits(pid_t pid)
{
    FILE *locks = fopen("/proc/locks", "re");
    char line[256];
    bool found = false;

    assert_non_null(locks);
    while (!found && fgets(line, sizeof(line), locks)) {
        int of;

        found =
            sscanf(line, "%*d: -> FLOCK %*s WRITE %d", &of) == 1 && of == pid;
    }
    fclose(locks);
    return found;
}

/* A process that waits for the lock; its status: 1 if the guest is there. */
static pid_t attach(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        lock_as_libxl(LOCK_EX);
        _exit(access(gone, F_OK) != 0);
    }
    for (int i = 0; i < 10000 && !waits(pid); i++)
        usleep(1000);
    assert_true(waits(pid));
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void take(struct send_hold *hold)
{
    struct xcx_err err = XCX_ERR_INIT;

    *hold = SEND_HOLD_INIT;
    if (send_hold_take(hold, scratch_dir, &domain, 0, &err))
        fail_msg("%s", err.msg);
    assert_true(hold->fd >= 0);
}

static void a_change_waits_until_the_guest_is_gone(void **state)
{
    struct send_hold hold;
    pid_t pid;
    int fd;

    (void)state;
    take(&hold);
    assert_int_equal(lock_as_libxl(LOCK_EX | LOCK_NB), -1);
    pid = attach();
    send_hold_unname(&hold);
    /* libxl destroys the guest, under a lock of the same name. */
    fd = lock_as_libxl(LOCK_EX | LOCK_NB);
    assert_true(fd >= 0);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    close(open(gone, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    unlock_as_libxl(fd);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    send_hold_release(&hold);
    assert_int_equal(status_of(pid), 0);
    unlink(gone);
    unlink(lock);
}

static void a_change_comes_once_the_guest_goes_on(void **state)
{
    struct send_hold hold;
    pid_t pid;

    (void)state;
    take(&hold);
    pid = attach();
    send_hold_expire(&hold); /* not yet */
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    send_hold_release(&hold);
    send_hold_release(&hold);
    assert_int_equal(status_of(pid), 1);
    unlink(lock);
}

static void it_is_given_back_in_time(void **state)
{
    struct send_hold hold;

    (void)state;
    take(&hold);
    hold.until_ns = 1;
    send_hold_expire(&hold);
    assert_int_equal(hold.fd, -1);
    assert_int_equal(access(lock, F_OK), -1);
}

static void who_is_changing_it_is_not_waited_for_long(void **state)
{
    struct send_hold hold = SEND_HOLD_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    int fd = lock_as_libxl(LOCK_EX);

    (void)state;
    assert_int_equal(send_hold_take(&hold, scratch_dir, &domain, 20, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_string_equal(err.msg, "g1: another program is changing its "
                                 "configuration: try again");
    send_hold_release(&hold);
    assert_int_equal(access(lock, F_OK), 0);
    unlock_as_libxl(fd);
}

static void without_libxl_nothing_is_held(void **state)
{
    struct send_hold hold = SEND_HOLD_INIT;

    (void)state;
    assert_int_equal(send_hold_take(&hold, "/none", &domain, 0, NULL), 0);
    assert_int_equal(hold.fd, -1);
}

static int set_up(void **state)
{
    if (scratch_make(state))
        return -1;
    snprintf(lock, sizeof(lock), "%s/userdata-l.7.u.domain-userdata-lock",
             scratch_dir);
    snprintf(gone, sizeof(gone), "%s/gone", scratch_dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_waits_until_the_guest_is_gone),
        cmocka_unit_test(a_change_comes_once_the_guest_goes_on),
        cmocka_unit_test(it_is_given_back_in_time),
        cmocka_unit_test(who_is_changing_it_is_not_waited_for_long),
        cmocka_unit_test(without_libxl_nothing_is_held),
    };

    return cmocka_run_group_tests(tests, set_up, scratch_remove_empty);
}
