/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hooks: the administrator's own programs, run at certain points of a case.
 *
 *   source   pre-check ── pre-send ── copy ────────────────────── failed
 *   target                            copy ── pre-start ── post-start, failed
 *
 * Run are the executables of the hooks' folder in the order of their names
 * (as bytes), one after the other, with the phase as the only argument and
 * the case in the environment:
 *
 *   XL_MIGRATE_PHASE, _SIDE (source, target), _ID, _UUID, _NAME, _DOMID,
 *   _SOURCE, _TARGET (the two hosts), _ERROR (of failed); what is not known
 *   is empty.
 *
 * Names have letters, digits, "-" and "_" only, as with run-parts; other files
 * are left out, and so is what is not executable. Each has its time limit, no
 * input, and its output goes to the log line by line, bounded.
 *
 * A folder or a file that others than root (or this user) could write, or
 * whose path leads through such a folder, is refused (safe_path.h): an error,
 * since leaving it out could be what an attacker wants.
 *
 * Blocking: as long as the programs run. Threads: any.
 */
#ifndef XL_MIGRATE_HOOKS_H
#define XL_MIGRATE_HOOKS_H

#include <stdint.h>

#include "xcext.h"

enum hooks_phase {
    HOOKS_PRE_CHECK,  /* source: before anything is looked at */
    HOOKS_PRE_SEND,   /* source: checked, nothing done yet */
    HOOKS_PRE_START,  /* target: the guest is whole and about to run */
    HOOKS_POST_START, /* target: it runs */
    HOOKS_FAILED,     /* either: given up, everything put back; the source:
                         at any time after it ran those of pre-check */
};

/* Texts are the caller's; NULL: not known. */
struct hooks_case {
    const char *side; /* "source" or "target" */
    const char *id;
    const char *uuid;
    const char *name;
    uint32_t domid; /* at this end; 0: not known */
    const char *source, *target;
    const char *error; /* of HOOKS_FAILED */
};

struct hooks {
    const char *dir;           /* hooks_dir of the configuration; "": none */
    uint64_t timeout_ms;       /* of each program */
    const struct xcx_log *log; /* NULL: nobody */
    int cancel_fd;             /* -1: none; readable: CANCELLED */
};

/*
 * 0 when all that there were ended with status 0. Else, kind GUEST, the first
 * that did not: before the start no further one is run then; with
 * HOOKS_POST_START and HOOKS_FAILED all are. Other errors: USAGE for what is
 * refused, CANCELLED, RESOURCE, IO.
 */
int hooks_run(const struct hooks *hooks, enum hooks_phase phase,
              const struct hooks_case *about, struct xcx_err *err);

/* "pre-check", ... */
const char *hooks_phase_name(enum hooks_phase phase);

#endif
