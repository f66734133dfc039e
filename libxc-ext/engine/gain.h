/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gain: whether worker processes are worth having, from what was measured.
 *
 * Sending a batch without them takes
 *
 *   map ─▶ write ─▶ unmap        (normalising, and waiting for room: write)
 *
 * and what workers take off it is map and unmap, at the price of handing
 * over. In a PV Dom0 that is nearly all of it; where a map costs next to
 * nothing, or where the link is what one waits for, it is next to nothing,
 * and handing over made such a save 10 to 15 % slower than the stock helper.
 *
 * So they pay when mapping is a quarter of the time or more, and more than
 * handing over costs, in three batches in a row: one may have been slow
 * because the machine did something else. Once they pay, they are kept: how
 * long the direct way would take is no longer seen.
 *
 * Pure: no clock of its own, no fd, no process.
 */
#ifndef XCX_ENGINE_GAIN_H
#define XCX_ENGINE_GAIN_H

#include <stdbool.h>
#include <stdint.h>

/* Fewer pages take mostly the time of the calls themselves: not counted. */
#define XCX_GAIN_MIN_PAGES 64
#define XCX_GAIN_IN_A_ROW  3

struct xcx_gain {
    unsigned nr_samples;
    unsigned nr_for; /* in a row, up to the last sample */
    bool pays;
    /* The last sample. */
    uint64_t nr_pages;
    uint64_t map_ns;
};

/* A batch sent the direct way. map_ns: map and unmap; write_ns: the rest. */
void xcx_gain_note(struct xcx_gain *gain, uint64_t nr_pages, uint64_t map_ns,
                   uint64_t write_ns);

/* Whether workers pay. False until enough was noted. */
bool xcx_gain_pays(const struct xcx_gain *gain);

/* How long map and unmap of so many would take; 0 while that is not known. */
uint64_t xcx_gain_map_ns(const struct xcx_gain *gain, uint64_t nr_pages);

/*
 * Whether so few pages are sent sooner the direct way, workers or not: waking
 * one, or starting it, takes longer than mapping them. With nothing noted:
 * XCX_GAIN_MIN_PAGES.
 */
bool xcx_gain_is_too_few(const struct xcx_gain *gain, uint64_t nr_pages);

#endif
