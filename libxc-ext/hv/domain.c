/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/domain.h"

#include <xenctrl.h>

#define KIB_A_PAGE (XCX_FRAME_BYTES / 1024)

int xcx_domain_get_info(const struct xcx_hv *hv,
                        struct xcx_domain_info *ret_info, struct xcx_err *err)
{
    xc_dominfo_t info;
    int nr = xc_domain_getinfo(hv->xch, hv->domid, 1, &info);

    if (nr < 0)
        return xcx_hv_failed(hv, err, "getinfo");
    if (nr != 1 || info.domid != hv->domid)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "domain %u does not exist",
                           hv->domid);
    *ret_info = (struct xcx_domain_info){
        .hvm = info.hvm,
        .hap = info.hap,
        .dying = info.dying,
        .paused = info.paused,
        .shutdown = info.shutdown,
        .shutdown_reason = info.shutdown_reason,
        .nr_pages = (uint64_t)info.nr_pages + info.nr_shared_pages +
                    info.nr_paged_pages,
        .nr_pages_own = info.nr_pages,
        .nr_pages_paged = info.nr_paged_pages,
        .max_pages = info.max_memkb / KIB_A_PAGE,
        .address_bits = info.gpaddr_bits,
        .max_vcpu_id = info.max_vcpu_id,
        .nr_online_vcpus = info.nr_online_vcpus,
        .shared_info_mfn = info.shared_info_frame,
    };
    return 0;
}

int xcx_domain_p2m_size(const struct xcx_hv *hv, uint64_t *ret_nr_pfns,
                        struct xcx_err *err)
{
    xen_pfn_t nr_pfns;

    if (xc_domain_nr_gpfns(hv->xch, hv->domid, &nr_pfns) < 0)
        return xcx_hv_failed(hv, err, "maximum_gpfn");
    *ret_nr_pfns = nr_pfns;
    return 0;
}

uint64_t xcx_domain_nr_on_demand(const struct xcx_hv *hv)
{
    uint64_t nr_pages, nr_cache, nr_entries;

    if (xc_domain_get_pod_target(hv->xch, hv->domid, &nr_pages, &nr_cache,
                                 &nr_entries))
        return 0;
    return nr_entries;
}

int xcx_domain_guest_width(const struct xcx_hv *hv, unsigned *ret_width,
                           struct xcx_err *err)
{
    unsigned int width;

    if (xc_domain_get_guest_width(hv->xch, hv->domid, &width))
        return xcx_hv_failed(hv, err, "get_address_size");
    *ret_width = width;
    return 0;
}

int xcx_hv_version(const struct xcx_hv *hv, unsigned *ret_major,
                   unsigned *ret_minor, struct xcx_err *err)
{
    int version = xc_version(hv->xch, XENVER_version, NULL);

    if (version < 0)
        return xcx_hv_failed(hv, err, "xen_version");
    *ret_major = ((unsigned)version >> 16) & 0xffff;
    *ret_minor = (unsigned)version & 0xffff;
    return 0;
}

int xcx_vcpu_is_online(const struct xcx_hv *hv, unsigned vcpu_id,
                       bool *ret_online, struct xcx_err *err)
{
    xc_vcpuinfo_t info;

    if (xc_vcpu_getinfo(hv->xch, hv->domid, vcpu_id, &info))
        return xcx_hv_failed(hv, err, "getvcpuinfo");
    *ret_online = info.online;
    return 0;
}
