/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "directory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "safe_path.h"

int directory_make(const char *path, mode_t mode, struct xcx_err *err)
{
    char part[DIRECTORY_PATH_BYTES];
    struct stat there;
    char *slash;

    if (snprintf(part, sizeof(part), "%s/", path) >= (int)sizeof(part))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%.40s...: too long", path);
    for (slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return xcx_err_set(err, XCX_ERR_IO, errno, "%s", part);
        *slash = '/';
    }
    if (stat(path, &there) < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", path);
    return safe_path_is_safe(&there) ? 0 : safe_path_refuse(path, err);
}
