/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record: the files that tell people and `status` about a save or a restore.
 *
 *   RUN_DIR/DOMID.json            while a save runs, renewed about every second
 *   STATS_DIR/TIME-domDOMID.json  when it has ended, however it did
 *
 * Both are for root alone: names, hosts and UUIDs are in them. Of those in
 * STATS_DIR the newest nr_keep stay (record_prune.h).
 *
 * Each file is replaced by rename, so a reader sees the old or the new one.
 * A running file whose pid is gone is left over from a crash. Both are one
 * JSON object; keys are only ever added, "stats" is as in stats_json.h:
 *
 *   { "version": 1, "direction": "save" | "restore",
 *     "domid": 7, "pid": 4711, "started": "2026-01-31T...Z",
 *     "state": "running" | "done" | "failed",
 *     "what": "round 1", "done": 5, "total": 10,            while running
 *     "error_kind": "GUEST", "error": "...",                when failed
 *     "stats": { ... } or null }
 *
 * Failing to write is never a reason to fail: the caller warns.
 */
#ifndef COMMON_RECORD_H
#define COMMON_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "xcext.h"

enum record_direction { RECORD_SAVE, RECORD_RESTORE };

struct record {
    enum record_direction direction;
    const char *stats_dir; /* the caller's; "": no file */
    unsigned long nr_keep; /* of the files in stats_dir; 0: all */
    const char *run_dir;   /* the caller's; "": no file */
    uint32_t domid;
    struct timespec started; /* wall clock */
    char *stats_json;        /* the newest; owned */
};

/* Keeps all files; set nr_keep to have the oldest removed. */
void record_init(struct record *record, enum record_direction direction,
                 const char *stats_dir, const char *run_dir, uint32_t domid,
                 const struct timespec *started);

/* Keeps the newest statistics for what is written next. */
int record_stats(struct record *record, const struct xcx_save_stats *stats,
                 struct xcx_err *err);
int record_restore_stats(struct record *record,
                         const struct xcx_restore_stats *stats,
                         struct xcx_err *err);

/* Writes the running file. */
int record_running(struct record *record, const char *what, uint64_t done,
                   uint64_t total, struct xcx_err *err);

/* Writes the final file and removes the running one. outcome: how it ended. */
int record_end(struct record *record, const struct xcx_err *outcome,
               struct xcx_err *err);

/* Frees; idempotent. */
void record_done(struct record *record);

#endif
