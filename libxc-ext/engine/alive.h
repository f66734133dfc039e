/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * alive: notices that a guest has ended while its memory is copied: that it
 * was destroyed, has rebooted, powered off or crashed, or was suspended by
 * somebody else. Xen goes on answering for its memory for a while, and a domain
 * that has ended writes none: it would look idle.
 *
 * Threads: the engine's one.
 */
#ifndef XCX_ENGINE_ALIVE_H
#define XCX_ENGINE_ALIVE_H

#include <stdint.h>

#include "hv/hv.h"

/* GUEST with what was seen if the domain does not run any more; HYPERCALL. */
int xcx_alive_check(const struct xcx_hv *hv, struct xcx_err *err);

struct xcx_alive {
    uint64_t next_ns; /* 0: at once */
};

/*
 * Looks as the function above does, ten times a second at most; returns 0 in
 * between.
 */
int xcx_alive_watch(struct xcx_alive *alive, const struct xcx_hv *hv,
                    struct xcx_err *err);

#endif
