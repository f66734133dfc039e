/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker: a forked process that maps batches of guest pages and writes
 * their bytes straight to the stream's fd, so that they never cross the parent
 * (a restore: fills them from a buffer that it shares with the parent), and
 * that exits without unmapping (in a PV Dom0 the unmap is 80 % of the cost of
 * a foreign map; the exit of a process takes it down for less, and beside the
 * others).
 *
 *   parent                            worker
 *     start()  ──────fork──────────▶
 *     map()    ──'M'──▶  frames[] of the shared area ──▶ mapping, errors[]
 *     wait()   ◀──'m'──
 *     write()  ──'W'──▶  pages of it, in order, to out_fd
 *     wait()   ◀──'w'──
 *     open()   ──'O'──▶  frames[] ──▶ mapping to be written, errors[]
 *     fill()   ──'F'──▶  contents ──▶ mapping, if all of it is there
 *     wait()   ◀──'o'──
 *     wait()   ◀──'f'──
 *     retire() ──'Q'──▶  _exit; reaped when the pool has time
 *
 * The stream's order is the parent's business: it lets one worker write at a
 * time, and does nothing with the fd itself meanwhile. Between open() and
 * fill(), while the worker maps, the parent puts the contents there.
 *
 * The worker makes no hypercall but the mapping, uses no xc_ call, logs
 * nothing, and dies with its parent. Cancelling is killing it: the stream is
 * worthless then anyway.
 */
#ifndef XCX_ENGINE_WORKER_H
#define XCX_ENGINE_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hv/hv.h"
#include "io/io.h"

#define XCX_WORKER_MAX_PAGES 1024

/* Shared by both; whose turn it is to touch it, the protocol says. */
struct xcx_worker_area {
    /* Written by the parent. */
    uint32_t nr_pages;
    uint64_t frames[XCX_WORKER_MAX_PAGES];
    bool skip[XCX_WORKER_MAX_PAGES]; /* do not write this one */
    uint64_t stall_ns; /* of a write, as in xcx_out; 0: no limit */
    /* Written by the worker. */
    int errors[XCX_WORKER_MAX_PAGES]; /* of the map: errno or 0 */
    int map_errno; /* of the whole map; 0: it has been done */
    struct xcx_err err;
};

struct xcx_worker {
    pid_t pid; /* 0: not running */
    int sock;  /* -1: not running */
    struct xcx_worker_area *area;
    uint8_t *contents; /* of XCX_WORKER_MAX_PAGES, shared; NULL: a save's */
    uint64_t nr_pages_mapped; /* in its life so far */
};

#define XCX_WORKER_INIT ((struct xcx_worker){.sock = -1})

/*
 * Allocates the shared area, and if it is to fill pages, room for contents.
 * Errors: RESOURCE; done() is due.
 */
int xcx_worker_init(struct xcx_worker *worker, bool fills, struct xcx_err *err);

/* Forks; stream_fd is to be written, or -1. Errors: RESOURCE. */
int xcx_worker_start(struct xcx_worker *worker, const struct xcx_hv *hv,
                     int stream_fd, struct xcx_err *err);

/*
 * Starts mapping (writing, filling) what the area says and returns at once;
 * wait() before anything else, but fill() may follow open(): then wait()
 * twice. fill() does nothing if a page could not be mapped. Errors: RESOURCE.
 */
int xcx_worker_map(struct xcx_worker *worker, struct xcx_err *err);
int xcx_worker_write(struct xcx_worker *worker, struct xcx_err *err);
int xcx_worker_open(struct xcx_worker *worker, struct xcx_err *err);
int xcx_worker_fill(struct xcx_worker *worker, struct xcx_err *err);

/*
 * Waits for what was started first. A map that failed as a whole is in the
 * area's map_errno. Errors: the worker's own (IO), RESOURCE if it died,
 * CANCELLED.
 */
int xcx_worker_wait(struct xcx_worker *worker, struct xcx_cancel cancel,
                    struct xcx_err *err);

/* Whether wait() would return at once. */
bool xcx_worker_has_answered(const struct xcx_worker *worker);

/* Tells an idle worker to exit; its pid, to be reaped, or 0. Idempotent. */
pid_t xcx_worker_retire(struct xcx_worker *worker);

/* Kills it if it runs, waits for it, frees the area. Idempotent. */
void xcx_worker_done(struct xcx_worker *worker);

#endif
