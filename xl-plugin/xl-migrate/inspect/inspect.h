/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inspect: reads what a saved domain contains, whichever layer it begins with.
 * A push parser over the parsers of the layers; no fds.
 *
 *   "Xen saved domain…" ─▶ xl header ─▶ libxl stream ─▶ libxc stream
 *   "LibxlFmt" ───────────────────────▶ libxl stream      ▲  │
 *   eight bytes 0xff ─────────────────────────────────────┘  ▼
 *                                       libxl stream's other records
 *
 * All offsets count from the input's first byte. What follows the outermost
 * layer's end is counted and no error: stock does not look at it either.
 * Memory: see xcx_inspector_new(), and 4 MiB for the configuration.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_INSPECT_H
#define XL_MIGRATE_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xl-migrate/format/libxl_stream.h"
#include "xcext.h"
#include "xl-migrate/format/xl_config.h"
#include "xl-migrate/format/xl_header.h"

#define INSPECT_MAGIC_BYTES 8

enum inspect_layer {
    INSPECT_NONE, /* not known yet, or not one of ours */
    INSPECT_XL,
    INSPECT_LIBXL,
    INSPECT_LIBXC,
};

/* "xl", "libxl", "libxc"; NULL for NONE. */
const char *inspect_layer_name(enum inspect_layer layer);

#define INSPECT_LIBXL_OTHER  LIBXL_NR_RECORD_TYPES /* optional, unknown */
#define INSPECT_NR_KINDS     (LIBXL_NR_RECORD_TYPES + 1)
#define INSPECT_NR_EMULATORS 4 /* by enum libxl_emulator; the last: others */

struct inspect_emulator {
    uint64_t context_bytes;
    uint64_t nr_xenstore_keys;
};

struct inspect {
    enum inspect_layer outer; /* where it begins */
    enum inspect_layer now;   /* whose bytes come next; where it failed */
    unsigned magic_bytes;
    uint8_t magic[INSPECT_MAGIC_BYTES];
    uint64_t nr_bytes;       /* taken, trailing ones not counted */
    uint64_t trailing_bytes; /* behind the end */
    bool ended;              /* all layers are complete */
    struct xl_header header;
    bool has_config; /* config was parsed */
    struct xl_config config;
    struct libxl_stream libxl;
    uint32_t libxl_options;
    struct xcx_inspect_kind kinds[INSPECT_NR_KINDS]; /* libxl's */
    struct inspect_emulator emulators[INSPECT_NR_EMULATORS];
    uint64_t libxc_part_bytes;   /* since libxl's layer handed over */
    struct xcx_inspector *libxc; /* owned; NULL before its stream begins */
    struct xcx_err err;          /* the first; kind OK: none so far */
};

void inspect_init(struct inspect *inspect);

/* Idempotent. */
void inspect_done(struct inspect *inspect);

/* Takes all bytes. -1 once the stream is broken or memory ran out: ->err. */
int inspect_feed(struct inspect *inspect, const void *bytes, size_t nr_bytes);

/* The input has ended: 0 for a legal and complete stream, else -1: ->err. */
int inspect_finish(struct inspect *inspect);

/* Where ->err happened; name "" where it was in a header. */
struct inspect_place {
    const char *layer; /* as inspect_layer_name() */
    const char *record_name;
    uint64_t record_index; /* from 0, in its layer */
    uint64_t record_offset;
    uint64_t offset; /* bytes that had been taken */
};
struct inspect_place inspect_place(struct inspect *inspect);

#endif
