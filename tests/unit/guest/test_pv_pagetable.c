/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Page tables there and back, and what must not pass. */
#include "guest/pv_pagetable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NR_PFNS 1000
#define NR_MFNS 4096

/* A host: pfn p is at mfn (p * step + base) % NR_MFNS, all different. */
struct host {
    uint64_t m2p[NR_MFNS];
    uint64_t p2m[NR_PFNS];
    struct xcx_pv_frames frames;
};

static void host_init(struct host *host, uint64_t step, uint64_t base)
{
    memset(host->m2p, 0xff, sizeof(host->m2p));
    for (uint64_t pfn = 0; pfn < NR_PFNS; pfn++) {
        host->p2m[pfn] = (pfn * step + base) % NR_MFNS;
        host->m2p[host->p2m[pfn]] = pfn;
    }
    host->frames = (struct xcx_pv_frames){
        .m2p = host->m2p,
        .nr_mfns = NR_MFNS,
        .p2m = host->p2m,
        .nr_pfns = NR_PFNS,
    };
}

static uint64_t random64(unsigned short state[3])
{
    return (uint64_t)nrand48(state) << 33 ^ (uint64_t)nrand48(state) << 11 ^
           (uint64_t)nrand48(state);
}

/* Present entries refer to frames of the guest; others are anything. */
static void fill_table(const struct host *host, unsigned level,
                       unsigned short state[3], uint64_t *table)
{
    for (unsigned slot = 0; slot < XCX_PT_ENTRIES; slot++) {
        uint64_t pte = random64(state);

        if (pte & XCX_PTE_PRESENT) {
            uint64_t mfn = host->p2m[random64(state) % NR_PFNS];

            pte = (pte & ~XCX_PTE_FRAME_MASK) | mfn << 12;
            if (level > 1)
                pte &= ~XCX_PTE_SUPERPAGE;
        }
        table[slot] = pte;
    }
}

static bool xens_slot(unsigned level, unsigned slot)
{
    return level == 4 && slot >= 256 && slot <= 271;
}

static void test_there_and_back(void **state)
{
    static struct host a;
    unsigned short seed[3] = {1, 2, 3};

    (void)state;
    host_init(&a, 37, 5);
    for (unsigned run = 0; run < 200; run++) {
        unsigned level = run % 4 + 1, slot = 0;
        uint64_t table[XCX_PT_ENTRIES], moved[XCX_PT_ENTRIES];

        fill_table(&a, level, seed, table);
        assert_int_equal(
            xcx_pt_normalise(&a.frames, level, table, moved, &slot), XCX_PT_OK);
        assert_int_equal(xcx_pt_localise(&a.frames, moved, &slot), XCX_PT_OK);
        for (slot = 0; slot < XCX_PT_ENTRIES; slot++)
            assert_true(moved[slot] ==
                        (xens_slot(level, slot) ? 0 : table[slot]));
    }
}

