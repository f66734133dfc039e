/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINE_BYTES 64

/* The file's line, "" if it is empty or unreadable. */
static void read_line(int fd, char line[LINE_BYTES])
{
    ssize_t bytes = pread(fd, line, LINE_BYTES - 1, 0);

    line[bytes > 0 ? bytes : 0] = '\0';
}

static int refuse(int fd, const char *path, uint32_t domid, struct xcx_err *err)
{
    char line[LINE_BYTES];
    long pid;

    read_line(fd, line);
    pid = strtol(line, NULL, 10);
    if (pid <= 0)
        return xcx_err_set(err, XCX_ERR_GUEST, EBUSY,
                           "domain %u is being saved or migrated already "
                           "(lock %s)",
                           domid, path);
    return xcx_err_set(err, XCX_ERR_GUEST, EBUSY,
                       "domain %u is being saved or migrated already by "
                       "process %ld (lock %s)",
                       domid, pid, path);
}

int xcx_lock_take(struct xcx_lock *lock, const char *dir, uint32_t domid,
                  struct xcx_err *err)
{
    char path[PATH_MAX], line[LINE_BYTES];
    XCX_AUTO_CLOSE int fd = -1;

    if (!dir)
        dir = XCX_LOCK_DEFAULT_DIR;
    mkdir(dir, 0755); /* what is wrong with it, open() says */
    snprintf(path, sizeof(path), "%s/xl-migrate.%u.lock", dir, domid);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot open the lock %s", domid, path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            return refuse(fd, path, domid, err);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot lock %s", domid, path);
    }
    read_line(fd, line);
    *lock = (struct xcx_lock){
        .fd = -1,
        .domid = domid,
        .leftover = strstr(line, " log-dirty") != NULL,
    };
    lock->fd = xcx_steal_fd(&fd);
    /* The note of a leftover must outlive us too until it is dealt with. */
    if (xcx_lock_note(lock, lock->leftover, err)) {
        xcx_lock_release(lock);
        return -1;
    }
    return 0;
}

int xcx_lock_note(struct xcx_lock *lock, bool log_dirty, struct xcx_err *err)
{
    char line[LINE_BYTES];
    int bytes = snprintf(line, sizeof(line), "%ld %s\n", (long)getpid(),
                         log_dirty ? "log-dirty" : "idle");

    if (ftruncate(lock->fd, 0) || pwrite(lock->fd, line, bytes, 0) != bytes)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot write its lock", lock->domid);
    lock->log_dirty = log_dirty;
    return 0;
}

void xcx_lock_release(struct xcx_lock *lock)
{
    if (lock->fd < 0)
        return;
    /* Failing leaves a line that the next holder reads as ours: harmless. */
    if (!lock->log_dirty)
        (void)!ftruncate(lock->fd, 0);
    close(lock->fd);
    lock->fd = -1;
}
