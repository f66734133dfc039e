/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report: how a migration went: times, the downtime in its parts, rounds,
 * bytes, forecast against outcome; for people and as JSON.
 *
 *   setup | live rounds | suspend, device model, memory, CPU state, other |
 *                       |           target ready, start there             |
 *                       '-------------------- downtime -------------------'
 *
 * The parts add up to the downtime, which is the guest's: from the moment that
 * it is asked to suspend until it is let run at the target.
 *
 * Pure but for the file. Threads: any.
 */
#ifndef XL_MIGRATE_REPORT_H
#define XL_MIGRATE_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "xcext.h"

#define REPORT_UNKNOWN    UINT64_MAX
#define REPORT_TEXT_BYTES 256

struct report_forecast {
    uint64_t total_ns, downtime_ns, bytes; /* REPORT_UNKNOWN: none */
};

struct report {
    char name[REPORT_TEXT_BYTES], uuid[40], id[40], host[REPORT_TEXT_BYTES];
    const char *kind;   /* static: "pvh" */
    const char *target; /* static: "plugin", "stock" */
    const char *result; /* static: "done", "failed-guest-at-source", ... */
    char error[XCX_ERR_MSG_BYTES];   /* "": none */
    char ignored[REPORT_TEXT_BYTES]; /* ids of blockers: "bridge, disk" */
    uint32_t domid;
    uint64_t setup_ns, total_ns; /* REPORT_UNKNOWN: it did not come to that */
    /* The downtime of the guest and its parts; REPORT_UNKNOWN as above. */
    uint64_t downtime_ns;
    uint64_t suspend_ns;      /* from asking until it has stopped */
    uint64_t device_model_ns; /* taking its state; HVM only */
    uint64_t stream_ns;       /* from asking until the last byte is written */
    uint64_t ready_ns;        /* from then until the target is ready */
    uint64_t prepare_ns;      /* of it: with its copy already whole */
    uint64_t start_ns;        /* from ready until it runs there */
    uint64_t bytes;           /* of the data */
    struct xcx_save_stats stats;
    struct report_forecast forecast;
};

/* All unknown. */
void report_init(struct report *report);

void report_print_text(const struct report *report, FILE *out);

/* One object and a newline. RESOURCE, IO. */
int report_print_json(const struct report *report, FILE *out,
                      struct xcx_err *err);

/*
 * Into DIR/TIME-migration-domDOMID.json, for root alone; of such files the
 * newest nr_keep stay (record_prune.h). RESOURCE, IO.
 */
int report_save(const struct report *report, const char *dir,
                unsigned long nr_keep, struct xcx_err *err);

#endif
