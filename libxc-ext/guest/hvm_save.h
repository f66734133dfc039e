/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hvm_save: an HVM or PVH guest; see guest.h. frame and pfn are the same. */
#ifndef XCX_GUEST_HVM_SAVE_H
#define XCX_GUEST_HVM_SAVE_H

#include "guest/guest.h"

/* Errors: RESOURCE. */
int xcx_hvm_save_new(const struct xcx_hv *hv, struct xcx_guest **ret_guest,
                     struct xcx_err *err);

#endif
