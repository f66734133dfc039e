/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cleanup: local resources that go when their scope does.
 *
 *     XCX_AUTO_FREE char *line = NULL;
 *     XCX_AUTO_CLOSE int fd = -1;
 *     XCX_AUTO_FCLOSE FILE *file = NULL;
 *
 * Always initialise such a variable. xcx_steal() and xcx_steal_fd() hand one
 * on. Not together with an ordered `out:` in one function. errno is kept.
 */
#ifndef XCX_BASE_CLEANUP_H
#define XCX_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void xcx_cleanup_free(void *pointer_to_pointer)
{
    int saved_errno = errno;

    free(*(void **)pointer_to_pointer);
    errno = saved_errno;
}

static inline void xcx_cleanup_close(const int *fd)
{
    int saved_errno = errno;

    if (*fd >= 0)
        close(*fd);
    errno = saved_errno;
}

static inline void xcx_cleanup_fclose(FILE **file)
{
    int saved_errno = errno;

    if (*file)
        fclose(*file);
    errno = saved_errno;
}

#define XCX_AUTO_FREE   __attribute__((cleanup(xcx_cleanup_free)))
#define XCX_AUTO_CLOSE  __attribute__((cleanup(xcx_cleanup_close)))
#define XCX_AUTO_FCLOSE __attribute__((cleanup(xcx_cleanup_fclose)))

/* The pointer's value; the variable itself is NULL afterwards. */
#define xcx_steal(variable)                                                    \
    ({                                                                         \
        __typeof__(variable) stolen_ = (variable);                             \
                                                                               \
        (variable) = NULL;                                                     \
        stolen_;                                                               \
    })

/* The fd; the variable itself is -1 afterwards. */
static inline int xcx_steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#endif
