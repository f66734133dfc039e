/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "table.h"

#include <stdbool.h>

#include "mix.h"
#include "page.h"

#define CHECK_BITS 24
#define CHECK_MASK ((UINT64_C(1) << CHECK_BITS) - 1)

static size_t copy_bytes(size_t nr_pages)
{
    size_t bytes = nr_pages * sizeof(uint64_t);

    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static uint64_t entry_make(uint64_t number, unsigned copy, uint64_t seq)
{
    uint64_t check = mix64(mix64(number * 2 + copy) + seq) & CHECK_MASK;

    return seq << CHECK_BITS | check;
}

size_t table_bytes(size_t nr_pages)
{
    return 2 * copy_bytes(nr_pages);
}

void table_init(struct table *table, void *memory, uint64_t first_number,
                size_t nr_pages)
{
    *table = (struct table){
        .copy = {memory, (void *)((char *)memory + copy_bytes(nr_pages))},
        .first_number = first_number,
        .nr_pages = nr_pages,
    };
    for (size_t i = 0; i < nr_pages; i++)
        table_set(table, i, 0);
}

enum table_state table_get(const struct table *table, size_t index,
                           uint64_t *ret_seq)
{
    uint64_t number = table->first_number + index;
    uint64_t seq[2];
    bool holds[2];

    for (unsigned c = 0; c < 2; c++) {
        uint64_t entry = table->copy[c][index];

        seq[c] = entry >> CHECK_BITS;
        holds[c] = entry == entry_make(number, c, seq[c]);
    }
    if (!holds[0] && !holds[1]) {
        *ret_seq = 0;
        return TABLE_LOST;
    }
    if (holds[0] && holds[1]) {
        *ret_seq = seq[0] > seq[1] ? seq[0] : seq[1];
        return seq[0] == seq[1] ? TABLE_GOOD : TABLE_MENDED;
    }
    *ret_seq = holds[0] ? seq[0] : seq[1];
    return TABLE_MENDED;
}

void table_set(struct table *table, size_t index, uint64_t seq)
{
    for (unsigned c = 0; c < 2; c++)
        table->copy[c][index] = entry_make(table->first_number + index, c, seq);
}
