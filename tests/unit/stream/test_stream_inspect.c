/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xcext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/saved_sample.h"

/* ---- streams by the writer, so that the counts are known --------------- */

struct made {
    struct sample_buf bytes;
    struct xcx_writer writer;
    struct xcx_page_batch batch;
};

static const uint8_t page[XCX_PAGE_BYTES];

static void begin(struct made *made, enum xcx_guest_type type)
{
    struct xcx_stream_headers headers = {
        .guest_type = type, .xen_major = 4, .xen_minor = 19};
    struct xcx_pv_info info = {8, 4};
    struct xcx_p2m_frames frames = {0, 0x1ff};
    uint64_t frame_pfn = 9;
    struct xcx_err err = XCX_ERR_INIT;

    memset(made, 0, sizeof(*made));
    xcx_writer_init(&made->writer, sample_sink(&made->bytes));
    xcx_writer_headers(&made->writer, &headers, false, &err);
    if (type == XCX_GUEST_PV)
        xcx_writer_pv_info(&made->writer, &info, &err);
    xcx_writer_record(&made->writer, XCX_REC_STATIC_DATA_END, NULL, 0, &err);
    if (type == XCX_GUEST_PV)
        xcx_writer_p2m_frames(&made->writer, &frames, 8, &frame_pfn, &err);
    assert_string_equal(err.msg, "");
}

static void flush(struct made *made)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(xcx_writer_page_data(&made->writer, &made->batch, &err),
                     0);
}

static void add(struct made *made, uint64_t pfn, enum xcx_page_type type)
{
    if (xcx_page_batch_is_full(&made->batch))
        flush(made);
    assert_true(xcx_page_batch_add(&made->batch, pfn, type,
                                   xcx_page_type_has_data(type) ? page : NULL));
}

static void add_run(struct made *made, uint64_t first, uint64_t last)
{
    for (uint64_t pfn = first; pfn <= last; pfn++)
        add(made, pfn, XCX_PAGE_NOTAB);
}

static struct xcx_inspector *inspect(const struct made *made)
{
    struct xcx_inspector *inspector;
    struct xcx_err err = XCX_ERR_INIT;
    size_t used;

    assert_int_equal(xcx_inspector_new(0, &inspector, &err), 0);
    assert_int_equal(xcx_inspector_feed(inspector, made->bytes.data,
                                        made->bytes.bytes, &used, &err),
                     0);
    assert_int_equal(used, made->bytes.bytes);
    return inspector;
}

static void pages_are_counted(void **state)
{
    struct xcx_inspector *inspector;
    const struct xcx_inspect_pages *pages;
    struct made made;

    (void)state;
    begin(&made, XCX_GUEST_PV);
    add(&made, 7, XCX_PAGE_NOTAB);
    add(&made, 9, XCX_PAGE_L4TAB_PIN);
    add(&made, 10, XCX_PAGE_XTAB);
    add(&made, 11, XCX_PAGE_BROKEN);
    add(&made, 12, XCX_PAGE_XALLOC);
    add(&made, 9, XCX_PAGE_L4TAB); /* the second pass */
    add(&made, 9, XCX_PAGE_L4TAB); /* the third */
    add(&made, 5, XCX_PAGE_XTAB);  /* the fourth */
    flush(&made);
    inspector = inspect(&made);
    pages = &xcx_inspector_report(inspector)->pages;
    assert_int_equal(pages->nr_pfns, 8);
    assert_int_equal(pages->nr_pfns_data, 4);
    assert_int_equal(pages->nr_pfns_distinct, 2);
    assert_int_equal(pages->nr_pfns_repeated, 1);
    assert_int_equal(pages->nr_pfns_uncounted, 0);
    assert_int_equal(pages->max_times, 3);
    assert_int_equal(pages->nr_passes, 4);
    assert_int_equal(pages->first_pfn, 5);
    assert_int_equal(pages->last_pfn, 12);
    assert_int_equal(pages->by_type[XCX_PAGE_NOTAB], 1);
    assert_int_equal(pages->by_type[XCX_PAGE_L4TAB], 2);
    assert_int_equal(pages->by_type[XCX_PAGE_L4TAB_PIN], 1);
    assert_int_equal(pages->by_type[XCX_PAGE_XTAB], 2);
    assert_int_equal(pages->by_type[XCX_PAGE_BROKEN], 1);
    assert_int_equal(pages->by_type[XCX_PAGE_XALLOC], 1);
    assert_int_equal(xcx_inspector_report(inspector)->guest_width, 8);
    assert_int_equal(xcx_inspector_report(inspector)->p2m_last_pfn, 0x1ff);
    xcx_inspector_free(inspector);
    sample_buf_done(&made.bytes);
}

