/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "calls.h"

#include <errno.h>
#include <string.h>
#include <xen/memory.h>

#define MAX_ORDER 18U

/* What a superpage may be put on: aligned, and nothing there yet. */
static bool extent_is_free(struct sim_world *w, uint64_t pfn, unsigned order)
{
    if (pfn & ((1UL << order) - 1))
        return false;
    for (uint64_t i = 0; i < 1UL << order; i++) {
        if (sim_pfn_frame(w, pfn + i) != SIM_NO_FRAME)
            return false;
    }
    return true;
}

static int populate_extent(struct sim_world *w, uint64_t pfn, unsigned order)
{
    if (w->nr_pages + (1UL << order) > w->max_pages)
        return -ENOMEM;
    if (!extent_is_free(w, pfn, order))
        return -EINVAL;
    for (uint64_t i = 0; i < 1UL << order; i++) {
        int rc = sim_populate(w, pfn + i);

        if (rc)
            return rc;
    }
    return 0;
}

/* The number of extents done, which may be fewer than were asked for. */
static long populate(struct sim_world *w,
                     const struct xen_memory_reservation *res)
{
    if (res->domid != w->spec.domid || !w->exists)
        return -ESRCH;
    if (res->extent_order > MAX_ORDER)
        return -EPERM;
    for (uint64_t i = 0; i < res->nr_extents; i++) {
        uint64_t pfn = res->extent_start.p[i];

        if (pfn + (1UL << res->extent_order) > w->max_nr_pfns ||
            populate_extent(w, pfn, res->extent_order))
            return (long)i;
        if (w->spec.kind == SIM_PV)
            res->extent_start.p[i] = sim_mfn(w, sim_pfn_frame(w, pfn));
    }
    return (long)res->nr_extents;
}

static uint64_t pfn_of_extent(struct sim_world *w, uint64_t gfn)
{
    uint64_t f;

    if (w->spec.kind == SIM_HVM)
        return gfn;
    f = sim_mfn_frame(w, gfn);
    return f == SIM_NO_FRAME ? UINT64_MAX : sim_frames(w)[f].pfn;
}

static long decrease(struct sim_world *w,
                     const struct xen_memory_reservation *res)
{
    if (res->domid != w->spec.domid || !w->exists)
        return -ESRCH;
    for (uint64_t i = 0; i < res->nr_extents; i++) {
        uint64_t pfn = pfn_of_extent(w, res->extent_start.p[i]);

        for (uint64_t j = 0; j < 1UL << res->extent_order; j++) {
            if (sim_pfn_frame(w, pfn + j) == SIM_NO_FRAME)
                return (long)i;
            sim_depopulate(w, pfn + j);
        }
    }
    return (long)res->nr_extents;
}

static long machphys(struct sim_world *w, struct xen_machphys_mfn_list *list)
{
    uint64_t nr = w->m2p_bytes / SIM_M2P_CHUNK;

    if (nr > list->max_extents)
        nr = list->max_extents;
    for (uint64_t i = 0; i < nr; i++)
        list->extent_start.p[i] =
            SIM_M2P_MFN + i * (SIM_M2P_CHUNK >> SIM_PAGE_SHIFT);
    list->nr_extents = (unsigned)nr;
    return 0;
}

static long maximum_gpfn(struct sim_world *w, const domid_t *domid)
{
    if (*domid != w->spec.domid || !w->exists)
        return -ESRCH;
    if (w->spec.kind == SIM_PV) {
        const shared_info_t *info = sim_ram(w, w->shared_info_frame);

        return (long)(info->arch.max_pfn ? info->arch.max_pfn : 1) - 1;
    }
    return w->nr_pfns ? (long)w->nr_pfns - 1 : 0;
}

/* Nothing is populated on demand here. */
static long get_pod_target(struct sim_world *w, struct xen_pod_target *pod)
{
    if (pod->domid != w->spec.domid || !w->exists)
        return -ESRCH;
    pod->tot_pages = w->nr_pages;
    pod->pod_cache_pages = 0;
    pod->pod_entries = 0;
    return 0;
}

long sim_memory_op(struct sim_world *w, unsigned cmd, void *arg)
{
    switch (cmd) {
    case XENMEM_maximum_ram_page:
        return (long)(w->mfn_base + w->nr_frames) - 1;
    case XENMEM_maximum_gpfn:
        return maximum_gpfn(w, arg);
    case XENMEM_machphys_mfn_list:
        return machphys(w, arg);
    case XENMEM_populate_physmap:
        return populate(w, arg);
    case XENMEM_decrease_reservation:
        return decrease(w, arg);
    case XENMEM_get_pod_target:
        return get_pod_target(w, arg);
    case XENMEM_claim_pages:
        return 0;
    default:
        return -ENOSYS;
    }
}
