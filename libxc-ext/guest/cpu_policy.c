/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The comparison goes by the words of Xen's featureset: each is one register
 * of a leaf, or half of an MSR, and a bit that the guest has and the host has
 * not is a feature that it would lose. Limits: it knows bits, not meanings.
 * Model, cache sizes and topology are the guest's own wherever it runs.
 */
#include "guest/cpu_policy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>

#include "base/bytes.h"

#define LEAF_BYTES            24
#define MSR_BYTES             16

#define NO_SUBLEAF            0xffffffffU

#define MSR_PLATFORM_INFO     0xceU
#define MSR_ARCH_CAPABILITIES 0x10aU
#define CPUID_FAULTING        (UINT64_C(1) << 31)

#define NR(array)             (sizeof(array) / sizeof((array)[0]))

/* ---- out of Xen's form -------------------------------------------------- */

static bool leaf_is_empty(const struct xcx_cpu_leaf *leaf)
{
    return (leaf->a | leaf->b | leaf->c | leaf->d) == 0;
}

static int too_many(struct xcx_err *err, const char *what, size_t nr,
                    unsigned max)
{
    return xcx_err_set(err, XCX_ERR_HYPERCALL, 0,
                       "a CPU policy of %zu %s, more than %u", nr, what, max);
}

static void get_leaves(const struct xcx_cpu_policy_blobs *blobs,
                       struct xcx_cpu_policy *policy)
{
    struct xcx_get get = xcx_get_over(blobs->leaves, blobs->leaves_bytes);

    while (xcx_get_left(&get) >= LEAF_BYTES) {
        struct xcx_cpu_leaf *leaf = &policy->leaves[policy->nr_leaves];

        leaf->leaf = xcx_get_le32(&get);
        leaf->subleaf = xcx_get_le32(&get);
        leaf->a = xcx_get_le32(&get);
        leaf->b = xcx_get_le32(&get);
        leaf->c = xcx_get_le32(&get);
        leaf->d = xcx_get_le32(&get);
        if (!leaf_is_empty(leaf))
            policy->nr_leaves++;
    }
}

static void get_msrs(const struct xcx_cpu_policy_blobs *blobs,
                     struct xcx_cpu_policy *policy)
{
    struct xcx_get get = xcx_get_over(blobs->msrs, blobs->msrs_bytes);

    while (xcx_get_left(&get) >= MSR_BYTES) {
        struct xcx_cpu_msr *msr = &policy->msrs[policy->nr_msrs++];

        msr->index = xcx_get_le32(&get);
        xcx_get_le32(&get); /* flags: reserved */
        msr->value = xcx_get_le64(&get);
    }
}

int xcx_cpu_policy_from_blobs(const struct xcx_cpu_policy_blobs *blobs,
                              struct xcx_cpu_policy *ret_policy,
                              struct xcx_err *err)
{
    size_t nr_leaves = blobs->leaves_bytes / LEAF_BYTES;
    size_t nr_msrs = blobs->msrs_bytes / MSR_BYTES;

    if (nr_leaves >= XCX_CPU_MAX_LEAVES)
        return too_many(err, "leaves", nr_leaves, XCX_CPU_MAX_LEAVES - 1);
    if (nr_msrs > XCX_CPU_MAX_MSRS)
        return too_many(err, "MSRs", nr_msrs, XCX_CPU_MAX_MSRS);
    memset(ret_policy, 0, sizeof(*ret_policy));
    get_leaves(blobs, ret_policy);
    get_msrs(blobs, ret_policy);
    return 0;
}

/* ---- comparing ---------------------------------------------------------- */

/* Where each word of the featureset comes from, in its order. */
static const struct word {
    uint32_t leaf, subleaf; /* leaf 0: an MSR, subleaf its index */
    char reg;               /* 'a' to 'd'; of an MSR its low or 'h'igh half */
} words[] = {
    {0x00000001, NO_SUBLEAF, 'd'},
    {0x00000001, NO_SUBLEAF, 'c'},
    {0x80000001, NO_SUBLEAF, 'd'},
    {0x80000001, NO_SUBLEAF, 'c'},
    {0x0000000d, 1, 'a'},
    {0x00000007, 0, 'b'},
    {0x00000007, 0, 'c'},
    {0x80000007, NO_SUBLEAF, 'd'},
    {0x80000008, NO_SUBLEAF, 'b'},
    {0x00000007, 0, 'd'},
    {0x00000007, 1, 'a'},
    {0x80000021, NO_SUBLEAF, 'a'},
    {0x00000007, 1, 'b'},
    {0x00000007, 2, 'd'},
    {0x00000007, 1, 'c'},
    {0x00000007, 1, 'd'},
    {0, MSR_ARCH_CAPABILITIES, 'l'},
    {0, MSR_ARCH_CAPABILITIES, 'h'},
    {0x80000021, NO_SUBLEAF, 'c'},
};

