/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Superpages, what is given back of them, and the domain's limit. */
#include "unit/restore_sample.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/fake_xen.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* One PAGE_DATA record; its pfns are ascending, but for what is left out. */
struct record {
    uint64_t first;
    unsigned nr;
    unsigned every; /* each so many-th is ... 0: none */
    bool hole;      /* named as a hole, else left out */
    bool is_descending;
};

struct run {
    struct restore_run run;
    struct restore_sample sample;
};

static void put_record(struct restore_sample *sample,
                       const struct record *record)
{
    uint64_t pfns[XCX_PAGE_BATCH_MAX];
    uint8_t types[XCX_PAGE_BATCH_MAX];
    unsigned nr = 0;

    for (unsigned i = 0; i < record->nr; i++) {
        unsigned at = record->is_descending ? record->nr - 1 - i : i;
        bool is_odd = record->every && at % record->every == 0;

        if (is_odd && !record->hole)
            continue;
        pfns[nr] = record->first + at;
        types[nr++] = is_odd ? XCX_PAGE_XTAB : XCX_PAGE_NOTAB;
    }
    sample_pages(sample, pfns, types, nr);
}

/* A guest of these records (until one of 0 pages), with its state. */
static void restore(struct run *run, const struct record *records)
{
    const uint8_t context[8] = {1};

    *run = (struct run){0};
    sample_start(&run->sample, true);
    sample_static_data(&run->sample, true);
    for (; records->nr; records++)
        put_record(&run->sample, records);
    sample_record(&run->sample, XCX_REC_HVM_CONTEXT, context, sizeof(context));
    sample_record(&run->sample, XCX_REC_END, NULL, 0);
    restore_bytes(&run->run, run->sample.bytes, run->sample.nr_bytes);
    sample_done(&run->sample);
    assert_string_equal(fake_xen.first_misuse, "");
    assert_int_equal(fake_xen.nr_mapped, 0);
}

static const struct memory_case {
    const char *name;
    struct record records[5];
    uint64_t max_pages;
    bool no_superpages;
    unsigned nr_superpages, nr_given_back, nr_pages;
} cases[] = {
    {"two whole ranges", {{0, 1024, 0, false, false}}, 2048, false, 2, 0, 1024},
    {"not aligned: only the range in the middle",
     {{256, 1024, 0, false, false}},
     2048,
     false,
     1,
     0,
     1024},
    {"descending, as a whole",
     {{512, 512, 0, false, true}},
     2048,
     false,
     1,
     0,
     512},
    {"holes left out are given back",
     {{0, 512, 8, false, false}},
     2048,
     false,
     1,
     64,
     448},
    {"a named hole: single pages",
     {{0, 512, 300, true, false}},
     2048,
     false,
     0,
     0,
     510},
    {"too few", {{0, 300, 0, false, false}}, 2048, false, 0, 0, 300},
    {"what was left out comes later",
     {{0, 512, 8, false, false}, {0, 512, 0, false, false}},
     2048,
     false,
     1,
     0,
     512},
    {"a page of it was there before",
     {{5, 1, 0, false, false}, {0, 512, 0, false, false}},
     2048,
     false,
     0,
     0,
     512},
    {"no room for the spare pages",
     {{0, 512, 8, false, false}},
     448,
     false,
     0,
     0,
     448},
    {"spare pages make room for others",
     {{0, 512, 8, false, false}, {1024, 64, 0, false, false}},
     520,
     false,
     1,
     64,
     512},
    {"Xen has no superpage to give",
     {{0, 1024, 0, false, false}},
     2048,
     true,
     0,
     0,
     1024},
    {"the last page of the address space",
     {{(1u << 24) - 512, 512, 0, false, false}},
     2048,
     false,
     1,
     0,
     512},
};

static bool expected(const struct record *records, uint64_t pfn)
{
    for (; records->nr; records++)
        if (pfn >= records->first && pfn - records->first < records->nr &&
            !(records->every && (pfn - records->first) % records->every == 0))
            return true;
    return false;
}

static void superpages_where_the_stream_allows(void **state)
{
    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        const struct memory_case *c = &cases[i];
        struct run run;

        fake_xen_reset(true, c->max_pages);
        fake_xen.no_superpages = c->no_superpages;
        restore(&run, c->records);
        if (run.run.rc)
            fail_msg("%s: %s", c->name, run.run.err.msg);
        if (fake_xen.nr_superpages != c->nr_superpages ||
            fake_xen.nr_given_back != c->nr_given_back ||
            fake_xen.nr_pages != c->nr_pages)
            fail_msg("%s: %u superpages, %u given back, %" PRIu64 " pages",
                     c->name, fake_xen.nr_superpages, fake_xen.nr_given_back,
                     fake_xen.nr_pages);
        assert_int_equal(run.run.stats.nr_superpages, c->nr_superpages);
        assert_int_equal(run.run.stats.nr_pfns_given_back, c->nr_given_back);
        for (uint64_t pfn = 0; pfn < 2048; pfn++)
            if (expected(c->records, pfn))
                assert_true(sample_page_is_right(fake_xen_page(pfn), pfn));
            else
                assert_null(fake_xen_page(pfn));
    }
}

