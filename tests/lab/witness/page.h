/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page: the stamp on each 4 KiB page (and each 4 KiB block of the disk), and
 * the verdict on one that is found again.
 *
 *    word 0     1        2          3          4 ................. 511
 *   +-------+--------+----------+----------+-------------------------+
 *   | magic | number | sequence | checksum | contents made from      |
 *   |       |        |          |          | number and sequence     |
 *   +-------+--------+----------+----------+-------------------------+
 *
 * Number and sequence determine every byte. The checksum covers all other
 * words of the page and finds any change within one 64-bit word for certain,
 * as each of its steps is a bijection in the word it takes.
 *
 * Pure: no clock, no I/O, no state. Any thread, on memory of its own.
 */
#ifndef WITNESS_PAGE_H
#define WITNESS_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES 4096u
#define PAGE_WORDS (PAGE_BYTES / 8)

/* Blocks of the disk are numbered from here, so none passes for memory. */
#define PAGE_NUMBER_DISK (UINT64_C(1) << 40)

/* What is wrong with a page. The names are those of the report. */
enum page_kind {
    PAGE_GOOD,
    PAGE_ZERO,      /* all bytes zero: its contents were never carried over */
    PAGE_MISPLACED, /* a whole stamp, but of another page */
    PAGE_STALE,     /* a whole stamp of an older sequence: a lost write */
    PAGE_AHEAD,     /* a whole stamp of a later sequence: the table is stale */
    PAGE_TORN,      /* whole words are still of the sequence before */
    PAGE_CORRUPT,   /* anything else whose checksum does not hold */
    PAGE_TABLE,     /* not the page: its entry in the table is damaged */
    PAGE_NR_KINDS,
};

struct page_finding {
    enum page_kind kind;
    uint64_t number;       /* which page was looked at */
    uint64_t expected_seq; /* 0 where the table could not tell */
    uint64_t found_number; /* as its stamp says, sound or not */
    uint64_t found_seq;
    uint32_t nr_bad_words; /* differing from what number and sequence ask */
    uint32_t bad_byte;     /* offset of the first of them */
};

/* Lower-case name of a kind; never NULL. */
const char *page_kind_name(enum page_kind kind);

/* Fills all PAGE_BYTES of the page. */
void page_stamp(void *page, uint64_t number, uint64_t seq);

/*
 * Compares a page with the stamp it must carry. Returns true when it is
 * good; otherwise false with all of *ret_finding set.
 */
bool page_verify(const void *page, uint64_t number, uint64_t expected_seq,
                 struct page_finding *ret_finding);

#endif
