/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "drain.h"

#include <poll.h>
#include <stdbool.h>

#include "common/deadline.h"

#define LOOK_MS 10

static bool is_cancelled(const struct drain *drain)
{
    struct pollfd cancel = {.fd = drain->cancel_fd, .events = POLLIN};

    return poll(&cancel, 1, LOOK_MS) > 0;
}

void drain_wait(const struct drain *drain)
{
    uint64_t least_bytes = UINT64_MAX, moved_ns = deadline_now_ns();

    for (;;) {
        uint64_t queued_bytes = drain->queued_bytes(drain->opaque);
        uint64_t now_ns = deadline_now_ns();

        if (queued_bytes < least_bytes) {
            least_bytes = queued_bytes;
            moved_ns = now_ns;
        }
        if (queued_bytes <= DRAIN_LEFT_BYTES ||
            now_ns - moved_ns >= drain->stuck_ns || is_cancelled(drain))
            return;
        drain->serve(drain->opaque);
    }
}
