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

#define ID_RANDOM_BYTES 16
#define SOURCE_SUFFIX   ".source.journal"
#define TARGET_SUFFIX   ".target.journal"

int cases_make_dir(const char *dir, struct xcx_err *err)
{
    char path[PATH_MAX];

    if (strlen(dir) >= sizeof(path))
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENAMETOOLONG,
                           "journals' directory");
    strcpy(path, dir);
    for (char *slash = path; slash; *slash = '/') {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = 0;
        if (mkdir(path, 0700) && errno != EEXIST)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                               "cannot make the journals' directory %s", path);
        if (!slash)
            break;
    }
    return 0;
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

static int read_names(DIR *stream, struct case_name *names, unsigned *ret_nr,
                      struct xcx_err *err)
{
    const struct dirent *entry;

    *ret_nr = 0;
    while ((entry = readdir(stream))) {
        struct case_name name;

        if (!take_name(entry->d_name, &name))
            continue;
        if (*ret_nr == CASES_MAX)
            return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                               "more than %d journals", CASES_MAX);
        names[(*ret_nr)++] = name;
    }
    qsort(names, *ret_nr, sizeof(*names), by_name);
    return 0;
}

int cases_list(const char *dir, struct case_name **ret, unsigned *ret_nr,
               struct xcx_err *err)
{
    struct case_name *names = calloc(CASES_MAX, sizeof(*names));
    DIR *stream = opendir(dir);
    unsigned nr = 0;
    int rc = 0;

    if (!names)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "list of journals");
    else if (stream)
        rc = read_names(stream, names, &nr, err);
    else if (errno != ENOENT)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                         "cannot read the journals' directory %s", dir);
    if (stream)
        closedir(stream);
    if (rc) {
        free(names);
        return -1;
    }
    *ret = names;
    *ret_nr = nr;
    return 0;
}

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
    /* Who had it may have removed it between the two calls. */
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

/* One in use by others is another domain's: its lock is ours. */
static bool is_of(const char *dir, const struct case_name *name,
                  const char *uuid)
{
    struct journal journal;
    bool same;

    if (journal_open(&journal, dir, name->id, name->side, NULL))
        return false;
    same = !strcmp(journal.about.uuid, uuid);
    journal_close(&journal);
    return same;
}

int cases_check_settled(const char *dir, const char *uuid, struct xcx_err *err)
{
    struct case_name *names = NULL;
    unsigned nr = 0;
    int rc = 0;

    if (cases_list(dir, &names, &nr, err))
        return -1;
    for (unsigned i = 0; i < nr && !rc; i++) {
        if (names[i].side == JOURNAL_SOURCE && is_of(dir, &names[i], uuid))
            rc = xcx_err_set(err, XCX_ERR_GUEST, 0,
                             "an earlier migration of this domain is not "
                             "settled: run xl-migrate recover %s",
                             names[i].id);
    }
    free(names);
    return rc;
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
