/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restoring any bytes whatever into a domain of fake_xen.h, of the kind that
 * the bytes say, with room for a thousand pages.
 *
 * Beyond what the sanitizers see, this holds: nothing is asked of Xen that no
 * program may ask; the domain never gets more than it may have; nothing is
 * left mapped or open; a failure has an error that is the stream's, or says
 * that the guest is not for this domain, and names its place.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/fake_xen.h"
#include "../unit/restore_sample.h"
#include "../unit/stream_sample.h"

#define MAX_PAGES 1000
#define KIND_AT   24 /* the domain header's type */

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_restore: does not hold: %s\n", what);
        abort();
    }
}

static bool names_place(const char *message)
{
    return strstr(message, "record ") || strstr(message, " header at byte ") ||
           strstr(message, "truncated at byte ") ||
           strstr(message, "after END at byte ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct restore_run run = {0};
    bool hvm = size <= KIND_AT || data[KIND_AT] != XCX_GUEST_PV;

    fake_xen_reset(hvm, MAX_PAGES);
    fake_xen.max_vcpu_id = 1;
    restore_bytes(&run, data, size);
    must(!fake_xen.nr_misuses, fake_xen.first_misuse);
    must(fake_xen.nr_pages <= MAX_PAGES, "no more than it may have");
    must(!fake_xen.nr_mapped, "all is unmapped");
    must(!fake_xen.nr_handles && !fake_xen.nr_buffers, "all is closed");
    must(!run.rc == !xcx_err_is_set(&run.err), "a failure has an error");
    must(run.stats.total_bytes <= size, "no byte is counted twice");
    if (!run.rc)
        return 0;
    must(run.err.kind == XCX_ERR_STREAM || run.err.kind == XCX_ERR_GUEST,
         run.err.msg);
    must(names_place(run.err.msg), run.err.msg);
    return 0;
}

static unsigned pick(uint64_t *seed, unsigned limit)
{
    return (unsigned)(sample_random(seed) >> 32) % limit;
}

/* A run of pages, or pages here and there; tables for a PV guest. */
static void put_pages(struct restore_sample *sample, uint64_t *seed)
{
    static const uint8_t types[] = {0, 0, 0, 0, 1, 2, 3, 4, 9, 12, 13, 14, 15};
    uint64_t pfns[64];
    uint8_t chosen[64];
    unsigned nr = 1 + pick(seed, 8);

    if (sample->hvm && sample->nr_bytes < SAMPLE_ROOM / 2 &&
        pick(seed, 4) == 0) {
        sample_page_run(sample, 512 * pick(seed, 3), 200 + pick(seed, 400));
        return;
    }
    for (unsigned i = 0; i < nr; i++) {
        pfns[i] = pick(seed, SAMPLE_NR_PFNS + (pick(seed, 16) == 0));
        chosen[i] = types[pick(seed, sample->hvm ? 4 : sizeof(types))];
        if (sample->hvm && pick(seed, 8) == 0)
            chosen[i] = XCX_PAGE_XTAB;
    }
    sample_pages(sample, pfns, chosen, nr);
}

/* Entries of a page table, or bytes of the guest's start info. */
static void bend_contents(struct restore_sample *sample, uint64_t *seed)
{
    size_t nr_words = (sample->contents_to - sample->contents_from) / 8;

    for (unsigned left = pick(seed, 6); left && nr_words; left--) {
        uint64_t word =
            (uint64_t)pick(seed, SAMPLE_NR_PFNS + 2) << 12 | pick(seed, 256);
        size_t at = 8 * (size_t)pick(seed, (unsigned)nr_words);

        if (pick(seed, 4) == 0)
            word = sample_random(seed);
        memcpy(sample->bytes + sample->contents_from + at, &word, sizeof(word));
    }
}

static void put_memory(struct restore_sample *sample, uint64_t *seed)
{
    if (!sample->hvm) {
        sample_p2m_frames(sample, 0, SAMPLE_NR_PFNS - 1, SAMPLE_LEAF);
        sample_pv_memory(sample);
        bend_contents(sample, seed);
    }
    for (unsigned left = pick(seed, 4); left; left--) {
        put_pages(sample, seed);
        bend_contents(sample, seed);
    }
    if (pick(seed, 8) == 0) {
        sample_record(sample, XCX_REC_VERIFY, NULL, 0);
        put_pages(sample, seed);
    }
}

size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room)
{
    struct restore_sample sample;
    size_t nr_bytes;
    bool hvm = pick(seed, 2);

    sample_start(&sample, hvm);
    sample_static_data(&sample, hvm);
    put_memory(&sample, seed);
    if (hvm)
        sample_hvm_state(&sample);
    else
        sample_pv_state(&sample);
    sample_record(&sample, XCX_REC_END, NULL, 0);
    /* Most bytes are contents; what says what they are is at both ends. */
    for (unsigned left = pick(seed, 3); left; left--)
        sample.bytes[sample.nr_bytes - 1 -
                     pick(seed, (unsigned)sample.nr_bytes) /
                         (1 + pick(seed, 50))] ^=
            (uint8_t)(1u << pick(seed, 8));
    nr_bytes = sample.nr_bytes < room ? sample.nr_bytes : room;
    memcpy(buf, sample.bytes, nr_bytes);
    sample_done(&sample);
    return nr_bytes;
}
