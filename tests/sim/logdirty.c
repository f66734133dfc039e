/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "logdirty.h"

#include <string.h>

#define CHUNK_BYTES 4096UL
#define CHUNK_PFNS  (CHUNK_BYTES * 8)

static uint8_t *bits(struct sim_world *w)
{
    return (uint8_t *)w + w->off_dirty;
}

static uint8_t *summary(struct sim_world *w)
{
    return (uint8_t *)w + w->off_summary;
}

void sim_dirty_mark(struct sim_world *w, uint64_t pfn)
{
    uint8_t *byte = bits(w) + pfn / 8, bit = (uint8_t)(1U << (pfn % 8));

    if (!w->logdirty || pfn >= w->max_nr_pfns)
        return;
    /* The flaw on purpose lasts: the lost page is never marked again. */
    if (w->spec.lose_nth && !w->lost_pfn &&
        ++w->nr_dirty_marks == w->spec.lose_nth)
        w->lost_pfn = pfn;
    if (w->lost_pfn && w->lost_pfn == pfn)
        return;
    if (summary(w)[pfn / CHUNK_PFNS] && (*byte & bit))
        return;
    summary(w)[pfn / CHUNK_PFNS] = 1;
    *byte |= bit;
    w->nr_dirty++;
}

bool sim_dirty_test(struct sim_world *w, uint64_t pfn)
{
    return pfn < w->max_nr_pfns && summary(w)[pfn / CHUNK_PFNS] &&
           (bits(w)[pfn / 8] >> (pfn % 8) & 1);
}

void sim_dirty_read(struct sim_world *w, uint64_t nr_pfns, uint8_t *ret_bits,
                    bool clean)
{
    uint64_t nr_bytes = (nr_pfns + 7) / 8;
    uint64_t nr_known = (w->max_nr_pfns + 7) / 8;

    for (uint64_t at = 0; at < nr_bytes; at += CHUNK_BYTES) {
        uint64_t n = nr_bytes - at < CHUNK_BYTES ? nr_bytes - at : CHUNK_BYTES;
        bool any = at < nr_known && summary(w)[at / CHUNK_BYTES];

        if (ret_bits && any)
            memcpy(ret_bits + at, bits(w) + at, n);
        else if (ret_bits)
            memset(ret_bits + at, 0, n);
        if (any && clean) {
            memset(bits(w) + at, 0, n);
            summary(w)[at / CHUNK_BYTES] = 0;
        }
    }
    if (clean)
        w->nr_dirty = 0;
}

void sim_dirty_switch(struct sim_world *w, bool on)
{
    sim_dirty_read(w, w->max_nr_pfns, NULL, true);
    w->logdirty = on;
}
