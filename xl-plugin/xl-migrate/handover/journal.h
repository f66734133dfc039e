/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal: the promises of one end of a case, in a file that outlives processes
 * and power. send, receive and recover write it; handover.h says what an entry
 * means and when it is written.
 *
 * DIR/ID.source.journal or DIR/ID.target.journal, a JSON object a line:
 *
 *   {"version":1,"id":ID,"side":"source","uuid":...,"name":...,"peer":...,
 *    "boot":...,"stock":true,"suspending":true}
 *   {"entry":"OFFERED","domid":5,"time_s":1767225600}
 *   {"entry":"SUSPENDING","domid":5,"time_s":1767225601}
 *   {"entry":"GO","domid":5,"time_s":1767225602}
 *
 * At the target a line tells which domain xl has made for the case, before
 * anything is in it; that very domain is the case's, and no other ever:
 *
 *   {"built":7,"uuid":...,"time_s":1767225600}
 *
 * - The first line is on disk before the file has its name, file and directory
 *   are before journal_create() or journal_open() returns, and each entry is
 *   before journal_append() does: one flush, as a guest may stand still for it.
 *   What a dead process wrote and nobody synced is therefore never acted upon.
 * - Bytes behind the last newline are an append cut short: never acted upon
 *   either, and cut off by journal_open().
 * - What a reader does not know in a line it ignores; a flag that is not there
 *   is false. Older versions wrote "stock" only where it is true, and no
 *   "suspending": their source asked the guest to suspend without an entry.
 * - An fd that is open holds the lock (flock): one process a case and end.
 * - Entries only go forward (enum handover_entry's order).
 * - The disk has room for all of a journal before anything is begun: it is
 *   reserved behind the file's end, where no reader sees it.
 *
 * Blocking: on the disk. Threads: one at a time for a journal.
 */
#ifndef XL_MIGRATE_JOURNAL_H
#define XL_MIGRATE_JOURNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "handover.h"
#include "xcext.h"

#define JOURNAL_ID_BYTES   40 /* lower-case hexadecimal digits, and NUL */
#define JOURNAL_UUID_BYTES 40 /* as in Linux's boot_id, and NUL */
#define JOURNAL_TEXT_BYTES 256
#define JOURNAL_MAX_BYTES  8192 /* of a whole file */

enum journal_side { JOURNAL_SOURCE, JOURNAL_TARGET };

/* The guest and the hosts of a case; texts are UTF-8. */
struct journal_case {
    char id[JOURNAL_ID_BYTES];
    enum journal_side side;
    char uuid[JOURNAL_UUID_BYTES]; /* the domain's */
    char name[JOURNAL_TEXT_BYTES]; /* the domain's, for people */
    char peer[JOURNAL_TEXT_BYTES]; /* the other host, as the user named it */
    /* The host's boot_id: after another boot the case's domain is gone. */
    char boot[JOURNAL_UUID_BYTES];
    /* Not started at the end (xl-migrate send -p). */
    bool stay_paused;
    /* The source's: to a target without the plugin, or as if it had none. */
    bool stock;
    bool tells_stock; /* once read: its line says whether stock */
    /* Once read: of a version that asks the guest to suspend while OFFERED. */
    bool suspends_unnoted;
};

struct journal {
    int fd; /* -1: not open */
    int dir_fd;
    bool broken; /* what is on disk is not known: open it again */
    struct journal_case about;
    enum handover_entry entry; /* the last one; NONE: none yet */
    uint32_t domid;            /* as of the last line; 0: none */
    /* The UUID of the domain xl has made; not the case's if the stream is
     * another guest's. "": there is no such line, the case's own then. */
    char built_uuid[JOURNAL_UUID_BYTES];
    bool was_ready;       /* READY is among the entries */
    uint64_t time_s;      /* since 1970, of the last line; 0: not known */
    uint64_t whole_bytes; /* of the file, all lines whole */
    char path[PATH_MAX];  /* for messages */
};

#define JOURNAL_INIT ((struct journal){.fd = -1, .dir_fd = -1})

/*
 * A new case; dir must exist. Errors: USAGE for a case whose texts do not
 * fit or that there is already; RESOURCE (a full disk, no such directory). A
 * file system that cannot reserve is taken as it is.
 * Nothing is left behind on failure.
 */
int journal_create(struct journal *journal, const char *dir,
                   const struct journal_case *about, struct xcx_err *err);

/*
 * Opens an existing journal. Errors: USAGE, no such case; RESOURCE: held by
 * another process, not a plain file of this user that only he can write, or the
 * disk; STREAM: not a journal, with the line's number.
 */
int journal_open(struct journal *journal, const char *dir, const char *id,
                 enum journal_side side, struct xcx_err *err);

/*
 * Only reads: nothing is locked, changed or left open, and whoever holds the
 * case is not in the way. What is read is not on disk yet, perhaps, and never
 * to be acted upon. Errors as of journal_open().
 */
int journal_peek(struct journal *journal, const char *dir, const char *id,
                 enum journal_side side, struct xcx_err *err);

/*
 * Appends and syncs an entry later than the last one. After an error nothing
 * may be done or said of it. RESOURCE: not written, and may be tried again;
 * IO: perhaps written, perhaps not, and only opening it again tells; BUG.
 */
int journal_append(struct journal *journal, enum handover_entry entry,
                   uint32_t domid, struct xcx_err *err);

/*
 * The target's: xl has made this domain for the case. Once, and before any
 * entry. Errors as of journal_append().
 */
int journal_append_built(struct journal *journal, uint32_t domid,
                         const char *uuid, struct xcx_err *err);

/* The case is settled at both ends: removes the file and closes. */
int journal_remove(struct journal *journal, struct xcx_err *err);

/* Idempotent; gives up the lock. */
void journal_close(struct journal *journal);

#endif
