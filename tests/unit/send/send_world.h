/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_world: one domain and a target that does what the test directs, for
 * send_run(): what is around it is played by send_world.c.
 */
#ifndef TESTS_UNIT_SEND_WORLD_H
#define TESTS_UNIT_SEND_WORLD_H

#include <stdbool.h>

#include "xl-migrate/cli/command.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/guest_watch.h"
#include "xl-migrate/handover/handover.h"

#define SEND_WORLD_GLANCE 9    /* of changes: the look at GO */
#define SEND_WORLD_BYTES  8192 /* of what is said */

/*
 * What the target does, in order; ENDS ends the connection for good, LOST only
 * that one. It knows of the case still when there is another.
 */
enum deed { ENDS, LOST, SETTLES, READY, STARTING, ABORTED };

/* How the target answers when it is to receive. */
enum answer { ACCEPTS, SAYS_NO, FALLS_SILENT, GUEST_ENDS };

/* Zeroed: the guest runs and nothing fails; deeds are to be set. */
extern struct send_world {
    enum domain_state state;
    enum handover_copy copy; /* of the domain that is to move, 7 */
    enum handover_copy anew; /* of one that it has become meanwhile, 9 */
    unsigned anew_after;     /* so many looks */
    enum guest_end guest_end, logged_end; /* while it is copied */
    bool destroy_fails, refused, stock, quiet, dry_run, unchecked;
    const char *find_fails;       /* why; NULL: it does not */
    const char *stream_fails;     /* the same */
    enum handover_copy copy_then; /* at the end of the stream */
    bool by_another;              /* it stops, but for another program */
    bool stops_unasked;           /* just before it is asked to suspend */
    /* What another program does as the target is ready. */
    bool ends_at_ready;
    bool saver_at_ready;
    const char *renamed_at_ready;
    const char *renamed; /* by now; NULL: it was not */
    int saver;           /* another program's save helper; 0: none */
    enum answer answer;
    const enum deed *deeds;
    unsigned failing_read, nr_reads; /* of the keys; 0: none */
    bool journal_is_stock;
    enum xcx_err_kind hook_fails; /* of pre-check */
    bool no_route, left_out;
    /* c, s, F: pre-check, pre-send, failed; u: undone, =: configuration read */
    char hooks[16];
    unsigned nr_hooks;
    const char *config_file;
    bool held, unnamed, hold_fails; /* libxl's lock of the configuration */
    char checked_config[32], sent_config[32];
    unsigned changes,
        nr_same_checks; /* the check that finds a change; 0: none */
    char told[128];     /* what the target was, in order: keys and words */
} fake;

/* Zeroes it. */
void send_world_reset(void);

/* send_run(); the exit status, and what it prints and complains of. */
int send_world_run(char said[SEND_WORLD_BYTES]);

/* The entry of the case that is left, removed; NONE: none is. */
enum handover_entry send_world_take_case(void);

/* An earlier one of the domain, which nobody has settled. */
void send_world_leave_case(const char *id);

#endif
