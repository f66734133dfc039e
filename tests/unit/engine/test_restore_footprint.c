/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory that a restore spends on its own tables follows what the domain
 * may own, whatever pfns the stream names.
 */
#include "engine/footprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/fake_xen.h"
#include "unit/restore_sample.h"

#define NR(array)      (sizeof(array) / sizeof((array)[0]))

#define P2M_PFNS       (1u << 28)
#define DOMAIN_PAGES   64
#define NR_RECORDS     64
#define MAX_GROWTH_KIB (8 * 1024)

static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Records of 1024 pfns each, stride pfns apart, all of the same type. */
static void add_scattered(struct restore_sample *sample, unsigned nr_pfns,
                          uint64_t stride, unsigned type)
{
    uint64_t pfns[XCX_PAGE_BATCH_MAX];
    uint8_t types[XCX_PAGE_BATCH_MAX];

    memset(types, (int)type, sizeof(types));
    for (unsigned done = 0; done < nr_pfns; done += XCX_PAGE_BATCH_MAX) {
        for (unsigned i = 0; i < XCX_PAGE_BATCH_MAX; i++)
            pfns[i] = (done + i) * stride % P2M_PFNS;
        sample_pages(sample, pfns, types, XCX_PAGE_BATCH_MAX);
    }
}

static void start(struct restore_sample *sample, bool hvm)
{
    sample_start(sample, hvm);
    sample_static_data(sample, hvm);
    if (!hvm)
        sample_p2m_frames(sample, P2M_PFNS - 1, P2M_PFNS - 1, SAMPLE_LEAF);
}

/* By how much a restore lets the process grow; in a process of its own. */
static long growth_kib(const struct restore_sample *sample)
{
    long before, growth = -1;
    struct restore_run run = {0};
    int ends[2], status;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fake_xen_reset(sample->hvm, DOMAIN_PAGES);
        before = peak_kib();
        restore_bytes(&run, sample->bytes, sample->nr_bytes);
        growth = peak_kib() - before;
        _exit(write(ends[1], &growth, sizeof(growth)) != sizeof(growth));
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &growth, sizeof(growth)), sizeof(growth));
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return growth;
}

/* 513 KiB of holes made the tables of a domain of 256 KiB grow by 256 MiB. */
static void holes_cost_no_memory(void **state)
{
    static const unsigned types[] = {XCX_PAGE_XTAB, XCX_PAGE_BROKEN};

    (void)state;
    for (size_t i = 0; i < NR(types); i++)
        for (int hvm = 0; hvm < 2; hvm++) {
            struct restore_sample sample;
            long growth;

            start(&sample, hvm);
            add_scattered(&sample, NR_RECORDS * XCX_PAGE_BATCH_MAX,
                          hvm ? 255 : 4096, types[i]);
            growth = growth_kib(&sample);
            sample_done(&sample);
            if (growth < 0 || growth > MAX_GROWTH_KIB)
                fail_msg("%s, type %#x: %ld KiB", hvm ? "HVM" : "PV", types[i],
                         growth);
        }
}

/* Each of the pages needs a page of six tables. */
static void pages_far_apart_are_refused(void **state)
{
    struct restore_sample sample;
    struct restore_run run = {0};

    (void)state;
    start(&sample, false);
    add_scattered(&sample, FAKE_MAX_PAGES, 32768, XCX_PAGE_XALLOC);
    fake_xen_reset(false, FAKE_MAX_PAGES);
    restore_bytes(&run, sample.bytes, sample.nr_bytes);
    sample_done(&sample);
    assert_int_equal(run.rc, -1);
    assert_int_equal(run.err.kind, XCX_ERR_STREAM);
    if (!strstr(run.err.msg, "the tables for them need more than 33 MiB"))
        fail_msg("%s", run.err.msg);
    assert_int_equal(fake_xen.nr_mapped, 0);
}

/* A page that the guest has given back in the course of it stays a hole. */
static void a_page_that_becomes_a_hole_is_noted(void **state)
{
    const uint64_t pfn = SAMPLE_GDT;
    const uint8_t hole = XCX_PAGE_XTAB;
    struct restore_sample sample;
    struct restore_run run = {0};

    (void)state;
    sample_start(&sample, false);
    sample_static_data(&sample, false);
    sample_p2m_frames(&sample, 0, SAMPLE_NR_PFNS - 1, SAMPLE_LEAF);
    sample_pv_memory(&sample);
    sample_pages(&sample, &pfn, &hole, 1);
    sample_pv_state(&sample);
    sample_record(&sample, XCX_REC_END, NULL, 0);
    fake_xen_reset(false, 1024);
    restore_bytes(&run, sample.bytes, sample.nr_bytes);
    sample_done(&sample);
    assert_int_equal(run.rc, -1);
    assert_non_null(
        strstr(run.err.msg, "GDT is at pfn 0xe, which has type 0xf"));
}

/* What real guests look like stays within the bound. */
static void guests_fit(void **state)
{
    static const struct {
        const char *name;
        bool hvm;
        uint64_t nr_pfns, max_pages, run, stride; /* run pfns, each stride */
    } guests[] = {
        {"a PV guest of 64 GiB", false, 1 << 24, 1 << 24, 512, 512},
        {"an HVM guest of 64 GiB", true, 1 << 24, 1 << 24, 512, 512},
        {"64 GiB with 1 GiB left in it", false, 1 << 24, 1 << 18, 1, 64},
        {"4 GiB with 64 MiB left in it", false, 1 << 20, 1 << 14, 1, 64},
        {"2 MiB pieces all over 1 TiB", true, 1 << 28, 1 << 14, 512, 8388608},
    };

    (void)state;
    for (size_t i = 0; i < NR(guests); i++) {
        struct xcx_footprint footprint;
        struct xcx_err err = XCX_ERR_INIT;
        int rc;

        rc = xcx_footprint_init(&footprint, guests[i].hvm, guests[i].nr_pfns,
                                guests[i].max_pages, &err);
        for (uint64_t at = 0; !rc && at < guests[i].nr_pfns;
             at += guests[i].stride)
            for (uint64_t j = 0; !rc && j < guests[i].run; j++)
                rc = xcx_footprint_add(&footprint, at + j, &err);
        xcx_footprint_done(&footprint);
        if (rc)
            fail_msg("%s: %s", guests[i].name, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_cost_no_memory),
        cmocka_unit_test(pages_far_apart_are_refused),
        cmocka_unit_test(a_page_that_becomes_a_hole_is_noted),
        cmocka_unit_test(guests_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