static void never_more_than_the_domain_may_have(void **state)
{
    static const struct {
        struct record records[4];
        uint64_t max_pages;
    } too_much[] = {
        {{{0, 5, 0, false, false}}, 4},
        {{{0, 512, 0, false, false}, {600, 1, 0, false, false}}, 512},
        {{{0, 512, 8, false, false}, {1024, 65, 0, false, false}}, 512},
    };

    (void)state;
    for (size_t i = 0; i < NR(too_much); i++) {
        struct run run;

        fake_xen_reset(true, too_much[i].max_pages);
        restore(&run, too_much[i].records);
        assert_int_equal(run.run.rc, -1);
        assert_int_equal(run.run.err.kind, XCX_ERR_STREAM);
        assert_non_null(strstr(run.run.err.msg, "(PAGE_DATA) at byte"));
        assert_non_null(
            strstr(run.run.err.msg, "more memory than domain 7 may have"));
    }
}

/* The domain may have more, but the host has not got it. */
static void a_host_short_of_memory(void **state)
{
    const struct record records[] = {
        {0, 512, 8, false, false}, {1024, 64, 0, false, false}, {0}};
    struct run run;

    (void)state;
    fake_xen_reset(true, 2048);
    fake_xen.host_pages = 520; /* enough, once spare pages are back */
    restore(&run, records);
    assert_string_equal(run.run.err.msg, "");
    assert_int_equal(fake_xen.nr_pages, 512);
    assert_int_equal(fake_xen.nr_given_back, 64);
    assert_true(sample_page_is_right(fake_xen_page(1087), 1087));

    fake_xen_reset(true, 2048);
    fake_xen.host_pages = 500;
    restore(&run, records);
    assert_int_equal(run.run.err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(run.run.err.msg, "domain 7: Xen gave 52 of 64 pages,"
                                            " from pfn 0x434 on none"));
}

/* The same page twice in a record, and again: the last one counts. */
static void a_page_may_come_again(void **state)
{
    const uint64_t pfns[] = {4, 4, 5};
    const uint8_t types[] = {XCX_PAGE_XALLOC, XCX_PAGE_NOTAB, XCX_PAGE_XTAB};
    const uint8_t context[8] = {1};
    struct restore_sample sample;
    struct restore_run run = {0};

    (void)state;
    fake_xen_reset(true, 4);
    sample_start(&sample, true);
    sample_static_data(&sample, true);
    sample_pages(&sample, pfns, types, 3);
    sample_page_run(&sample, 4, 2);
    sample_record(&sample, XCX_REC_HVM_CONTEXT, context, sizeof(context));
    sample_record(&sample, XCX_REC_END, NULL, 0);
    restore_bytes(&run, sample.bytes, sample.nr_bytes);
    assert_string_equal(run.err.msg, "");
    assert_int_equal(fake_xen.nr_pages, 2);
    assert_true(sample_page_is_right(fake_xen_page(4), 4));
    assert_true(sample_page_is_right(fake_xen_page(5), 5));
    sample_done(&sample);
}

/* After VERIFY nothing changes; what differs is counted and warned of. */
static void verify_compares(void **state)
{
    const uint8_t context[8] = {1};
    struct restore_sample sample;
    struct restore_run run = {0};

    (void)state;
    fake_xen_reset(true, 64);
    sample_start(&sample, true);
    sample_static_data(&sample, true);
    sample_page_run(&sample, 0, 8);
    sample_record(&sample, XCX_REC_VERIFY, NULL, 0);
    sample_page_run(&sample, 0, 8);
    sample.bytes[sample.contents_from + 2 * XCX_PAGE_BYTES + 77] ^= 1;
    sample_page_run(&sample, 7, 2); /* 8 is not there */
    sample_record(&sample, XCX_REC_HVM_CONTEXT, context, sizeof(context));
    sample_record(&sample, XCX_REC_END, NULL, 0);
    restore_bytes(&run, sample.bytes, sample.nr_bytes);
    assert_string_equal(run.err.msg, "");
    assert_int_equal(run.stats.nr_pages_verified, 10);
    assert_int_equal(run.stats.nr_pages_not_as_sent, 2);
    assert_int_equal(run.nr_warnings, 2);
    assert_int_equal(run.stats.nr_pages_placed, 8);
    assert_int_equal(fake_xen.nr_pages, 8);
    assert_true(sample_page_is_right(fake_xen_page(2), 2));
    assert_int_equal(fake_xen.nr_mapped, 0);
    sample_done(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superpages_where_the_stream_allows),
        cmocka_unit_test(never_more_than_the_domain_may_have),
        cmocka_unit_test(a_host_short_of_memory),
        cmocka_unit_test(a_page_may_come_again),
        cmocka_unit_test(verify_compares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
