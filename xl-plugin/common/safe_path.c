/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "safe_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 40 /* as the kernel */

struct walk {
    int fd;              /* as far as it has come */
    struct stat stat;    /* of that */
    char rest[PATH_MAX]; /* of the path, from there on */
    unsigned nr_links;
};

bool safe_path_is_safe(const struct stat *stat)
{
    bool by_group = (stat->st_mode & S_IWGRP) && stat->st_gid != 0;

    return (stat->st_uid == 0 || stat->st_uid == geteuid()) && !by_group &&
           !(stat->st_mode & S_IWOTH);
}

int safe_path_refuse(const char *path, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_USAGE, 0,
                       "%s could be written by others than root: chown root "
                       "and chmod go-w it",
                       path);
}

/* By the name that the kernel has for it: the path may lead over links. */
static int refuse_at(const struct walk *walk, struct xcx_err *err)
{
    char link[32], path[PATH_MAX];
    ssize_t nr_bytes;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", walk->fd);
    nr_bytes = readlink(link, path, sizeof(path) - 1);
    if (nr_bytes < 0)
        nr_bytes =
            snprintf(path, sizeof(path), "a folder above %s", walk->rest);
    path[nr_bytes] = 0;
    return safe_path_refuse(path, err);
}

static bool is_of_root_or_ours(const struct stat *stat)
{
    return stat->st_uid == 0 || stat->st_uid == geteuid();
}

/* In a sticky folder only a file's owner and the folder's may rename it. */
static bool may_lead_on(const struct stat *stat)
{
    return safe_path_is_safe(stat) ||
           ((stat->st_mode & S_ISVTX) && is_of_root_or_ours(stat));
}

static int step_to(struct walk *walk, const char *name, struct xcx_err *err)
{
    int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && !fstat(fd, &walk->stat)) {
        if (walk->fd != AT_FDCWD)
            close(walk->fd);
        walk->fd = fd;
        return 0;
    }
    xcx_err_set(err, XCX_ERR_IO, errno, "%s", name);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Puts the link's text before the rest. */
static int follow(struct walk *walk, const char *name, struct xcx_err *err)
{
    char text[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t nr_bytes = readlinkat(walk->fd, name, text, sizeof(text) - 1);

    if (nr_bytes < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", name);
    text[nr_bytes] = 0;
    snprintf(whole, sizeof(whole), "%s/%s", text, walk->rest);
    if (++walk->nr_links > MAX_LINKS || strlen(whole) >= sizeof(walk->rest))
        return xcx_err_set(err, XCX_ERR_IO, ELOOP, "%s", name);
    strcpy(walk->rest, whole);
    return text[0] == '/' ? step_to(walk, "/", err) : 0;
}

/* The next part of the path into name; false: there is none. */
static bool take_part(struct walk *walk, char name[PATH_MAX])
{
    const char *from = walk->rest + strspn(walk->rest, "/");
    size_t nr_bytes = strcspn(from, "/");

    memcpy(name, from, nr_bytes);
    name[nr_bytes] = 0;
    from += nr_bytes;
    memmove(walk->rest, from, strlen(from) + 1);
    return nr_bytes > 0;
}

static int go_on(struct walk *walk, const char *name, struct xcx_err *err)
{
    struct stat stat;

    if (!may_lead_on(&walk->stat))
        return refuse_at(walk, err);
    if (fstatat(walk->fd, name, &stat, AT_SYMLINK_NOFOLLOW))
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", name);
    if (!S_ISLNK(stat.st_mode))
        return step_to(walk, name, err);
    if (!is_of_root_or_ours(&stat))
        return refuse_at(walk, err);
    return follow(walk, name, err);
}

int safe_path_open(const char *path, struct stat *ret_stat, struct xcx_err *err)
{
    struct walk walk = {.fd = AT_FDCWD};
    char name[PATH_MAX];
    int rc;

    if (path[0] != '/' || strlen(path) >= sizeof(walk.rest))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s is no absolute path",
                           path);
    strcpy(walk.rest, path);
    rc = step_to(&walk, "/", err);
    while (!rc && take_part(&walk, name))
        rc = go_on(&walk, name, err);
    if (!rc && !safe_path_is_safe(&walk.stat))
        rc = refuse_at(&walk, err);
    if (!rc) {
        *ret_stat = walk.stat;
        return walk.fd;
    }
    if (walk.fd != AT_FDCWD)
        close(walk.fd);
    return err && err->kind == XCX_ERR_IO ? xcx_err_prefix(err, "%s", path)
                                          : -1;
}
