/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/directory.h"

#define ID_RANDOM_BYTES 16
#define FIRST_NR_NAMES  64
#define SOURCE_SUFFIX   ".source.journal"
#define TARGET_SUFFIX   ".target.journal"

int cases_make_dir(const char *dir, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!directory_make(dir, 0700, &why))
        return 0;
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "cannot make the journals' directory: %s", why.msg);
}

/* Whether name is a case's journal. */
static bool take_name(const char *name, struct case_name *ret)
{
    size_t nr_digits = strspn(name, "0123456789abcdef");
    const char *suffix = name + nr_digits;

    if (!nr_digits || nr_digits >= JOURNAL_ID_BYTES ||
        (strcmp(suffix, SOURCE_SUFFIX) != 0 &&
         strcmp(suffix, TARGET_SUFFIX) != 0))
        return false;
    memcpy(ret->id, name, nr_digits);
    ret->id[nr_digits] = 0;
    ret->side = strcmp(suffix, SOURCE_SUFFIX) ? JOURNAL_TARGET : JOURNAL_SOURCE;
    return true;
}

static int by_name(const void *left, const void *right)
{
    const struct case_name *a = left, *b = right;
    int order = strcmp(a->id, b->id);

    return order ? order : (int)a->side - (int)b->side;
}

int cases_each(const char *dir, cases_seen *seen, void *opaque,
               struct xcx_err *err)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    int rc = 0;

    if (!stream && errno == ENOENT)
        return 0;
    if (!stream)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "cannot read the journals' directory %s", dir);
    while (!rc && (errno = 0, entry = readdir(stream))) {
        struct case_name name;

        if (take_name(entry->d_name, &name))
            rc = seen(opaque, &name, err);
    }
    if (!rc && errno)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                         "cannot read the journals' directory %s", dir);
    closedir(stream);
    return rc;
}

/* ---- all of them in order ------------------------------------------------ */

struct name_list {
    struct case_name *names;
    unsigned nr, nr_room;
};

static int add_name(void *opaque, const struct case_name *name,
                    struct xcx_err *err)
{
    struct name_list *list = opaque;

    if (list->nr == list->nr_room) {
        unsigned nr_room = list->nr_room ? 2 * list->nr_room : FIRST_NR_NAMES;
        struct case_name *names =
            reallocarray(list->names, nr_room, sizeof(*names));

        if (!names)
            return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                               "list of journals");
        list->names = names;
        list->nr_room = nr_room;
    }
    list->names[list->nr++] = *name;
    return 0;
}

int cases_list(const char *dir, struct case_name **ret, unsigned *ret_nr,
               struct xcx_err *err)
{
    struct name_list list = {.names = NULL};

    if (cases_each(dir, add_name, &list, err)) {
        free(list.names);
        return -1;
    }
    if (list.nr)
        qsort(list.names, list.nr, sizeof(*list.names), by_name);
    *ret = list.names;
    *ret_nr = list.nr;
    return 0;
}

/* ---- one process a domain ------------------------------------------------ */

/* 1: locked; 0: the file is nobody's any more, and another may be there. */
static int lock_file(const char *path, int *ret_fd, struct xcx_err *err)
{
    struct stat locked, there;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int os_errno;

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "lock %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        os_errno = errno;
        close(fd);
        if (os_errno == EWOULDBLOCK)
            return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                               "another xl-migrate works on this domain");
        return xcx_err_set(err, XCX_ERR_RESOURCE, os_errno, "lock %s", path);
    }
    /* The last holder may have removed it between the two calls. */
    if (fstat(fd, &locked) || lstat(path, &there) ||
        locked.st_ino != there.st_ino || locked.st_dev != there.st_dev) {
        close(fd);
        return 0;
    }
    *ret_fd = fd;
    return 1;
}

static int lock_path(const char *dir, const char *uuid, char ret[PATH_MAX],
                     struct xcx_err *err)
{
    if (snprintf(ret, PATH_MAX, "%s/%s.lock", dir, uuid) >= PATH_MAX)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENAMETOOLONG, "lock");
    return 0;
}

int cases_lock_domain(const char *dir, const char *uuid, int *ret_fd,
                      struct xcx_err *err)
{
    char path[PATH_MAX];
    int rc = 0;

    if (lock_path(dir, uuid, path, err))
        return -1;
    while (rc == 0)
        rc = lock_file(path, ret_fd, err);
    return rc < 0 ? -1 : 0;
}

void cases_unlock_domain(const char *dir, const char *uuid, int *fd)
{
    char path[PATH_MAX];

    if (*fd < 0)
        return;
    /* While it is locked: whoever locks it next looks whether it is there. */
    if (!lock_path(dir, uuid, path, NULL))
        unlink(path);
    close(*fd);
    *fd = -1;
}

/* ---- what is not settled ------------------------------------------------- */

struct unsettled {
    const char *dir, *uuid;
    const struct xcx_log *log;
};

int cases_peek(const char *dir, const struct case_name *name,
               const struct xcx_log *log, struct journal *ret)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!journal_peek(ret, dir, name->id, name->side, &why))
        return 0;
    /* USAGE: the case was settled since its name was read. */
    if (why.kind != XCX_ERR_USAGE)
        xcx_log(log, XCX_LOG_WARN, "%s; skipped", why.msg);
    return -1;
}

/* The process that holds the journal holds the domain, too, or is about to. */
static int refuse_open_case(const struct unsettled *unsettled, const char *id,
                            struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct journal journal;

    if (!journal_open(&journal, unsettled->dir, id, JOURNAL_SOURCE, &why)) {
        journal_close(&journal);
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "an earlier migration of this domain is not "
                           "settled: run xl-migrate recover %s",
                           id);
    }
    if (why.kind == XCX_ERR_USAGE)
        return 0;
    return xcx_err_set(err, why.kind, 0, "%s", why.msg);
}

static int check_source_case(void *opaque, const struct case_name *name,
                             struct xcx_err *err)
{
    const struct unsettled *unsettled = opaque;
    struct journal seen;

    if (name->side != JOURNAL_SOURCE ||
        cases_peek(unsettled->dir, name, unsettled->log, &seen) ||
        strcmp(seen.about.uuid, unsettled->uuid) != 0)
        return 0;
    return refuse_open_case(unsettled, name->id, err);
}

int cases_check_settled(const char *dir, const char *uuid,
                        const struct xcx_log *log, struct xcx_err *err)
{
    struct unsettled unsettled = {.dir = dir, .uuid = uuid, .log = log};

    return cases_each(dir, check_source_case, &unsettled, err);
}

int cases_new_id(char ret_id[JOURNAL_ID_BYTES], struct xcx_err *err)
{
    unsigned char bytes[ID_RANDOM_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "random numbers");
    for (unsigned i = 0; i < sizeof(bytes); i++)
        sprintf(ret_id + 2 * i, "%02x", bytes[i]);
    return 0;
}
