/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker: one forked process that maps batches of guest pages and writes
 * their bytes straight to the stream's fd (a restore: reads them from it), so
 * that they never cross the parent, and that exits without unmapping (in a PV
 * Dom0 the unmap is 80 % of the cost of a foreign map; the exit of a process
 * takes it down for less, and beside the others).
 *
 *   parent                            worker
 *     start()  ──────fork──────────▶
 *     map()    ──'M'──▶  frames[] of the shared area ──▶ mapping, errors[]
 *     wait()   ◀──'m'──
 *     write()  ──'W'──▶  pages of it, in order, to out_fd
 *     wait()   ◀──'w'──
 *     receive()──'R'──▶  frames[] ──▶ mapping, and into it from the fd
 *     wait()   ◀──'r'──
 *     retire() ──'Q'──▶  _exit; reaped when the pool has time
 *
 * The stream's order is the parent's business: it lets one worker write (or
 * read) at a time, and does nothing with the fd itself meanwhile.
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
    /* Written by the worker. */
    int errors[XCX_WORKER_MAX_PAGES]; /* of the map: errno or 0 */
    int map_errno;     /* of the whole map; 0: it has been done */
    size_t bytes_read; /* by receive(); less than asked for at the end */
    struct xcx_err err;
};

struct xcx_worker {
    pid_t pid; /* 0: not running */
    int sock;  /* -1: not running */
    struct xcx_worker_area *area;
    uint64_t nr_pages_mapped; /* in its life so far */
};

#define XCX_WORKER_INIT ((struct xcx_worker){.sock = -1})

/* Allocates the shared area. Errors: RESOURCE. */
int xcx_worker_init(struct xcx_worker *worker, struct xcx_err *err);

/* Forks; stream_fd is to be written or read. Errors: RESOURCE. */
int xcx_worker_start(struct xcx_worker *worker, const struct xcx_hv *hv,
                     int stream_fd, struct xcx_err *err);

/*
 * Starts mapping (writing, receiving) what the area says and returns at once;
 * wait() before anything else. receive() maps all of it to be written, and if
 * every page could be mapped, fills them. Errors: RESOURCE.
 */
int xcx_worker_map(struct xcx_worker *worker, struct xcx_err *err);
int xcx_worker_write(struct xcx_worker *worker, struct xcx_err *err);
int xcx_worker_receive(struct xcx_worker *worker, struct xcx_err *err);

/*
 * Waits for what was started last. A map that failed as a whole is in the
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
