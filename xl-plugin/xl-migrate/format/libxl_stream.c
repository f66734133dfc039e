/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "libxl_stream.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "wire.h"

#define EMULATOR_HEADER_BYTES 8
#define RECORD_ALIGN          8

const char *libxl_record_name(uint32_t type)
{
    static const char *const names[LIBXL_NR_RECORD_TYPES] = {
        [LIBXL_REC_END] = "END",
        [LIBXL_REC_LIBXC_CONTEXT] = "LIBXC_CONTEXT",
        [LIBXL_REC_EMULATOR_XENSTORE_DATA] = "EMULATOR_XENSTORE_DATA",
        [LIBXL_REC_EMULATOR_CONTEXT] = "EMULATOR_CONTEXT",
        [LIBXL_REC_CHECKPOINT_END] = "CHECKPOINT_END",
        [LIBXL_REC_CHECKPOINT_STATE] = "CHECKPOINT_STATE",
    };

    return type < LIBXL_NR_RECORD_TYPES ? names[type] : "unknown";
}

static void enter(struct libxl_stream *stream, enum libxl_stream_state state,
                  uint64_t bytes)
{
    stream->state = state;
    stream->left = bytes;
    stream->buf_bytes = 0;
}

static void next_record(struct libxl_stream *stream)
{
    enter(stream, LIBXL_STREAM_RECORD_HEADER, LIBXL_RECORD_HEADER_BYTES);
}

void libxl_stream_init(struct libxl_stream *stream,
                       const struct libxl_stream_ops *ops, uint64_t offset)
{
    memset(stream, 0, sizeof(*stream));
    stream->ops = *ops;
    stream->start = stream->offset = offset;
    enter(stream, LIBXL_STREAM_HEADER, LIBXL_STREAM_HEADER_BYTES);
}

static int fail(const struct libxl_stream *stream, struct xcx_err *err)
{
    if (stream->state == LIBXL_STREAM_HEADER)
        xcx_err_prefix(err, "header at byte %" PRIu64, stream->start);
    else
        xcx_err_prefix(err, "record %" PRIu64 " (%s) at byte %" PRIu64,
                       stream->nr_records - 1, libxl_record_name(stream->type),
                       stream->record_offset);
    return xcx_err_prefix(err, "libxl stream");
}

/* ---- headers ----------------------------------------------------------- */

static int take_header(struct libxl_stream *stream, struct xcx_err *err)
{
    uint32_t version = wire_be32(stream->buf + 8);
    uint32_t options = wire_be32(stream->buf + 12);

    if (memcmp(stream->buf, LIBXL_STREAM_IDENT, LIBXL_STREAM_IDENT_BYTES) != 0)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "not a libxl stream");
    if (version != LIBXL_STREAM_VERSION)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "version %" PRIu32 ", can read %d", version,
                           LIBXL_STREAM_VERSION);
    if (options & LIBXL_STREAM_OPT_BIG_ENDIAN)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "big-endian stream");
    if (stream->ops.header &&
        stream->ops.header(stream->ops.opaque, options, err) < 0)
        return -1;
    next_record(stream);
    return 0;
}

/* The bounds on each record's body. */
static const struct bounds {
    uint32_t min, max;
} bounds[LIBXL_NR_RECORD_TYPES] = {
    [LIBXL_REC_EMULATOR_XENSTORE_DATA] = {EMULATOR_HEADER_BYTES,
                                          LIBXL_XENSTORE_MAX_BYTES},
    [LIBXL_REC_EMULATOR_CONTEXT] = {EMULATOR_HEADER_BYTES, UINT32_MAX},
};

static int check_record(const struct libxl_stream *stream, struct xcx_err *err)
{
    uint32_t type = stream->type;

    if (type & LIBXL_REC_OPTIONAL)
        return 0;
    if (type >= LIBXL_NR_RECORD_TYPES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "unknown mandatory type %#010" PRIx32, type);
    if (type == LIBXL_REC_CHECKPOINT_STATE)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "only in a COLO stream, which goes both ways");
    if (stream->body_bytes < bounds[type].min ||
        stream->body_bytes > bounds[type].max)
        return xcx_err_set(
            err, XCX_ERR_STREAM, 0,
            "length %" PRIu32 ", must be %" PRIu32 " to %" PRIu32,
            stream->body_bytes, bounds[type].min, bounds[type].max);
    return 0;
}

