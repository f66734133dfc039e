/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl_header: the header that xl puts before a libxl stream, in a file that `xl
 * save` writes and at the start of a migration. A push parser, pure; the only
 * memory it takes is for the configuration, as its bytes arrive.
 *
 *   magic[32] | byte order u32 | mandatory u32 | optional u32 | data bytes u32
 *   then, of the data: configuration's bytes u32 | configuration | the rest
 *
 * Source: tools/xl/xl.h, "struct save_file_header" and what follows it. All
 * integers are taken as little-endian: Xen on x86 writes no other.
 *
 * Errors: STREAM with "xl header: " and the offset; RESOURCE. Offsets are
 * from the header's first byte. After an error, feed no more.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_XL_HEADER_H
#define XL_MIGRATE_XL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext.h"

#define XL_HEADER_MAGIC_BYTES 32
#define XL_HEADER_BYTES       48
/* Real ones have some KiB; much more is nothing that xl has written. */
#define XL_HEADER_MAX_DATA_BYTES (4U << 20)

#define XL_HEADER_FLAG_JSON      (1U << 0) /* the configuration is JSON */
#define XL_HEADER_FLAG_STREAM_V2 (1U << 1) /* a libxl stream follows */

/* In the writer's byte order: what a reader of another order would see. */
#define XL_HEADER_BYTE_ORDER 0x01020304U

extern const char xl_header_magic[XL_HEADER_MAGIC_BYTES];

enum xl_header_state {
    XL_HEADER_FIXED,
    XL_HEADER_CONFIG_BYTES,
    XL_HEADER_CONFIG,
    XL_HEADER_REST, /* optional data that nobody knows */
    XL_HEADER_DONE,
};

struct xl_header {
    enum xl_header_state state;
    uint64_t offset; /* bytes taken */
    uint32_t left;   /* bytes to come in this state */
    uint8_t buf[XL_HEADER_BYTES];
    uint32_t mandatory_flags, optional_flags, data_bytes;
    uint32_t config_bytes; /* as announced; 0: there is none */
    char *config;          /* owned; complete once the state is past CONFIG */
    uint32_t config_got_bytes, config_room_bytes;
};

void xl_header_init(struct xl_header *header);

/* Idempotent. */
void xl_header_done(struct xl_header *header);

/* Takes bytes until they are used up or the state is DONE. */
int xl_header_feed(struct xl_header *header, const void *bytes, size_t nr_bytes,
                   size_t *ret_used, struct xcx_err *err);

/* The input has ended: 0 if the header is complete, else STREAM. */
int xl_header_finish(const struct xl_header *header, struct xcx_err *err);

#endif
