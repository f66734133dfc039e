/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ring.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

/* As every such ring begins; they count on for ever. (xen/io/ring.h) */
struct ring_header {
    uint32_t req_prod, req_event;
    uint32_t rsp_prod, rsp_event;
};

int ring_is_empty(xengnttab_handle *gnttab, uint32_t domid, uint32_t grant_ref,
                  bool *ret_empty, struct xcx_err *err)
{
    const struct ring_header *ring =
        xengnttab_map_grant_ref(gnttab, domid, grant_ref, PROT_READ);

    if (!ring)
        return xcx_err_set(err, XCX_ERR_GUEST, errno,
                           "ring at grant %" PRIu32 " cannot be mapped",
                           grant_ref);
    *ret_empty = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) ==
                 __atomic_load_n(&ring->req_prod, __ATOMIC_ACQUIRE);
    xengnttab_unmap(gnttab, (void *)ring, 1);
    return 0;
}
