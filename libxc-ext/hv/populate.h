/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * populate: memory for a domain that is being restored, and back again.
 *
 * An extent is 2^order pages, aligned to its size, with nothing there yet.
 * Blocks for as long as Xen takes to find and scrub the memory.
 */
#ifndef XCX_HV_POPULATE_H
#define XCX_HV_POPULATE_H

#include <stdint.h>

#include "hv/hv.h"

#define XCX_SUPERPAGE_ORDER 9
#define XCX_SUPERPAGE_PFNS  512 /* 2 MiB */

/*
 * Populates extents in order. extents[i] is the first pfn of each; of a PV
 * guest's that were populated, it is the first mfn afterwards. Fewer than
 * asked for (0 and *ret_nr_done) when Xen has no such extent to give, or the
 * domain may have no more. Errors: HYPERCALL; the domain is in an unknown
 * state then.
 */
int xcx_populate(const struct xcx_hv *hv, uint64_t *extents,
                 unsigned nr_extents, unsigned order, unsigned *ret_nr_done,
                 struct xcx_err *err);

/*
 * Gives single pages back to Xen: gfns of an HVM guest, mfns of a PV guest.
 * frames[] is scratch afterwards. Errors: HYPERCALL.
 */
int xcx_give_back(const struct xcx_hv *hv, uint64_t *frames, unsigned nr_frames,
                  struct xcx_err *err);

#endif
