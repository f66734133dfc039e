/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal_line.h"

static int file_name(char *ret, size_t nr_bytes, const char *id,
                     enum journal_side side, struct xcx_err *err)
{
    size_t nr_digits = strspn(id, "0123456789abcdef");

    if (!nr_digits || id[nr_digits] || nr_digits >= JOURNAL_ID_BYTES)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "'%.60s' is not the ID of a case", id);
    snprintf(ret, nr_bytes, "%s.%s.journal", id, journal_side_name(side));
    return 0;
}

static int open_dir(struct journal *journal, const char *dir, const char *name,
                    struct xcx_err *err)
{
    if (snprintf(journal->path, sizeof(journal->path), "%s/%s", dir, name) >=
        (int)sizeof(journal->path))
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENAMETOOLONG, "journal %s",
                           name);
    journal->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->dir_fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "cannot open the journals' directory %s", dir);
    return 0;
}

void journal_close(struct journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->dir_fd >= 0)
        close(journal->dir_fd);
    journal->fd = journal->dir_fd = -1;
}

static int lock(struct journal *journal, struct xcx_err *err)
{
    if (!flock(journal->fd, LOCK_EX | LOCK_NB))
        return 0;
    if (errno == EWOULDBLOCK)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "journal %s: another process works on this case",
                           journal->path);
    return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "journal %s: cannot lock",
                       journal->path);
}

static int sync_fd(struct journal *journal, int fd, struct xcx_err *err)
{
    if (!fsync(fd))
        return 0;
    /* The kernel may have dropped what it could not write. */
    journal->broken = true;
    return xcx_err_set(err, XCX_ERR_IO, errno,
                       "journal %s: cannot be brought to disk", journal->path);
}

static int sync_all(struct journal *journal, struct xcx_err *err)
{
    return sync_fd(journal, journal->fd, err) ||
                   sync_fd(journal, journal->dir_fd, err)
               ? -1
               : 0;
}

/*
 * Room for all that this journal may ever hold; of a file that is as long
 * already it does nothing. Each truncation gives the room away again.
 */
static int reserve(const struct journal *journal, struct xcx_err *err)
{
    if (!fallocate(journal->fd, FALLOC_FL_KEEP_SIZE, 0, JOURNAL_MAX_BYTES) ||
        errno == EOPNOTSUPP || errno == ENOSYS)
        return 0;
    return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                       "journal %s: no room for it", journal->path);
}

/* Only whole lines are left. What cannot be reserved again is no error. */
static int cut_off(struct journal *journal)
{
    struct xcx_err unused = XCX_ERR_INIT;

    if (ftruncate(journal->fd, (off_t)journal->whole_bytes))
        return -1;
    (void)reserve(journal, &unused);
    return 0;
}

/* All of the line or nothing of it. */
static int put_line(struct journal *journal, const char *line, size_t nr_bytes,
                    struct xcx_err *err)
{
    ssize_t put = write(journal->fd, line, nr_bytes);
    int os_errno = put < 0 ? errno : ENOSPC;

    if (put == (ssize_t)nr_bytes) {
        journal->whole_bytes += nr_bytes;
        return 0;
    }
    if (cut_off(journal))
        journal->broken = true;
    return xcx_err_set(err, XCX_ERR_RESOURCE, os_errno,
                       "journal %s: cannot write", journal->path);
}

/* Under a name of its own until its first line is on disk. */
static int create_as(struct journal *journal, const char *name,
                     const char *line, size_t nr_bytes, struct xcx_err *err)
{
    char new_name[NAME_MAX + 8];
    const char *left = new_name;
    int rc = -1;

    snprintf(new_name, sizeof(new_name), "%s.new", name);
    journal->fd = openat(
        journal->dir_fd, new_name,
        O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (journal->fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "journal %s: cannot create", journal->path);
    if (lock(journal, err) || reserve(journal, err) ||
        put_line(journal, line, nr_bytes, err) || sync_all(journal, err))
        goto out;
    if (renameat2(journal->dir_fd, new_name, journal->dir_fd, name,
                  RENAME_NOREPLACE)) {
        xcx_err_set(err, errno == EEXIST ? XCX_ERR_USAGE : XCX_ERR_RESOURCE,
                    errno, "journal %s", journal->path);
        goto out;
    }
    left = name;
    rc = sync_all(journal, err);
out:
    if (rc)
        unlinkat(journal->dir_fd, left, 0);
    return rc;
}

int journal_create(struct journal *journal, const char *dir,
                   const struct journal_case *about, struct xcx_err *err)
{
    char name[NAME_MAX], line[JOURNAL_LINE_BYTES];
    size_t nr_bytes;

    *journal = JOURNAL_INIT;
    if (file_name(name, sizeof(name), about->id, about->side, err) ||
        journal_line_of_case(about, line, &nr_bytes, err) ||
        open_dir(journal, dir, name, err))
        return -1;
    journal->about = *about;
    if (create_as(journal, name, line, nr_bytes, err)) {
        journal_close(journal);
        return -1;
    }
    return 0;
}

static int check_file(const struct journal *journal, struct xcx_err *err)
{
    struct stat st;

    if (fstat(journal->fd, &st))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "journal %s",
                           journal->path);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        st.st_mode & (S_IWGRP | S_IWOTH) || st.st_nlink != 1)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "journal %s: not a plain file that only this user "
                           "can write",
                           journal->path);
    return 0;
}

