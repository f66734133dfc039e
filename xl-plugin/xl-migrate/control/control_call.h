/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control_call: the other end of control.h: asks a running send.
 *
 * Blocking: up to the deadlines given. Threads: one at a time.
 */
#ifndef XL_MIGRATE_CONTROL_CALL_H
#define XL_MIGRATE_CONTROL_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "xl-migrate/wire/channel.h"
#include "status.h"
#include "xcext.h"

struct control_call {
    int fd;    /* -1: not open */
    pid_t pid; /* who serves it */
    struct channel channel;
};

#define CONTROL_CALL_INIT                                                      \
    ((struct control_call){.fd = -1, .channel = CHANNEL_INIT})

/*
 * *ret_absent: nobody serves this domain, which is no error. Errors: IO,
 * RESOURCE; PEER: what serves it is neither root's nor this user's.
 */
int control_call_open(struct control_call *call, const char *run_dir,
                      uint32_t domid, bool *ret_absent, struct xcx_err *err);
void control_call_close(struct control_call *call); /* idempotent */

/*
 * Says a message (begun by message_begin(), its object still open) and hears
 * the answer, which is the caller's. An answer of type "error" becomes an
 * error of kind PEER. IO, ETIMEDOUT: no answer in time.
 */
int control_call_ask(struct control_call *call, struct json *request,
                     uint64_t deadline_ns, struct message *ret,
                     struct xcx_err *err);

int control_call_status(struct control_call *call, uint64_t deadline_ns,
                        struct status *ret, struct xcx_err *err);

#endif
