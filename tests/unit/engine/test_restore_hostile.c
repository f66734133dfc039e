/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams whose records are each as the specification has them, but that say
 * of a guest what cannot be, or ask for too much.
 */
#include "unit/restore_sample.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xen/xen.h>

#include "unit/fake_xen.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

typedef void make_fn(struct restore_sample *sample);

static void end(struct restore_sample *sample)
{
    sample_record(sample, XCX_REC_END, NULL, 0);
}

/* ---- HVM ---------------------------------------------------------------- */

static void hvm_start(struct restore_sample *sample)
{
    sample_start(sample, true);
    sample_static_data(sample, true);
}

static void other_kind(struct restore_sample *sample)
{
    sample_start(sample, false);
    sample_static_data(sample, false);
}

static void pfn_beyond_the_address_space(struct restore_sample *sample)
{
    hvm_start(sample);
    sample_page_run(sample, 1u << 24, 1);
}

static void parameter_unknown(struct restore_sample *sample)
{
    const uint64_t params[] = {1, 39, 0};

    hvm_start(sample);
    sample_record(sample, XCX_REC_HVM_PARAMS, params, sizeof(params));
}

static void no_context(struct restore_sample *sample)
{
    hvm_start(sample);
    sample_page_run(sample, 0, 1);
    end(sample);
}

static void checkpoint_in_a_plain_stream(struct restore_sample *sample)
{
    hvm_start(sample);
    sample_page_run(sample, 0, 1);
    sample_hvm_state(sample);
    sample_record(sample, XCX_REC_CHECKPOINT, NULL, 0);
}

/* ---- PV ----------------------------------------------------------------- */

static void pv_start(struct restore_sample *sample)
{
    sample_start(sample, false);
    sample_static_data(sample, false);
    sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS - 1, SAMPLE_LEAF);
}

static void pv_32_bits(struct restore_sample *sample)
{
    const uint8_t info[8] = {4, 3};

    sample_start(sample, false);
    sample_record(sample, XCX_REC_X86_PV_INFO, info, sizeof(info));
}

static void pfn_beyond_the_p2m(struct restore_sample *sample)
{
    pv_start(sample);
    sample_page_run(sample, SAMPLE_NR_PFNS, 1);
}

/* A p2m of 1 TiB, in 24 bytes. */
static void p2m_with_gaps(struct restore_sample *sample)
{
    pv_start(sample);
    sample_p2m_frames(sample, (1u << 28) - 1, (1u << 28) - 1, SAMPLE_LEAF);
    sample_pv_memory(sample);
    sample_pv_state(sample);
    end(sample);
}

/* More than a domain of 4 MiB can need. */
static void p2m_beyond_the_domain(struct restore_sample *sample)
{
    pv_start(sample);
    sample_p2m_frames(sample, 1u << 28, 1u << 28, SAMPLE_LEAF);
}

static void p2m_frame_that_is_no_page(struct restore_sample *sample)
{
    pv_start(sample);
    sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS - 1, 50);
    sample_pv_memory(sample);
    sample_pv_state(sample);
    end(sample);
}

static void p2m_frame_that_is_a_table(struct restore_sample *sample)
{
    pv_start(sample);
    sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS - 1, SAMPLE_L1);
    sample_pv_memory(sample);
    sample_pv_state(sample);
    end(sample);
}

/* Entry 7 of the last table that was sent. */
static void entry_refers_beyond(struct restore_sample *sample)
{
    const uint64_t pfn = SAMPLE_L1;
    const uint8_t type = XCX_PAGE_L1TAB;
    const uint64_t entry = (uint64_t)SAMPLE_NR_PFNS << XCX_PAGE_SHIFT | 1;

    pv_start(sample);
    sample_pv_memory(sample);
    sample_pages(sample, &pfn, &type, 1);
    memcpy(sample->bytes + sample->contents_from + 7 * sizeof(entry), &entry,
           sizeof(entry));
    sample_pv_state(sample);
    end(sample);
}

static void pv_with_vcpu(struct restore_sample *sample, uint64_t cr3_pfn,
                         uint64_t gdt_entries, uint64_t start_info)
{
    pv_start(sample);
    sample_pv_memory(sample);
    sample_vcpu(sample, cr3_pfn, gdt_entries, start_info);
    end(sample);
}

static void cr3_is_no_root(struct restore_sample *sample)
{
    pv_with_vcpu(sample, SAMPLE_L1, 0, SAMPLE_START);
}

static void cr3_is_nowhere(struct restore_sample *sample)
{
    pv_with_vcpu(sample, UINT64_MAX >> 12, 0, SAMPLE_START);
}

static void gdt_too_large(struct restore_sample *sample)
{
    pv_with_vcpu(sample, SAMPLE_L4, UINT64_MAX, SAMPLE_START);
}

