/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/platform.h"

#include <errno.h>
#include <stdlib.h>

#include <xenctrl.h>
#include <xenguest.h>

int xcx_tsc_get(const struct xcx_hv *hv, struct xcx_hv_tsc *ret_tsc,
                struct xcx_err *err)
{
    if (xc_domain_get_tsc_info(hv->xch, hv->domid, &ret_tsc->mode,
                               &ret_tsc->nsec, &ret_tsc->khz,
                               &ret_tsc->incarnation))
        return xcx_hv_failed(hv, err, "gettscinfo");
    return 0;
}

/* policy is filled already. */
static int serialise(const struct xcx_hv *hv, struct xc_cpu_policy *policy,
                     struct xcx_cpu_policy_blobs *blobs, struct xcx_err *err)
{
    uint32_t nr_leaves, nr_msrs;

    if (xc_cpu_policy_get_size(hv->xch, &nr_leaves, &nr_msrs))
        return xcx_hv_failed(hv, err, "get_cpu_policy (size)");
    blobs->leaves = calloc(nr_leaves, sizeof(xen_cpuid_leaf_t));
    blobs->msrs = calloc(nr_msrs, sizeof(xen_msr_entry_t));
    if (!blobs->leaves || !blobs->msrs)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: CPU policy", hv->domid);
    if (xc_cpu_policy_serialise(hv->xch, policy, blobs->leaves, &nr_leaves,
                                blobs->msrs, &nr_msrs))
        return xcx_hv_failed(hv, err, "serialising the CPU policy");
    blobs->leaves_bytes = nr_leaves * sizeof(xen_cpuid_leaf_t);
    blobs->msrs_bytes = nr_msrs * sizeof(xen_msr_entry_t);
    return 0;
}

/* system: one of XEN_SYSCTL_cpu_policy_*; -1: the domain's own. */
static int get(const struct xcx_hv *hv, int system,
               struct xcx_cpu_policy_blobs *ret_blobs, struct xcx_err *err)
{
    struct xcx_cpu_policy_blobs blobs = {0};
    struct xc_cpu_policy *policy = xc_cpu_policy_init();
    int rc;

    if (!policy)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: CPU policy", hv->domid);
    rc = system < 0
             ? xc_cpu_policy_get_domain(hv->xch, hv->domid, policy)
             : xc_cpu_policy_get_system(hv->xch, (unsigned)system, policy);
    if (rc)
        rc = xcx_hv_failed(
            hv, err, system < 0 ? "get_cpu_policy" : "get_cpu_policy (host)");
    else
        rc = serialise(hv, policy, &blobs, err);
    xc_cpu_policy_destroy(policy);
    if (rc)
        xcx_cpu_policy_done(&blobs);
    else
        *ret_blobs = blobs;
    return rc;
}

int xcx_cpu_policy_get(const struct xcx_hv *hv,
                       struct xcx_cpu_policy_blobs *ret_blobs,
                       struct xcx_err *err)
{
    return get(hv, -1, ret_blobs, err);
}

int xcx_cpu_policy_get_host(const struct xcx_hv *hv, bool hvm,
                            struct xcx_cpu_policy_blobs *ret_blobs,
                            struct xcx_err *err)
{
    return get(
        hv, hvm ? XEN_SYSCTL_cpu_policy_hvm_max : XEN_SYSCTL_cpu_policy_pv_max,
        ret_blobs, err);
}

void xcx_cpu_policy_done(struct xcx_cpu_policy_blobs *blobs)
{
    free(blobs->leaves);
    free(blobs->msrs);
    *blobs = (struct xcx_cpu_policy_blobs){0};
}
