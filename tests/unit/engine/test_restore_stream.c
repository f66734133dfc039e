/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole streams into a domain of fake_xen.h: good ones, every one of their
 * beginnings, and every one with a byte changed.
 */
#include "unit/restore_sample.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xen/xen.h>
#include <xen/hvm/params.h>

#include "unit/fake_xen.h"

#define MAX_PAGES 1024

/* Whatever came: nothing is left mapped, open or taken beyond the limit. */
static void expect_orderly(const struct restore_run *run)
{
    assert_string_equal(fake_xen.first_misuse, "");
    assert_int_equal(fake_xen.nr_mapped, 0);
    assert_int_equal(fake_xen.nr_handles, 0);
    assert_int_equal(fake_xen.nr_buffers, 0);
    assert_true(fake_xen.nr_pages <= fake_xen.max_pages);
    assert_int_equal(run->rc != 0, xcx_err_is_set(&run->err));
}

static bool names_place(const char *message)
{
    static const char *const words[] = {
        "record ", "image header at byte 0: ", "domain header at byte 24: ",
        "truncated at byte ", "after END at "};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(message, words[i]))
            return true;
    return false;
}

static void run_fresh(struct restore_run *run, bool hvm, const void *bytes,
                      size_t nr_bytes)
{
    fake_xen_reset(hvm, MAX_PAGES);
    *run = (struct restore_run){0};
    restore_bytes(run, bytes, nr_bytes);
    expect_orderly(run);
    if (run->rc && !names_place(run->err.msg))
        fail_msg("no place: %s", run->err.msg);
}

static void hvm_arrives(void **state)
{
    struct restore_sample sample;
    struct restore_run run;
    uint8_t zeroes[XCX_PAGE_BYTES] = {0};

    (void)state;
    sample_guest(&sample, true);
    run_fresh(&run, true, sample.bytes, sample.nr_bytes);
    assert_string_equal(run.err.msg, "");
    assert_int_equal(run.missing, 0);
    assert_int_equal(fake_xen.nr_pages, 4);
    assert_true(sample_page_is_right(fake_xen_page(0), 0));
    assert_true(sample_page_is_right(fake_xen_page(1), 1));
    /* The rings belong to this host now. */
    assert_memory_equal(fake_xen_page(2), zeroes, sizeof(zeroes));
    assert_memory_equal(fake_xen_page(3), zeroes, sizeof(zeroes));
    assert_int_equal(run.results.store_frame, 2);
    assert_int_equal(run.results.console_frame, 3);
    assert_int_equal(fake_xen.store_frame, 2);
    assert_int_equal(fake_xen.console_frame, 3);
    assert_int_equal(fake_xen.params[HVM_PARAM_X87_FIP_WIDTH], 8);
    assert_int_equal(fake_xen.params[HVM_PARAM_STORE_EVTCHN], 1);
    assert_int_equal(fake_xen.params[HVM_PARAM_CONSOLE_EVTCHN], 2);
    assert_int_equal(fake_xen.nr_contexts_set, 1);
    assert_int_equal(fake_xen.nr_tsc_set, 1);
    assert_int_equal(fake_xen.nr_policies_set, 2);
    assert_int_equal(fake_xen.nr_seeds, 1);
    assert_int_equal(run.stats.total_bytes, sample.nr_bytes);
    assert_int_equal(run.stats.nr_records, 8);
    assert_int_equal(run.stats.nr_pages_placed, 4);
    assert_int_equal(run.stats.nr_pfns_populated, 4);
    sample_done(&sample);
}

static void expect_entry(uint64_t table, unsigned slot, uint64_t pfn)
{
    const uint64_t *entries = fake_xen_page(table);

    assert_non_null(entries);
    assert_int_equal(entries[slot], fake_xen_mfn(pfn) << XCX_PAGE_SHIFT | 7);
}

static void expect_pv_memory(void)
{
    const uint64_t *leaf = fake_xen_page(SAMPLE_LEAF);
    const uint64_t *l1 = fake_xen_page(SAMPLE_L1);

    assert_true(sample_page_is_right(fake_xen_page(30), 30));
    assert_non_null(leaf);
    for (uint64_t pfn = 0; pfn < SAMPLE_NR_PFNS; pfn++)
        assert_int_equal(leaf[pfn],
                         fake_xen_mfn(pfn) ? fake_xen_mfn(pfn) : UINT64_MAX);
    /* What lies past the end is as it was sent. */
    assert_int_equal(leaf[SAMPLE_NR_PFNS],
                     SAMPLE_LEAF * UINT64_C(0x0101010101) + SAMPLE_NR_PFNS);
    expect_entry(SAMPLE_L4, 3, SAMPLE_L4 + 1);
    expect_entry(SAMPLE_L1 - 1, 3, SAMPLE_L1);
    expect_entry(SAMPLE_L1, 2, 32);
    expect_entry(SAMPLE_L1, 500, SAMPLE_UNSENT);
    assert_int_equal(l1[501], UINT64_C(0x123456789000));
    assert_null(fake_xen_page(50));
    assert_non_null(fake_xen_page(51));
}

