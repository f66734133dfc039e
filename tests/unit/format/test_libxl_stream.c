/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl-migrate/format/libxl_stream.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/saved_sample.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define START     100 /* where the streams lie in some file */

/* Stands for a libxc stream: 'c' ends it by a CHECKPOINT, 'e' by its END. */
#define LIBXC_BYTES 5
#define LIBXC_CHECK "....c"
#define LIBXC_END   "....e"

/* ---- a log of all callbacks -------------------------------------------- */

struct seen {
    struct sample_buf log;
    uint64_t context_bytes; /* in a row; logged when it is over */
};

static void end_context(struct seen *seen)
{
    if (seen->context_bytes)
        sample_log(&seen->log, "  %" PRIu64 " bytes", seen->context_bytes);
    seen->context_bytes = 0;
}

static int on_header(void *opaque, uint32_t options, struct xcx_err *err)
{
    struct seen *seen = opaque;

    (void)err;
    sample_log(&seen->log, "header %" PRIx32, options);
    return 0;
}

static int on_record(void *opaque, uint32_t type, uint32_t body_bytes,
                     uint64_t offset, struct xcx_err *err)
{
    struct seen *seen = opaque;

    (void)err;
    end_context(seen);
    sample_log(&seen->log, "%s %" PRIu32 " at %" PRIu64,
               libxl_record_name(type), body_bytes, offset);
    return 0;
}

static int on_xenstore(void *opaque, uint32_t emulator, uint32_t index,
                       const char *key, const char *value, struct xcx_err *err)
{
    struct seen *seen = opaque;

    if (strcmp(key, "refused") == 0)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "no");
    sample_log(&seen->log, "  %" PRIu32 ".%" PRIu32 " %s = %s", emulator, index,
               key, value);
    return 0;
}

static int on_context(void *opaque, uint32_t emulator, uint32_t index,
                      const void *bytes, size_t nr_bytes, struct xcx_err *err)
{
    struct seen *seen = opaque;

    (void)emulator;
    (void)index;
    (void)bytes;
    (void)err;
    seen->context_bytes += nr_bytes;
    return 0;
}

/* ---- feeding ----------------------------------------------------------- */

static void begin(struct libxl_stream *stream, struct seen *seen)
{
    struct libxl_stream_ops ops = {.opaque = seen,
                                   .header = on_header,
                                   .record = on_record,
                                   .xenstore = on_xenstore,
                                   .context = on_context};

    memset(seen, 0, sizeof(*seen));
    libxl_stream_init(stream, &ops, START);
}

/* Feeds piece by piece; 0: as much as there is. */
static int feed(struct libxl_stream *stream, const struct sample_buf *buf,
                size_t piece, size_t *ret_used, struct xcx_err *err)
{
    size_t at = 0, used;

    while (at < buf->bytes && stream->state != LIBXL_STREAM_END) {
        size_t now = buf->bytes - at;

        if (stream->state == LIBXL_STREAM_LIBXC) {
            if (now < LIBXC_BYTES)
                break;
            at += LIBXC_BYTES;
            libxl_stream_libxc_done(stream, LIBXC_BYTES,
                                    buf->data[at - 1] == 'c');
            continue;
        }
        now = piece && piece < now ? piece : now;
        if (libxl_stream_feed(stream, buf->data + at, now, &used, err) < 0)
            return -1;
        assert_true(used > 0);
        at += used;
    }
    *ret_used = at;
    return 0;
}

static void put_libxc(struct sample_buf *buf, const char *libxc)
{
    saved_put_record(buf, LIBXL_REC_LIBXC_CONTEXT, "", 0);
    saved_put(buf, libxc, LIBXC_BYTES);
}

#define PAIRS   "\1\0\0\0\2\0\0\0key/a-b\0value 1\0@_\0\0"
#define CONTEXT "\2\0\0\0\0\0\0\0QEVM"

