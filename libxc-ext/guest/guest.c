/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/guest.h"

#include "guest/hvm_save.h"
#include "guest/pv_save.h"

int xcx_guest_new(const struct xcx_hv *hv, const struct xcx_domain_info *info,
                  struct xcx_guest **ret_guest, struct xcx_err *err)
{
    if (info->hvm)
        return xcx_hvm_save_new(hv, ret_guest, err);
    return xcx_pv_save_new(hv, info, ret_guest, err);
}
