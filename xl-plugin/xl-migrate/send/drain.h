/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drain: waits until most of what was written has left this host. There is no
 * event for that: pipes and sockets say when there is room, not when they are
 * empty. So it looks every few milliseconds.
 *
 *   queued  |\
 *           | \__      DRAIN_LEFT_BYTES: too little to be felt
 *           |----\--------▶ returns
 *
 * A link that moves nothing for stuck_ns is not waited for any longer: who
 * writes next will notice.
 *
 * Blocking: as it says. Threads: one at a time.
 */
#ifndef XL_MIGRATE_DRAIN_H
#define XL_MIGRATE_DRAIN_H

#include <stdint.h>

#define DRAIN_LEFT_BYTES (64U << 10)
#define DRAIN_STUCK_NS   UINT64_C(1000000000)

struct drain {
    void *opaque;
    uint64_t (*queued_bytes)(void *opaque);
    void (*serve)(void *opaque); /* between the looks */
    int cancel_fd;               /* -1, or readable to go on at once */
    uint64_t stuck_ns;
};

void drain_wait(const struct drain *drain);

#endif
