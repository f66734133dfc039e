/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe: how fast bytes get to the target, by the very way that the data will
 * go: the same ssh, into a command there that throws them away. It needs a
 * shell at the target and no plugin.
 *
 *   "echo …"            ──▶ sh     answered: connected
 *   "echo …; exec cat"  ──▶ sh     answered: one round trip
 *   bytes, for a second ──▶ cat    its end: all of them have arrived
 *
 * The guest's side of the probing is xcx_probe().
 */
#ifndef XL_MIGRATE_PROBE_H
#define XL_MIGRATE_PROBE_H

#include <stdint.h>

#include "xcext.h"

struct probe_link {
    uint64_t bytes_per_s;
    uint64_t round_trip_ns; /* one line there and back */
    uint64_t connect_ns;    /* until the target answered first */
    uint64_t bytes;         /* that were sent for it */
};

struct probe_link_params {
    const char *ssh; /* as transport_ssh_start() has it */
    const char *host;
    uint64_t duration_ns;       /* of sending; 0: one second */
    uint64_t limit_bytes_per_s; /* 0: none */
    uint64_t answer_ns;         /* connecting at most, and the end; 0: 60 s */
    int cancel_fd;              /* -1, or readable to cancel */
    const struct xcx_log *log;  /* what ssh says; NULL: nowhere */
};

/*
 * Blocks for the duration and the time that connecting takes. SIGPIPE must be
 * ignored. Errors: PEER: no answer, or not the one expected; IO, CANCELLED,
 * RESOURCE.
 */
int probe_link(const struct probe_link_params *params,
               struct probe_link *ret_link, struct xcx_err *err);

#endif