static void superpages_are_whole_new_and_in_order(void **state)
{
    struct xcx_inspector *inspector;
    struct made made;

    (void)state;
    begin(&made, XCX_GUEST_HVM);
    add_run(&made, 100, 1023);  /* one: 512 to 1023 */
    add_run(&made, 1024, 1400); /* cut by a hole */
    add(&made, 1401, XCX_PAGE_XTAB);
    add_run(&made, 1402, 2047); /* one: 1536 to 2047 */
    add_run(&made, 2048, 2500); /* one, the last page being unwritten */
    add_run(&made, 2501, 2558);
    add(&made, 2559, XCX_PAGE_XALLOC);
    add_run(&made, 512, 1023);  /* again, so it is there already */
    add_run(&made, 4096, 4200); /* out of order */
    add_run(&made, 4300, 4607);
    add_run(&made, 4201, 4299);
    flush(&made);
    inspector = inspect(&made);
    assert_int_equal(xcx_inspector_report(inspector)->pages.nr_superpages, 3);
    xcx_inspector_free(inspector);
    sample_buf_done(&made.bytes);
}

static void verification_counts_apart(void **state)
{
    struct xcx_inspector *inspector;
    const struct xcx_inspect_pages *pages;
    struct xcx_err err = XCX_ERR_INIT;
    struct made made;

    (void)state;
    begin(&made, XCX_GUEST_HVM);
    add_run(&made, 0, 9);
    flush(&made);
    xcx_writer_record(&made.writer, XCX_REC_VERIFY, NULL, 0, &err);
    add_run(&made, 0, 8);
    flush(&made);
    inspector = inspect(&made);
    pages = &xcx_inspector_report(inspector)->pages;
    assert_int_equal(pages->nr_pfns, 10);
    assert_int_equal(pages->nr_pfns_verify, 9);
    assert_int_equal(pages->nr_pfns_repeated, 0);
    assert_int_equal(pages->nr_passes, 1);
    xcx_inspector_free(inspector);
    sample_buf_done(&made.bytes);
}

static void hvm_state_is_told(void **state)
{
    static const uint8_t context[] = {
        1, 0, 0, 0, 4, 0, 0, 0, 9, 9, 9, 9, /* a header */
        2, 0, 0, 0, 1, 0, 0, 0, 7,          /* vCPU 0 */
        2, 0, 1, 0, 0, 0, 0, 0,             /* vCPU 1 */
        3, 0, 0, 0, 2, 0, 0, 0, 1, 1,       /* something else */
        0, 0, 0, 0, 0, 0, 0, 0,             /* the end */
    };
    /* Whole; its end missing; a length that leads out of it. */
    static const struct {
        uint32_t bytes;
        uint8_t length;
        unsigned nr_vcpus;
    } cases[] = {
        {sizeof(context), 1, 2},
        {sizeof(context) - 1, 1, 0},
        {sizeof(context), 200, 0},
    };
    struct xcx_hvm_param params[] = {{1, 0xfeffc}, {17, 0xfefff}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_tsc_info tsc = {2, 2400000, 77, 3};
        struct xcx_err err = XCX_ERR_INIT;
        const struct xcx_inspect *report;
        struct xcx_inspector *inspector;
        uint8_t bytes[sizeof(context)];
        struct made made;

        memcpy(bytes, context, sizeof(context));
        bytes[16] = cases[i].length;
        begin(&made, XCX_GUEST_HVM);
        add(&made, 0, XCX_PAGE_NOTAB);
        flush(&made);
        xcx_writer_tsc_info(&made.writer, &tsc, &err);
        xcx_writer_hvm_params(&made.writer, params, 2, &err);
        xcx_writer_record(&made.writer, XCX_REC_HVM_CONTEXT, bytes,
                          cases[i].bytes, &err);
        xcx_writer_record(&made.writer, XCX_REC_END, NULL, 0, &err);
        assert_string_equal(err.msg, "");
        inspector = inspect(&made);
        assert_int_equal(xcx_inspector_finish(inspector, &err), 0);
        report = xcx_inspector_report(inspector);
        assert_true(report->complete && report->hvm && report->has_tsc);
        assert_int_equal(report->xen_minor, 19);
        assert_int_equal(report->nr_vcpus, cases[i].nr_vcpus);
        assert_int_equal(report->hvm_context_bytes, cases[i].bytes);
        assert_int_equal(report->nr_hvm_params, 2);
        assert_int_equal(report->hvm_params[1].index, 17);
        assert_int_equal(report->hvm_params[1].value, 0xfefff);
        assert_int_equal(report->tsc_mode, 2);
        assert_int_equal(report->tsc_khz, 2400000);
        assert_int_equal(report->tsc_elapsed_ns, 77);
        assert_int_equal(report->tsc_incarnation, 3);
        xcx_inspector_free(inspector);
        sample_buf_done(&made.bytes);
    }
}

