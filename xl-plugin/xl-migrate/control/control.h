/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control: the socket over which other shells ask a running send how far it
 * is, stop it and tune it:
 *
 *   xl-migrate status, cancel, tune ──▶ RUN_DIR/DOMID.sock ──▶ send
 *
 * Messages (message.h), a line each, 1024 bytes at most; an answer to each:
 *
 *   {"type":"status"}                           a message as in status.h
 *   {"type":"cancel"}                           {"type":"ok"}
 *   {"type":"tune","downtime_ms":50,...}        {"type":"ok"}
 *                                               {"type":"error","text":...}
 *
 * send serves it in passing: control_serve() whenever the engine calls back
 * (ops.limits, ops.progress), and when fd is readable in a poll of its own.
 * Nothing here ever blocks. While send is stuck in a write it does not answer;
 * `cancel` then sends it SIGTERM (common/cancel.h).
 *
 * Only root and this process's own user are served; CONTROL_MAX_CLIENTS at a
 * time, then whoever was silent longest goes; who does not read his answer
 * goes, too. SIGPIPE need not be ignored. Threads: one at a time.
 */
#ifndef XL_MIGRATE_CONTROL_H
#define XL_MIGRATE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "xcext.h"

#define CONTROL_MAX_CLIENTS 8
#define CONTROL_LINE_BYTES  1024

/* Called within control_serve(). */
struct control_ops {
    void *opaque;
    /* Initialised by status_init(); domid and limits are filled later. */
    void (*status)(void *opaque, struct status *status);
    /* 0: it will stop (cancel_request()); -1: too late, says why. */
    int (*cancel)(void *opaque, struct xcx_err *err);
    /* Optional. control->limits have become these; -1: too late. */
    int (*tune)(void *opaque, const struct xcx_policy_limits *limits,
                struct xcx_err *err);
};

struct control_client {
    int fd; /* -1: none */
    size_t used_bytes;
    uint64_t heard; /* when, in requests */
    char line[CONTROL_LINE_BYTES];
};

struct control {
    int fd; /* -1: not open; readable when control_serve() has work */
    struct xcx_policy_limits limits; /* in force: what tune changes */

    const struct control_ops *ops;
    uint32_t domid;
    int dir_fd, listen_fd;
    uint64_t nr_heard;
    struct control_client clients[CONTROL_MAX_CLIENTS];
};

#define CONTROL_INIT ((struct control){.fd = -1, .dir_fd = -1, .listen_fd = -1})

/*
 * Makes run_dir and the socket, in place of one that nobody serves any more;
 * run_dir "": there is none, and nothing to serve.
 * limits: to begin with. ops must outlive it. Errors: USAGE if another process
 * serves this domain; IO, RESOURCE: worth a warning, not a failure.
 */
int control_open(struct control *control, const char *run_dir, uint32_t domid,
                 const struct xcx_policy_limits *limits,
                 const struct control_ops *ops, struct xcx_err *err);

/* Does what there is to do, and returns. Harmless if it is not open. */
void control_serve(struct control *control);

/* Removes the socket; idempotent, takes CONTROL_INIT. */
void control_close(struct control *control);

#endif
