/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover: finishes cases that a migration left behind, from either end and
 * with nothing but the journals: after a process died, a link was lost, or
 * either host was down.
 *
 *   source   asks the target (settle.h) and goes on or back
 *   target   makes good what its journal asks for; the source decides the
 *            rest, so it says where to run recover. A receive that is still
 *            at it is asked to let go, which it does once its source is silent
 *
 * Blocking: as long as the target is tried. Once in a process.
 */
#ifndef XL_MIGRATE_RECOVER_H
#define XL_MIGRATE_RECOVER_H

#include <stdbool.h>

#include "common/config.h"
#include "xl-migrate/peer/peer.h"

struct recover_options {
    const char *what;    /* ID, name, UUID or domid; NULL: all */
    const char *ssh;     /* -s; NULL: as configured */
    enum peer_kind kind; /* where an old journal does not tell it */
    bool target_is_fenced;
};

/* Returns the exit status, the worst of all; what it found is printed. */
int recover_run(const struct recover_options *options,
                const struct config *config);

#endif
