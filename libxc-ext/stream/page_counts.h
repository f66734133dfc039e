/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page_counts: how often each pfn came by. One byte a pfn that saturates, in
 * leaves of 4096 pfns that are made when the first of them is counted:
 *
 *   pfn   39 … 33 | 32 … 26 | 25 … 19 | 18 … 12 | 11 … 0
 *         node      node      node      node      leaf
 *
 * 40 bits of pfn are all that 52 bits of physical address can have. A leaf
 * and the nodes above it are 8 KiB at most, and all of it has a bound, so
 * that pfns scattered by a hostile peer take no more memory than that.
 *
 * Threads: one at a time.
 */
#ifndef XCX_STREAM_PAGE_COUNTS_H
#define XCX_STREAM_PAGE_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#define XCX_PAGE_COUNTS_MAX_PFN ((UINT64_C(1) << 40) - 1)
#define XCX_PAGE_COUNT_MAX      UINT8_MAX

/* A zeroed one with max_bytes set is empty and valid. */
struct xcx_page_counts {
    void *root;
    size_t bytes; /* of nodes and leaves */
    size_t max_bytes;
};

/*
 * Counts one pfn and returns how often it has come now, at most
 * XCX_PAGE_COUNT_MAX; 0 if there is no room for it or it lies too high.
 */
unsigned xcx_page_counts_add(struct xcx_page_counts *counts, uint64_t pfn);

/* Idempotent. */
void xcx_page_counts_done(struct xcx_page_counts *counts);

#endif