/* ---- properties over random streams ------------------------------------ */

static struct xcx_inspect inspect_in_pieces(const struct sample_buf *bytes,
                                            uint64_t offset, size_t piece,
                                            struct xcx_err *err)
{
    struct xcx_inspector *inspector;
    struct xcx_inspect report;
    size_t at = 0, used;

    assert_int_equal(xcx_inspector_new(offset, &inspector, err), 0);
    while (at < bytes->bytes) {
        size_t now = bytes->bytes - at < piece ? bytes->bytes - at : piece;

        if (xcx_inspector_feed(inspector, bytes->data + at, now, &used, err))
            break;
        at += used;
        if (xcx_inspector_state(inspector) == XCX_INSPECTOR_CHECKPOINT)
            xcx_inspector_resume(inspector, offset + at);
    }
    if (!xcx_err_is_set(err))
        xcx_inspector_finish(inspector, err);
    report = *xcx_inspector_report(inspector);
    xcx_inspector_free(inspector);
    return report;
}

/* The records and the headers are all the bytes there are. */
static void every_byte_belongs_to_a_record(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++) {
        for (uint64_t seed = 1; seed < 10; seed++) {
            struct sample_buf bytes = {0}, log = {0};
            struct xcx_err err = XCX_ERR_INIT;
            struct xcx_inspect report;
            uint64_t sum = 40, nr = 0;

            sample_make(kind, seed, &bytes, &log);
            report = inspect_in_pieces(&bytes, 1000, SIZE_MAX, &err);
            assert_string_equal(err.msg, "");
            assert_true(report.complete);
            for (unsigned i = 0; i < XCX_INSPECT_NR_KINDS; i++) {
                sum += report.kinds[i].bytes;
                nr += report.kinds[i].nr_records;
            }
            assert_int_equal(sum, bytes.bytes);
            assert_int_equal(nr, report.nr_records);
            assert_int_equal(report.end_offset, 1000 + bytes.bytes);
            assert_string_equal(report.kinds[0].name, "END");
            assert_int_equal(report.kinds[0].first_offset,
                             1000 + bytes.bytes - 8);
            sample_buf_done(&bytes);
            sample_buf_done(&log);
        }
    }
}

static void any_split_gives_the_same(void **state)
{
    static const size_t pieces[] = {1, 7, 4096, 10000};

    (void)state;
    for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++) {
        struct sample_buf bytes = {0}, log = {0};
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_inspect whole;

        sample_make(kind, 4, &bytes, &log);
        whole = inspect_in_pieces(&bytes, 0, SIZE_MAX, &err);
        for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
            struct xcx_inspect cut =
                inspect_in_pieces(&bytes, 0, pieces[i], &err);

            assert_memory_equal(&cut, &whole, sizeof(whole));
        }
        assert_string_equal(err.msg, "");
        sample_buf_done(&bytes);
        sample_buf_done(&log);
    }
}

