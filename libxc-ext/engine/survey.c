/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions about a domain and a host that change neither. */
#include "xcext.h"

#include <string.h>

#include "guest/cpu_policy.h"
#include "hv/domain.h"
#include "hv/hvm.h"
#include "hv/platform.h"

static int survey(const struct xcx_hv *hv, struct xcx_survey *survey,
                  struct xcx_err *err)
{
    struct xcx_domain_info info;

    if (xcx_domain_get_info(hv, &info, err))
        return -1;
    *survey = (struct xcx_survey){
        .hvm = info.hvm,
        .hap = info.hap,
        .dying = info.dying,
        .paused = info.paused,
        .shutdown = info.shutdown,
        .shutdown_reason = info.shutdown_reason,
        .nr_vcpus = info.nr_online_vcpus,
        .nr_pages = info.nr_pages,
        .nr_pages_paged = info.nr_pages_paged,
        .nr_pages_on_demand = xcx_domain_nr_on_demand(hv),
    };
    if (xcx_domain_p2m_size(hv, &survey->nr_pfns_p2m, err))
        return -1;
    if (info.hvm)
        return xcx_hvm_has_pv_drivers(hv, &survey->hvm_pv_drivers, err);
    return xcx_domain_guest_width(hv, &survey->pv_width, err);
}

int xcx_survey(uint32_t domid, struct xcx_survey *ret_survey,
               struct xcx_err *err)
{
    struct xcx_survey found = {0};
    struct xcx_hv hv;
    int rc;

    if (xcx_hv_open(&hv, domid, NULL, NULL, err))
        return -1;
    rc = survey(&hv, &found, err);
    xcx_hv_close(&hv);
    if (rc == 0)
        *ret_survey = found;
    return rc;
}

int xcx_is_hypervisor(uint32_t domid, unsigned nr_vcpus, bool *ret_is,
                      struct xcx_err *err)
{
    struct xcx_hv hv;
    int rc;

    if (xcx_hv_open(&hv, domid, NULL, NULL, err))
        return -1;
    rc = xcx_hvm_is_hypervisor(&hv, nr_vcpus, ret_is, err);
    xcx_hv_close(&hv);
    return rc;
}

/* ---- CPU policies ------------------------------------------------------- */

static int take(struct xcx_cpu_policy_blobs *blobs,
                struct xcx_cpu_policy *ret_policy, struct xcx_err *err)
{
    int rc = xcx_cpu_policy_from_blobs(blobs, ret_policy, err);

    xcx_cpu_policy_done(blobs);
    return rc;
}

int xcx_cpu_policy_of_domain(uint32_t domid, struct xcx_cpu_policy *ret_policy,
                             struct xcx_err *err)
{
    struct xcx_cpu_policy_blobs blobs = {0};
    struct xcx_hv hv;
    int rc;

    if (xcx_hv_open(&hv, domid, NULL, NULL, err))
        return -1;
    rc = xcx_cpu_policy_get(&hv, &blobs, err);
    xcx_hv_close(&hv);
    return rc ? rc : take(&blobs, ret_policy, err);
}

int xcx_cpu_policy_of_host(bool hvm, struct xcx_cpu_policy *ret_policy,
                           struct xcx_err *err)
{
    struct xcx_cpu_policy_blobs blobs = {0};
    struct xcx_hv hv;
    int rc;

    if (xcx_hv_open(&hv, 0, NULL, NULL, err))
        return -1;
    rc = xcx_cpu_policy_get_host(&hv, hvm, &blobs, err);
    xcx_hv_close(&hv);
    return rc ? rc : take(&blobs, ret_policy, err);
}
