/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream: one TCP connection to the echo server, opened once and kept as long
 * as the witness lives. Each byte follows from its place in the stream, so one
 * that is lost, doubled or changed on its way there or back is a wrong one,
 * and all behind a lost or doubled one are wrong as well. A connection that
 * ends stays ended: it is not opened again.
 *
 * Threads: one of its own. stream_get_counts by any, the rest by main.
 */
#ifndef WITNESS_STREAM_H
#define WITNESS_STREAM_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext/err.h"

#define STREAM_INTERVAL_MS 100
#define STREAM_CHUNK_BYTES 512 /* sent in each interval */

struct stream_counts {
    bool connected; /* it was, once */
    bool broken;    /* and then it ended or failed */
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t wrong_bytes; /* of those received */
};

struct stream {
    /* set by stream_start */
    struct sockaddr_in peer;
    pthread_t thread;
    bool started;

    /* atomic: written by main, read by the thread */
    bool stop;

    /* under lock; the thread writes */
    pthread_mutex_t lock;
    struct stream_counts counts;
};

/* The stream's byte at this place, from 0. Pure. */
uint8_t stream_byte(uint64_t place);

/* Counts what came back next. Pure. */
void stream_take(struct stream_counts *counts, const uint8_t *data,
                 size_t data_bytes);

/* stream: zeroed. peer: as for net_start. Errors: USAGE, RESOURCE. */
int stream_start(struct stream *stream, const char *peer, struct xcx_err *err);

/* Idempotent; takes a zeroed stream. */
void stream_stop(struct stream *stream);

void stream_get_counts(struct stream *stream, struct stream_counts *ret_counts);

#endif
