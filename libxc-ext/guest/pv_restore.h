/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pv_restore: a 64-bit PV guest; see incoming.h. */
#ifndef XCX_GUEST_PV_RESTORE_H
#define XCX_GUEST_PV_RESTORE_H

#include "guest/incoming.h"

/* The kind's part only: the caller fills in the rest. Errors: RESOURCE. */
int xcx_pv_restore_new(struct xcx_incoming **ret_guest, struct xcx_err *err);

#endif