static void put_whole(struct sample_buf *buf)
{
    saved_put_libxl_header(buf);
    saved_put_record(buf, 0x80000001, "0123456", 7);
    put_libxc(buf, LIBXC_CHECK);
    saved_put_record(buf, LIBXL_REC_EMULATOR_CONTEXT, CONTEXT, 12);
    saved_put_record(buf, LIBXL_REC_CHECKPOINT_END, "", 0);
    saved_put(buf, LIBXC_END, LIBXC_BYTES);
    saved_put_record(buf, LIBXL_REC_EMULATOR_XENSTORE_DATA, PAIRS,
                     sizeof(PAIRS) - 1);
    saved_put_record(buf, LIBXL_REC_EMULATOR_XENSTORE_DATA, PAIRS, 8);
    saved_put_record(buf, LIBXL_REC_EMULATOR_CONTEXT, CONTEXT, 8);
    saved_put_record(buf, LIBXL_REC_EMULATOR_CONTEXT, CONTEXT, 12);
    saved_put_record(buf, LIBXL_REC_END, "", 0);
}

static void any_split_gives_the_same(void **state)
{
    struct sample_buf buf = {0};

    (void)state;
    put_whole(&buf);
    saved_put(&buf, "behind", 6);
    for (size_t piece = 0; piece <= buf.bytes; piece++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct libxl_stream stream;
        struct seen seen;
        size_t used;

        begin(&stream, &seen);
        assert_int_equal(feed(&stream, &buf, piece, &used, &err), 0);
        assert_int_equal(used, buf.bytes - 6);
        assert_int_equal(stream.offset, START + used);
        assert_int_equal(libxl_stream_finish(&stream, &err), 0);
        assert_string_equal(seen.log.data, "header 0\n"
                                           "unknown 7 at 116\n"
                                           "LIBXC_CONTEXT 0 at 132\n"
                                           "EMULATOR_CONTEXT 12 at 145\n"
                                           "  4 bytes\n"
                                           "CHECKPOINT_END 0 at 169\n"
                                           "EMULATOR_XENSTORE_DATA 28 at 182\n"
                                           "  1.2 key/a-b = value 1\n"
                                           "  1.2 @_ = \n"
                                           "EMULATOR_XENSTORE_DATA 8 at 222\n"
                                           "EMULATOR_CONTEXT 8 at 238\n"
                                           "EMULATOR_CONTEXT 12 at 254\n"
                                           "  4 bytes\n"
                                           "END 0 at 278\n");
        sample_buf_done(&seen.log);
    }
    sample_buf_done(&buf);
}

static void every_truncation_is_told(void **state)
{
    struct sample_buf buf = {0};

    (void)state;
    put_whole(&buf);
    for (size_t at = 0; at < buf.bytes; at++) {
        struct sample_buf part = {.data = buf.data, .bytes = at};
        struct xcx_err err = XCX_ERR_INIT;
        struct libxl_stream stream;
        struct seen seen;
        size_t used;
        char expect[64];

        begin(&stream, &seen);
        assert_int_equal(feed(&stream, &part, 3, &used, &err), 0);
        assert_int_equal(libxl_stream_finish(&stream, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_STREAM);
        snprintf(expect, sizeof(expect),
                 "libxl stream: truncated at byte %zu, in ", START + used);
        assert_memory_equal(err.msg, expect, strlen(expect));
        sample_buf_done(&seen.log);
    }
    sample_buf_done(&buf);
}

static void truncations_name_the_record(void **state)
{
    static const struct {
        size_t at;
        const char *where;
    } cases[] = {
        {15, "byte 115, in the header"},
        {16, "byte 116, in the header of record 0"},
        {30, "byte 130, in record 0 (unknown) at byte 116"},
        {40, "byte 140, in record 1 (LIBXC_CONTEXT) at byte 132"},
        {67, "byte 167, in record 2 (EMULATOR_CONTEXT) at byte 145"},
        {110, "byte 210, in record 4 (EMULATOR_XENSTORE_DATA) at byte 182"},
    };
    struct sample_buf buf = {0};

    (void)state;
    put_whole(&buf);
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf part = {.data = buf.data, .bytes = cases[i].at};
        struct xcx_err err = XCX_ERR_INIT;
        struct libxl_stream stream;
        struct seen seen;
        size_t used;

        begin(&stream, &seen);
        assert_int_equal(feed(&stream, &part, 0, &used, &err), 0);
        assert_int_equal(libxl_stream_finish(&stream, &err), -1);
        assert_non_null(strstr(err.msg, cases[i].where));
        assert_string_equal(strstr(err.msg, "byte "), cases[i].where);
        sample_buf_done(&seen.log);
    }
    sample_buf_done(&buf);
}

