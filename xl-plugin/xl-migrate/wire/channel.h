/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel: the control channel: messages (message.h) as lines over two fds,
 * either way.
 *
 *   source  send ── to_fd ──▶ ssh ──▶ in_fd ── receive   target
 *                ◀─ in_fd ─── ssh ◀── to_fd ──
 *
 * - A line has 65536 bytes at most. Before the peer's first message 64 lines
 *   that do not begin with '{' are skipped: what a login prints.
 * - A message of type "alive" is the peer's promise to be heard of again within
 *   "within_s" seconds (keepalive.h); it is not given out.
 * - Nothing written blocks beyond its deadline, whether the fds are blocking
 *   or not: what the peer does not read yet waits in a bounded buffer. No flag
 *   of the fds is changed. SIGPIPE must be ignored.
 *
 * Errors: PEER (nonsense, or gone), IO (os_errno ETIMEDOUT: a deadline),
 * RESOURCE. After PEER or IO other than ETIMEDOUT the channel is of no use.
 * Threads: one at a time, and beside it one for what says so below.
 */
#ifndef XL_MIGRATE_CHANNEL_H
#define XL_MIGRATE_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/lines.h"
#include "message.h"
#include "xcext.h"

#define CHANNEL_PROTOCOL      1
#define CHANNEL_LINE_BYTES    65536
#define CHANNEL_SKIPPED_LINES 64
#define CHANNEL_OUT_BYTES     (4U * CHANNEL_LINE_BYTES)
#define CHANNEL_MAX_PROMISE_S 3600
/*
 * A case that is asked for on a new connection ("reattach"), from within:
 *   RECEIVE_STOP_MS, three times   the process that has it stops its xl
 *   CHANNEL_YIELD_MS               the new one waits for the old one's end
 *   CHANNEL_REATTACH_MS            the source waits for the new one's answer,
 *                                  and must not ask a third one meanwhile
 */
#define CHANNEL_YIELD_MS    40000
#define CHANNEL_REATTACH_MS (CHANNEL_YIELD_MS + 20000)

struct channel {
    const char *peer; /* for messages of errors; the caller's */
    struct lines in;
    int out_fd; /* the caller's; -1 once it is not to be written to */
    bool out_is_socket;
    bool begun; /* the peer's first message was there */
    unsigned nr_skipped;
    pthread_mutex_t out_lock;
    char *out; /* owned; what is yet to be written */
    size_t out_bytes;
    /* Atomic, as the second thread reads them. */
    uint64_t heard_ns;   /* when anything came last */
    uint64_t promise_ns; /* within so long it comes again; 0: not promised */
};

#define CHANNEL_INIT                                                           \
    ((struct channel){.in = {.fd = -1},                                        \
                      .out_fd = -1,                                            \
                      .out_lock = PTHREAD_MUTEX_INITIALIZER})

/* The fds stay the caller's and must outlive it. */
int channel_init(struct channel *channel, int in_fd, int out_fd,
                 const char *peer, struct xcx_err *err);
void channel_done(struct channel *channel); /* idempotent */

/* ---- hearing ------------------------------------------------------------ */

/*
 * For a loop of the caller's: when in.fd is readable, channel_fill(), then
 * channel_next() until it returns 0: 1 and a message (message_done() is the
 * caller's), 0: no whole one yet; in.ended tells the end, when it is 0.
 */
int channel_fill(struct channel *channel, struct xcx_err *err);
int channel_next(struct channel *channel, struct message *ret,
                 struct xcx_err *err);

/*
 * Waits for one: 1, or 0 when the peer has closed its end. Writes meanwhile
 * what still waits to be written.
 */
int channel_receive(struct channel *channel, uint64_t deadline_ns,
                    struct message *ret, struct xcx_err *err);

/* Until when the peer has promised to be heard of, or DEADLINE_NEVER. */
uint64_t channel_due_ns(const struct channel *channel);

/* Whether it keeps its promise: heard of within half of the time, at least. */
bool channel_is_heard(const struct channel *channel);

/* For the second thread: when anything was read last; 0: not promised. */
uint64_t channel_heard_ns(const struct channel *channel);
uint64_t channel_promise_ns(const struct channel *channel);

/* ---- saying ------------------------------------------------------------- */

/*
 * The second thread's: promises to be heard of again. While other messages
 * wait, it writes what it can of them, and says nothing behind them.
 */
void channel_promise(struct channel *channel, unsigned within_s);

/*
 * Closes the message's object and puts it behind what waits; writes what can
 * be written at once. RESOURCE if there is no room: the peer does not read.
 */
int channel_put(struct channel *channel, struct json *json,
                struct xcx_err *err);

/* Sends as above, but drops the message silently if others wait. */
int channel_offer(struct channel *channel, struct json *json,
                  struct xcx_err *err);

/* channel_put(), and waits until all is written. */
int channel_send(struct channel *channel, struct json *json,
                 uint64_t deadline_ns, struct xcx_err *err);

/* Writes what can be written; when out_fd is writable and out_bytes not 0. */
int channel_flush(struct channel *channel, struct xcx_err *err);

/*
 * Before out_fd is closed: what waits is dropped, and whatever is said from now
 * on, by the second thread, too, is said to one that is gone (PEER, EPIPE).
 */
void channel_end_output(struct channel *channel);

/* {"type":"error","code":code,"text":text}, plain ASCII. */
int channel_send_error(struct channel *channel, const char *code,
                       const char *text, uint64_t deadline_ns,
                       struct xcx_err *err);

/*
 * A message of type "error" as an error of kind PEER, "PEER: TEXT"; *ret_code,
 * if wanted, lives as long as the message ("" if there is none).
 */
int channel_take_error(const struct channel *channel,
                       const struct message *message, const char **ret_code,
                       struct xcx_err *err);

/* PEER: a message that nobody expects here. */
int channel_unexpected(const struct channel *channel,
                       const struct message *message, struct xcx_err *err);

#endif
