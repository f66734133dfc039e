/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A sink that counts its calls, and fails from a given one on. */
struct counting {
    unsigned nr_calls, fail_at;
    int nr_iov[8];
    size_t bytes;
    uint8_t first[128]; /* what went out first */
};

static int counting_writev(void *opaque, struct iovec *iov, int nr_iov,
                           struct xcx_err *err)
{
    struct counting *counting = opaque;

    if (++counting->nr_calls == counting->fail_at)
        return xcx_err_set(err, XCX_ERR_IO, 0, "sink is full");
    if (counting->nr_calls <= 8)
        counting->nr_iov[counting->nr_calls - 1] = nr_iov;
    for (int i = 0; i < nr_iov; i++) {
        const uint8_t *from = iov[i].iov_base;

        for (size_t j = 0; j < iov[i].iov_len; j++, counting->bytes++)
            if (counting->bytes < sizeof(counting->first))
                counting->first[counting->bytes] = from[j];
    }
    return 0;
}

struct fixture {
    struct counting counting;
    struct xcx_writer writer;
    struct xcx_page_batch batch;
    struct xcx_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    xcx_writer_init(&f->writer,
                    (struct xcx_sink){counting_writev, &f->counting});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void start(struct fixture *f, enum xcx_guest_type type)
{
    struct xcx_stream_headers headers = {
        .guest_type = type, .xen_major = 4, .xen_minor = 17};

    assert_int_equal(xcx_writer_headers(&f->writer, &headers, false, &f->err),
                     0);
}

static void start_hvm_memory(struct fixture *f)
{
    start(f, XCX_GUEST_HVM);
    assert_int_equal(xcx_writer_record(&f->writer, XCX_REC_STATIC_DATA_END,
                                       NULL, 0, &f->err),
                     0);
    f->counting = (struct counting){0};
}

static void assert_bug(struct fixture *f, const char *message)
{
    assert_int_equal(f->err.kind, XCX_ERR_BUG);
    assert_string_equal(f->err.msg, message);
    assert_true(f->writer.broken);
}

/* Byte for byte from the specification's drawings. */
static void bytes_are_as_specified(void **state)
{
    static const uint8_t expect[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* marker */
        0x58, 0x45, 0x4e, 0x46, 0,    0,    0,    3,    /* id, version */
        0,    0,    0,    0,    0,    0,    0,    0,    /* options */
        2,    0,    0,    0,    12,   0,    0,    0,    /* HVM, page shift */
        4,    0,    0,    0,    17,   0,    0,    0,    /* Xen 4.17 */
        0x10, 0,    0,    0,    0,    0,    0,    0,    /* STATIC_DATA_END */
        1,    0,    0,    0,    24,   0,    0,    0,    /* PAGE_DATA */
        2,    0,    0,    0,    0,    0,    0,    0,    /* 2 pfns */
        0x34, 0x12, 0,    0,    0,    0,    0,    0xe0, /* XALLOC */
        1,    0,    0,    0,    0,    0,    8,    0xf0, /* XTAB */
        8,    0,    0,    0,    24,   0,    0,    0,    /* X86_TSC_INFO */
        1,    0,    0,    0,    2,    0,    0,    0,    /* mode, kHz */
        8,    7,    6,    5,    4,    3,    2,    1,    /* ns */
        3,    0,    0,    0,    0,    0,    0,    0,    /* incarnation */
    };
    struct xcx_tsc_info tsc = {1, 2, UINT64_C(0x0102030405060708), 3};
    struct fixture *f = *state;

    start(f, XCX_GUEST_HVM);
    xcx_writer_record(&f->writer, XCX_REC_STATIC_DATA_END, NULL, 0, &f->err);
    xcx_page_batch_add(&f->batch, 0x1234, XCX_PAGE_XALLOC, NULL);
    xcx_page_batch_add(&f->batch, UINT64_C(0x8000000000001), XCX_PAGE_XTAB,
                       NULL);
    xcx_writer_page_data(&f->writer, &f->batch, &f->err);
    xcx_writer_tsc_info(&f->writer, &tsc, &f->err);
    assert_string_equal(f->err.msg, "");
    assert_int_equal(f->counting.bytes, sizeof(expect));
    assert_memory_equal(f->counting.first, expect, sizeof(expect));
    assert_int_equal(f->writer.bytes, sizeof(expect));
    assert_int_equal(f->writer.nr_records, 3);
}

static void bodies_are_padded(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_XTAB, NULL);
    xcx_writer_page_data(&f->writer, &f->batch, &f->err);
    xcx_writer_tsc_info(&f->writer, &(struct xcx_tsc_info){0}, &f->err);
    xcx_writer_hvm_params(&f->writer, &(struct xcx_hvm_param){1, 2}, 1,
                          &f->err);
    f->counting = (struct counting){0};
    assert_int_equal(
        xcx_writer_record(&f->writer, XCX_REC_HVM_CONTEXT, "abcde", 5, &f->err),
        0);
    assert_int_equal(f->counting.bytes, 16);
    assert_int_equal(f->counting.nr_calls, 1);
    assert_memory_equal(f->counting.first, "\x09\0\0\0\x05\0\0\0abcde\0\0\0",
                        16);
}

