/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/sched.h"

#include <errno.h>

#include <xenctrl.h>

/*
 * The domain may be in a cpupool with a scheduler of its own, and Xen answers
 * EINVAL for the wrong one: ask for each.
 */
static int get_credit(const struct xcx_hv *hv, uint32_t *ret_cap)
{
    struct xen_domctl_sched_credit params;

    if (xc_sched_credit_domain_get(hv->xch, hv->domid, &params))
        return -1;
    *ret_cap = params.cap;
    return 0;
}

static int get_credit2(const struct xcx_hv *hv, uint32_t *ret_cap)
{
    struct xen_domctl_sched_credit2 params;

    if (xc_sched_credit2_domain_get(hv->xch, hv->domid, &params))
        return -1;
    *ret_cap = params.cap;
    return 0;
}

static int set_credit(const struct xcx_hv *hv, uint32_t cap)
{
    struct xen_domctl_sched_credit params;

    if (xc_sched_credit_domain_get(hv->xch, hv->domid, &params))
        return -1;
    params.cap = (uint16_t)cap;
    return xc_sched_credit_domain_set(hv->xch, hv->domid, &params);
}

static int set_credit2(const struct xcx_hv *hv, uint32_t cap)
{
    struct xen_domctl_sched_credit2 params;

    if (xc_sched_credit2_domain_get(hv->xch, hv->domid, &params))
        return -1;
    params.cap = (uint16_t)cap;
    return xc_sched_credit2_domain_set(hv->xch, hv->domid, &params);
}

static int no_cap(const struct xcx_hv *hv, const char *call,
                  struct xcx_err *err)
{
    if (errno == EINVAL || errno == EOPNOTSUPP)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u: its scheduler has no caps", hv->domid);
    return xcx_hv_failed(hv, err, call);
}

int xcx_sched_cap_get(const struct xcx_hv *hv, uint32_t *ret_cap,
                      struct xcx_err *err)
{
    if (get_credit2(hv, ret_cap) && get_credit(hv, ret_cap))
        return no_cap(hv, "reading the scheduler's cap", err);
    return 0;
}

int xcx_sched_cap_set(const struct xcx_hv *hv, uint32_t cap,
                      struct xcx_err *err)
{
    if (set_credit2(hv, cap) && set_credit(hv, cap))
        return no_cap(hv, "setting the scheduler's cap", err);
    return 0;
}
