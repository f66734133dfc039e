/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table: the sequence that each page must carry, kept twice, so that damage
 * to the table is told from damage to a page. Each entry is one word:
 *
 *     63 ......... 24 23 ....... 0
 *    +---------------+------------+
 *    |   sequence    |   check    |   check = hash of number, copy, sequence
 *    +---------------+------------+
 *
 * The two copies lie in different pages. Where they differ, the one whose
 * check holds counts, and of two that hold the later sequence: the other
 * copy's page is an old one.
 *
 * Pure, over memory that the caller gives and owns; one thread at a time.
 */
#ifndef WITNESS_TABLE_H
#define WITNESS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_MAX_SEQ ((UINT64_C(1) << 40) - 1)

struct table {
    uint64_t *copy[2];
    uint64_t first_number; /* number of the page at index 0 */
    size_t nr_pages;
};

enum table_state {
    TABLE_GOOD,
    TABLE_MENDED, /* one copy was wrong; the other one counts */
    TABLE_LOST,   /* neither copy's check holds */
};

/* Bytes of memory that table_init wants, a multiple of the page size. */
size_t table_bytes(size_t nr_pages);

/* memory: table_bytes(nr_pages), page-aligned. Sequences start at 0. */
void table_init(struct table *table, void *memory, uint64_t first_number,
                size_t nr_pages);

/* *ret_seq is set in all states; it is 0 for TABLE_LOST. */
enum table_state table_get(const struct table *table, size_t index,
                           uint64_t *ret_seq);

/* seq: at most TABLE_MAX_SEQ. Writes both copies. */
void table_set(struct table *table, size_t index, uint64_t seq);

#endif