static void gdt_has_no_frame(struct restore_sample *sample)
{
    pv_with_vcpu(sample, SAMPLE_L4, 513, SAMPLE_START);
}

static void start_info_is_a_table(struct restore_sample *sample)
{
    pv_with_vcpu(sample, SAMPLE_L4, 0, SAMPLE_L4);
}

/* The page has no start info in it, but its own pattern. */
static void ring_is_nowhere(struct restore_sample *sample)
{
    pv_with_vcpu(sample, SAMPLE_L4, 0, 30);
}

/*
 * Stock asks only for a page that is there. But xenstored maps the ring to
 * write to it, which Xen allows of no page table: such a guest cannot run.
 */
static void ring_is_a_table(struct restore_sample *sample)
{
    start_info_t start = {.store_mfn = SAMPLE_L1,
                          .console.domU.mfn = SAMPLE_CONSOLE};
    const uint64_t pfn = SAMPLE_START;

    pv_start(sample);
    sample_pv_memory(sample);
    sample_pages(sample, &pfn, NULL, 1);
    memcpy(sample->bytes + sample->contents_to - XCX_PAGE_BYTES, &start,
           sizeof(start));
    sample_vcpu(sample, SAMPLE_L4, 0, SAMPLE_START);
    end(sample);
}

static void vcpu_too_short(struct restore_sample *sample)
{
    const uint8_t body[8 + 100] = {0};

    pv_start(sample);
    sample_pv_memory(sample);
    sample_record(sample, XCX_REC_X86_PV_VCPU_BASIC, body, sizeof(body));
}

static void put_part(struct restore_sample *sample, uint32_t type, size_t bytes)
{
    const uint8_t body[512] = {0};

    pv_start(sample);
    sample_pv_memory(sample);
    sample_record(sample, type, body, 8 + bytes);
}

static void extended_too_long(struct restore_sample *sample)
{
    put_part(sample, XCX_REC_X86_PV_VCPU_EXTENDED, 129);
}

static void xsave_too_short(struct restore_sample *sample)
{
    put_part(sample, XCX_REC_X86_PV_VCPU_XSAVE, 15);
}

static void no_vcpu_0(struct restore_sample *sample)
{
    const uint8_t body[8 + sizeof(vcpu_guest_context_t)] = {1};

    pv_start(sample);
    sample_pv_memory(sample);
    sample_record(sample, XCX_REC_X86_PV_VCPU_BASIC, body, sizeof(body));
    end(sample);
}

static void vcpu_of_nobody(struct restore_sample *sample)
{
    const uint8_t body[8 + 16] = {2};

    pv_start(sample);
    sample_pv_memory(sample);
    sample_record(sample, XCX_REC_X86_PV_VCPU_MSRS, body, sizeof(body));
}