#define WORD_E1D 2

/* The header is made to be included in both of these ways. */
#define XEN_CPUFEATURE(name, value) {#name, (value)},
static const struct feature {
    const char *name;
    unsigned bit; /* of the featureset */
} features[] = {
#include <xen/arch-x86/cpufeatureset.h>
};
#undef XEN_CPUFEATURE

/*
 * Bits that say nothing of what the CPU can do: those that follow the guest's
 * own control registers or that Xen and the toolstack choose as they like,
 * and two that say that something is not there, for which Xen takes the
 * host's word in any case.
 */
static const char *const no_features[] = {
    "HTT",   "CMP_LEGACY",    "HYPERVISOR", "OSXSAVE",
    "OSPKE", "FDP_EXCP_ONLY", "NO_FPU_SEL", "APIC",
};

/*
 * Hints. The names that end in "_NO" are hints, too: the CPU does not have the
 * flaw. SPEC_CTRL's own bits are not: software writes the MSR.
 */
static const char *const hints[] = {
    "ARCH_CAPS",
    "MD_CLEAR",
    "FB_CLEAR",
    "RFDS_CLEAR",
    "VERW_CLEAR",
    "RSBA",
    "RRSBA",
    "SKIP_L1DFL",
    "EIBRS",
    "IBRS_ALWAYS",
    "STIBP_ALWAYS",
    "IBRS_FAST",
    "IBPB_RET",
    "IBPB_BRTYPE",
    "IBRS_SAME_MODE",
    "LFENCE_DISPATCH",
    "ERMS",
    "FSRM",
    "FZRM",
    "FSRS",
    "FSRCS",
    "CLDEMOTE",
    "RSTR_FP_ERR_PTRS",
    "NO_LMSL",
    "HLE",
    "RTM_ALWAYS_ABORT",
};

static const struct xcx_cpu_leaf *find_leaf(const struct xcx_cpu_policy *policy,
                                            uint32_t leaf, uint32_t subleaf)
{
    static const struct xcx_cpu_leaf none;

    for (unsigned i = 0; i < policy->nr_leaves; i++) {
        const struct xcx_cpu_leaf *at = &policy->leaves[i];

        if (at->leaf == leaf && at->subleaf == subleaf)
            return at;
    }
    return &none;
}

static uint64_t find_msr(const struct xcx_cpu_policy *policy, uint32_t index)
{
    for (unsigned i = 0; i < policy->nr_msrs; i++) {
        if (policy->msrs[i].index == index)
            return policy->msrs[i].value;
    }
    return 0;
}

static uint32_t find_word(const struct xcx_cpu_policy *policy,
                          const struct word *word)
{
    const struct xcx_cpu_leaf *leaf;
    uint64_t msr;

    if (word->leaf == 0) {
        msr = find_msr(policy, word->subleaf);
        return (uint32_t)(word->reg == 'h' ? msr >> 32 : msr);
    }
    leaf = find_leaf(policy, word->leaf, word->subleaf);
    switch (word->reg) {
    case 'a':
        return leaf->a;
    case 'b':
        return leaf->b;
    case 'c':
        return leaf->c;
    default:
        return leaf->d;
    }
}

/* The features found missing so far. */
struct missing {
    enum xcx_cpu_features sort;
    char *text;
    size_t bytes;
    size_t used;
    unsigned nr;
};

static void note(struct missing *missing, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct missing *missing, const char *fmt, ...)
{
    char name[64];
    va_list args;
    int n;

    va_start(args, fmt);
    vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);
    missing->nr++;
    if (missing->used >= missing->bytes)
        return;
    n = snprintf(missing->text + missing->used, missing->bytes - missing->used,
                 "%s%s", missing->nr > 1 ? ", " : "", name);
    missing->used += n > 0 ? (size_t)n : 0;
}

static const char *feature_name(unsigned bit)
{
    for (size_t i = 0; i < NR(features); i++) {
        if (features[i].bit == bit)
            return features[i].name;
    }
    return NULL;
}

static bool is_no_feature(unsigned word, const char *name)
{
    /* Without a name there: AMD's copies of leaf 1's. */
    if (!name)
        return word == WORD_E1D;
    for (size_t i = 0; i < NR(no_features); i++) {
        if (strcmp(name, no_features[i]) == 0)
            return true;
    }
    return false;
}