/* On another host the flags are the same, and the frame the same pfn's. */
static void test_to_another_host(void **state)
{
    static struct host a, b;
    unsigned short seed[3] = {4, 5, 6};
    uint64_t table[XCX_PT_ENTRIES], moved[XCX_PT_ENTRIES];
    unsigned slot = 0;

    (void)state;
    host_init(&a, 37, 5);
    host_init(&b, 11, 400);
    fill_table(&a, 2, seed, table);
    assert_int_equal(xcx_pt_normalise(&a.frames, 2, table, moved, &slot),
                     XCX_PT_OK);
    assert_int_equal(xcx_pt_localise(&b.frames, moved, &slot), XCX_PT_OK);
    for (slot = 0; slot < XCX_PT_ENTRIES; slot++) {
        uint64_t mfn_a = (table[slot] & XCX_PTE_FRAME_MASK) >> 12;
        uint64_t mfn_b = (moved[slot] & XCX_PTE_FRAME_MASK) >> 12;

        assert_true((table[slot] & ~XCX_PTE_FRAME_MASK) ==
                    (moved[slot] & ~XCX_PTE_FRAME_MASK));
        if (table[slot] & XCX_PTE_PRESENT)
            assert_true(b.m2p[mfn_b] == a.m2p[mfn_a]);
        else
            assert_true(mfn_a == mfn_b);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *what;
        unsigned level;
        uint64_t pte;
        enum xcx_pt_result result;
    } cases[] = {
        {"mfn past the last one", 1, (uint64_t)NR_MFNS << 12 | 1,
         XCX_PT_FOREIGN},
        {"highest mfn there can be", 1, XCX_PTE_FRAME_MASK | 1, XCX_PT_FOREIGN},
        {"frame of nobody", 1, UINT64_C(4095) << 12 | 1, XCX_PT_FOREIGN},
        {"frame that moved", 1, UINT64_C(7) << 12 | 1, XCX_PT_FOREIGN},
        {"superpage in L2", 2, UINT64_C(5) << 12 | 0x81, XCX_PT_SUPERPAGE},
        {"superpage in L3", 3, UINT64_C(5) << 12 | 0x81, XCX_PT_SUPERPAGE},
        {"PAT bit in L1", 1, UINT64_C(5) << 12 | 0x81, XCX_PT_OK},
        {"not present", 1, UINT64_C(7) << 12, XCX_PT_OK},
    };
    static struct host host;

    (void)state;
    host_init(&host, 3, 5); /* mfns 5 to 3002 */
    host.m2p[7] = 20;       /* whose p2m entry names another */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t table[XCX_PT_ENTRIES] = {0}, moved[XCX_PT_ENTRIES];
        unsigned slot = 0;

        table[300] = cases[i].pte;
        if (xcx_pt_normalise(&host.frames, cases[i].level, table, moved,
                             &slot) != cases[i].result)
            fail_msg("%s", cases[i].what);
        if (cases[i].result != XCX_PT_OK)
            assert_int_equal(slot, 300);
    }
}

/* Xen's own slots may hold anything. */
static void test_xens_slots_are_emptied(void **state)
{
    static struct host host;
    uint64_t table[XCX_PT_ENTRIES] = {0}, moved[XCX_PT_ENTRIES];
    unsigned slot = 0;

    (void)state;
    host_init(&host, 3, 5);
    table[256] = table[271] = XCX_PTE_FRAME_MASK | 0xff;
    assert_int_equal(xcx_pt_normalise(&host.frames, 4, table, moved, &slot),
                     XCX_PT_OK);
    assert_true(moved[256] == 0 && moved[271] == 0);
    assert_int_equal(xcx_pt_normalise(&host.frames, 3, table, moved, &slot),
                     XCX_PT_SUPERPAGE);
    assert_int_equal(slot, 256);
    table[256] = table[271] = 0;
    table[272] = XCX_PTE_FRAME_MASK | 1;
    assert_int_equal(xcx_pt_normalise(&host.frames, 4, table, moved, &slot),
                     XCX_PT_FOREIGN);
}

static void test_localise_refuses_holes(void **state)
{
    static struct host host;
    uint64_t table[XCX_PT_ENTRIES] = {0};
    unsigned slot = 0;

    (void)state;
    host_init(&host, 3, 5);
    table[9] = (uint64_t)NR_PFNS << 12 | 1;
    assert_int_equal(xcx_pt_localise(&host.frames, table, &slot),
                     XCX_PT_FOREIGN);
    assert_int_equal(slot, 9);
    host.p2m[17] = UINT64_MAX;
    table[9] = UINT64_C(17) << 12 | 1;
    assert_int_equal(xcx_pt_localise(&host.frames, table, &slot),
                     XCX_PT_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_to_another_host),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_xens_slots_are_emptied),
        cmocka_unit_test(test_localise_refuses_holes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
