/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A xenstore that is there and empty: no simulated guest has a disk. Takes the
 * place of libxenstore, as far as a save helper uses it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(default)
#include <xenstore.h>
#pragma GCC visibility pop

static char handle;

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    return (struct xs_handle *)&handle;
}

void xs_close(struct xs_handle *xsh)
{
    (void)xsh;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                    unsigned int *num)
{
    (void)h;
    (void)t;
    (void)path;
    *num = 0;
    errno = ENOENT;
    return NULL;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *len)
{
    (void)h;
    (void)t;
    (void)path;
    *len = 0;
    errno = ENOENT;
    return NULL;
}

/* Watches cannot be had: nothing would ever fire them. */
bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    (void)h;
    (void)path;
    (void)token;
    errno = ENOSYS;
    return false;
}