static void neighbours_share_an_iovec(void **state)
{
    static const uint8_t pages[4 * XCX_PAGE_BYTES];
    struct fixture *f = *state;

    start_hvm_memory(f);
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_NOTAB, pages);
    xcx_page_batch_add(&f->batch, 2, XCX_PAGE_XTAB, NULL);
    xcx_page_batch_add(&f->batch, 3, XCX_PAGE_NOTAB, pages + 4096);
    xcx_page_batch_add(&f->batch, 4, XCX_PAGE_NOTAB, pages + 3 * 4096);
    xcx_page_batch_add(&f->batch, 5, XCX_PAGE_NOTAB, pages + 2 * 4096);
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), 0);
    assert_int_equal(f->counting.nr_calls, 1);
    assert_int_equal(f->counting.nr_iov[0], 4);
    assert_int_equal(f->counting.bytes, 8 + 8 + 5 * 8 + 4 * 4096);
    assert_int_equal(f->batch.nr_pfns, 0);
}

/* 1024 scattered pages and the head are one more than a sink takes at once. */
static void a_full_batch_is_split(void **state)
{
    static const uint8_t pages[2 * XCX_PAGE_BYTES];
    struct fixture *f = *state;

    start_hvm_memory(f);
    for (unsigned i = 0; i < XCX_PAGE_BATCH_MAX; i++)
        assert_true(xcx_page_batch_add(&f->batch, i, XCX_PAGE_NOTAB, pages));
    assert_true(xcx_page_batch_is_full(&f->batch));
    assert_false(xcx_page_batch_add(&f->batch, 9999, XCX_PAGE_NOTAB, pages));
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), 0);
    assert_int_equal(f->counting.nr_calls, 2);
    assert_int_equal(f->counting.nr_iov[0], 1024);
    assert_int_equal(f->counting.nr_iov[1], 1);
    assert_int_equal(f->counting.bytes, 16 + 1024 * (8 + 4096));
}

static void an_empty_batch_writes_nothing(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), 0);
    assert_int_equal(f->counting.nr_calls, 0);
}

/* Contents by another hand: the same bytes, counted once they are there. */
static void contents_by_another_hand(void **state)
{
    struct fixture *f = *state;
    uint64_t before, data_bytes = 0;

    start_hvm_memory(f);
    before = f->writer.bytes;
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_NOTAB, NULL);
    xcx_page_batch_add(&f->batch, 2, XCX_PAGE_XTAB, NULL);
    xcx_page_batch_add(&f->batch, 3, XCX_PAGE_NOTAB, NULL);
    assert_int_equal(
        xcx_writer_page_head(&f->writer, &f->batch, &data_bytes, &f->err), 0);
    assert_int_equal(data_bytes, 2 * 4096);
    assert_int_equal(f->counting.bytes, 16 + 3 * 8);
    assert_memory_equal(f->counting.first, "\1\0\0\0\x20\x20\0\0", 8);
    xcx_writer_page_data_done(&f->writer);
    assert_int_equal(f->writer.bytes - before, 16 + 3 * 8 + 2 * 4096);
    xcx_page_batch_add(&f->batch, 4, XCX_PAGE_XTAB, NULL);
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), 0);
}

static void outstanding_contents_are_a_bug(void **state)
{
    struct fixture *f = *state;
    uint64_t data_bytes;

    start_hvm_memory(f);
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_NOTAB, NULL);
    xcx_writer_page_head(&f->writer, &f->batch, &data_bytes, &f->err);
    assert_int_equal(
        xcx_writer_record(&f->writer, XCX_REC_END, NULL, 0, &f->err), -1);
    assert_bug(f, "writing END while 4096 bytes of page contents are "
                  "outstanding");
}

