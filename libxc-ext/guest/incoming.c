/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/incoming.h"

#include "guest/hvm_restore.h"
#include "guest/pv_restore.h"

int xcx_incoming_new(const struct xcx_hv *hv,
                     const struct xcx_domain_info *info,
                     const struct xcx_incoming_memory *memory,
                     const struct xcx_rings *rings,
                     struct xcx_incoming **ret_guest, struct xcx_err *err)
{
    struct xcx_incoming *guest;

    if (info->hvm ? xcx_hvm_restore_new(&guest, err)
                  : xcx_pv_restore_new(&guest, err))
        return -1;
    guest->hv = hv;
    guest->info = *info;
    guest->memory = *memory;
    guest->rings = *rings;
    *ret_guest = guest;
    return 0;
}
