/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress: the output for a user while send runs: one line on a terminal,
 * again and again; plain lines every few seconds elsewhere; nothing if quiet.
 * What the log says stands above that line. It keeps the status that
 * `xl-migrate status` gets, too (status.h has the line's format).
 *
 * Threads: one at a time. Times are of CLOCK_MONOTONIC.
 */
#ifndef XL_MIGRATE_PROGRESS_H
#define XL_MIGRATE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"
#include "xcext.h"

struct progress {
    FILE *out;
    const char *prefix; /* of each line */
    bool is_terminal, quiet;
    struct status status;
    uint64_t start_ns, shown_ns;
    /* Where the rate is measured from. */
    uint64_t rate_ns, rate_pages;
    bool line_is_open; /* the terminal's cursor stands in it */
};

/* is_terminal: whether out is one. */
void progress_init(struct progress *progress, FILE *out, const char *prefix,
                   bool is_terminal, bool quiet, uint64_t now_ns);

/* "connecting", "copying memory", ...: shown at once. */
void progress_phase(struct progress *progress, const char *phase,
                    uint64_t now_ns);

/* As the engine tells it: pages done of total of what ("Round 3"). */
void progress_pages(struct progress *progress, const char *what, uint64_t done,
                    uint64_t total, uint64_t now_ns);

/* At each round's end. */
void progress_stats(struct progress *progress,
                    const struct xcx_save_stats *stats);

/* A line for people, above the progress. Shown even if quiet. */
void progress_say(struct progress *progress, const char *line);

/* Ends the terminal's line. Idempotent. */
void progress_end(struct progress *progress);

#endif