static int read_lines(struct journal *journal, char *text, struct xcx_err *err)
{
    ssize_t nr_bytes = pread(journal->fd, text, JOURNAL_MAX_BYTES + 1, 0);
    unsigned nr_lines = 0;
    char *line = text, *end;
    struct stat st;

    if (nr_bytes < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "journal %s: cannot read", journal->path);
    if (nr_bytes > JOURNAL_MAX_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "journal %s: longer than any journal",
                           journal->path);
    if (!fstat(journal->fd, &st))
        journal->time_s = (uint64_t)st.st_mtim.tv_sec;
    for (; (end = memchr(line, '\n', nr_bytes - (line - text)));
         line = end + 1) {
        *end = 0;
        if (journal_line_take(journal, ++nr_lines, line, end - line, err))
            return xcx_err_prefix(err, "journal %s, line %u", journal->path,
                                  nr_lines);
    }
    if (!nr_lines)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "journal %s: has no whole line", journal->path);
    journal->whole_bytes = line - text;
    return 0;
}

static int open_file(struct journal *journal, const char *name, int flags,
                     struct xcx_err *err)
{
    journal->fd = openat(journal->dir_fd, name,
                         flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (journal->fd >= 0)
        return check_file(journal, err);
    if (errno == ENOENT)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "journal %s: no such case",
                           journal->path);
    return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "journal %s: cannot open",
                       journal->path);
}

static int check_about(const struct journal *journal, const char *id,
                       enum journal_side side, struct xcx_err *err)
{
    if (!strcmp(journal->about.id, id) && journal->about.side == side)
        return 0;
    return xcx_err_set(err, XCX_ERR_STREAM, 0,
                       "journal %s: of another case (%s, %s)", journal->path,
                       journal->about.id,
                       journal_side_name(journal->about.side));
}

/* held: to be written, under its lock. */
static int read_file(struct journal *journal, const char *dir, const char *id,
                     enum journal_side side, bool held, struct xcx_err *err)
{
    char name[NAME_MAX];
    char *text;
    int rc = -1;

    *journal = JOURNAL_INIT;
    if (file_name(name, sizeof(name), id, side, err) ||
        open_dir(journal, dir, name, err))
        return -1;
    text = malloc(JOURNAL_MAX_BYTES + 1);
    if (!text)
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "journal %s", journal->path);
    else if (!open_file(journal, name, held ? O_RDWR | O_APPEND : O_RDONLY,
                        err) &&
             (!held || !lock(journal, err)) &&
             !read_lines(journal, text, err) &&
             !check_about(journal, id, side, err))
        rc = 0;
    free(text);
    return rc;
}

int journal_open(struct journal *journal, const char *dir, const char *id,
                 enum journal_side side, struct xcx_err *err)
{
    int rc = read_file(journal, dir, id, side, true, err);

    if (!rc && cut_off(journal))
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                         "journal %s: cannot cut off half a line",
                         journal->path);
    if (!rc)
        rc = sync_all(journal, err);
    if (rc)
        journal_close(journal);
    return rc;
}

int journal_peek(struct journal *journal, const char *dir, const char *id,
                 enum journal_side side, struct xcx_err *err)
{
    int rc = read_file(journal, dir, id, side, false, err);

    journal_close(journal);
    return rc;
}

static int check_whole(const struct journal *journal, struct xcx_err *err)
{
    if (!journal->broken)
        return 0;
    return xcx_err_set(err, XCX_ERR_IO, 0,
                       "journal %s: what is on disk is not known",
                       journal->path);
}

/* The directory's part was on disk before the journal was ours. */
static int put_and_sync(struct journal *journal, const char *line,
                        size_t nr_bytes, struct xcx_err *err)
{
    return put_line(journal, line, nr_bytes, err) ||
                   sync_fd(journal, journal->fd, err)
               ? -1
               : 0;
}

int journal_append(struct journal *journal, enum handover_entry entry,
                   uint32_t domid, struct xcx_err *err)
{
    uint64_t now_s = (uint64_t)time(NULL);
    char line[JOURNAL_LINE_BYTES];
    size_t nr_bytes;

    if (check_whole(journal, err) || journal_line_check(journal, entry, err) ||
        journal_line_of_entry(entry, domid, now_s, line, &nr_bytes, err) ||
        put_and_sync(journal, line, nr_bytes, err))
        return -1;
    journal->entry = entry;
    journal->domid = domid;
    journal->was_ready |= entry == HANDOVER_READY;
    journal->time_s = now_s;
    return 0;
}

int journal_append_built(struct journal *journal, uint32_t domid,
                         const char *uuid, struct xcx_err *err)
{
    uint64_t now_s = (uint64_t)time(NULL);
    char line[JOURNAL_LINE_BYTES];
    size_t nr_bytes;

    if (check_whole(journal, err) || journal_line_check_built(journal, err) ||
        journal_line_of_built(domid, uuid, now_s, line, &nr_bytes, err) ||
        put_and_sync(journal, line, nr_bytes, err))
        return -1;
    snprintf(journal->built_uuid, sizeof(journal->built_uuid), "%s", uuid);
    journal->domid = domid;
    journal->time_s = now_s;
    return 0;
}

int journal_remove(struct journal *journal, struct xcx_err *err)
{
    const char *name = strrchr(journal->path, '/') + 1;
    int rc = 0;

    if (unlinkat(journal->dir_fd, name, 0) || fsync(journal->dir_fd))
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                         "journal %s: cannot remove", journal->path);
    journal_close(journal);
    return rc;
}
