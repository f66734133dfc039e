/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * running: finds the migrations and saves that run on this host.
 *
 *   RUN_DIR/DOMID.sock   a send, which is asked itself      (control.h)
 *   RUN_DIR/DOMID.json   a send, or a save that xl runs on
 *                        xl-save-helper                     (common/record.h)
 *
 * A record whose process is gone, or is another program by now, is left out.
 * What it says is bounded before it is used. Names come from the send itself,
 * else from xenstore, if that answers.
 *
 * Blocking: a second at most for each send that does not answer. Threads: one
 * at a time.
 */
#ifndef XL_MIGRATE_RUNNING_H
#define XL_MIGRATE_RUNNING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control_call.h"
#include "status.h"
#include "xcext.h"

#define RUNNING_MAX           256
#define RUNNING_PROGRAM_BYTES 17 /* the kernel's 15, a newline, NUL */

struct running {
    uint32_t domid;
    pid_t pid;
    bool has_control;         /* a send: call is open */
    bool answered;            /* it said its status just now */
    struct control_call call; /* owned */
    char
        program[RUNNING_PROGRAM_BYTES]; /* as the kernel names it, "" unknown */
    char started[32];                   /* UTC as in the record; "" unknown */
    struct status status;
    char *record; /* the record's text, JSON; owned; NULL: none */
};

struct running_list {
    unsigned nr;
    struct running *all; /* by domid; owned */
};

/*
 * No folder: none. Errors: IO, naming it; RESOURCE. What cannot be read or
 * asked of one of them leaves that unknown.
 */
int running_find(const char *run_dir, struct running_list *ret_list,
                 struct xcx_err *err);
void running_done(struct running_list *list); /* idempotent */

/* Loads the list from where the configuration says; USAGE if nowhere. */
int running_load(struct running_list *ret_list, struct xcx_err *err);

/*
 * The one that text names: a domid, a name or a UUID. NULL with an error of
 * kind USAGE: there is none, or there are two of this name.
 */
struct running *running_pick(const struct running_list *list, const char *text,
                             struct xcx_err *err);

/* As the kernel names it; "" for a process that is gone. */
void running_program(pid_t pid, char ret_name[RUNNING_PROGRAM_BYTES]);

/* "web (7)", or "domain 7". */
void running_label(const struct running *running, char *ret, size_t bytes);

#endif
