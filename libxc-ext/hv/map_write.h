/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map_write: memory of a guest that is being restored, to read and write.
 * What map.h says of xcx_map() holds here too; a forked child may call it.
 */
#ifndef XCX_HV_MAP_WRITE_H
#define XCX_HV_MAP_WRITE_H

#include <stdint.h>

#include "hv/hv.h"

/*
 * Maps nr_pages frames (gfns of an HVM guest, mfns of a PV guest) one after
 * another; ret_errors[i] is 0 or the errno of page i. NULL when nothing could
 * be mapped at all: errno tells. Released by xcx_unmap().
 */
void *xcx_map_writable(const struct xcx_hv *hv, const uint64_t *frames,
                       uint64_t nr_pages, int *ret_errors);

#endif
