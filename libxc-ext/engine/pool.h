/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool: a ring of workers (engine/worker.h) that map ahead while one writes.
 *
 *        oldest                     next
 *   ──▶ [writing] [mapped] [mapping] [idle] ──▶   turn goes round
 *
 * A worker is replaced after XCX_POOL_LIFE_PAGES: what it mapped is held
 * until it exits, so pages that the guest gives back would stay allocated, and
 * before the guest is suspended all that is held is waited for (renew()).
 * Old ones exit beside the new ones; how many may be doing so is bounded.
 */
#ifndef XCX_ENGINE_POOL_H
#define XCX_ENGINE_POOL_H

#include "engine/worker.h"

#define XCX_POOL_MAX_WORKERS 8
#define XCX_POOL_LIFE_PAGES  (4 * XCX_WORKER_MAX_PAGES)

struct xcx_pool {
    const struct xcx_hv *hv;
    int stream_fd;
    unsigned nr_workers; /* 0: there are none, the caller maps itself */
    uint64_t life_pages; /* XCX_POOL_LIFE_PAGES, unless the caller says else */
    struct xcx_worker workers[XCX_POOL_MAX_WORKERS];
    pid_t retired[XCX_POOL_MAX_WORKERS]; /* told to exit, not yet reaped */
};

/*
 * How many workers: as asked for (0: it is left to us, XCX_NO_WORKERS: none),
 * but no more than a pool takes. More than a few only wait for each other.
 */
unsigned xcx_pool_choose(unsigned asked);

/*
 * nr_workers 0 makes an empty pool. stream_fd -1: they do not write it, but
 * fill pages. Errors: RESOURCE; done() is due then.
 */
int xcx_pool_init(struct xcx_pool *pool, const struct xcx_hv *hv, int stream_fd,
                  unsigned nr_workers, struct xcx_err *err);

/* The worker of this turn, idle, young enough and running. */
int xcx_pool_ready(struct xcx_pool *pool, unsigned worker_index,
                   struct xcx_err *err);

/*
 * Replaces all (idle) workers that have mapped anything, and waits for the
 * old ones' exit, which takes as long as unmapping what they had mapped: so
 * that this happens while the guest runs, and not at the end of the blackout.
 */
int xcx_pool_renew(struct xcx_pool *pool, struct xcx_err *err);

/*
 * Retires the workers without starting new ones: ready() starts those that are
 * needed after all.
 */
void xcx_pool_rest(struct xcx_pool *pool);

/* Kills what runs, reaps all. Idempotent; fine on a zeroed struct. */
void xcx_pool_done(struct xcx_pool *pool);

#endif
