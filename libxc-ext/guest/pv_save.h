/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pv_save: a 64-bit PV guest; see guest.h. A frame is an mfn. */
#ifndef XCX_GUEST_PV_SAVE_H
#define XCX_GUEST_PV_SAVE_H

#include "guest/guest.h"

/* Errors: RESOURCE; HYPERCALL; GUEST for a 32-bit guest. */
int xcx_pv_save_new(const struct xcx_hv *hv, const struct xcx_domain_info *info,
                    struct xcx_guest **ret_guest, struct xcx_err *err);

#endif