static int check_order(const struct libxl_stream *stream, struct xcx_err *err)
{
    switch (stream->type) {
    case LIBXL_REC_LIBXC_CONTEXT:
        if (stream->had_libxc)
            return xcx_err_set(err, XCX_ERR_STREAM, 0, "is there twice");
        return 0;
    case LIBXL_REC_CHECKPOINT_END:
        if (!stream->in_checkpoint)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "outside of a checkpoint");
        return 0;
    case LIBXL_REC_END:
        if (!stream->had_libxc)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "comes before any LIBXC_CONTEXT");
        if (stream->in_checkpoint)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "comes before CHECKPOINT_END");
        return 0;
    default:
        return 0;
    }
}

static void begin_body(struct libxl_stream *stream)
{
    switch (stream->type) {
    case LIBXL_REC_END:
        enter(stream, LIBXL_STREAM_END, 0);
        return;
    case LIBXL_REC_LIBXC_CONTEXT:
        stream->had_libxc = true;
        enter(stream, LIBXL_STREAM_LIBXC, 0);
        return;
    case LIBXL_REC_CHECKPOINT_END:
        stream->in_checkpoint = false;
        enter(stream, LIBXL_STREAM_LIBXC, 0);
        return;
    case LIBXL_REC_EMULATOR_XENSTORE_DATA:
    case LIBXL_REC_EMULATOR_CONTEXT:
        enter(stream, LIBXL_STREAM_EMULATOR_HEADER, EMULATOR_HEADER_BYTES);
        return;
    default: /* optional */
        enter(stream, LIBXL_STREAM_SKIP, stream->body_bytes);
        return;
    }
}

/* Zero bytes that follow a body. */
static unsigned padding(uint32_t body_bytes)
{
    return -body_bytes % RECORD_ALIGN;
}

static int take_record_header(struct libxl_stream *stream, struct xcx_err *err)
{
    stream->type = wire_le32(stream->buf);
    stream->body_bytes = wire_le32(stream->buf + 4);
    stream->record_offset = stream->offset - LIBXL_RECORD_HEADER_BYTES;
    stream->nr_records++;
    if (check_record(stream, err) < 0 || check_order(stream, err) < 0)
        return -1;
    if (stream->ops.record &&
        stream->ops.record(stream->ops.opaque, stream->type, stream->body_bytes,
                           stream->record_offset, err) < 0)
        return -1;
    begin_body(stream);
    if (stream->state == LIBXL_STREAM_SKIP)
        stream->left += padding(stream->body_bytes);
    return 0;
}

static void take_emulator_header(struct libxl_stream *stream)
{
    uint32_t left = stream->body_bytes - EMULATOR_HEADER_BYTES;

    stream->emulator = wire_le32(stream->buf);
    stream->index = wire_le32(stream->buf + 4);
    stream->key_bytes = stream->value_bytes = 0;
    enter(stream,
          stream->type == LIBXL_REC_EMULATOR_CONTEXT
              ? LIBXL_STREAM_CONTEXT
              : LIBXL_STREAM_XENSTORE_KEY,
          left);
}

/* ---- xenstore pairs ---------------------------------------------------- */

static int end_pair(struct libxl_stream *stream, struct xcx_err *err)
{
    stream->value[stream->value_bytes] = 0;
    if (stream->ops.xenstore &&
        stream->ops.xenstore(stream->ops.opaque, stream->emulator,
                             stream->index, stream->key, stream->value,
                             err) < 0)
        return -1;
    stream->key_bytes = stream->value_bytes = 0;
    stream->state = LIBXL_STREAM_XENSTORE_KEY;
    return 0;
}

static int take_key_byte(struct libxl_stream *stream, char byte,
                         struct xcx_err *err)
{
    if (!byte) {
        if (!stream->key_bytes)
            return xcx_err_set(err, XCX_ERR_STREAM, 0, "an empty key");
        stream->key[stream->key_bytes] = 0;
        stream->state = LIBXL_STREAM_XENSTORE_VALUE;
        return 0;
    }
    if (!isalnum((unsigned char)byte) && !strchr("-/_@", byte))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "byte %#04x in a key, before byte %" PRIu64,
                           (unsigned char)byte, stream->offset);
    if (stream->key_bytes == LIBXL_XENSTORE_KEY_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "a key of more than %d bytes",
                           LIBXL_XENSTORE_KEY_BYTES);
    stream->key[stream->key_bytes++] = byte;
    return 0;
}

static int take_value_byte(struct libxl_stream *stream, char byte,
                           struct xcx_err *err)
{
    if (!byte)
        return end_pair(stream, err);
    if (stream->value_bytes == LIBXL_XENSTORE_VALUE_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "a value of more than %d bytes",
                           LIBXL_XENSTORE_VALUE_BYTES);
    stream->value[stream->value_bytes++] = byte;
    return 0;
}

