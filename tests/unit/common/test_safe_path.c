/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders and files that others could write, on the way and at its end. */
#include "common/safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/directory.h"
#include "unit/scratch.h"

/*
 *   top/ mid/ file     way ─▶ top/mid
 *        up ─▶ ../..   loop ─▶ loop
 */
static int set_up(void **state)
{
    int fd;

    if (scratch_make(state) || chdir(scratch_dir) || mkdir("top", 0755) ||
        mkdir("top/mid", 0755) || symlink("top/mid", "way") ||
        symlink("../..", "top/mid/up") || symlink("loop", "loop"))
        return -1;
    fd = open("top/mid/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    return chdir("/") || scratch_remove(state);
}

static void modes(mode_t top, mode_t mid, mode_t file)
{
    assert_int_equal(chmod("top", top), 0);
    assert_int_equal(chmod("top/mid", mid), 0);
    assert_int_equal(chmod("top/mid/file", file), 0);
}

static int open_below(const char *name, struct xcx_err *err)
{
    char path[256];
    struct stat stat;
    int fd;

    *err = XCX_ERR_INIT;
    snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
    fd = safe_path_open(path, &stat, err);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : -1;
}

static void every_folder_on_the_way_counts(void **state)
{
    static const struct {
        const char *path;
        mode_t top, mid, file;
        const char *refused; /* NULL: it is opened */
    } rows[] = {
        {"top/mid/file", 0755, 0755, 0644, NULL},
        {"top/mid", 0755, 0755, 0644, NULL},
        {"top//mid/./up/way/file", 0755, 0755, 0644, NULL},
        {"top/mid/file", 01777, 0755, 0644, NULL},
        {"top/mid/file", 0777, 0755, 0644, "/top"},
        {"top/mid/file", 0755, 0757, 0644, "/top/mid"},
        {"top/mid/file", 0755, 0755, 0646, "/top/mid/file"},
        {"way/file", 0777, 0755, 0644, "/top"},
        {"way", 0777, 0755, 0644, "/top"},
        {"top/mid/up/way/file", 0777, 0755, 0644, "/top"},
        /* A folder that is itself asked for is to be read. */
        {"way", 0755, 01777, 0644, "/top/mid"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xcx_err err;
        char expected[XCX_ERR_MSG_BYTES] = "";
        int rc;

        modes(rows[i].top, rows[i].mid, rows[i].file);
        rc = open_below(rows[i].path, &err);
        if (rows[i].refused)
            snprintf(expected, sizeof(expected),
                     "%s%s could be written by others than root: chown root "
                     "and chmod go-w it",
                     scratch_dir, rows[i].refused);
        assert_string_equal(err.msg, expected);
        assert_int_equal(rc, rows[i].refused ? -1 : 0);
    }
    modes(0755, 0755, 0644);
}

static void what_is_not_there_is_named(void **state)
{
    struct xcx_err err;
    struct stat stat;

    (void)state;
    assert_int_equal(open_below("top/none/file", &err), -1);
    assert_int_equal(err.os_errno, ENOENT);
    assert_non_null(strstr(err.msg, "/top/none/file: none: No such file"));
    assert_int_equal(open_below("loop", &err), -1);
    assert_int_equal(err.os_errno, ELOOP);
    assert_int_equal(open_below("top/mid/file/x", &err), -1);
    assert_int_equal(err.os_errno, ENOTDIR);
    err = XCX_ERR_INIT;
    assert_int_equal(safe_path_open("top", &stat, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

static void a_file_of_another_user_is_refused(void **state)
{
    struct xcx_err err;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown("top/mid", 65534, 0), 0);
    assert_int_equal(open_below("way/file", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_int_equal(chown("top/mid", 0, 0), 0);
    /* In a sticky folder its owner could swing it. */
    assert_int_equal(lchown("way", 65534, 0), 0);
    assert_int_equal(open_below("way/file", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_int_equal(lchown("way", 0, 0), 0);
}

/* Journals, records and sockets go into it. */
static void a_folder_that_is_there_must_be_safe(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char path[128], expected[XCX_ERR_MSG_BYTES];

    (void)state;
    snprintf(path, sizeof(path), "%s/top/new/er", scratch_dir);
    assert_int_equal(directory_make(path, 0700, &err), 0);
    assert_int_equal(directory_make(path, 0700, &err), 0);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(directory_make(path, 0700, &err), -1);
    snprintf(expected, sizeof(expected),
             "%s could be written by others than root: chown root and chmod "
             "go-w it",
             path);
    assert_string_equal(err.msg, expected);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_folder_on_the_way_counts),
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(a_file_of_another_user_is_refused),
        cmocka_unit_test(a_folder_that_is_there_must_be_safe),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
