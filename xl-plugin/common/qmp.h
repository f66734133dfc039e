/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp: a conversation with a QEMU over a unix socket, in the QEMU Machine
 * Protocol: a JSON object a line each way, events in between, which are
 * ignored.
 *
 * The other end may have been taken over by its guest. So a line has at most
 * QMP_MAX_LINE_BYTES, nests at most QMP_MAX_DEPTH levels, text of its in a
 * message has no control characters, and all of a conversation, the lock
 * included, ends by a deadline.
 *
 * The lock is libxl's for the socket, which has one client at a time; its
 * file goes away with its holder. So who gets it has to look whether the file
 * still has its name.
 *
 * Source: docs/interop/qmp-spec.txt of QEMU. Errors: PEER, IO, RESOURCE.
 * Threads: one at a time.
 */
#ifndef XL_PLUGIN_QMP_H
#define XL_PLUGIN_QMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "xcext.h"

#define QMP_MAX_LINE_BYTES (1U << 20)
#define QMP_MAX_DEPTH      64
#define QMP_PATH_BYTES     108 /* as in struct sockaddr_un */

struct qmp {
    int fd;      /* -1: not connected */
    int lock_fd; /* -1: not held */
    char lock_path[QMP_PATH_BYTES + 128];
    uint64_t deadline_ns; /* monotonic */
    uint64_t last_id;
    char *buf; /* owned; what came behind the last line */
    size_t buf_bytes, buf_room;
};

#define QMP_INIT ((struct qmp){.fd = -1, .lock_fd = -1})

/*
 * Lock, connection, greeting and capabilities; all of the conversation ends
 * within timeout_ms from now.
 */
int qmp_open(struct qmp *qmp, const char *socket_path, const char *lock_path,
             unsigned timeout_ms, struct xcx_err *err);

/*
 * A command. arguments: fills in the object of that name, or
 * NULL for none. send_fd: goes along, -1 for none; stays the caller's.
 */
struct qmp_command {
    const char *name;
    void (*arguments)(yajl_gen gen, const void *opaque);
    const void *opaque;
    int send_fd;
};

/* *ret_answer, if wanted: all of it, "return" included; by yajl_tree_free(). */
int qmp_run(struct qmp *qmp, const struct qmp_command *command,
            yajl_val *ret_answer, struct xcx_err *err);

/* For arguments(). What yajl cannot write fails the command. */
void qmp_argument_text(yajl_gen gen, const char *key, const char *value);
void qmp_argument_bool(yajl_gen gen, const char *key, bool value);
void qmp_argument_count(yajl_gen gen, const char *key, unsigned value);

/* Idempotent. */
void qmp_close(struct qmp *qmp);

#endif