/* ---- feeding ----------------------------------------------------------- */

/* A part is complete; empty ones are so at once. */
static int take_part(struct libxl_stream *stream, struct xcx_err *err)
{
    switch (stream->state) {
    case LIBXL_STREAM_HEADER:
        return take_header(stream, err);
    case LIBXL_STREAM_RECORD_HEADER:
        return take_record_header(stream, err);
    case LIBXL_STREAM_EMULATOR_HEADER:
        take_emulator_header(stream);
        return 0;
    case LIBXL_STREAM_XENSTORE_KEY:
    case LIBXL_STREAM_XENSTORE_VALUE:
        if (stream->key_bytes || stream->state == LIBXL_STREAM_XENSTORE_VALUE)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "the last key or value is cut off");
        enter(stream, LIBXL_STREAM_SKIP, padding(stream->body_bytes));
        return 0;
    case LIBXL_STREAM_CONTEXT:
        enter(stream, LIBXL_STREAM_SKIP, padding(stream->body_bytes));
        return 0;
    default:
        next_record(stream);
        return 0;
    }
}

static bool is_stopped(const struct libxl_stream *stream)
{
    return stream->state == LIBXL_STREAM_LIBXC ||
           stream->state == LIBXL_STREAM_END;
}

/* At most stream->left bytes, one at least; how many it took. */
static int feed_some(struct libxl_stream *stream, const uint8_t *bytes,
                     size_t nr_bytes, size_t *ret_used, struct xcx_err *err)
{
    size_t used = nr_bytes;

    switch (stream->state) {
    case LIBXL_STREAM_HEADER:
    case LIBXL_STREAM_RECORD_HEADER:
    case LIBXL_STREAM_EMULATOR_HEADER:
        memcpy(stream->buf + stream->buf_bytes, bytes, nr_bytes);
        stream->buf_bytes += (uint32_t)nr_bytes;
        break;
    case LIBXL_STREAM_XENSTORE_KEY:
    case LIBXL_STREAM_XENSTORE_VALUE:
        used = 1;
        break;
    default:
        break;
    }
    stream->offset += used;
    stream->left -= used;
    *ret_used = used;
    if (stream->state == LIBXL_STREAM_XENSTORE_KEY)
        return take_key_byte(stream, (char)*bytes, err);
    if (stream->state == LIBXL_STREAM_XENSTORE_VALUE)
        return take_value_byte(stream, (char)*bytes, err);
    if (stream->state == LIBXL_STREAM_CONTEXT && stream->ops.context)
        return stream->ops.context(stream->ops.opaque, stream->emulator,
                                   stream->index, bytes, used, err);
    return 0;
}

int libxl_stream_feed(struct libxl_stream *stream, const void *bytes,
                      size_t nr_bytes, size_t *ret_used, struct xcx_err *err)
{
    const uint8_t *pos = bytes;
    size_t left = nr_bytes, used;

    while (left && !is_stopped(stream)) {
        size_t now = left < stream->left ? left : (size_t)stream->left;

        if (feed_some(stream, pos, now, &used, err) < 0)
            return fail(stream, err);
        pos += used;
        left -= used;
        while (!stream->left && !is_stopped(stream)) {
            if (take_part(stream, err) < 0)
                return fail(stream, err);
        }
    }
    *ret_used = nr_bytes - left;
    return 0;
}

void libxl_stream_libxc_done(struct libxl_stream *stream, uint64_t nr_bytes,
                             bool checkpoint)
{
    if (stream->state != LIBXL_STREAM_LIBXC)
        return;
    stream->offset += nr_bytes;
    stream->in_checkpoint = checkpoint;
    next_record(stream);
}

int libxl_stream_finish(const struct libxl_stream *stream, struct xcx_err *err)
{
    switch (stream->state) {
    case LIBXL_STREAM_END:
        return 0;
    case LIBXL_STREAM_HEADER:
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "libxl stream: truncated at byte %" PRIu64
                           ", in the header",
                           stream->offset);
    case LIBXL_STREAM_RECORD_HEADER:
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "libxl stream: truncated at byte %" PRIu64
                           ", in the header of record %" PRIu64,
                           stream->offset, stream->nr_records);
    default:
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "libxl stream: truncated at byte %" PRIu64
                           ", in record %" PRIu64 " (%s) at byte %" PRIu64,
                           stream->offset, stream->nr_records - 1,
                           libxl_record_name(stream->type),
                           stream->record_offset);
    }
}
