/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keepalive: a thread of its own says that this end of a connection is alive,
 * whatever the process is busy with: a guest that suspends, a hook, a
 * disk. So silence means that the process, its host or the link is gone, and
 * never that something takes long.
 *
 *   source ── {"type":"alive","within_s":20}, each 5 s ──▶ target
 *          ◀── the same ───────────────────────────────────
 *
 * Who is silent for longer than it has promised is gone: receive's loop ends;
 * at the source, which may be blocked on the data, this thread calls gone(),
 * which makes fds readable that every wait there looks at.
 * One that never promised is never taken for gone.
 *
 * Time that this host itself stood still does not count: a wait counts as what
 * it was to be.
 *
 * Threads: started and stopped by the channel's own.
 */
#ifndef XL_MIGRATE_KEEPALIVE_H
#define XL_MIGRATE_KEEPALIVE_H

#include <pthread.h>
#include <stdbool.h>

#include "channel.h"
#include "xcext.h"

struct keepalive {
    bool runs;
    pthread_t thread;
    int stop_fd; /* owned */
    struct channel *channel;
    unsigned within_s;
    /*
     * In the thread, again and again as long as the peer is silent; or NULL.
     */
    void (*gone)(void *opaque);
    void *opaque;
};

#define KEEPALIVE_INIT ((struct keepalive){.stop_fd = -1})

/*
 * Says it at once, and four times as often as promised: within_s is 1 to
 * CHANNEL_MAX_PROMISE_S. The channel and opaque must outlive it. RESOURCE.
 */
int keepalive_start(struct keepalive *keepalive, struct channel *channel,
                    unsigned within_s, void (*gone)(void *opaque), void *opaque,
                    struct xcx_err *err);

/* Idempotent; gone() is not called any more then. */
void keepalive_stop(struct keepalive *keepalive);

#endif
