/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab/witness/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "lab/witness/table.h"
#include "lab/witness/workset.h"

static uint64_t page[PAGE_WORDS];

static enum page_kind kind_of(uint64_t number, uint64_t seq)
{
    struct page_finding finding;

    return page_verify(page, number, seq, &finding) ? PAGE_GOOD : finding.kind;
}

static void each_stamp_is_good_as_itself(void **state)
{
    (void)state;
    for (uint64_t number = 0; number < 50; number++) {
        page_stamp(page, number, number * number);
        assert_int_equal(kind_of(number, number * number), PAGE_GOOD);
    }
    page_stamp(page, PAGE_NUMBER_DISK + 7, TABLE_MAX_SEQ);
    assert_int_equal(kind_of(PAGE_NUMBER_DISK + 7, TABLE_MAX_SEQ), PAGE_GOOD);
}

static void every_flipped_bit_is_found(void **state)
{
    unsigned char *bytes = (unsigned char *)page;
    struct page_finding finding;

    (void)state;
    page_stamp(page, 3, 9);
    for (unsigned bit = 0; bit < PAGE_BYTES * 8; bit++) {
        bytes[bit / 8] ^= 1u << bit % 8;
        assert_false(page_verify(page, 3, 9, &finding));
        assert_int_equal(finding.kind, PAGE_CORRUPT);
        assert_int_equal(finding.nr_bad_words, 1);
        assert_int_equal(finding.bad_byte, bit / 64 * 8);
        bytes[bit / 8] ^= 1u << bit % 8;
    }
    assert_true(page_verify(page, 3, 9, &finding));
}

static void whole_stamps_of_another_page_or_time(void **state)
{
    static const struct {
        uint64_t number, seq;
        enum page_kind kind;
    } cases[] = {
        {5, 7, PAGE_STALE},
        {5, 0, PAGE_STALE},
        {5, 9, PAGE_AHEAD},
        {4, 8, PAGE_MISPLACED},
        {4, 7, PAGE_MISPLACED},
        {5, 8, PAGE_GOOD},
        {5 + PAGE_NUMBER_DISK, 8, PAGE_MISPLACED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct page_finding finding;

        page_stamp(page, cases[i].number, cases[i].seq);
        assert_int_equal(kind_of(5, 8), cases[i].kind);
        if (page_verify(page, 5, 8, &finding))
            continue;
        assert_int_equal(finding.number, 5);
        assert_int_equal(finding.expected_seq, 8);
        assert_int_equal(finding.found_number, cases[i].number);
        assert_int_equal(finding.found_seq, cases[i].seq);
    }
}

static void half_old_half_new_is_torn(void **state)
{
    uint64_t old[PAGE_WORDS];
    struct page_finding finding;

    (void)state;
    page_stamp(old, 5, 7);
    page_stamp(page, 5, 8);
    memcpy(page + 256, old + 256, sizeof(old) / 2);
    assert_false(page_verify(page, 5, 8, &finding));
    assert_int_equal(finding.kind, PAGE_TORN);
    assert_int_equal(finding.nr_bad_words, 256);
    assert_int_equal(finding.bad_byte, 2048);

    page[300] ^= 1;
    assert_int_equal(kind_of(5, 8), PAGE_CORRUPT);
}

static void zero_page_is_named(void **state)
{
    (void)state;
    memset(page, 0, sizeof(page));
    assert_int_equal(kind_of(0, 0), PAGE_ZERO);
    page[511] = 1;
    assert_int_equal(kind_of(0, 0), PAGE_CORRUPT);
}

static void kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(page_kind_name(PAGE_GOOD), "good");
    assert_string_equal(page_kind_name(PAGE_TABLE), "table");
    assert_string_equal(page_kind_name(PAGE_NR_KINDS), "unknown");
}

