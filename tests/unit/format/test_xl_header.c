/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl-migrate/format/xl_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/saved_sample.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define JSON      XL_HEADER_FLAG_JSON
#define V2        XL_HEADER_FLAG_STREAM_V2

/* A header with whatever numbers; what stands behind is given. */
static void make(struct sample_buf *buf, uint32_t order, uint32_t mandatory,
                 uint32_t data_bytes, const void *data, size_t nr_bytes)
{
    saved_put(buf, xl_header_magic, XL_HEADER_MAGIC_BYTES);
    saved_put_le32(buf, order);
    saved_put_le32(buf, mandatory);
    saved_put_le32(buf, 0x55);
    saved_put_le32(buf, data_bytes);
    saved_put(buf, data, nr_bytes);
}

/* In two pieces, the first of so many bytes. */
static int feed(struct xl_header *header, const struct sample_buf *buf,
                size_t cut, size_t *ret_used, struct xcx_err *err)
{
    size_t used = 0;

    cut = cut < buf->bytes ? cut : buf->bytes;
    *ret_used = 0;
    xl_header_init(header);
    if (xl_header_feed(header, buf->data, cut, ret_used, err) < 0 ||
        xl_header_feed(header, buf->data + cut, buf->bytes - cut, &used, err) <
            0)
        return -1;
    *ret_used += used;
    return 0;
}

static void legal_headers_in_any_two_pieces(void **state)
{
    static const struct {
        uint32_t flags, data_bytes;
        const char *data;
        uint32_t config_bytes;
    } cases[] = {
        {V2, 0, "", 0},
        {V2, 4, "\0\0\0\0", 0},
        {V2 | JSON, 9, "\5\0\0\0hello", 5},
        {V2, 12, "\5\0\0\0hello123", 5},
        {V2 | JSON, 7, "\0\0\0\0xyz", 0},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf buf = {0};
        size_t end = XL_HEADER_BYTES + cases[i].data_bytes;

        make(&buf, 0x01020304, cases[i].flags, cases[i].data_bytes,
             cases[i].data, cases[i].data_bytes);
        saved_put(&buf, "LibxlFmt", 8);
        for (size_t cut = 0; cut <= buf.bytes; cut++) {
            struct xcx_err err = XCX_ERR_INIT;
            struct xl_header header;
            size_t used;

            assert_int_equal(feed(&header, &buf, cut, &used, &err), 0);
            assert_int_equal(used, end);
            assert_int_equal(header.offset, end);
            assert_int_equal(xl_header_finish(&header, &err), 0);
            assert_int_equal(header.mandatory_flags, cases[i].flags);
            assert_int_equal(header.optional_flags, 0x55);
            assert_int_equal(header.config_bytes, cases[i].config_bytes);
            assert_int_equal(header.config_got_bytes, cases[i].config_bytes);
            if (cases[i].config_bytes)
                assert_memory_equal(header.config, "hello", 5);
            xl_header_done(&header);
            xl_header_done(&header);
        }
        sample_buf_done(&buf);
    }
}

static void malformed_headers_are_told(void **state)
{
    static const struct {
        uint32_t order, flags, data_bytes;
        char config_bytes[4]; /* no NUL */
        const char *message;
    } cases[] = {
        {0x04030201, V2, 0, "", "xl header: byte order 0x04030201 at byte 32"},
        {0x01020304, V2 | 0x14, 0, "",
         "xl header: unknown mandatory flags 0x14 at byte 36"},
        {0x01020304, JSON, 0, "",
         "xl header: flags at byte 36 say that a legacy stream follows (Xen "
         "4.5 or older)"},
        {0x01020304, V2, 3, "",
         "xl header: 3 bytes of optional data at byte 44, too few for the "
         "configuration's size"},
        {0x01020304, V2, 0xffffffff, "",
         "xl header: 4294967295 bytes of optional data at byte 44, at most "
         "4194304"},
        {0x01020304, V2, 8, "\5\0\0\0",
         "xl header: a configuration of 5 bytes at byte 48, but room for 4"},
        {0x01020304, V2, 8, "\xff\xff\xff\xff",
         "xl header: a configuration of 4294967295 bytes at byte 48, but room "
         "for 4"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf buf = {0};

        make(&buf, cases[i].order, cases[i].flags, cases[i].data_bytes,
             cases[i].config_bytes, 4);
        for (size_t cut = 0; cut <= buf.bytes; cut++) {
            struct xcx_err err = XCX_ERR_INIT;
            struct xl_header header;
            size_t used;

            assert_int_equal(feed(&header, &buf, cut, &used, &err), -1);
            assert_int_equal(err.kind, XCX_ERR_STREAM);
            assert_string_equal(err.msg, cases[i].message);
            assert_null(header.config);
            xl_header_done(&header);
        }
        sample_buf_done(&buf);
    }
}

static void a_damaged_magic_is_told(void **state)
{
    struct sample_buf buf = {0};
    struct xcx_err err = XCX_ERR_INIT;
    struct xl_header header;
    size_t used;

    (void)state;
    saved_put_xl_header(&buf, V2, "", 0);
    buf.data[31] ^= 1;
    assert_int_equal(feed(&header, &buf, 9, &used, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_STREAM);
    assert_string_equal(err.msg, "xl header: the magic at byte 0 is damaged");
    sample_buf_done(&buf);
}

static const char *part_at(size_t at)
{
    if (at < 48)
        return "the fixed part";
    if (at < 52)
        return "the configuration's size";
    return at < 57 ? "the configuration" : "optional data";
}

static void every_truncation_is_told(void **state)
{
    struct sample_buf buf = {0};

    (void)state;
    make(&buf, 0x01020304, V2, 12, "\5\0\0\0hello123", 12);
    for (size_t at = 0; at < buf.bytes; at++) {
        struct sample_buf part = {.data = buf.data, .bytes = at};
        struct xcx_err err = XCX_ERR_INIT;
        struct xl_header header;
        char expect[96];
        size_t used;

        assert_int_equal(feed(&header, &part, 0, &used, &err), 0);
        assert_int_equal(xl_header_finish(&header, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_STREAM);
        snprintf(expect, sizeof(expect),
                 "xl header: truncated at byte %zu, in %s", at, part_at(at));
        assert_string_equal(err.msg, expect);
        xl_header_done(&header);
    }
    sample_buf_done(&buf);
}

static void memory_follows_what_came(void **state)
{
    struct sample_buf buf = {0};
    struct xcx_err err = XCX_ERR_INIT;
    struct xl_header header;
    size_t used;

    (void)state;
    make(&buf, 0x01020304, V2, XL_HEADER_MAX_DATA_BYTES, "\0\0\x30\0abc", 7);
    assert_int_equal(feed(&header, &buf, 0, &used, &err), 0);
    assert_int_equal(header.config_bytes, 3 << 20);
    assert_true(header.config_room_bytes <= 4096);
    xl_header_done(&header);
    sample_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_headers_in_any_two_pieces),
        cmocka_unit_test(malformed_headers_are_told),
        cmocka_unit_test(a_damaged_magic_is_told),
        cmocka_unit_test(every_truncation_is_told),
        cmocka_unit_test(memory_follows_what_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
