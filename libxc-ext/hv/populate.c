/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/populate.h"

#include <errno.h>

#include <xenctrl.h>

_Static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t),
               "frame numbers are 64 bits wide");

int xcx_populate(const struct xcx_hv *hv, uint64_t *extents,
                 unsigned nr_extents, unsigned order, unsigned *ret_nr_done,
                 struct xcx_err *err)
{
    int nr_done = xc_domain_populate_physmap(hv->xch, hv->domid, nr_extents,
                                             order, 0, extents);

    if (nr_done < 0 || (unsigned)nr_done > nr_extents)
        return xcx_hv_failed(hv, err, "populate_physmap");
    *ret_nr_done = (unsigned)nr_done;
    return 0;
}

int xcx_give_back(const struct xcx_hv *hv, uint64_t *frames, unsigned nr_frames,
                  struct xcx_err *err)
{
    int nr_done = xc_domain_decrease_reservation(hv->xch, hv->domid, nr_frames,
                                                 0, frames);

    if (nr_done < 0)
        return xcx_hv_failed(hv, err, "decrease_reservation");
    if ((unsigned)nr_done != nr_frames)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, EBUSY,
                           "domain %u: Xen took back %d of %u pages", hv->domid,
                           nr_done, nr_frames);
    return 0;
}
