/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring: the page through which a guest's disk driver and its backend exchange
 * requests and answers, looked at from Dom0.
 */
#ifndef XL_PLUGIN_RING_H
#define XL_PLUGIN_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xengnttab.h>

#include "xcext.h"

/*
 * grant_ref: of the ring's first page, which the guest has granted to Dom0.
 * *ret_empty: the backend has answered every request that stands in it; of
 * use only while the guest does not run. Errors: GUEST, for a grant that
 * cannot be mapped.
 */
int ring_is_empty(xengnttab_handle *gnttab, uint32_t domid, uint32_t grant_ref,
                  bool *ret_empty, struct xcx_err *err);

#endif
