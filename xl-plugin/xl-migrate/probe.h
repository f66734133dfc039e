/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe: how fast bytes get to the target, by the very way that the data will
 * go: the same ssh, into a command there that throws them away.
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

#define PROBE_LINK_DEFAULT_NS UINT64_C(1000000000)

/*
 * Sends for about duration_ns, and at most limit_bytes_per_s if that is not
 * 0. argv: what runs a shell command, its last argument, at the target
 * ("ssh", "HOST"); NULL at its end. cancel_fd: -1, or readable to cancel.
 * Blocks for the duration and the time that connecting takes, 30 s at most.
 * Errors: PEER: no answer, or not the one expected; IO, CANCELLED, RESOURCE.
 */
int probe_link(const char *const *argv, uint64_t duration_ns,
               uint64_t limit_bytes_per_s, int cancel_fd,
               struct probe_link *ret_link, struct xcx_err *err);

#endif