static enum xcx_cpu_features sort_of(const char *name)
{
    size_t length = strlen(name);

    if (length > 3 && strcmp(name + length - 3, "_NO") == 0)
        return XCX_CPU_HINTS;
    for (size_t i = 0; i < NR(hints); i++) {
        if (strcmp(name, hints[i]) == 0)
            return XCX_CPU_HINTS;
    }
    return XCX_CPU_NEEDED;
}

static void compare_word(const struct xcx_cpu_policy *guest,
                         const struct xcx_cpu_policy *host, unsigned word,
                         struct missing *missing)
{
    uint32_t bits =
        find_word(guest, &words[word]) & ~find_word(host, &words[word]);

    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name;

        if (!(bits >> bit & 1))
            continue;
        name = feature_name(word * 32 + bit);
        if (is_no_feature(word, name) ||
            (name ? sort_of(name) : XCX_CPU_NEEDED) != missing->sort)
            continue;
        if (name)
            note(missing, "%s", name);
        else
            note(missing, "bit %u of leaf %#x (%c)", bit, words[word].leaf,
                 words[word].reg);
    }
}

static void compare_vendor(const struct xcx_cpu_policy *guest,
                           const struct xcx_cpu_policy *host,
                           struct missing *missing)
{
    const struct xcx_cpu_leaf *ours = find_leaf(guest, 0, NO_SUBLEAF);
    const struct xcx_cpu_leaf *theirs = find_leaf(host, 0, NO_SUBLEAF);
    uint32_t vendor[3] = {ours->b, ours->d, ours->c};
    char name[sizeof(vendor) + 1] = "";

    if (ours->b == theirs->b && ours->c == theirs->c && ours->d == theirs->d)
        return;
    memcpy(name, vendor, sizeof(vendor));
    for (char *c = name; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    note(missing, "a CPU of %s", name);
}

/* Leaves and subleaves that the guest may ask for and the host has not. */
static void compare_limits(const struct xcx_cpu_policy *guest,
                           const struct xcx_cpu_policy *host,
                           struct missing *missing)
{
    static const struct {
        uint32_t leaf, subleaf;
        const char *what;
    } limits[] = {
        {0, NO_SUBLEAF, "CPUID leaves up to"},
        {7, 0, "CPUID leaf 7's subleaves up to"},
        {0x80000000, NO_SUBLEAF, "CPUID leaves up to"},
    };

    for (size_t i = 0; i < NR(limits); i++) {
        uint32_t max = find_leaf(guest, limits[i].leaf, limits[i].subleaf)->a;

        if (max > find_leaf(host, limits[i].leaf, limits[i].subleaf)->a)
            note(missing, "%s %#x", limits[i].what, max);
    }
}

/* State components of XSAVE: user ones (XCR0), then supervisor ones (XSS). */
static void compare_states(const struct xcx_cpu_policy *guest,
                           const struct xcx_cpu_policy *host,
                           struct missing *missing)
{
    const struct xcx_cpu_leaf *g0 = find_leaf(guest, 0xd, 0);
    const struct xcx_cpu_leaf *h0 = find_leaf(host, 0xd, 0);
    const struct xcx_cpu_leaf *g1 = find_leaf(guest, 0xd, 1);
    const struct xcx_cpu_leaf *h1 = find_leaf(host, 0xd, 1);
    uint64_t bits;

    bits = (uint64_t)(g0->d & ~h0->d) << 32 | (g0->a & ~h0->a);
    bits |= (uint64_t)(g1->d & ~h1->d) << 32 | (g1->c & ~h1->c);
    if (bits)
        note(missing, "XSAVE state %#" PRIx64, bits);
}

unsigned xcx_cpu_policy_missing(const struct xcx_cpu_policy *guest,
                                const struct xcx_cpu_policy *host,
                                enum xcx_cpu_features sort, char *text,
                                size_t text_bytes)
{
    struct missing missing = {.sort = sort, .text = text, .bytes = text_bytes};
    uint64_t faulting;

    if (text_bytes)
        text[0] = 0;
    if (sort == XCX_CPU_NEEDED)
        compare_vendor(guest, host, &missing);
    for (unsigned i = 0; i < NR(words); i++)
        compare_word(guest, host, i, &missing);
    if (sort == XCX_CPU_HINTS)
        return missing.nr;
    compare_states(guest, host, &missing);
    compare_limits(guest, host, &missing);
    faulting = find_msr(guest, MSR_PLATFORM_INFO) &
               ~find_msr(host, MSR_PLATFORM_INFO) & CPUID_FAULTING;
    if (faulting)
        note(&missing, "CPUID faulting");
    return missing.nr;
}
