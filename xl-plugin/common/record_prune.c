/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record_prune.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A digit stands for any. */
#define STAMP    "00000000T000000"
#define SUFFIX   ".json"
#define NR_IN(s) (sizeof(s) - 1)

static int is_record(const struct dirent *entry)
{
    const char *name = entry->d_name;
    size_t nr_bytes = strlen(name);

    for (size_t i = 0; i < NR_IN(STAMP); i++) {
        if (STAMP[i] == '0' ? !isdigit((unsigned char)name[i])
                            : name[i] != STAMP[i])
            return 0;
    }
    return strstr(name, "-dom") != NULL &&
           !strcmp(name + nr_bytes - NR_IN(SUFFIX), SUFFIX);
}

/* Older ones first; alphasort() goes by the locale. */
static int by_time(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int record_prune(const char *dir, unsigned long nr_keep, struct xcx_err *err)
{
    struct dirent **found = NULL;
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int nr = dir_fd < 0 || !nr_keep
                 ? 0
                 : scandirat(dir_fd, ".", &found, is_record, by_time);
    int rc = 0;

    if (dir_fd < 0 || nr < 0)
        rc = xcx_err_set(err, XCX_ERR_IO, errno, "%s", dir);
    for (int i = 0; i < nr; i++) {
        if ((unsigned long)(nr - i) > nr_keep &&
            unlinkat(dir_fd, found[i]->d_name, 0) && errno != ENOENT)
            rc = xcx_err_set(err, XCX_ERR_IO, errno, "old file %s/%s", dir,
                             found[i]->d_name);
        free(found[i]);
    }
    free(found);
    if (dir_fd >= 0)
        close(dir_fd);
    return rc;
}
