/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mark: marks a page of a domain as written in Xen's log-dirty record, without
 * touching its contents. While log-dirty mode is off, a mark has no effect,
 * and Xen reports no error.
 *
 *   HVM, PVH  XEN_DMOP_modified_memory, as a device model does it
 *   PV        MMU_MACHPHYS_UPDATE with the pfn that the frame has already;
 *             only a PV Dom0 has this call
 *
 * Errors: HYPERCALL, RESOURCE. Threads: one at a time.
 */
#ifndef XCX_HV_MARK_H
#define XCX_HV_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/hv.h"

struct xcx_mark_page {
    uint64_t pfn;
    uint64_t frame; /* the mfn of PV; the pfn of HVM */
};

struct xcx_marker;

int xcx_marker_new(const struct xcx_hv *hv, bool hvm,
                   struct xcx_marker **ret_marker, struct xcx_err *err);
void xcx_marker_free(struct xcx_marker *marker); /* NULL is fine */

/* The page must be the domain's, and of PV it must stay at this pfn. */
int xcx_marker_mark(struct xcx_marker *marker, const struct xcx_mark_page *page,
                    struct xcx_err *err);

#endif
