/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sched: the scheduler's cap of a domain, to throttle a guest that writes
 * faster than its memory can be sent.
 *
 * A cap is in percent of one physical CPU, over all vCPUs; 0: no cap. Only
 * the credit and credit2 schedulers have one. Errors: HYPERCALL; GUEST where
 * the domain's scheduler has no caps.
 */
#ifndef XCX_HV_SCHED_H
#define XCX_HV_SCHED_H

#include <stdint.h>

#include "hv/hv.h"

int xcx_sched_cap_get(const struct xcx_hv *hv, uint32_t *ret_cap,
                      struct xcx_err *err);
int xcx_sched_cap_set(const struct xcx_hv *hv, uint32_t cap,
                      struct xcx_err *err);

#endif
