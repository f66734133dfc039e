/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map: guest memory, read-only, in this process.
 *
 * In a PV Dom0 unmapping costs four times what mapping does, so whoever maps
 * much does it in a process that exits without unmapping; see
 * engine/workers.h. xcx_map() is the one call of hv/ that a forked child may
 * make.
 */
#ifndef XCX_HV_MAP_H
#define XCX_HV_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/hv.h"

/*
 * Maps nr_pages frames (gfns of an HVM guest, mfns of a PV guest) one after
 * another; ret_errors[i] is 0 or the errno of page i. NULL when nothing could
 * be mapped at all: errno tells.
 */
void *xcx_map(const struct xcx_hv *hv, const uint64_t *frames,
              uint64_t nr_pages, int *ret_errors);

/* Like xcx_map(), but all or nothing, and of Xen's own frames if of_xen. */
void *xcx_map_all(const struct xcx_hv *hv, bool of_xen, const uint64_t *frames,
                  uint64_t nr_pages, struct xcx_err *err);

/* addr may be NULL. */
void xcx_unmap(const struct xcx_hv *hv, void *addr, uint64_t nr_pages);

/*
 * Xen's table from mfn to pfn, for PV guests: *ret_m2p has *ret_nr_mfns
 * entries of 64 bits and is released by xcx_unmap() with *ret_nr_pages.
 */
int xcx_map_m2p(const struct xcx_hv *hv, const uint64_t **ret_m2p,
                uint64_t *ret_nr_mfns, uint64_t *ret_nr_pages,
                struct xcx_err *err);

#endif
