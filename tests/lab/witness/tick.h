/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tick: the thread that keeps the stalls, of real-time priority where that
 * is permitted.
 *
 * Threads: tick_snapshot and tick_mark may be called by any thread; the lock
 * hands its holder's priority on, so that a reader causes no stall of its
 * own. tick_start and tick_stop belong to the main thread.
 */
#ifndef WITNESS_TICK_H
#define WITNESS_TICK_H

#include <pthread.h>
#include <stdbool.h>

#include "xcext/err.h"
#include "stall.h"

struct tick {
    /* set by tick_start */
    int64_t interval_ns;
    pthread_t thread;
    bool started;
    bool realtime; /* the priority was permitted */

    /* written by main, read by the thread */
    bool stop; /* atomic */

    /* under lock: written by the thread, reset by tick_mark */
    pthread_mutex_t lock;
    struct stall_set since_start;
    struct stall_set since_mark;
};

/* tick: zeroed. Errors: RESOURCE. */
int tick_start(struct tick *tick, unsigned interval_ms, struct xcx_err *err);

/* Waits for the thread's end. Idempotent; takes a zeroed tick. */
void tick_stop(struct tick *tick);

/* Copies both sets; either may be NULL. */
void tick_snapshot(struct tick *tick, struct stall_set *ret_since_start,
                   struct stall_set *ret_since_mark);

/* Returns the set since the last mark and begins an empty one. */
void tick_mark(struct tick *tick, struct stall_set *ret_since_mark);

#endif
