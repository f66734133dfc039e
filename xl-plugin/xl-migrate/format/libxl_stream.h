/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_stream: a push parser for a libxl stream of version 2, of any length
 * and from anyone. Pure; it takes no memory.
 *
 *   header ─▶ record header ─▶ body ────────────────────▶ record header …
 *               │  EMULATOR_*: their header, then bytes or pairs   ▲
 *               │  optional:   skipped ────────────────────────────┤
 *               ├─ LIBXC_CONTEXT: stops; the libxc stream is taken │
 *               │  by another hand ── its END ─────────────────────┤
 *               │        ▲     └───── its CHECKPOINT ─▶ records ─┐ │
 *               │        └─────────── CHECKPOINT_END ◀───────────┘ │
 *               └─ END: stops for good
 *
 * Source: docs/specs/libxl-migration-stream.pandoc, and for checkpoints
 * libxl_stream_read.c. Beyond the spec: exactly one LIBXC_CONTEXT, for
 * without it there is no domain. COLO's two-way streams are refused.
 *
 * Errors: STREAM with "libxl stream: record N (NAME) at byte OFFSET: "; what
 * a callback sets, with the same prefix. After one, feed no more.
 * Threads: one at a time; callbacks come on the thread that feeds.
 */
#ifndef XL_MIGRATE_LIBXL_STREAM_H
#define XL_MIGRATE_LIBXL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext.h"

#define LIBXL_STREAM_IDENT          "LibxlFmt" /* without its NUL */
#define LIBXL_STREAM_IDENT_BYTES    8
#define LIBXL_STREAM_HEADER_BYTES   16
#define LIBXL_STREAM_VERSION        2

#define LIBXL_STREAM_OPT_BIG_ENDIAN (1U << 0)
#define LIBXL_STREAM_OPT_LEGACY     (1U << 1) /* converted from legacy */

enum libxl_record_type {
    LIBXL_REC_END,
    LIBXL_REC_LIBXC_CONTEXT,
    LIBXL_REC_EMULATOR_XENSTORE_DATA,
    LIBXL_REC_EMULATOR_CONTEXT,
    LIBXL_REC_CHECKPOINT_END,
    LIBXL_REC_CHECKPOINT_STATE,
    LIBXL_NR_RECORD_TYPES,
};
#define LIBXL_REC_OPTIONAL        UINT32_C(0x80000000)
#define LIBXL_RECORD_HEADER_BYTES 8

enum libxl_emulator {
    LIBXL_EMULATOR_UNKNOWN,
    LIBXL_EMULATOR_QEMU_TRADITIONAL,
    LIBXL_EMULATOR_QEMU_UPSTREAM,
};

/* xenstore's own limits on a relative path and a value. */
#define LIBXL_XENSTORE_KEY_BYTES   2048
#define LIBXL_XENSTORE_VALUE_BYTES 4096
/* One record of pairs; libxl itself sends a few hundred bytes. */
#define LIBXL_XENSTORE_MAX_BYTES (1U << 20)

/* "END" and so on; "unknown" for the others. */
const char *libxl_record_name(uint32_t type);

/* Callbacks return 0, or -1 with err set; any may be NULL. */
struct libxl_stream_ops {
    void *opaque;
    int (*header)(void *opaque, uint32_t options, struct xcx_err *err);
    /* Each record, before all else of it: type, length, order are legal. */
    int (*record)(void *opaque, uint32_t type, uint32_t body_bytes,
                  uint64_t offset, struct xcx_err *err);
    /* A pair of EMULATOR_XENSTORE_DATA; the texts are valid now only. */
    int (*xenstore)(void *opaque, uint32_t emulator, uint32_t index,
                    const char *key, const char *value, struct xcx_err *err);
    /* A piece of an EMULATOR_CONTEXT; not called for an empty one. */
    int (*context)(void *opaque, uint32_t emulator, uint32_t index,
                   const void *bytes, size_t nr_bytes, struct xcx_err *err);
};

enum libxl_stream_state {
    LIBXL_STREAM_HEADER,
    LIBXL_STREAM_RECORD_HEADER,
    LIBXL_STREAM_EMULATOR_HEADER,
    LIBXL_STREAM_XENSTORE_KEY,
    LIBXL_STREAM_XENSTORE_VALUE,
    LIBXL_STREAM_CONTEXT,
    LIBXL_STREAM_SKIP,  /* padding, and optional records */
    LIBXL_STREAM_LIBXC, /* libxc's bytes: libxl_stream_libxc_done() goes on */
    LIBXL_STREAM_END,
};

struct libxl_stream {
    struct libxl_stream_ops ops;
    enum libxl_stream_state state;
    uint64_t start;         /* offset of the header */
    uint64_t offset;        /* of the next byte */
    uint64_t record_offset; /* of the current record's header */
    uint64_t nr_records;    /* whose header was taken; the last is current */
    uint32_t type, body_bytes;
    uint64_t left;      /* bytes to come of a header, a body, a padding */
    bool had_libxc;     /* LIBXC_CONTEXT was there */
    bool in_checkpoint; /* between libxc's CHECKPOINT and CHECKPOINT_END */
    uint32_t emulator, index;
    uint32_t buf_bytes;
    uint8_t buf[LIBXL_STREAM_HEADER_BYTES]; /* a header so far */
    uint32_t key_bytes, value_bytes;
    char key[LIBXL_XENSTORE_KEY_BYTES + 1]; /* a pair so far */
    char value[LIBXL_XENSTORE_VALUE_BYTES + 1];
};

/* offset: where the stream begins in the caller's file. ops are copied. */
void libxl_stream_init(struct libxl_stream *stream,
                       const struct libxl_stream_ops *ops, uint64_t offset);

/* Takes bytes until they are used up or the state is LIBXC or END. */
int libxl_stream_feed(struct libxl_stream *stream, const void *bytes,
                      size_t nr_bytes, size_t *ret_used, struct xcx_err *err);

/*
 * In the state LIBXC: so many bytes were libxc's and have been taken, and
 * ended with its END or with a CHECKPOINT.
 */
void libxl_stream_libxc_done(struct libxl_stream *stream, uint64_t nr_bytes,
                             bool checkpoint);

/* The input has ended: 0 if the stream is complete, else STREAM. */
int libxl_stream_finish(const struct libxl_stream *stream, struct xcx_err *err);

#endif