/* ---- malformed --------------------------------------------------------- */

static void check_malformed(const struct sample_buf *buf, const char *message,
                            enum xcx_err_kind kind)
{
    for (size_t piece = 0; piece <= 40; piece++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct libxl_stream stream;
        struct seen seen;
        size_t used;

        begin(&stream, &seen);
        assert_int_equal(feed(&stream, buf, piece, &used, &err), -1);
        assert_string_equal(err.msg, message);
        assert_int_equal(err.kind, kind);
        sample_buf_done(&seen.log);
    }
}

static void malformed_headers_are_told(void **state)
{
    static const struct {
        const char *ident;
        uint32_t version, options;
        const char *message;
    } cases[] = {
        {"LibxlFmT", 2, 0, "not a libxl stream"},
        {"LibxlFmt", 3, 0, "version 3, can read 2"},
        {"LibxlFmt", 2, 3, "big-endian stream"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf buf = {0};
        char message[128];

        saved_put(&buf, cases[i].ident, 8);
        saved_put_be32(&buf, cases[i].version);
        saved_put_be32(&buf, cases[i].options);
        snprintf(message, sizeof(message),
                 "libxl stream: header at byte 100: %s", cases[i].message);
        check_malformed(&buf, message, XCX_ERR_STREAM);
        sample_buf_done(&buf);
    }
}

/* What stands before the bad record. */
enum before { NOTHING, LIBXC, CHECKPOINT };

static void malformed_records_are_told(void **state)
{
    static const struct {
        enum before before;
        uint32_t type, body_bytes;
        const char *message;
    } cases[] = {
        {NOTHING, 6, 0,
         "record 0 (unknown) at byte 116: unknown mandatory type 0x00000006"},
        {NOTHING, 0x7fffffff, 0,
         "record 0 (unknown) at byte 116: unknown mandatory type 0x7fffffff"},
        {NOTHING, 5, 8,
         "record 0 (CHECKPOINT_STATE) at byte 116: only in a COLO stream, "
         "which goes both ways"},
        {NOTHING, 0, 0,
         "record 0 (END) at byte 116: comes before any LIBXC_CONTEXT"},
        {NOTHING, 4, 0,
         "record 0 (CHECKPOINT_END) at byte 116: outside of a checkpoint"},
        {NOTHING, 1, 8,
         "record 0 (LIBXC_CONTEXT) at byte 116: length 8, must be 0 to 0"},
        {NOTHING, 2, 7,
         "record 0 (EMULATOR_XENSTORE_DATA) at byte 116: length 7, must be 8 "
         "to 1048576"},
        {NOTHING, 2, 1048577,
         "record 0 (EMULATOR_XENSTORE_DATA) at byte 116: length 1048577, must "
         "be 8 to 1048576"},
        {NOTHING, 3, 0,
         "record 0 (EMULATOR_CONTEXT) at byte 116: length 0, must be 8 to "
         "4294967295"},
        {LIBXC, 1, 0, "record 1 (LIBXC_CONTEXT) at byte 129: is there twice"},
        {LIBXC, 0, 1, "record 1 (END) at byte 129: length 1, must be 0 to 0"},
        {LIBXC, 4, 0,
         "record 1 (CHECKPOINT_END) at byte 129: outside of a checkpoint"},
        {CHECKPOINT, 4, 8,
         "record 1 (CHECKPOINT_END) at byte 129: length 8, must be 0 to 0"},
        {CHECKPOINT, 0, 0,
         "record 1 (END) at byte 129: comes before CHECKPOINT_END"},
        {CHECKPOINT, 1, 0,
         "record 1 (LIBXC_CONTEXT) at byte 129: is there twice"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf buf = {0};
        char message[160];

        saved_put_libxl_header(&buf);
        if (cases[i].before != NOTHING)
            put_libxc(&buf, cases[i].before == LIBXC ? LIBXC_END : LIBXC_CHECK);
        saved_put_le32(&buf, cases[i].type);
        saved_put_le32(&buf, cases[i].body_bytes);
        snprintf(message, sizeof(message), "libxl stream: %s",
                 cases[i].message);
        check_malformed(&buf, message, XCX_ERR_STREAM);
        sample_buf_done(&buf);
    }
}

static void malformed_pairs_are_told(void **state)
{
    static const struct {
        const char *pairs;
        uint32_t nr_bytes;
        enum xcx_err_kind kind;
        const char *message;
    } cases[] = {
        {"k", 1, XCX_ERR_STREAM, "the last key or value is cut off"},
        {"k\0", 2, XCX_ERR_STREAM, "the last key or value is cut off"},
        {"k\0v", 3, XCX_ERR_STREAM, "the last key or value is cut off"},
        {"k\0v\0x", 5, XCX_ERR_STREAM, "the last key or value is cut off"},
        {"\0v\0", 3, XCX_ERR_STREAM, "an empty key"},
        {"k y\0v\0", 6, XCX_ERR_STREAM, "byte 0x20 in a key, before byte 134"},
        {"\xff\0v\0", 4, XCX_ERR_STREAM, "byte 0xff in a key, before byte 133"},
        {"refused\0v\0", 10, XCX_ERR_GUEST, "no"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf buf = {0};
        char message[160], body[32] = {0};

        memcpy(body + 8, cases[i].pairs, cases[i].nr_bytes);
        saved_put_libxl_header(&buf);
        saved_put_record(&buf, LIBXL_REC_EMULATOR_XENSTORE_DATA, body,
                         8 + cases[i].nr_bytes);
        snprintf(message, sizeof(message),
                 "libxl stream: record 0 (EMULATOR_XENSTORE_DATA) at byte 116: "
                 "%s",
                 cases[i].message);
        check_malformed(&buf, message, cases[i].kind);
        sample_buf_done(&buf);
    }
}

/* One record with a key and a value of so many bytes. */
static int feed_pair(uint32_t key_bytes, uint32_t value_bytes,
                     struct xcx_err *err)
{
    uint32_t nr_bytes = 8 + key_bytes + 1 + value_bytes + 1;
    char *body = calloc(1, nr_bytes);
    struct sample_buf buf = {0};
    struct libxl_stream stream;
    struct seen seen;
    size_t used;
    int rc;

    assert_non_null(body);
    memset(body + 8, 'k', key_bytes);
    memset(body + 8 + key_bytes + 1, 'v', value_bytes);
    saved_put_libxl_header(&buf);
    saved_put_record(&buf, LIBXL_REC_EMULATOR_XENSTORE_DATA, body, nr_bytes);
    begin(&stream, &seen);
    rc = feed(&stream, &buf, 0, &used, err);
    sample_buf_done(&seen.log);
    sample_buf_done(&buf);
    free(body);
    return rc;
}

static void long_keys_and_values_are_refused(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(feed_pair(2048, 4096, &err), 0);
    assert_int_equal(feed_pair(2049, 1, &err), -1);
    assert_non_null(strstr(err.msg, ": a key of more than 2048 bytes"));
    err = XCX_ERR_INIT;
    assert_int_equal(feed_pair(1, 4097, &err), -1);
    assert_non_null(strstr(err.msg, ": a value of more than 4096 bytes"));
}

/* A body of 4 GiB - 1 is skipped, not added up wrongly. */
static void a_huge_record_is_no_danger(void **state)
{
    static const uint32_t types[] = {0x80000000, 3};

    (void)state;
    for (size_t i = 0; i < NR(types); i++) {
        struct sample_buf buf = {0};
        struct xcx_err err = XCX_ERR_INIT;
        struct libxl_stream stream;
        struct seen seen;
        size_t used;

        saved_put_libxl_header(&buf);
        saved_put_le32(&buf, types[i]);
        saved_put_le32(&buf, UINT32_MAX);
        saved_put(&buf, "01234567", 8);
        begin(&stream, &seen);
        assert_int_equal(feed(&stream, &buf, 0, &used, &err), 0);
        assert_int_equal(stream.left, types[i] == 3
                                          ? UINT64_C(0xffffffff) - 8
                                          : UINT64_C(0x100000000) - 8);
        sample_buf_done(&seen.log);
        sample_buf_done(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(every_truncation_is_told),
        cmocka_unit_test(truncations_name_the_record),
        cmocka_unit_test(malformed_headers_are_told),
        cmocka_unit_test(malformed_records_are_told),
        cmocka_unit_test(malformed_pairs_are_told),
        cmocka_unit_test(long_keys_and_values_are_refused),
        cmocka_unit_test(a_huge_record_is_no_danger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