static void table_tells_damage_to_itself(void **state)
{
    static unsigned char memory[2 * PAGE_BYTES];
    struct table table;
    uint64_t seq;

    (void)state;
    assert_int_equal(table_bytes(100), sizeof(memory));
    table_init(&table, memory, 1000, 100);
    assert_int_equal(table_get(&table, 99, &seq), TABLE_GOOD);
    assert_int_equal(seq, 0);
    table_set(&table, 7, TABLE_MAX_SEQ);
    assert_int_equal(table_get(&table, 7, &seq), TABLE_GOOD);
    assert_true(seq == TABLE_MAX_SEQ);

    /* One copy damaged: any bit. */
    for (unsigned bit = 0; bit < 64; bit++) {
        table_set(&table, 7, 12345);
        table.copy[bit % 2][7] ^= UINT64_C(1) << bit;
        assert_int_equal(table_get(&table, 7, &seq), TABLE_MENDED);
        assert_int_equal(seq, 12345);
    }
    /* One copy's page is an old one. */
    table_set(&table, 7, 12345);
    uint64_t old = table.copy[0][7];
    table_set(&table, 7, 12346);
    table.copy[0][7] = old;
    assert_int_equal(table_get(&table, 7, &seq), TABLE_MENDED);
    assert_int_equal(seq, 12346);
    /* An entry in a wrong place, both damaged. */
    table.copy[0][7] = table.copy[0][8];
    table.copy[1][7] = 0;
    assert_int_equal(table_get(&table, 7, &seq), TABLE_LOST);
    assert_int_equal(seq, 0);
}

static void assert_only(struct workset *set, enum page_kind kind)
{
    struct workset_counts counts;

    workset_get_counts(set, &counts);
    assert_int_equal(counts.errors, kind == PAGE_GOOD ? 0 : 1);
    assert_int_equal(counts.by_kind[kind], kind == PAGE_GOOD ? 0 : 1);
    memset(&set->counts, 0, sizeof(set->counts));
}

/* Each damage is reported once, by the next look, and then mended. */
static void workset_finds_each_damage_once(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct workset_finding findings[WORKSET_FINDINGS];
    struct workset set;

    (void)state;
    assert_int_equal(workset_init(&set, 64, &err), 0);
    workset_write(&set, 5);
    workset_verify(&set, 5);
    assert_only(&set, PAGE_GOOD);

    workset_corrupt(&set, 5);
    workset_verify(&set, 5);
    assert_only(&set, PAGE_CORRUPT);
    workset_verify(&set, 5);
    assert_only(&set, PAGE_GOOD);

    memcpy(set.pages, set.pages + PAGE_BYTES, PAGE_BYTES);
    workset_write(&set, 0);
    assert_only(&set, PAGE_MISPLACED);
    set.table.copy[1][9] ^= 4;
    workset_verify(&set, 9);
    assert_only(&set, PAGE_TABLE);
    set.table.copy[0][9] = set.table.copy[1][9] = 0;
    workset_write(&set, 9);
    assert_only(&set, PAGE_TABLE);
    workset_verify(&set, 9);
    assert_only(&set, PAGE_GOOD);

    assert_int_equal(workset_get_findings(&set, findings), 2);
    assert_int_equal(findings[0].page.number, 5);
    assert_int_equal(findings[1].page.found_number, 1);
    workset_done(&set);
    workset_done(&set);
}

static void workset_releases_and_retakes(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    unsigned char resident[64];
    struct workset set;

    (void)state;
    assert_int_equal(workset_init(&set, 64, &err), 0);
    workset_corrupt(&set, 40);
    workset_release(&set, 32);
    assert_only(&set, PAGE_CORRUPT);
    assert_int_equal(set.nr_resident, 32);
    assert_int_equal(mincore(set.pages, 64 * PAGE_BYTES, resident), 0);
    assert_true(resident[31] & 1);
    assert_false(resident[32] & 1);
    assert_false(resident[63] & 1);

    workset_retake(&set);
    assert_int_equal(set.nr_resident, 64);
    for (size_t i = 0; i < 64; i++)
        workset_verify(&set, i);
    assert_only(&set, PAGE_GOOD);
    workset_done(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stamp_is_good_as_itself),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(whole_stamps_of_another_page_or_time),
        cmocka_unit_test(half_old_half_new_is_torn),
        cmocka_unit_test(zero_page_is_named),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(table_tells_damage_to_itself),
        cmocka_unit_test(workset_finds_each_damage_once),
        cmocka_unit_test(workset_releases_and_retakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
