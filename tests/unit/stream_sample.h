/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream_sample: random legal streams made by the writer, with a text log of
 * what went in; and reader callbacks that log what comes out in the same
 * words. The two logs are equal exactly if nothing was lost or changed.
 * For tests only: running out of memory aborts.
 */
#ifndef STREAM_SAMPLE_H
#define STREAM_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "stream/reader.h"
#include "stream/writer.h"

/* xorshift64*: the same numbers for the same seed everywhere. */
uint64_t sample_random(uint64_t *seed);

/* Bytes or text that grow; the text is NUL-terminated. */
struct sample_buf {
    char *data;
    size_t bytes, room;
};

void sample_buf_done(struct sample_buf *buf);
void sample_log(struct sample_buf *log, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A sink that appends to the struct sample_buf it is opaque to. */
struct xcx_sink sample_sink(struct sample_buf *buf);

enum sample_kind {
    SAMPLE_HVM,
    SAMPLE_HVM_VERIFY,
    SAMPLE_HVM_REMUS,
    SAMPLE_PV64,
    SAMPLE_PV32,
    SAMPLE_NR_KINDS,
};

/* Pfns and vCPUs in samples go no higher. */
#define SAMPLE_MAX_PFN     0xfffff
#define SAMPLE_MAX_VCPU_ID 15

struct xcx_reader_limits sample_limits(enum sample_kind kind);

/* Appends a whole stream to bytes and what is in it to log. */
void sample_make(enum sample_kind kind, uint64_t seed, struct sample_buf *bytes,
                 struct sample_buf *log);

/* What the logging callbacks need; zeroed at first. */
struct sample_events {
    struct sample_buf log;
    uint64_t page_hash;
    uint32_t page_bytes;
};

struct xcx_reader_ops sample_ops(struct sample_events *events);

#endif
