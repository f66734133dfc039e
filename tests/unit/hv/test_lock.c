/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One owner a domain; who it is; and what a dead one leaves behind. */
#include "hv/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

static void test_second_is_refused_by_name(void **state)
{
    struct xcx_lock first = XCX_LOCK_INIT, second = XCX_LOCK_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    char want[128];

    (void)state;
    assert_int_equal(xcx_lock_take(&first, scratch_dir, 1, &err), 0);
    assert_false(first.leftover);
    assert_int_equal(xcx_lock_take(&second, scratch_dir, 1, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_int_equal(err.os_errno, EBUSY);
    snprintf(want, sizeof(want),
             "domain 1 is being saved or migrated already by process %d",
             (int)getpid());
    assert_non_null(strstr(err.msg, want));
    assert_int_equal(second.fd, -1);
    xcx_lock_release(&second);

    /* Another domain is another lock; a released one can be had again. */
    err = XCX_ERR_INIT;
    assert_int_equal(xcx_lock_take(&second, scratch_dir, 2, &err), 0);
    xcx_lock_release(&second);
    xcx_lock_release(&first);
    xcx_lock_release(&first);
    assert_int_equal(xcx_lock_take(&second, scratch_dir, 1, &err), 0);
    assert_false(second.leftover);
    xcx_lock_release(&second);
}

/* Without the lock, and while it is held. */
static void test_a_throttle_can_be_read(void **state)
{
    struct xcx_lock lock = XCX_LOCK_INIT, seen;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_lock_peek(&seen, scratch_dir, 9, &err), 0);
    assert_false(seen.has_cap);
    assert_int_equal(xcx_lock_take(&lock, scratch_dir, 9, &err), 0);
    assert_int_equal(xcx_lock_note(&lock, true, &err), 0);
    assert_int_equal(xcx_lock_note_cap(&lock, 400, 70, &err), 0);
    assert_int_equal(xcx_lock_peek(&seen, scratch_dir, 9, &err), 0);
    assert_true(seen.has_cap);
    assert_int_equal(seen.holder, getpid());
    assert_int_equal(seen.cap, 400);
    assert_int_equal(seen.cap_set, 70);
    assert_int_equal(seen.fd, -1);

    /* A shorter line leaves nothing of the longer one. */
    assert_int_equal(xcx_lock_note(&lock, false, &err), 0);
    assert_int_equal(xcx_lock_forget_cap(&lock, &err), 0);
    assert_int_equal(xcx_lock_peek(&seen, scratch_dir, 9, &err), 0);
    assert_false(seen.has_cap);
    xcx_lock_release(&lock);
    assert_int_equal(xcx_lock_peek(&seen, "/dev", 9, &err), 0);
    assert_int_equal(xcx_lock_peek(&seen, "/dev/null", 9, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
}

/* Takes the lock, notes log-dirty, and dies without a word. */
static void die_with_log_dirty_on(uint32_t domid)
{
    struct xcx_lock lock = XCX_LOCK_INIT;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (xcx_lock_take(&lock, scratch_dir, domid, NULL) ||
            xcx_lock_note(&lock, true, NULL))
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_leftover_is_seen_until_dealt_with(void **state)
{
    struct xcx_lock lock = XCX_LOCK_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    die_with_log_dirty_on(3);
    assert_int_equal(xcx_lock_take(&lock, scratch_dir, 3, &err), 0);
    assert_true(lock.leftover);
    xcx_lock_release(&lock); /* without having dealt with it */

    assert_int_equal(xcx_lock_take(&lock, scratch_dir, 3, &err), 0);
    assert_true(lock.leftover);
    assert_int_equal(xcx_lock_note(&lock, false, &err), 0);
    xcx_lock_release(&lock);

    assert_int_equal(xcx_lock_take(&lock, scratch_dir, 3, &err), 0);
    assert_false(lock.leftover);
    xcx_lock_release(&lock);
}

static void test_no_directory(void **state)
{
    struct xcx_lock lock = XCX_LOCK_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_lock_take(&lock, "/proc/no/such/directory", 4, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "domain 4: cannot open the lock /proc"));
}

/* Something else in the lock's place is neither waited for nor written. */
static void test_not_a_file_of_ours(void **state)
{
    struct xcx_lock lock = XCX_LOCK_INIT;
    char path[64], other[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/xl-migrate.5.lock", scratch_dir);
    snprintf(other, sizeof(other), "%s/xl-migrate.6.lock", scratch_dir);
    for (unsigned i = 0; i < 3; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        if (i == 0)
            assert_int_equal(mkfifo(path, 0644), 0);
        else
            close(open(other, O_CREAT | O_WRONLY, 0644));
        if (i == 1)
            assert_int_equal(link(other, path), 0);
        if (i == 2)
            assert_int_equal(symlink(other, path), 0);
        assert_int_equal(xcx_lock_take(&lock, scratch_dir, 5, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_RESOURCE);
        assert_non_null(strstr(err.msg, i == 2 ? "cannot open the lock"
                                               : "is not a file of ours"));
        unlink(path);
    }
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* A reader of the file could lock it, and so keep the guest from moving. */
static void test_others_cannot_open_the_file(void **state)
{
    static const mode_t left_behind[] = {0, 0644, 0666, 0604};
    struct xcx_lock lock = XCX_LOCK_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    mode_t mask = umask(0);
    char dir[64], path[128];

    (void)state;
    snprintf(dir, sizeof(dir), "%s/made", scratch_dir);
    snprintf(path, sizeof(path), "%s/xl-migrate.7.lock", dir);
    for (size_t i = 0; i < sizeof(left_behind) / sizeof(left_behind[0]); i++) {
        if (left_behind[i])
            close(open(path, O_CREAT | O_WRONLY, left_behind[i]));
        assert_int_equal(xcx_lock_take(&lock, dir, 7, &err), 0);
        assert_int_equal(mode_of(path), 0600);
        assert_int_equal(mode_of(dir), 0700);
        xcx_lock_release(&lock);
        unlink(path);
    }
    rmdir(dir);
    umask(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_is_refused_by_name),
        cmocka_unit_test(test_leftover_is_seen_until_dealt_with),
        cmocka_unit_test(test_no_directory),
        cmocka_unit_test(test_not_a_file_of_ours),
        cmocka_unit_test(test_a_throttle_can_be_read),
        cmocka_unit_test(test_others_cannot_open_the_file),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
