/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest would lose on another CPU: each kind of it, and nothing. */
#include "guest/cpu_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NONE UINT32_MAX

/* "AuthenticAMD" */
#define AMD_B 0x68747541u
#define AMD_D 0x69746e65u
#define AMD_C 0x444d4163u

static const struct xcx_cpu_policy plain = {
    .nr_leaves = 9,
    .leaves =
        {
            {0, NONE, 0xd, AMD_B, AMD_C, AMD_D},
            {1, NONE, 0x600f12, 0, 0x80000001, 0x178bfbff},
            {7, 0, 1, 0x20, 0, 0},
            {7, 1, 0, 0, 0, 0x10},
            {0xd, 0, 7, 576, 832, 0},
            {0xd, 1, 1, 0, 0, 0},
            {0x80000000, NONE, 0x80000021, 0, 0, 0},
            {0x80000001, NONE, 0, 0, 0x1, 0x2191abfd},
            {0x80000008, NONE, 0x3030, 0x1000, 0, 0},
        },
    .nr_msrs = 2,
    .msrs = {{0xce, UINT64_C(1) << 31}, {0x10a, 0}},
};

static unsigned missing(const struct xcx_cpu_policy *guest,
                        const struct xcx_cpu_policy *host, char text[512])
{
    return xcx_cpu_policy_missing(guest, host, XCX_CPU_NEEDED, text, 512);
}

static void test_same_and_more(void **state)
{
    struct xcx_cpu_policy more = plain;
    char text[512];

    (void)state;
    assert_int_equal(missing(&plain, &plain, text), 0);
    assert_string_equal(text, "");
    for (unsigned i = 1; i < more.nr_leaves; i++) {
        more.leaves[i].a = UINT32_MAX;
        more.leaves[i].b = UINT32_MAX;
        more.leaves[i].c = UINT32_MAX;
        more.leaves[i].d = UINT32_MAX;
    }
    more.msrs[1].value = UINT64_MAX;
    assert_int_equal(missing(&plain, &more, text), 0);
}

