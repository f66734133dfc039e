/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types: the type that Xen gives a frame, by getpageframeinfo3.
 *
 * The values are the stream's (libxc stream spec, PAGE_DATA): 0 an ordinary
 * page, 1 to 4 a page table of that level, 9 to 12 the same and pinned, 13
 * broken, 15 no page. Special pages of an HVM guest (shared info, grant
 * frames) answer 15 although they can be mapped.
 *
 * Asking about a pfn that is populated on demand populates it.
 */
#ifndef XCX_HV_TYPES_H
#define XCX_HV_TYPES_H

#include <stdint.h>

#include "hv/hv.h"

#define XCX_TYPES_MAX_BATCH 1024 /* Xen's own limit */

struct xcx_types; /* holds the buffer that the hypercall needs */

/* Errors: RESOURCE. */
int xcx_types_new(const struct xcx_hv *hv, struct xcx_types **ret_types,
                  struct xcx_err *err);
void xcx_types_free(struct xcx_types *types); /* NULL is fine */

/*
 * The types of up to XCX_TYPES_MAX_BATCH frames (gfns of HVM, mfns of PV).
 * Errors: HYPERCALL; BUG for a type that the stream does not know.
 */
int xcx_types_query(struct xcx_types *types, const uint64_t *frames,
                    unsigned nr_frames, uint8_t *ret_types,
                    struct xcx_err *err);

/* Queries nr_frames consecutive frames from first on. */
int xcx_types_query_range(struct xcx_types *types, uint64_t first,
                          unsigned nr_frames, uint8_t *ret_types,
                          struct xcx_err *err);

#endif
