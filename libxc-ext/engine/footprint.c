/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/footprint.h"

#include <inttypes.h>

#define PAGE_BYTES   UINT64_C(4096)
#define BASE_BYTES   (UINT64_C(32) << 20)
#define BYTES_A_PAGE (PAGE_BYTES / 8)

/* No domain has more; keeps the product below 64 bits. */
#define MAX_PAGES_LIMIT (UINT64_C(1) << 40)

/*
 * Threads' stacks, libraries that are loaded late, buffers of hypercalls and
 * of workers, and pages of the guest that are mapped: all have bounds of
 * their own, far below this.
 */
#define OTHER_ADDRESS_BYTES (UINT64_C(2) << 30)

/* The tables by how many pfns one page of a table serves. */
static const struct {
    unsigned pfn_shift;
    unsigned nr_pages; /* that many tables of this kind */
    bool pv_only;
} sizes[XCX_FOOTPRINT_NR_SIZES] = {
    {9, 1, true},   /* the p2m: 8 bytes a pfn */
    {12, 1, true},  /* the types: a byte */
    {15, 4, false}, /* populated, spare, in flight, rewritten: a bit */
};

int xcx_footprint_init(struct xcx_footprint *footprint, bool hvm,
                       uint64_t nr_pfns, uint64_t max_pages,
                       struct xcx_err *err)
{
    if (max_pages > MAX_PAGES_LIMIT)
        max_pages = MAX_PAGES_LIMIT;
    *footprint = (struct xcx_footprint){
        .hvm = hvm, .max_bytes = BASE_BYTES + max_pages * BYTES_A_PAGE};
    for (unsigned i = 0; i < XCX_FOOTPRINT_NR_SIZES; i++)
        if (xcx_bitmap_init(&footprint->touched[i],
                            (nr_pfns >> sizes[i].pfn_shift) + 1, err))
            return -1;
    return 0;
}

void xcx_footprint_done(struct xcx_footprint *footprint)
{
    for (unsigned i = 0; i < XCX_FOOTPRINT_NR_SIZES; i++)
        xcx_bitmap_done(&footprint->touched[i]);
}

int xcx_footprint_add(struct xcx_footprint *footprint, uint64_t pfn,
                      struct xcx_err *err)
{
    for (unsigned i = 0; i < XCX_FOOTPRINT_NR_SIZES; i++) {
        uint64_t nth = pfn >> sizes[i].pfn_shift;

        if ((sizes[i].pv_only && footprint->hvm) ||
            xcx_bitmap_test(&footprint->touched[i], nth))
            continue;
        xcx_bitmap_set(&footprint->touched[i], nth);
        footprint->bytes += sizes[i].nr_pages * PAGE_BYTES;
    }
    if (footprint->bytes <= footprint->max_bytes)
        return 0;
    return xcx_err_set(err, XCX_ERR_STREAM, 0,
                       "pages so far apart (up to pfn %#" PRIx64
                       ") that the tables for them need more than %" PRIu64
                       " MiB, the bound for this domain",
                       pfn, footprint->max_bytes >> 20);
}

bool xcx_footprint_reaches(const struct xcx_footprint *footprint, uint64_t pfn)
{
    const unsigned last = XCX_FOOTPRINT_NR_SIZES - 1;

    return xcx_bitmap_test(&footprint->touched[last],
                           pfn >> sizes[last].pfn_shift);
}

uint64_t xcx_footprint_address_bytes(bool hvm, uint64_t nr_pfns)
{
    uint64_t bytes = OTHER_ADDRESS_BYTES;

    for (unsigned i = 0; i < XCX_FOOTPRINT_NR_SIZES; i++)
        if (!(sizes[i].pv_only && hvm))
            bytes += ((nr_pfns >> sizes[i].pfn_shift) + 1) * sizes[i].nr_pages *
                     PAGE_BYTES;
    return bytes;
}
