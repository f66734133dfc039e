/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/page_counts.h"

#include <stdlib.h>

#define LEAF_BITS 12
#define NODE_BITS 7
#define NR_LEVELS 4 /* of nodes */
#define NODE_SIZE (1U << NODE_BITS)

struct node {
    void *below[NODE_SIZE];
};

/* Returns what *slot points to, made if need be; NULL: no room. */
static void *reach(struct xcx_page_counts *counts, void **slot, size_t bytes)
{
    if (*slot || counts->bytes + bytes > counts->max_bytes)
        return *slot;
    *slot = calloc(1, bytes);
    if (*slot)
        counts->bytes += bytes;
    return *slot;
}

unsigned xcx_page_counts_add(struct xcx_page_counts *counts, uint64_t pfn)
{
    void **slot = &counts->root;
    uint8_t *leaf;

    if (pfn > XCX_PAGE_COUNTS_MAX_PFN)
        return 0;
    for (unsigned level = NR_LEVELS; level-- > 0;) {
        struct node *node = reach(counts, slot, sizeof(*node));

        if (!node)
            return 0;
        slot = &node->below[pfn >> (LEAF_BITS + NODE_BITS * level) &
                            (NODE_SIZE - 1)];
    }
    leaf = reach(counts, slot, (size_t)1 << LEAF_BITS);
    if (!leaf)
        return 0;
    leaf += pfn & ((1U << LEAF_BITS) - 1);
    if (*leaf < XCX_PAGE_COUNT_MAX)
        ++*leaf;
    return *leaf;
}

static void drop(void *at, unsigned level)
{
    if (at && level > 0) {
        struct node *node = at;

        for (unsigned i = 0; i < NODE_SIZE; i++)
            drop(node->below[i], level - 1);
    }
    free(at);
}

void xcx_page_counts_done(struct xcx_page_counts *counts)
{
    drop(counts->root, NR_LEVELS);
    counts->root = NULL;
    counts->bytes = 0;
}
