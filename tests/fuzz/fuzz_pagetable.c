/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page tables of any bytes whatever, to the stream's numbers and back. An
 * input is a level, then a table; what it leaves out is zero.
 *
 * What holds: a table that was normalised names only pfns of the guest, and
 * localised again it is what it was, but for Xen's own slots; a localised
 * table names only frames of the guest; flags and absent entries stay.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/pv_pagetable.h"
#include "../unit/stream_sample.h"

#define NR_PFNS  256 /* as the golden streams have */
#define NR_MFNS  1024
#define MFN(pfn) (100 + 2 * (pfn)) /* each other frame is somebody else's */

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_pagetable: does not hold: %s\n", what);
        abort();
    }
}

static uint64_t frame_of(uint64_t entry)
{
    return (entry & XCX_PTE_FRAME_MASK) >> 12;
}

static bool is_xens(unsigned level, unsigned slot)
{
    return level == 4 && slot >= XCX_PT_XEN_FIRST && slot <= XCX_PT_XEN_LAST;
}

static void there_and_back(const struct xcx_pv_frames *frames, unsigned level,
                           const uint64_t *table)
{
    uint64_t copy[XCX_PT_ENTRIES];
    unsigned slot = XCX_PT_ENTRIES;

    if (xcx_pt_normalise(frames, level, table, copy, &slot) != XCX_PT_OK) {
        must(slot < XCX_PT_ENTRIES, "the slot is one of the table");
        must(table[slot] & XCX_PTE_PRESENT, "and present");
        return;
    }
    for (unsigned i = 0; i < XCX_PT_ENTRIES; i++)
        if (copy[i] & XCX_PTE_PRESENT)
            must(frame_of(copy[i]) < NR_PFNS, "only pfns of the guest");
    must(xcx_pt_localise(frames, copy, &slot) == XCX_PT_OK, "the way back");
    for (unsigned i = 0; i < XCX_PT_ENTRIES; i++)
        must(copy[i] == (is_xens(level, i) ? 0 : table[i]), "what it was");
}

static void localise(const struct xcx_pv_frames *frames, const uint64_t *table)
{
    uint64_t copy[XCX_PT_ENTRIES];
    unsigned slot = XCX_PT_ENTRIES;

    memcpy(copy, table, sizeof(copy));
    if (xcx_pt_localise(frames, copy, &slot) != XCX_PT_OK) {
        must(slot < XCX_PT_ENTRIES, "the slot is one of the table");
        return;
    }
    for (unsigned i = 0; i < XCX_PT_ENTRIES; i++) {
        bool present = table[i] & XCX_PTE_PRESENT;

        must(present ? frame_of(copy[i]) == MFN(frame_of(table[i]))
                     : copy[i] == table[i],
             "the guest's frame, or nothing");
        must((copy[i] & ~XCX_PTE_FRAME_MASK) ==
                 (table[i] & ~XCX_PTE_FRAME_MASK),
             "the flags stay");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t p2m[NR_PFNS], m2p[NR_MFNS], table[XCX_PT_ENTRIES] = {0};
    const struct xcx_pv_frames frames = {
        .m2p = m2p, .nr_mfns = NR_MFNS, .p2m = p2m, .nr_pfns = NR_PFNS};

    if (!size)
        return 0;
    memset(m2p, 0xff, sizeof(m2p));
    for (uint64_t pfn = 0; pfn < NR_PFNS; pfn++) {
        p2m[pfn] = MFN(pfn);
        m2p[MFN(pfn)] = pfn;
    }
    memcpy(table, data + 1,
           size - 1 < sizeof(table) ? size - 1 : sizeof(table));
    there_and_back(&frames, 1 + data[0] % 4, table);
    localise(&frames, table);
    return 0;
}

size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room)
{
    size_t nr_bytes = 1 + XCX_PT_ENTRIES * sizeof(uint64_t);
    bool by_mfn = sample_random(seed) >> 63;

    if (room < nr_bytes)
        return 0;
    buf[0] = (uint8_t)(sample_random(seed) >> 32);
    for (unsigned i = 0; i < XCX_PT_ENTRIES; i++) {
        uint64_t pfn = (sample_random(seed) >> 32) % NR_PFNS, entry;

        entry = (by_mfn ? MFN(pfn) : pfn) << 12;
        /* Any flags but the superpage's. */
        entry |= sample_random(seed) & UINT64_C(0xfff0000000000f7f);
        memcpy(buf + 1 + i * sizeof(entry), &entry, sizeof(entry));
    }
    return nr_bytes;
}