static void ungiven_pages_are_a_bug(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_NOTAB, NULL);
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), -1);
    assert_bug(f, "writing PAGE_DATA: 0 pages given, must be 1");
    assert_int_equal(f->counting.nr_calls, 0);
    assert_int_equal(f->batch.nr_pfns, 0);
}

static void given_pages_under_a_head_are_a_bug(void **state)
{
    static const uint8_t page[XCX_PAGE_BYTES];
    struct fixture *f = *state;
    uint64_t data_bytes = 7;

    start_hvm_memory(f);
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_NOTAB, page);
    assert_int_equal(
        xcx_writer_page_head(&f->writer, &f->batch, &data_bytes, &f->err), -1);
    assert_bug(f, "writing PAGE_DATA: 1 pages given, must be 0");
    assert_int_equal(data_bytes, 7);
}

static void a_failed_sink_breaks_the_stream(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    f->counting.fail_at = 1;
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_XTAB, NULL);
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), -1);
    assert_int_equal(f->err.kind, XCX_ERR_IO);
    assert_string_equal(f->err.msg, "sink is full");
    f->err = XCX_ERR_INIT;
    xcx_page_batch_add(&f->batch, 1, XCX_PAGE_XTAB, NULL);
    assert_int_equal(xcx_writer_page_data(&f->writer, &f->batch, &f->err), -1);
    assert_bug(f, "writing PAGE_DATA to a broken stream");
    assert_int_equal(f->counting.nr_calls, 1);
}

static void records_before_headers_are_a_bug(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        xcx_writer_record(&f->writer, XCX_REC_END, NULL, 0, &f->err), -1);
    assert_bug(f, "writing END before the headers");
}

static void second_headers_are_a_bug(void **state)
{
    struct xcx_stream_headers headers = {.guest_type = XCX_GUEST_HVM};
    struct fixture *f = *state;

    start(f, XCX_GUEST_HVM);
    assert_int_equal(xcx_writer_headers(&f->writer, &headers, false, &f->err),
                     -1);
    assert_bug(f, "writing headers twice");
}

static void wrong_order_is_a_bug(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    assert_int_equal(
        xcx_writer_record(&f->writer, XCX_REC_HVM_CONTEXT, "x", 1, &f->err),
        -1);
    assert_bug(f, "writing HVM_CONTEXT: comes before any PAGE_DATA");
    assert_int_equal(f->counting.nr_calls, 0);
}

static void empty_bodies_are_a_bug(void **state)
{
    struct fixture *f = *state;

    start(f, XCX_GUEST_PV);
    assert_int_equal(xcx_writer_vcpu(&f->writer, XCX_REC_X86_PV_VCPU_MSRS, 0,
                                     NULL, 0, &f->err),
                     -1);
    assert_bug(f, "writing X86_PV_VCPU_MSRS: empty");
}

static void empty_params_are_a_bug(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    assert_int_equal(xcx_writer_hvm_params(&f->writer, NULL, 0, &f->err), -1);
    assert_bug(f, "writing HVM_PARAMS: empty");
}

static void too_many_params_are_a_bug(void **state)
{
    struct fixture *f = *state;

    start_hvm_memory(f);
    assert_int_equal(xcx_writer_hvm_params(&f->writer, NULL,
                                           XCX_HVM_PARAMS_MAX + 1, &f->err),
                     -1);
    assert_bug(f, "writing HVM_PARAMS: length 4120, must be 8 to 4104");
}

static void empty_blobs_are_a_bug(void **state)
{
    struct fixture *f = *state;

    start(f, XCX_GUEST_HVM);
    assert_int_equal(
        xcx_writer_record(&f->writer, XCX_REC_X86_MSR_POLICY, NULL, 0, &f->err),
        -1);
    assert_bug(f, "writing X86_MSR_POLICY: length 0, must be 16 to 65536");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(bytes_are_as_specified),
        T(bodies_are_padded),
        T(neighbours_share_an_iovec),
        T(a_full_batch_is_split),
        T(an_empty_batch_writes_nothing),
        T(contents_by_another_hand),
        T(outstanding_contents_are_a_bug),
        T(ungiven_pages_are_a_bug),
        T(given_pages_under_a_head_are_a_bug),
        T(a_failed_sink_breaks_the_stream),
        T(records_before_headers_are_a_bug),
        T(second_headers_are_a_bug),
        T(wrong_order_is_a_bug),
        T(empty_bodies_are_a_bug),
        T(empty_params_are_a_bug),
        T(too_many_params_are_a_bug),
        T(empty_blobs_are_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
