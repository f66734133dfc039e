/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * footprint: bounds the memory that a restore spends on its own tables.
 *
 * A restore keeps tables with an entry for each pfn, in memory that the kernel
 * provides page by page when an entry is first written. A stream chooses its
 * pfns: pfns that lie far apart take a page of each table for every single
 * page of the guest. The footprint counts those pages before they are written
 * and refuses a stream that would need more of them than its domain deserves:
 *
 *   32 MiB, and 1/8 of the memory that the domain may own
 *
 * Pfns that lie close together need 1/435 of the guest's memory (PV). A guest
 * of 64 GiB that its balloon has emptied to 1 GiB, with every 64th page left,
 * stays within the bound.
 *
 * Threads: one.
 */
#ifndef XCX_ENGINE_FOOTPRINT_H
#define XCX_ENGINE_FOOTPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h"

#define XCX_FOOTPRINT_NR_SIZES 3

struct xcx_footprint {
    bool hvm;
    /* A bit for each page of a table; by how many pfns a page serves. */
    struct xcx_bitmap touched[XCX_FOOTPRINT_NR_SIZES];
    uint64_t bytes, max_bytes;
};

/*
 * nr_pfns: every pfn is below. max_pages: that the domain may own. Errors:
 * RESOURCE; done() is due then, too.
 */
int xcx_footprint_init(struct xcx_footprint *footprint, bool hvm,
                       uint64_t nr_pfns, uint64_t max_pages,
                       struct xcx_err *err);

/* Idempotent; fine on a zeroed struct. */
void xcx_footprint_done(struct xcx_footprint *footprint);

/* The tables' entries of this pfn are about to be written. Errors: STREAM. */
int xcx_footprint_add(struct xcx_footprint *footprint, uint64_t pfn,
                      struct xcx_err *err);

/* False if no entry near this pfn was written, so that none is worth a look. */
bool xcx_footprint_reaches(const struct xcx_footprint *footprint, uint64_t pfn);

/*
 * The address space that the tables of a restore take, written or not, and
 * what else a restore maps; an upper bound.
 */
uint64_t xcx_footprint_address_bytes(bool hvm, uint64_t nr_pfns);

#endif
