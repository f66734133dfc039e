/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send: a whole migration from its source:
 *
 *   find ─▶ pre-check ─▶ configuration ─▶ connect ─▶ check
 *     ─▶ OFFERED on disk ─▶ pre-send ─▶ begin ─▶ stream (send_stream.h)
 *     ─▶ xenstore keys ─▶ handover (settle.h) ─▶ report
 *
 * Whatever fails before OFFERED leaves nothing behind; whatever fails after it
 * is withdrawn by the handover, which puts the guest back and has the target
 * forget it.
 *
 * Blocking: for minutes. Signals: SIGTERM, SIGINT and SIGHUP cancel, as long
 * as that is possible. Once in a process.
 */
#ifndef XL_MIGRATE_SEND_H
#define XL_MIGRATE_SEND_H

#include <stdbool.h>

#include "xl-migrate/check/check_ids.h"
#include "common/config.h"
#include "xl-migrate/peer/peer.h"

struct send_options {
    const char *domain; /* name, domid or UUID */
    const char *host;
    const char *ssh;         /* -s; NULL: as configured */
    const char *config_file; /* -C; NULL: the guest's own configuration */
    enum peer_kind kind;
    struct check_ids ignore; /* --ignore */
    bool pause;              /* -p */
    bool keep_domid;         /* -D */
    bool no_monitor;         /* -e */
    bool debug, dry_run, json, quiet;
};

/* Returns the exit status; errors are printed. */
int send_run(const struct send_options *options, const struct config *config);

#endif
