/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log_limit: how many lines another host may put into our log. The first
 * LOG_LIMIT_LINES within LOG_LIMIT_S seconds pass; then one line announces that
 * the rest of that time is left out, and the next line that passes is preceded
 * by the number of those that did not.
 *
 * Threads: one at a time for a limit.
 */
#ifndef XL_MIGRATE_LOG_LIMIT_H
#define XL_MIGRATE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext.h"

#define LOG_LIMIT_LINES 200
#define LOG_LIMIT_S     60

/* Zeroed: nothing was logged yet. */
struct log_limit {
    uint64_t since_ns; /* of xcx_clock_ns() */
    unsigned nr_passed;
    uint64_t nr_dropped;
};

/* true: log this line. log: for the lines about the others; NULL: nowhere. */
bool log_limit_admits(struct log_limit *limit, const struct xcx_log *log);

#endif
