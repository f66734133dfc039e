/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stream reader under any bytes whatever. An input's first byte says how
 * to read the rest: bit 0 checkpointed, the others how to cut it in pieces.
 *
 * Beyond what the sanitizers see, this holds: pieces or not, the events and
 * the error are the same; an error is the peer's (STREAM) and says where;
 * contents are as many as announced; what the reader wants is never less
 * than nothing; memory follows what was fed.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/reader.h"
#include "../unit/stream_sample.h"

struct outcome {
    struct sample_events events;
    struct xcx_err err;
    enum xcx_reader_state state;
    uint64_t offset;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_reader: does not hold: %s\n", what);
        abort();
    }
}

static size_t piece_of(uint64_t *pieces, size_t left)
{
    size_t piece;

    if (!*pieces)
        return left;
    piece = 1 + (size_t)(sample_random(pieces) >> 20) %
                    ((size_t)1 << (sample_random(pieces) >> 60));
    return piece < left ? piece : left;
}

/* pieces: 0, or a seed for where to cut. */
static void read_all(struct outcome *outcome, const uint8_t *data, size_t size,
                     bool checkpointed, uint64_t pieces)
{
    struct xcx_reader_ops ops = sample_ops(&outcome->events);
    struct xcx_reader_limits limits = {.max_pfn = SAMPLE_MAX_PFN,
                                       .max_vcpu_id = SAMPLE_MAX_VCPU_ID,
                                       .checkpointed = checkpointed};
    struct xcx_reader reader;
    size_t at = 0, used;

    xcx_reader_init(&reader, &ops, &limits);
    while (at < size && reader.state != XCX_READER_END) {
        size_t piece = piece_of(&pieces, size - at);

        if (xcx_reader_feed(&reader, data + at, piece, &used, &outcome->err))
            break;
        at += used;
        must(used == piece || !xcx_reader_want(&reader), "all is taken");
        must(reader.buf_room_bytes <= 4096 + 2 * at, "memory follows input");
        must(reader.offset == at, "bytes are counted");
        xcx_reader_resume(&reader);
    }
    if (!xcx_err_is_set(&outcome->err))
        xcx_reader_finish(&reader, &outcome->err);
    outcome->state = reader.state;
    outcome->offset = reader.offset;
    xcx_reader_done(&reader);
}

static const char *text_of(const struct outcome *outcome)
{
    return outcome->events.log.data ? outcome->events.log.data : "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = {0}, cut = {0};

    if (size < 1)
        return 0;
    read_all(&whole, data + 1, size - 1, data[0] & 1, 0);
    read_all(&cut, data + 1, size - 1, data[0] & 1, 1 + data[0]);

    must(!strcmp(whole.err.msg, cut.err.msg), "the same error in pieces");
    must(whole.state == cut.state, "the same state in pieces");
    must(whole.err.kind == XCX_ERR_STREAM || whole.err.kind == XCX_OK,
         "it is the peer's mistake");
    must(whole.err.kind == XCX_OK || strstr(whole.err.msg, "at byte "),
         "the error says where");
    must((whole.err.kind == XCX_OK) == (whole.state == XCX_READER_END),
         "no error, so it is complete");
    must(!strcmp(text_of(&whole), text_of(&cut)), "the same events in pieces");
    sample_buf_done(&whole.events.log);
    sample_buf_done(&cut.events.log);
    return 0;
}

/* ---- random inputs: a legal stream with its records tampered with ------ */

#define HEADERS_BYTES (XCX_IMAGE_HEADER_BYTES + XCX_DOMAIN_HEADER_BYTES)
#define MAX_RECORDS   256

static size_t pick(uint64_t *seed, size_t limit)
{
    return (size_t)(sample_random(seed) >> 16) % limit;
}

struct parts {
    const char *at[MAX_RECORDS];
    size_t bytes[MAX_RECORDS];
    size_t nr;
};

static void split_records(struct parts *parts, const struct sample_buf *stream)
{
    const char *pos = stream->data + HEADERS_BYTES;
    const char *end = stream->data + stream->bytes;

    for (; pos < end && parts->nr < MAX_RECORDS; parts->nr++) {
        struct xcx_get get = xcx_get_over(pos + 4, 4);
        uint32_t body_bytes = xcx_get_le32(&get);

        parts->at[parts->nr] = pos;
        parts->bytes[parts->nr] = XCX_RECORD_HEADER_BYTES + body_bytes +
                                  xcx_record_padding(body_bytes);
        pos += parts->bytes[parts->nr];
    }
}

/* A number that is likely to be on the edge of something. */
static uint32_t edgy(uint64_t *seed, uint32_t old)
{
    static const uint32_t values[] = {
        0,  1,   2,    3,      4,         8,          0x10,      0x11,
        24, 512, 1024, 1025,   4096,      0xfffff,    0x100000,  8u << 20,
        16, 32,  5168, 100000, 128 << 20, 0x80000000, INT32_MAX, UINT32_MAX,
    };

    switch (pick(seed, 4)) {
    case 0:
        return old + (uint32_t)pick(seed, 33) - 16;
    case 1:
        return old ^ UINT32_C(1) << pick(seed, 32);
    default:
        return values[pick(seed, sizeof(values) / sizeof(values[0]))];
    }
}

/* Changes one aligned 32-bit field among the first 12 of a record. */
static void tamper(uint64_t *seed, uint8_t *record, size_t bytes)
{
    size_t nr_fields = bytes / 4 < 12 ? bytes / 4 : 12;
    uint8_t *field = record + 4 * pick(seed, nr_fields);
    struct xcx_get get = xcx_get_over(field, 4);
    struct xcx_put put = xcx_put_over(field, 4);

    xcx_put_le32(&put, edgy(seed, xcx_get_le32(&get)));
}

static size_t join_records(uint64_t *seed, const struct sample_buf *stream,
                           const struct parts *parts, struct xcx_put *put)
{
    /* On average two records of a stream are changed, moved or left out. */
    size_t odds = parts->nr < 2 ? 1 : parts->nr / 2;

    xcx_put_copy(put, stream->data, HEADERS_BYTES);
    for (size_t i = 0; i < parts->nr; i++) {
        size_t from = pick(seed, 4 * odds) == 0 ? pick(seed, parts->nr) : i;
        size_t bytes = parts->bytes[from];
        uint8_t *record;

        if (pick(seed, 4 * odds) == 0)
            continue;
        record = xcx_put_in_place(put, bytes);
        if (!record)
            break;
        memcpy(record, parts->at[from], bytes);
        if (pick(seed, 2 * odds) == 0)
            tamper(seed, record, bytes);
    }
    return xcx_put_done(put);
}

size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room)
{
    enum sample_kind kind = (enum sample_kind)pick(seed, SAMPLE_NR_KINDS);
    struct sample_buf stream = {0}, log = {0};
    struct xcx_put put = xcx_put_over(buf, room);
    struct parts parts = {.nr = 0};
    size_t bytes;

    sample_make(kind, sample_random(seed), &stream, &log);
    split_records(&parts, &stream);
    xcx_put_u8(&put, (uint8_t)((kind == SAMPLE_HVM_REMUS) | pick(seed, 256)));
    bytes = join_records(seed, &stream, &parts, &put);
    sample_buf_done(&stream);
    sample_buf_done(&log);
    return pick(seed, 8) ? bytes : 1 + pick(seed, bytes);
}
