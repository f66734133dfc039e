/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef XEN_LIBEXEC_BIN
#define XEN_LIBEXEC_BIN "/usr/lib/xen/bin"
#endif

#define NAME        "libxl-save-helper"
#define HANDED_OVER "XL_MIGRATE_HANDED_OVER"

static const char *const default_paths[] = {
    XEN_LIBEXEC_BIN "/" NAME,
    "/usr/lib/xen/bin/" NAME,
    "/usr/libexec/xen/bin/" NAME,
};

#define NR_DEFAULT_PATHS (sizeof(default_paths) / sizeof(default_paths[0]))

static int check(const char *path, struct xcx_err *err)
{
    struct stat other, self;

    if (stat(path, &other) < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "stock helper %s", path);
    if (!S_ISREG(other.st_mode) || access(path, X_OK) < 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "stock helper %s: not a program that may be run",
                           path);
    if (stat("/proc/self/exe", &self) == 0 && self.st_dev == other.st_dev &&
        self.st_ino == other.st_ino)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "stock helper %s: that is this program itself",
                           path);
    return 0;
}

static int find_default(const char **ret_path, struct xcx_err *err)
{
    for (size_t i = 0; i < NR_DEFAULT_PATHS; i++) {
        struct xcx_err ignored = XCX_ERR_INIT;

        if (check(default_paths[i], &ignored) == 0) {
            *ret_path = default_paths[i];
            return 0;
        }
    }
    return xcx_err_set(err, XCX_ERR_IO, ENOENT,
                       "no stock helper, neither %s nor elsewhere; set "
                       "stock_helper",
                       default_paths[0]);
}

int stock_exec(const char *configured, char *const *argv, struct xcx_err *err)
{
    const char *path = configured;

    if (getenv(HANDED_OVER))
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "the stock helper %s leads back to this program",
                           configured);
    if (configured[0] ? check(configured, err) < 0
                      : find_default(&path, err) < 0)
        return -1;
    setenv(HANDED_OVER, "1", 1);
    execv(path, argv);
    xcx_err_set(err, XCX_ERR_IO, errno, "stock helper %s", path);
    unsetenv(HANDED_OVER);
    return -1;
}
