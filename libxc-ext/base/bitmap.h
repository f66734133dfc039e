/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bitmap: a bit for each pfn, for p2ms from 1 MiB to 1 TiB and beyond.
 *
 * Bit N is bit N % 64 of word N / 64, which on a little-endian machine is
 * the layout of Xen's log-dirty bitmaps: a hypercall buffer can be wrapped.
 * Scans go word by word, so a mostly empty bitmap of 2^28 bits (32 MiB) costs
 * as much as reading it.
 *
 * xcx_bitmap_init() takes fresh memory from the kernel that costs nothing
 * until a bit in it is set; xcx_bitmap_wrap() uses the caller's. Bits of the
 * last word past nr_bits are ignored by every function here.
 *
 * Bit numbers must be below nr_bits (an invariant of the caller, not checked
 * for single bits). Threads: no locks; one thread at a time.
 */
#ifndef XCX_BASE_BITMAP_H
#define XCX_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext/err.h"

struct xcx_bitmap {
    uint64_t *words;
    uint64_t nr_bits;
    size_t mapped_bytes; /* of memory that _done() gives back; 0: wrapped */
};

/* Words and bytes that a bitmap of nr_bits takes. */
static inline uint64_t xcx_bitmap_nr_words(uint64_t nr_bits)
{
    return nr_bits / 64 + (nr_bits % 64 != 0);
}

/* All bits clear. Errors: RESOURCE. nr_bits may be 0. */
int xcx_bitmap_init(struct xcx_bitmap *map, uint64_t nr_bits,
                    struct xcx_err *err);

/* Over the caller's xcx_bitmap_nr_words(nr_bits) words, as they are. */
void xcx_bitmap_wrap(struct xcx_bitmap *map, uint64_t *words, uint64_t nr_bits);

/* Gives back what _init() took. Idempotent; fine on a zeroed struct. */
void xcx_bitmap_done(struct xcx_bitmap *map);

static inline bool xcx_bitmap_test(const struct xcx_bitmap *map, uint64_t bit)
{
    return map->words[bit / 64] >> (bit % 64) & 1;
}

static inline void xcx_bitmap_set(struct xcx_bitmap *map, uint64_t bit)
{
    map->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void xcx_bitmap_clear(struct xcx_bitmap *map, uint64_t bit)
{
    map->words[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/* nr bits from start on; what lies past nr_bits is left out. */
void xcx_bitmap_set_range(struct xcx_bitmap *map, uint64_t start, uint64_t nr);
void xcx_bitmap_clear_range(struct xcx_bitmap *map, uint64_t start,
                            uint64_t nr);

/* All bits clear; memory from _init() goes back to the kernel meanwhile. */
void xcx_bitmap_clear_all(struct xcx_bitmap *map);

/* The first set (clear) bit at or after from; nr_bits if there is none. */
uint64_t xcx_bitmap_next_set(const struct xcx_bitmap *map, uint64_t from);
uint64_t xcx_bitmap_next_clear(const struct xcx_bitmap *map, uint64_t from);

/*
 * The first run of set bits at or after from, cut at max_nr bits (at least
 * 1). False if there is none; the outputs are untouched then.
 */
bool xcx_bitmap_next_run(const struct xcx_bitmap *map, uint64_t from,
                         uint64_t max_nr, uint64_t *ret_start,
                         uint64_t *ret_nr);

/* How many bits are set: in all of it, or among nr bits from start on. */
uint64_t xcx_bitmap_count(const struct xcx_bitmap *map);
uint64_t xcx_bitmap_count_range(const struct xcx_bitmap *map, uint64_t start,
                                uint64_t nr);

/*
 * dst |= src, dst &= ~src. The maps may differ in size: bits that one of
 * them lacks count as clear in it, and are dropped if dst has no room.
 */
void xcx_bitmap_or(struct xcx_bitmap *dst, const struct xcx_bitmap *src);
void xcx_bitmap_and_not(struct xcx_bitmap *dst, const struct xcx_bitmap *src);

#endif
