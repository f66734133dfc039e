/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * safe_path: opening what only root (or this user) can have put there.
 *
 *   /etc ── link ─▶ /opt ── site ── hooks.d ── 10-a
 *   each folder on the way, the links' folders too, and the file itself
 *
 * The way is walked by file descriptors, so nobody can exchange a part of it
 * between the look and the use; and as no other user can write to any folder
 * on it, the same path still leads to the same file afterwards.
 *
 * Threads: any.
 */
#ifndef COMMON_SAFE_PATH_H
#define COMMON_SAFE_PATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "xcext.h"

/*
 * Whether it belongs to root or this user, and no other may write to it (the
 * group of root may).
 */
bool safe_path_is_safe(const struct stat *stat);

/* Sets the error for a file that is not: USAGE. Returns -1. */
int safe_path_refuse(const char *path, struct xcx_err *err);

/*
 * Opens path, which is absolute, with O_PATH. A folder on the way that all may
 * write to is accepted with its sticky bit (/tmp), as what is in it belongs to
 * root or this user. Errors: USAGE, what is not safe; IO with the errno
 * (ENOENT: it is not there). Returns the fd, the caller's, or -1.
 */
int safe_path_open(const char *path, struct stat *ret_stat,
                   struct xcx_err *err);

#endif