static void expect_start_info(void)
{
    const start_info_t *start = fake_xen_page(SAMPLE_START);

    assert_non_null(start);
    assert_int_equal(fake_xen.start_info, fake_xen_mfn(SAMPLE_START));
    assert_int_equal(start->store_mfn, fake_xen_mfn(SAMPLE_STORE));
    assert_int_equal(start->console.domU.mfn, fake_xen_mfn(SAMPLE_CONSOLE));
    assert_int_equal(start->store_evtchn, 1);
    assert_int_equal(start->console.domU.evtchn, 2);
    assert_int_equal(start->nr_pages, SAMPLE_NR_PFNS);
    assert_int_equal(start->shared_info, FAKE_SHARED_INFO << XCX_PAGE_SHIFT);
    assert_int_equal(start->flags, 0);
}

static void pv_arrives(void **state)
{
    struct restore_sample sample;
    struct restore_run run;
    const shared_info_t *info = fake_xen_shared_info();

    (void)state;
    sample_guest(&sample, false);
    run_fresh(&run, false, sample.bytes, sample.nr_bytes);
    assert_string_equal(run.err.msg, "");
    expect_pv_memory();
    expect_start_info();
    assert_int_equal(info->arch.max_pfn, SAMPLE_NR_PFNS);
    assert_int_equal(info->arch.pfn_to_mfn_frame_list_list, 0);
    assert_int_equal(info->evtchn_pending[0], 0);
    assert_int_equal(info->evtchn_mask[3], ~0UL);
    assert_int_equal(fake_xen.cr3, fake_xen_mfn(SAMPLE_L4) << XCX_PAGE_SHIFT);
    assert_int_equal(fake_xen.nr_pins, 1);
    assert_int_equal(fake_xen.nr_vcpus_set, 1);
    assert_int_equal(fake_xen.nr_parts_set, 3);
    assert_int_equal(fake_xen.nr_seeds, 1);
    assert_int_equal(run.results.store_frame, fake_xen_mfn(SAMPLE_STORE));
    assert_int_equal(fake_xen.console_frame, fake_xen_mfn(SAMPLE_CONSOLE));
    /* 13 with contents, one without, and the one that was never sent. */
    assert_int_equal(fake_xen.nr_pages, 15);
    sample_done(&sample);
}

/* Nothing is read past the end: what follows belongs to libxl. */
static void the_end_is_the_end(void **state)
{
    struct restore_sample sample;
    struct restore_run run;
    size_t nr_bytes;

    (void)state;
    sample_guest(&sample, true);
    nr_bytes = sample.nr_bytes;
    sample_page_run(&sample, 5, 1);
    run_fresh(&run, true, sample.bytes, sample.nr_bytes);
    assert_int_equal(run.rc, 0);
    assert_int_equal(run.stats.total_bytes, nr_bytes);
    assert_null(fake_xen_page(5));
    sample_done(&sample);
}

/* The next byte to look at: amid the contents of pages, one of many. */
static size_t next(const struct restore_sample *sample, size_t at)
{
    const size_t step = 97;

    return at > sample->contents_from && at + step < sample->contents_to
               ? at + step
               : at + 1;
}

static void truncate_everywhere(bool hvm)
{
    struct restore_sample sample;

    sample_guest(&sample, hvm);
    for (size_t nr_bytes = 0; nr_bytes < sample.nr_bytes;
         nr_bytes = next(&sample, nr_bytes)) {
        struct restore_run run;
        char text[64];

        run_fresh(&run, hvm, sample.bytes, nr_bytes);
        assert_int_equal(run.rc, -1);
        assert_int_equal(run.err.kind, XCX_ERR_STREAM);
        snprintf(text, sizeof(text), "truncated at byte %zu, in ", nr_bytes);
        if (!strstr(run.err.msg, text))
            fail_msg("%zu: %s", nr_bytes, run.err.msg);
        /* No state without an end. */
        assert_int_equal(fake_xen.nr_contexts_set + fake_xen.nr_vcpus_set, 0);
        assert_int_equal(fake_xen.nr_seeds, 0);
    }
    sample_done(&sample);
}

static void every_beginning_is_a_clean_error(void **state)
{
    (void)state;
    truncate_everywhere(true);
    truncate_everywhere(false);
}

/* A flipped byte of contents is the guest's; elsewhere it may be an error. */
static void flip_everywhere(bool hvm, uint8_t flip)
{
    struct restore_sample sample;
    unsigned nr_failed = 0;

    sample_guest(&sample, hvm);
    for (size_t at = 0; at < sample.nr_bytes; at = next(&sample, at)) {
        struct restore_run run;

        sample.bytes[at] ^= flip;
        run_fresh(&run, hvm, sample.bytes, sample.nr_bytes);
        sample.bytes[at] ^= flip;
        nr_failed += run.rc != 0;
        if (run.rc && run.err.kind != XCX_ERR_STREAM &&
            run.err.kind != XCX_ERR_GUEST)
            fail_msg("byte %zu: %s: %s", at, xcx_err_kind_name(run.err.kind),
                     run.err.msg);
    }
    /* The headers alone are 40 bytes, and each record has 8 more. */
    assert_true(nr_failed > 60);
    sample_done(&sample);
}

static void every_flipped_byte_is_harmless(void **state)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};

    (void)state;
    for (size_t i = 0; i < sizeof(flips); i++) {
        flip_everywhere(true, flips[i]);
        flip_everywhere(false, flips[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hvm_arrives),
        cmocka_unit_test(pv_arrives),
        cmocka_unit_test(the_end_is_the_end),
        cmocka_unit_test(every_beginning_is_a_clean_error),
        cmocka_unit_test(every_flipped_byte_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
