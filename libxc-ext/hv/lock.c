/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINE_BYTES 96
#define FILE_MODE  0600
#define DIR_MODE   0700

/*
 * The file's line, "" if it is empty or unreadable. What lies behind it is the
 * rest of a longer one that was there before.
 */
static void read_line(int fd, char line[LINE_BYTES])
{
    ssize_t bytes = pread(fd, line, LINE_BYTES - 1, 0);

    line[bytes > 0 ? bytes : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
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

/*
 * A file of somebody else's, or another name of one, must not be written. A
 * file that others may open could be locked by them: flock() asks for no
 * right to write. Releases before this one left such files behind.
 */
static int check_file(int fd, const char *path, uint32_t domid,
                      struct xcx_err *err)
{
    struct stat st;

    if (fstat(fd, &st))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot open the lock %s", domid, path);
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "domain %u: the lock %s is not a file of ours: "
                           "remove it, or set lock_dir",
                           domid, path);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) && fchmod(fd, FILE_MODE))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot close the lock %s to others",
                           domid, path);
    return 0;
}

static void read_leftovers(struct xcx_lock *lock)
{
    char line[LINE_BYTES];
    const char *cap;
    int nr;

    read_line(lock->fd, line);
    lock->holder = strtol(line, NULL, 10);
    lock->leftover = lock->log_dirty = strstr(line, " log-dirty") != NULL;
    cap = strstr(line, " cap ");
    nr = cap ? sscanf(cap, " cap %" SCNu32 " %" SCNu32 " %" SCNu32, &lock->cap,
                      &lock->cap_set, &lock->cap_before)
             : 0;
    /* Releases before this one wrote no third number. */
    if (nr == 2)
        lock->cap_before = lock->cap_set;
    lock->has_cap = nr >= 2;
}

static void make_path(char path[PATH_MAX], const char *dir, uint32_t domid)
{
    snprintf(path, PATH_MAX, "%s/xl-migrate.%u.lock", dir, domid);
}

int xcx_lock_peek(struct xcx_lock *lock, const char *dir, uint32_t domid,
                  struct xcx_err *err)
{
    char path[PATH_MAX];
    XCX_AUTO_CLOSE int fd = -1;
    struct stat st;

    *lock = XCX_LOCK_INIT;
    make_path(path, dir ? dir : XCX_LOCK_DEFAULT_DIR, domid);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot open the lock %s", domid, path);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "domain %u: the lock %s is not a file of ours",
                           domid, path);
    lock->fd = fd;
    read_leftovers(lock);
    lock->fd = -1;
    return 0;
}

int xcx_lock_take(struct xcx_lock *lock, const char *dir, uint32_t domid,
                  struct xcx_err *err)
{
    char path[PATH_MAX];
    XCX_AUTO_CLOSE int fd = -1;

    if (!dir)
        dir = XCX_LOCK_DEFAULT_DIR;
    mkdir(dir, DIR_MODE); /* what is wrong with it, open() says */
    make_path(path, dir, domid);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot open the lock %s", domid, path);
    if (check_file(fd, path, domid, err))
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            return refuse(fd, path, domid, err);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot lock %s", domid, path);
    }
    *lock = (struct xcx_lock){.fd = xcx_steal_fd(&fd), .domid = domid};
    read_leftovers(lock);
    /* The note of a leftover must outlive us too until it is dealt with. */
    if (xcx_lock_note(lock, lock->leftover, err)) {
        xcx_lock_release(lock);
        return -1;
    }
    return 0;
}

static int write_note(const struct xcx_lock *lock, struct xcx_err *err)
{
    char line[LINE_BYTES], cap[LINE_BYTES - 16] = "";
    int bytes;

    if (lock->has_cap)
        snprintf(cap, sizeof(cap), " cap %" PRIu32 " %" PRIu32 " %" PRIu32,
                 lock->cap, lock->cap_set, lock->cap_before);
    bytes = snprintf(line, sizeof(line), "%ld %s%s\n", (long)getpid(),
                     lock->log_dirty ? "log-dirty" : "idle", cap);
    /* Never empty in between: it is read without the lock, too. */
    if (pwrite(lock->fd, line, bytes, 0) != bytes || ftruncate(lock->fd, bytes))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %u: cannot write its lock", lock->domid);
    return 0;
}

int xcx_lock_note(struct xcx_lock *lock, bool log_dirty, struct xcx_err *err)
{
    lock->log_dirty = log_dirty;
    return write_note(lock, err);
}

int xcx_lock_note_cap(struct xcx_lock *lock, uint32_t cap, uint32_t cap_set,
                      struct xcx_err *err)
{
    lock->cap_before = lock->has_cap ? lock->cap_set : cap_set;
    lock->has_cap = true;
    lock->cap = cap;
    lock->cap_set = cap_set;
    return write_note(lock, err);
}

int xcx_lock_forget_cap(struct xcx_lock *lock, struct xcx_err *err)
{
    lock->has_cap = false;
    return write_note(lock, err);
}

void xcx_lock_release(struct xcx_lock *lock)
{
    if (lock->fd < 0)
        return;
    /* Failing leaves a line that the next holder reads as ours: harmless. */
    if (!lock->log_dirty && !lock->has_cap)
        (void)!ftruncate(lock->fd, 0);
    close(lock->fd);
    lock->fd = -1;
}
