/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bitmap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int xcx_bitmap_init(struct xcx_bitmap *map, uint64_t nr_bits,
                    struct xcx_err *err)
{
    size_t bytes = xcx_bitmap_nr_words(nr_bits) * sizeof(uint64_t);
    void *words = NULL;

    if (bytes) {
        words = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (words == MAP_FAILED)
            return xcx_err_no_memory(err, errno, "bitmap of %zu bytes", bytes);
    }
    *map = (struct xcx_bitmap){
        .words = words, .nr_bits = nr_bits, .mapped_bytes = bytes};
    return 0;
}

void xcx_bitmap_wrap(struct xcx_bitmap *map, uint64_t *words, uint64_t nr_bits)
{
    *map = (struct xcx_bitmap){.words = words, .nr_bits = nr_bits};
}

void xcx_bitmap_done(struct xcx_bitmap *map)
{
    if (map->mapped_bytes)
        munmap(map->words, map->mapped_bytes);
    *map = (struct xcx_bitmap){0};
}

/* The bits of word i that belong to the bits [start, end). */
static uint64_t mask_in_word(uint64_t i, uint64_t start, uint64_t end)
{
    uint64_t mask = ~UINT64_C(0);

    if (i == start / 64)
        mask &= ~UINT64_C(0) << (start % 64);
    if (i == end / 64)
        mask &= ~(~UINT64_C(0) << (end % 64));
    return mask;
}

static uint64_t range_end(const struct xcx_bitmap *map, uint64_t start,
                          uint64_t nr)
{
    if (start >= map->nr_bits)
        return start;
    return nr < map->nr_bits - start ? start + nr : map->nr_bits;
}

void xcx_bitmap_set_range(struct xcx_bitmap *map, uint64_t start, uint64_t nr)
{
    uint64_t end = range_end(map, start, nr);

    for (uint64_t i = start / 64; i * 64 < end; i++)
        map->words[i] |= mask_in_word(i, start, end);
}

void xcx_bitmap_clear_range(struct xcx_bitmap *map, uint64_t start, uint64_t nr)
{
    uint64_t end = range_end(map, start, nr);

    for (uint64_t i = start / 64; i * 64 < end; i++)
        map->words[i] &= ~mask_in_word(i, start, end);
}

void xcx_bitmap_clear_all(struct xcx_bitmap *map)
{
    /* Private anonymous memory reads as zeroes after MADV_DONTNEED. */
    if (map->mapped_bytes &&
        madvise(map->words, map->mapped_bytes, MADV_DONTNEED) == 0)
        return;
    if (map->words)
        memset(map->words, 0, xcx_bitmap_nr_words(map->nr_bits) * 8);
}

/*
 * The first word at or after i, below end, that differs from `same`: four at
 * a time, since nearly all words of a huge p2m's dirty bitmap are zero.
 */
static uint64_t skip_words(const uint64_t *words, uint64_t i, uint64_t end,
                           uint64_t same)
{
    while (i + 4 <= end && !((words[i] ^ same) | (words[i + 1] ^ same) |
                             (words[i + 2] ^ same) | (words[i + 3] ^ same)))
        i += 4;
    while (i < end && words[i] == same)
        i++;
    return i;
}

/* The first bit at or after from whose value differs from those in `same`. */
static uint64_t next_other(const struct xcx_bitmap *map, uint64_t from,
                           uint64_t same)
{
    uint64_t nr_words = xcx_bitmap_nr_words(map->nr_bits);
    uint64_t i = from / 64, word, bit;

    if (from >= map->nr_bits)
        return map->nr_bits;
    word = (map->words[i] ^ same) & ~UINT64_C(0) << (from % 64);
    if (!word) {
        i = skip_words(map->words, i + 1, nr_words, same);
        if (i == nr_words)
            return map->nr_bits;
        word = map->words[i] ^ same;
    }
    bit = i * 64 + (uint64_t)__builtin_ctzll(word);
    return bit < map->nr_bits ? bit : map->nr_bits;
}

uint64_t xcx_bitmap_next_set(const struct xcx_bitmap *map, uint64_t from)
{
    return next_other(map, from, 0);
}

uint64_t xcx_bitmap_next_clear(const struct xcx_bitmap *map, uint64_t from)
{
    return next_other(map, from, ~UINT64_C(0));
}

bool xcx_bitmap_next_run(const struct xcx_bitmap *map, uint64_t from,
                         uint64_t max_nr, uint64_t *ret_start, uint64_t *ret_nr)
{
    uint64_t start = xcx_bitmap_next_set(map, from);
    struct xcx_bitmap head = *map;

    if (start == map->nr_bits)
        return false;
    /* Look no further than max_nr: a full map is walked in many short runs. */
    head.nr_bits = range_end(map, start, max_nr);
    *ret_start = start;
    *ret_nr = xcx_bitmap_next_clear(&head, start) - start;
    return true;
}

uint64_t xcx_bitmap_count_range(const struct xcx_bitmap *map, uint64_t start,
                                uint64_t nr)
{
    uint64_t end = range_end(map, start, nr), count = 0;

    for (uint64_t i = start / 64; i * 64 < end; i++) {
        /* Counting takes many instructions where the CPU has none for it. */
        if (map->words[i])
            count += (uint64_t)__builtin_popcountll(
                map->words[i] & mask_in_word(i, start, end));
    }
    return count;
}

uint64_t xcx_bitmap_count(const struct xcx_bitmap *map)
{
    return xcx_bitmap_count_range(map, 0, map->nr_bits);
}

/* Calls one(dst word, src word) over what both maps have. */
static inline void combine(struct xcx_bitmap *dst, const struct xcx_bitmap *src,
                           uint64_t (*one)(uint64_t, uint64_t))
{
    uint64_t end = dst->nr_bits < src->nr_bits ? dst->nr_bits : src->nr_bits;

    for (uint64_t i = 0; i * 64 < end; i++) {
        uint64_t bits = src->words[i] & mask_in_word(i, 0, end);

        /* Reading first keeps untouched memory of a sparse dst untouched. */
        if (bits)
            dst->words[i] = one(dst->words[i], bits);
    }
}

static inline uint64_t or_word(uint64_t dst, uint64_t src)
{
    return dst | src;
}

static inline uint64_t and_not_word(uint64_t dst, uint64_t src)
{
    return dst & ~src;
}

void xcx_bitmap_or(struct xcx_bitmap *dst, const struct xcx_bitmap *src)
{
    combine(dst, src, or_word);
}

void xcx_bitmap_and_not(struct xcx_bitmap *dst, const struct xcx_bitmap *src)
{
    combine(dst, src, and_not_word);
}