/* Takes bits away from the host; the guest is plain. */
static void test_each_kind_of_loss(void **state)
{
    static const struct {
        unsigned leaf; /* index in plain */
        char reg;
        uint32_t bits;
        const char *text;
    } cases[] = {
        {1, 'c', 0x00000001, "SSE3"},
        {1, 'd', 0x06000000, "SSE, SSE2"},
        {2, 'b', 0x00000020, "AVX2"},
        {3, 'd', 0x00000010, "bit 4 of leaf 0x7 (d)"},
        {4, 'a', 0x00000004, "XSAVE state 0x4"},
        {5, 'a', 0x00000001, "XSAVEOPT"},
        {7, 'c', 0x00000001, "LAHF_LM"},
        {7, 'd', 0x20000000, "LM"},
        {8, 'b', 0x00001000, "IBPB"},
        {0, 'a', 0x0000000d, "CPUID leaves up to 0xd"},
        {2, 'a', 0x00000001, "CPUID leaf 7's subleaves up to 0x1"},
        {6, 'a', 0x00000021, "CPUID leaves up to 0x80000021"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_cpu_policy host = plain;
        struct xcx_cpu_leaf *leaf = &host.leaves[cases[i].leaf];
        uint32_t *reg = cases[i].reg == 'a'   ? &leaf->a
                        : cases[i].reg == 'b' ? &leaf->b
                        : cases[i].reg == 'c' ? &leaf->c
                                              : &leaf->d;
        char text[512];
        unsigned nr;

        assert_int_equal(*reg & cases[i].bits, cases[i].bits);
        *reg &= ~cases[i].bits;
        nr = missing(&plain, &host, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(nr, cases[i].bits == 0x06000000 ? 2 : 1);
    }
}

static void test_vendor_and_msrs(void **state)
{
    struct xcx_cpu_policy guest = plain, host = plain;
    char text[512];

    (void)state;
    host.leaves[0].b ^= 1;
    assert_int_equal(missing(&plain, &host, text), 1);
    assert_string_equal(text, "a CPU of AuthenticAMD");

    host = plain;
    host.msrs[0].value = 0;
    assert_int_equal(missing(&plain, &host, text), 1);
    assert_string_equal(text, "CPUID faulting");

    host = plain;
    guest.msrs[1].value = UINT64_C(1) << 62 | 1;
    assert_int_equal(missing(&guest, &host, text), 0);
    assert_int_equal(
        xcx_cpu_policy_missing(&guest, &host, XCX_CPU_HINTS, text, 512), 2);
    assert_string_equal(text, "RDCL_NO, ITS_NO");
}

/* Microcode that differs between two hosts shows in these alone. */
static void test_hints_are_not_needed(void **state)
{
    struct xcx_cpu_policy guest = plain, host = plain;
    char text[512];

    (void)state;
    guest.leaves[2].b |= 1u << 9;                        /* ERMS */
    guest.leaves[2].d |= 1u << 10 | 1u << 26 | 1u << 29; /* MD_CLEAR */
    guest.leaves[8].b |= 1u << 26;                       /* SSB_NO */
    guest.msrs[1].value = 1u << 17 | 1u << 7;            /* FB_CLEAR */
    assert_int_equal(missing(&guest, &host, text), 2);
    assert_string_equal(text, "IBRSB, TSX_CTRL");
    assert_int_equal(
        xcx_cpu_policy_missing(&guest, &host, XCX_CPU_HINTS, text, 512), 5);
    assert_string_equal(text, "ERMS, SSB_NO, MD_CLEAR, ARCH_CAPS, FB_CLEAR");
    host.leaves[0].b ^= 1; /* another vendor: said once */
    assert_int_equal(
        xcx_cpu_policy_missing(&guest, &host, XCX_CPU_HINTS, text, 512), 5);
}

/* Bits that are not a matter of the CPU. */
static void test_not_features(void **state)
{
    struct xcx_cpu_policy host = plain;
    char text[512];

    (void)state;
    host.leaves[1].c &= ~(1u << 31);  /* HYPERVISOR */
    host.leaves[1].d &= ~(1u << 28);  /* HTT */
    host.leaves[7].d &= ~0x0183f3ffu; /* copies of leaf 1's */
    assert_int_equal(missing(&plain, &host, text), 0);
}

static void test_text_is_cut(void **state)
{
    struct xcx_cpu_policy host = {0};
    char text[24];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_true(
        xcx_cpu_policy_missing(&plain, &host, XCX_CPU_NEEDED, text, 20) > 30);
    assert_int_equal(strlen(text), 19);
    assert_int_equal(text[20], 'x');
    assert_true(xcx_cpu_policy_missing(&plain, &host, XCX_CPU_NEEDED, text, 0) >
                30);
}

static void test_out_of_blobs(void **state)
{
    uint32_t leaves[2][6] = {{1, NONE, 1, 2, 3, 4}, {2, NONE, 0, 0, 0, 0}};
    uint32_t msrs[1][4] = {{0xce, 0, 5, 6}};
    struct xcx_cpu_policy_blobs blobs = {leaves, sizeof(leaves), msrs,
                                         sizeof(msrs)};
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_cpu_policy policy;

    (void)state;
    assert_int_equal(xcx_cpu_policy_from_blobs(&blobs, &policy, &err), 0);
    assert_int_equal(policy.nr_leaves, 1);
    assert_int_equal(policy.leaves[0].leaf, 1);
    assert_int_equal(policy.leaves[0].d, 4);
    assert_int_equal(policy.nr_msrs, 1);
    assert_true(policy.msrs[0].value == (UINT64_C(6) << 32 | 5));

    blobs.leaves_bytes = 24 * XCX_CPU_MAX_LEAVES;
    assert_int_equal(xcx_cpu_policy_from_blobs(&blobs, &policy, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_string_equal(err.msg, "a CPU policy of 256 leaves, more than 255");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_and_more),
        cmocka_unit_test(test_each_kind_of_loss),
        cmocka_unit_test(test_vendor_and_msrs),
        cmocka_unit_test(test_hints_are_not_needed),
        cmocka_unit_test(test_not_features),
        cmocka_unit_test(test_text_is_cut),
        cmocka_unit_test(test_out_of_blobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
