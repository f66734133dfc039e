/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/stream_sample.h"

/* ---- properties over random streams ------------------------------------ */

/* How a property cuts a stream into pieces; 0: all that is left. */
typedef size_t next_piece_fn(uint64_t *seed, size_t left);

static size_t all_at_once(uint64_t *seed, size_t left)
{
    (void)seed;
    return left;
}

static size_t byte_by_byte(uint64_t *seed, size_t left)
{
    (void)seed;
    (void)left;
    return 1;
}

static size_t random_pieces(uint64_t *seed, size_t left)
{
    uint64_t limit = UINT64_C(1) << (sample_random(seed) % 17);
    size_t piece = 1 + (size_t)(sample_random(seed) % limit);

    return piece < left ? piece : left;
}

/* Feeds bytes in pieces, going on behind checkpoints; returns what was used. */
static size_t feed_all(struct xcx_reader *reader, const char *bytes,
                       size_t nr_bytes, next_piece_fn *next_piece,
                       struct xcx_err *err)
{
    size_t at = 0, used = 0;
    uint64_t seed = 77;

    while (at < nr_bytes && reader->state != XCX_READER_END) {
        /* A copy of its own, so that overreads show under the sanitizer. */
        size_t piece = next_piece(&seed, nr_bytes - at);
        char *copy = malloc(piece);

        assert_non_null(copy);
        memcpy(copy, bytes + at, piece);
        if (xcx_reader_feed(reader, copy, piece, &used, err)) {
            free(copy);
            return at;
        }
        free(copy);
        at += used;
        xcx_reader_resume(reader);
    }
    return at;
}

static void check_split(enum sample_kind kind, uint64_t seed,
                        next_piece_fn *next_piece)
{
    struct sample_buf bytes = {0}, log = {0};
    struct sample_events events = {0};
    struct xcx_reader_ops ops = sample_ops(&events);
    struct xcx_reader_limits limits = sample_limits(kind);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_reader reader;
    size_t used;

    sample_make(kind, seed, &bytes, &log);
    xcx_reader_init(&reader, &ops, &limits);
    used = feed_all(&reader, bytes.data, bytes.bytes, next_piece, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(used, bytes.bytes);
    assert_int_equal(xcx_reader_finish(&reader, &err), 0);
    assert_string_equal(events.log.data, log.data);
    xcx_reader_done(&reader);
    xcx_reader_done(&reader);
    sample_buf_done(&events.log);
    sample_buf_done(&bytes);
    sample_buf_done(&log);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++)
        for (uint64_t seed = 1; seed < 20; seed++)
            check_split(kind, seed, all_at_once);
}

static void any_split_gives_the_same(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++) {
        for (uint64_t seed = 1; seed < 20; seed++)
            check_split(kind, seed, random_pieces);
        check_split(kind, 5, byte_by_byte);
    }
}

/* At the very end of any proper prefix the stream is truncated. */
static void every_truncation_is_told(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++) {
        struct sample_buf bytes = {0}, log = {0};
        struct xcx_reader_ops ops = {0};
        struct xcx_reader_limits limits = sample_limits(kind);
        struct xcx_reader reader;
        size_t used;

        sample_make(kind, 3, &bytes, &log);
        xcx_reader_init(&reader, &ops, &limits);
        for (size_t at = 0; at < bytes.bytes; at++) {
            struct xcx_err err = XCX_ERR_INIT;
            char expect[64];

            assert_int_equal(xcx_reader_finish(&reader, &err), -1);
            assert_int_equal(err.kind, XCX_ERR_STREAM);
            snprintf(expect, sizeof(expect), "truncated at byte %zu, in ", at);
            assert_memory_equal(err.msg, expect, strlen(expect));
            err = XCX_ERR_INIT;
            assert_int_equal(
                xcx_reader_feed(&reader, bytes.data + at, 1, &used, &err), 0);
            xcx_reader_resume(&reader);
        }
        xcx_reader_done(&reader);
        sample_buf_done(&bytes);
        sample_buf_done(&log);
    }
}

/*
 * A caller that reads only what is wanted, and takes contents itself, stops
 * right behind END, and never has to give a byte back.
 */
static void wanting_never_overreads(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++) {
        struct sample_buf bytes = {0}, log = {0};
        struct sample_events events = {0};
        struct xcx_reader_ops ops = sample_ops(&events);
        struct xcx_reader_limits limits = sample_limits(kind);
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_reader reader;
        size_t at = 0, used, raw_bytes = 0;

        sample_make(kind, 11, &bytes, &log);
        ops.page_bytes = NULL;
        xcx_reader_init(&reader, &ops, &limits);
        while (reader.state != XCX_READER_END) {
            uint32_t want = xcx_reader_want(&reader);
            uint32_t raw = xcx_reader_raw_left(&reader);

            if (!want) {
                assert_int_equal(reader.state, XCX_READER_CHECKPOINT);
                xcx_reader_resume(&reader);
                continue;
            }
            if (raw) {
                assert_int_equal(xcx_reader_took_raw(&reader, raw, &err), 0);
                raw_bytes += raw;
                at += raw;
                continue;
            }
            assert_true(at + want <= bytes.bytes);
            assert_int_equal(
                xcx_reader_feed(&reader, bytes.data + at, want, &used, &err),
                0);
            assert_int_equal(used, want);
            at += used;
        }
        assert_int_equal(at, bytes.bytes);
        assert_true(raw_bytes > 0);
        assert_int_equal(xcx_reader_want(&reader), 0);
        xcx_reader_done(&reader);
        sample_buf_done(&events.log);
        sample_buf_done(&bytes);
        sample_buf_done(&log);
    }
}

/* What follows END, libxl's own records say, is left alone. */
static void nothing_is_taken_after_end(void **state)
{
    struct sample_buf bytes = {0}, log = {0};
    struct xcx_reader_ops ops = {0};
    struct xcx_reader_limits limits = sample_limits(SAMPLE_HVM);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_reader reader;
    size_t used = 0, whole;
    char *more;

    (void)state;
    sample_make(SAMPLE_HVM, 1, &bytes, &log);
    whole = bytes.bytes;
    more = calloc(1, whole + 100);
    assert_non_null(more);
    memcpy(more, bytes.data, whole);
    xcx_reader_init(&reader, &ops, &limits);
    assert_int_equal(xcx_reader_feed(&reader, more, whole + 100, &used, &err),
                     0);
    assert_int_equal(used, whole);
    assert_int_equal(xcx_reader_feed(&reader, more + whole, 100, &used, &err),
                     0);
    assert_int_equal(used, 0);
    free(more);
    xcx_reader_done(&reader);
    sample_buf_done(&bytes);
    sample_buf_done(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(every_truncation_is_told),
        cmocka_unit_test(wanting_never_overreads),
        cmocka_unit_test(nothing_is_taken_after_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
