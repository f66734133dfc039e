/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/gain.h"

/* Workers pay if mapping takes one part in so many of the direct way. */
#define MIN_SHARE 4

/*
 * Two wake-ups and a socket for 1024 pages, forks, and page tables and caches
 * that are cold on another CPU. Where a page was mapped and unmapped in 0.8 us,
 * two workers made a save take 13 % more CPU, and longer.
 */
#define HAND_OVER_NS_PER_PAGE 1500

/* Two forks, or some wake-ups. */
#define FEW_NS 1000000

static bool speaks_for(uint64_t nr_pages, uint64_t map_ns, uint64_t write_ns)
{
    return map_ns / nr_pages >= HAND_OVER_NS_PER_PAGE &&
           map_ns >= (map_ns + write_ns) / MIN_SHARE;
}

void xcx_gain_note(struct xcx_gain *gain, uint64_t nr_pages, uint64_t map_ns,
                   uint64_t write_ns)
{
    if (nr_pages < XCX_GAIN_MIN_PAGES)
        return;
    gain->nr_samples++;
    gain->nr_pages = nr_pages;
    gain->map_ns = map_ns;
    if (speaks_for(nr_pages, map_ns, write_ns))
        gain->nr_for++;
    else
        gain->nr_for = 0;
    if (gain->nr_for >= XCX_GAIN_IN_A_ROW)
        gain->pays = true;
}

bool xcx_gain_pays(const struct xcx_gain *gain)
{
    return gain->pays;
}

uint64_t xcx_gain_map_ns(const struct xcx_gain *gain, uint64_t nr_pages)
{
    return gain->nr_pages ? nr_pages * gain->map_ns / gain->nr_pages : 0;
}

bool xcx_gain_is_too_few(const struct xcx_gain *gain, uint64_t nr_pages)
{
    if (!gain->nr_pages)
        return nr_pages < XCX_GAIN_MIN_PAGES;
    return xcx_gain_map_ns(gain, nr_pages) < FEW_NS;
}