/* ---- errors ------------------------------------------------------------ */

static void errors_say_where_in_the_file(void **state)
{
    static const struct {
        size_t at; /* the byte to damage */
        uint8_t value;
        const char *message, *record_name;
        uint64_t record_index, record_offset;
    } cases[] = {
        {0, 0,
         "image header at byte 500: marker 0x00ffffffffffffff: not a "
         "migration stream, or one of the legacy format",
         "", 0, 500},
        {24, 9, "domain header at byte 524: guest type 9 is neither PV nor HVM",
         "", 0, 524},
        {40, 0, "record 0 (END) at byte 540: comes before any HVM_CONTEXT",
         "END", 0, 540},
        {48, 0x55,
         "record 1 (unknown) at byte 548: unknown mandatory type "
         "0x00000055",
         "unknown", 1, 548},
        {56, 1,
         "record 1 (PAGE_DATA) at byte 548: length 8216, but 1 pfns "
         "with 1 pages make 4112",
         "PAGE_DATA", 1, 548},
    };
    struct made made;

    (void)state;
    begin(&made, XCX_GUEST_HVM);
    add_run(&made, 3, 4);
    flush(&made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t old = (uint8_t)made.bytes.data[cases[i].at];
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_inspect report;

        made.bytes.data[cases[i].at] = (char)cases[i].value;
        report = inspect_in_pieces(&made.bytes, 500, 5, &err);
        assert_int_equal(err.kind, XCX_ERR_STREAM);
        assert_string_equal(err.msg, cases[i].message);
        assert_string_equal(report.record_name, cases[i].record_name);
        assert_int_equal(report.record_index, cases[i].record_index);
        assert_int_equal(report.record_offset, cases[i].record_offset);
        made.bytes.data[cases[i].at] = (char)old;
    }
    sample_buf_done(&made.bytes);
}

static void a_truncation_names_the_place(void **state)
{
    static const struct {
        size_t bytes;
        const char *message, *record_name;
        uint64_t record_index, record_offset;
    } cases[] = {
        {10, "truncated at byte 10, in the headers", "", 0, 0},
        {30, "truncated at byte 30, in the headers", "", 0, 24},
        {45, "truncated at byte 45, in the header of record 0", "", 0, 40},
        {48, "truncated at byte 48, in the header of record 1", "", 1, 48},
        {60, "truncated at byte 60, in record 1 (PAGE_DATA) at byte 48",
         "PAGE_DATA", 1, 48},
        {4000, "truncated at byte 4000, in record 1 (PAGE_DATA) at byte 48",
         "PAGE_DATA", 1, 48},
    };
    struct made made;

    (void)state;
    begin(&made, XCX_GUEST_HVM);
    add_run(&made, 3, 4);
    flush(&made);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample_buf part = {.data = made.bytes.data,
                                  .bytes = cases[i].bytes};
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_inspect report = inspect_in_pieces(&part, 0, 9, &err);

        assert_int_equal(err.kind, XCX_ERR_STREAM);
        assert_string_equal(err.msg, cases[i].message);
        assert_string_equal(report.record_name, cases[i].record_name);
        assert_int_equal(report.record_index, cases[i].record_index);
        assert_int_equal(report.record_offset, cases[i].record_offset);
        assert_int_equal(report.end_offset, cases[i].bytes);
    }
    sample_buf_done(&made.bytes);
}

static void page_types_have_names(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 20; type++) {
        bool known = type < 16 && xcx_page_type_is_known(type);

        assert_int_equal(xcx_inspect_page_type_name(type) != NULL, known);
    }
    assert_string_equal(xcx_inspect_page_type_name(XCX_PAGE_XTAB), "XTAB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_counted),
        cmocka_unit_test(superpages_are_whole_new_and_in_order),
        cmocka_unit_test(verification_counts_apart),
        cmocka_unit_test(hvm_state_is_told),
        cmocka_unit_test(every_byte_belongs_to_a_record),
        cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(errors_say_where_in_the_file),
        cmocka_unit_test(a_truncation_names_the_place),
        cmocka_unit_test(page_types_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