static const struct {
    bool hvm;
    make_fn *make;
    enum xcx_err_kind kind;
    const char *message;
} cases[] = {
    {true, other_kind, XCX_ERR_GUEST,
     "domain header at byte 24: the guest of the stream is PV, domain 7 is "
     "HVM"},
    {true, pfn_beyond_the_address_space, XCX_ERR_STREAM,
     "pfn 0x1000000 (entry 0) lies above the limit 0xffffff"},
    {true, parameter_unknown, XCX_ERR_STREAM,
     "(HVM_PARAMS) at byte 104: parameter 39, there are 39"},
    {true, no_context, XCX_ERR_STREAM, "HVM_CONTEXT"},
    {true, checkpoint_in_a_plain_stream, XCX_ERR_STREAM, "(CHECKPOINT) at"},
    {false, pv_32_bits, XCX_ERR_GUEST, "a 32-bit PV guest"},
    {false, pfn_beyond_the_p2m, XCX_ERR_STREAM,
     "pfn 0x40 (entry 0) is beyond the guest's 0x40"},
    {false, p2m_with_gaps, XCX_ERR_STREAM,
     "the stream names no frame for the p2m of pfn 0x200"},
    {false, p2m_beyond_the_domain, XCX_ERR_STREAM,
     "0x10000000 to 0x10000000, the limit is 0xfffffff"},
    {false, p2m_frame_that_is_no_page, XCX_ERR_STREAM,
     "a p2m frame is at pfn 0x32, which the guest lacks"},
    {false, p2m_frame_that_is_a_table, XCX_ERR_STREAM,
     "a p2m frame is at pfn 0x17, which has type 0x1"},
    {false, entry_refers_beyond, XCX_ERR_STREAM,
     "page table of level 1 at pfn 0x17: entry 7 refers to pfn 0x40, the "
     "guest has 0x40"},
    {false, cr3_is_no_root, XCX_ERR_STREAM,
     "vCPU 0: cr3 is at pfn 0x17, which has type 0x1"},
    {false, cr3_is_nowhere, XCX_ERR_STREAM,
     "vCPU 0: cr3 is at pfn 0xfffffffffffff, which the guest lacks"},
    {false, gdt_too_large, XCX_ERR_STREAM,
     "vCPU 0: a GDT of 18446744073709551615 entries"},
    {false, gdt_has_no_frame, XCX_ERR_STREAM,
     "vCPU 0: GDT is at pfn 0, which the guest lacks"},
    {false, start_info_is_a_table, XCX_ERR_STREAM,
     "vCPU 0: start info is at pfn 0x14, which has type 0xc"},
    {false, ring_is_nowhere, XCX_ERR_STREAM, "xenstore's ring is at pfn 0x"},
    {false, ring_is_a_table, XCX_ERR_STREAM,
     "xenstore's ring is at pfn 0x17, which has type 0x1"},
    {false, vcpu_too_short, XCX_ERR_STREAM, "100 bytes of vCPU state, must be"},
    {false, extended_too_long, XCX_ERR_STREAM,
     "129 bytes of extended state, at most 128"},
    {false, xsave_too_short, XCX_ERR_STREAM,
     "15 bytes of xsave state, at least 16"},
    {false, no_vcpu_0, XCX_ERR_STREAM, "the stream has no state of vCPU 0"},
    {false, vcpu_of_nobody, XCX_ERR_STREAM, "vCPU 2, the limit is 1"},
};

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct restore_sample sample;
        struct restore_run run = {0};

        cases[i].make(&sample);
        fake_xen_reset(cases[i].hvm, 1024);
        fake_xen.max_vcpu_id = 1;
        restore_bytes(&run, sample.bytes, sample.nr_bytes);
        sample_done(&sample);
        assert_int_equal(run.rc, -1);
        if (!strstr(run.err.msg, cases[i].message))
            fail_msg("wanted \"%s\", got \"%s\"", cases[i].message,
                     run.err.msg);
        assert_int_equal(run.err.kind, cases[i].kind);
        assert_string_equal(fake_xen.first_misuse, "");
        assert_int_equal(fake_xen.nr_mapped, 0);
        assert_int_equal(fake_xen.nr_handles, 0);
    }
}

/* The list of a PAGE_DATA record is judged as a whole before any effect. */
static void no_effect_before_the_list_is_legal(void **state)
{
    const uint64_t pfns[] = {1, 2, SAMPLE_NR_PFNS};
    const uint8_t xtab[] = {XCX_PAGE_NOTAB, XCX_PAGE_NOTAB, XCX_PAGE_XTAB};
    struct restore_sample sample;
    struct restore_run run = {0};

    (void)state;
    pv_start(&sample);
    sample_pages(&sample, pfns, xtab, 3);
    fake_xen_reset(false, 1024);
    restore_bytes(&run, sample.bytes, sample.nr_bytes);
    assert_int_equal(run.rc, -1);
    assert_int_equal(fake_xen.nr_pages, 0);
    sample_done(&sample);
}

static void missing_policies_are_told(void **state)
{
    static const struct {
        bool cpuid, msr;
        unsigned missing;
    } policies[] = {{true, true, 0},
                    {true, false, XCX_MISSING_MSR},
                    {false, true, XCX_MISSING_CPUID},
                    {false, false, XCX_MISSING_CPUID | XCX_MISSING_MSR}};
    const uint8_t zeroes[XCX_CPUID_LEAF_BYTES] = {0};

    (void)state;
    for (size_t i = 0; i < NR(policies); i++) {
        struct restore_sample sample;
        struct restore_run run = {0};

        sample_start(&sample, true);
        if (policies[i].cpuid)
            sample_record(&sample, XCX_REC_X86_CPUID_POLICY, zeroes, 24);
        if (policies[i].msr)
            sample_record(&sample, XCX_REC_X86_MSR_POLICY, zeroes, 16);
        sample_record(&sample, XCX_REC_STATIC_DATA_END, NULL, 0);
        fake_xen_reset(true, 8);
        restore_bytes(&run, sample.bytes, sample.nr_bytes);
        assert_int_equal(run.missing, policies[i].missing);
        assert_int_equal(fake_xen.nr_policies_set,
                         policies[i].cpuid + policies[i].msr);
        run.answer = -1;
        restore_bytes(&run, sample.bytes, sample.nr_bytes);
        assert_int_equal(run.err.kind, XCX_ERR_PEER);
        assert_non_null(strstr(run.err.msg, "(STATIC_DATA_END) at byte"));
        assert_non_null(strstr(run.err.msg, "told to fail"));
        sample_done(&sample);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(no_effect_before_the_list_is_legal),
        cmocka_unit_test(missing_policies_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
