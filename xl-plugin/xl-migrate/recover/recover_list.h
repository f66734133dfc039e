/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_list: prints `xl-migrate recover --list`: each case of this host that
 * is not settled, what is here of its guest, and what to do next.
 * Domains that xl calls NAME--incoming and no case here is about are listed,
 * too: copies whose journal is gone, or that another program makes.
 * Looks only: no journal is locked or written, no domain touched, no other
 * host asked; a case at which a process is at work is listed as well.
 *
 * Blocking: on the disk and libxl. Once in a process.
 */
#ifndef XL_MIGRATE_RECOVER_LIST_H
#define XL_MIGRATE_RECOVER_LIST_H

#include <stdbool.h>

#include "common/config.h"

struct recover_list_options {
    const char *what; /* ID, name or UUID; NULL: all */
    bool json;
};

/* Returns the exit status: DONE, or USAGE where it could not look. */
int recover_list(const struct recover_list_options *options,
                 const struct config *config);

#endif
