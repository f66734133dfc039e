/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PV guest's page tables get this host's frames when they come. After END
 * only those are left that could not be localised before.
 */
#include "unit/restore_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "unit/fake_xen.h"

#define NR(array)  (sizeof(array) / sizeof((array)[0]))

#define PTE(frame) ((uint64_t)(frame) << XCX_PAGE_SHIFT | 7)

/* Pages that the records of a whole guest's memory need, and SAMPLE_UNSENT. */
#define NR_PAGES 15

static const uint64_t l1_pfn = SAMPLE_L1;
static const uint8_t l1_type = XCX_PAGE_L1TAB;

static void start(struct restore_sample *sample)
{
    sample_start(sample, false);
    sample_static_data(sample, false);
    sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS - 1, SAMPLE_LEAF);
}

/* An entry of the last table in the last record. */
static void set_entry(struct restore_sample *sample, unsigned slot,
                      uint64_t entry)
{
    memcpy(sample->bytes + sample->contents_to - XCX_PAGE_BYTES +
               slot * sizeof(entry),
           &entry, sizeof(entry));
}

static void plain(struct restore_sample *sample)
{
    start(sample);
    sample_pv_memory(sample);
}

/* Nothing that it refers to is there yet. */
static void table_first(struct restore_sample *sample)
{
    start(sample);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
    sample_pv_memory(sample);
}

static void rewritten(struct restore_sample *sample)
{
    plain(sample);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
}

static void an_ordinary_page_in_between(struct restore_sample *sample)
{
    plain(sample);
    sample_pages(sample, &l1_pfn, NULL, 1);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
}

static void twice_in_one_record(struct restore_sample *sample)
{
    const uint64_t pfns[] = {SAMPLE_L1, SAMPLE_L1};
    const uint8_t types[] = {XCX_PAGE_L1TAB, XCX_PAGE_L1TAB};

    plain(sample);
    sample_pages(sample, pfns, types, 2);
}

/* The table of the first record is out of date when the guest stands. */
static void beyond_the_p2m_for_a_while(struct restore_sample *sample)
{
    start(sample);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
    set_entry(sample, 7, PTE(SAMPLE_NR_PFNS));
    sample_pv_memory(sample);
}

/* 500 pages that the domain may not have. */
static void too_many_for_a_while(struct restore_sample *sample)
{
    sample_start(sample, false);
    sample_static_data(sample, false);
    sample_p2m_frames(sample, 0, 511, SAMPLE_LEAF);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
    for (unsigned slot = 0; slot < 500; slot++)
        set_entry(sample, slot, PTE(slot));
    sample_pv_memory(sample);
}

/* The p2m grows only after the table has come, and it does not come again. */
static void beyond_the_p2m_at_first(struct restore_sample *sample)
{
    plain(sample);
    sample_pages(sample, &l1_pfn, &l1_type, 1);
    set_entry(sample, 7, PTE(60));
    set_entry(sample, 8, PTE(SAMPLE_NR_PFNS + 1));
    sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS + 1, SAMPLE_LEAF);
}

static void same_again_behind_verify(struct restore_sample *sample)
{
    plain(sample);
    sample_record(sample, XCX_REC_VERIFY, NULL, 0);
    sample_pv_memory(sample);
}

static const struct {
    const char *name;
    void (*make)(struct restore_sample *sample);
    unsigned nr_at_end;
} cases[] = {
    {"plain", plain, 0},
    {"table first", table_first, 0},
    {"rewritten", rewritten, 0},
    {"an ordinary page in between", an_ordinary_page_in_between, 0},
    {"twice in one record", twice_in_one_record, 0},
    {"beyond the p2m for a while", beyond_the_p2m_for_a_while, 0},
    {"too many for a while", too_many_for_a_while, 0},
    {"beyond the p2m at first", beyond_the_p2m_at_first, 1},
    {"the same again behind VERIFY", same_again_behind_verify, 0},
};

static bool l1_is_right(void)
{
    const uint64_t *entries = fake_xen_page(SAMPLE_L1);

    for (unsigned i = 0; i < 4; i++)
        if (!entries || entries[i] != PTE(fake_xen_mfn(30 + i)))
            return false;
    return entries[500] == PTE(fake_xen_mfn(SAMPLE_UNSENT)) &&
           entries[501] == UINT64_C(0x123456789000) &&
           fake_xen_mfn(SAMPLE_UNSENT);
}

static void tables_are_localised_as_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct restore_sample sample;
        struct restore_run run = {0};

        cases[i].make(&sample);
        sample_pv_state(&sample);
        sample_record(&sample, XCX_REC_END, NULL, 0);
        fake_xen_reset(false,
                       cases[i].make == too_many_for_a_while ? NR_PAGES : 64);
        restore_bytes(&run, sample.bytes, sample.nr_bytes);
        sample_done(&sample);
        if (run.rc)
            fail_msg("%s: %s", cases[i].name, run.err.msg);
        if (run.stats.nr_tables_at_end != cases[i].nr_at_end)
            fail_msg("%s: %llu tables after END", cases[i].name,
                     (unsigned long long)run.stats.nr_tables_at_end);
        if (!l1_is_right())
            fail_msg("%s: an entry is wrong", cases[i].name);
        assert_int_equal(run.stats.nr_pages_not_as_sent, 0);
        assert_string_equal(fake_xen.first_misuse, "");
        assert_int_equal(fake_xen.nr_mapped, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_localised_as_they_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
