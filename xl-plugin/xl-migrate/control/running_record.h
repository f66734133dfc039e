/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * running_record: a record (common/record.h) of a save that goes on, as a
 * status. Pure, but for the wall clock given.
 */
#ifndef XL_MIGRATE_RUNNING_RECORD_H
#define XL_MIGRATE_RUNNING_RECORD_H

#include <sys/types.h>
#include <time.h>

#include "status.h"
#include "xcext.h"

struct running_record {
    pid_t pid;
    char started[32];
    struct status status;
};

/*
 * text: one JSON object with "state": "running". Errors: PEER for what is no
 * such record. now: for how long it has been running.
 */
int running_record_parse(const char *text, time_t now,
                         struct running_record *ret, struct xcx_err *err);

#endif
