/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "calls.h"

#include <errno.h>
#include <string.h>

#include "logdirty.h"
#include "workload.h"

#define MAX_TYPES 1024

static long get_info(struct sim_world *w, struct xen_domctl *op)
{
    struct xen_domctl_getdomaininfo *info = &op->u.getdomaininfo;

    /* The hypervisor answers for the next domain that there is. */
    if (op->domain > w->spec.domid || !w->exists)
        return -ESRCH;
    op->domain = (domid_t)w->spec.domid;
    memset(info, 0, sizeof(*info));
    info->domain = op->domain;
    info->flags =
        (w->spec.kind == SIM_HVM ? XEN_DOMINF_hvm_guest | XEN_DOMINF_hap : 0) |
        (w->paused ? XEN_DOMINF_paused : 0) |
        (w->shutdown ? XEN_DOMINF_shutdown | w->shutdown_reason
                                                 << XEN_DOMINF_shutdownshift
                     : XEN_DOMINF_running);
    info->tot_pages = w->nr_pages;
    info->paged_pages = w->spec.nr_paged;
    info->max_pages = w->max_pages;
    info->shared_info_frame = sim_mfn(w, w->shared_info_frame);
    info->nr_online_vcpus = w->spec.nr_vcpus;
    info->max_vcpu_id = w->spec.nr_vcpus - 1;
    info->gpaddr_bits = 48;
    return 0;
}

static uint64_t type_of(struct sim_world *w, uint64_t gfn)
{
    uint64_t entry = sim_p2m_get(w, gfn), f;
    const struct sim_frame *info;

    if (w->spec.kind == SIM_HVM) {
        if (entry & SIM_P2M_BROKEN)
            return XEN_DOMCTL_PFINFO_BROKEN;
        return !(entry & SIM_P2M_FRAME) || (entry & SIM_P2M_SPECIAL)
                   ? XEN_DOMCTL_PFINFO_XTAB
                   : XEN_DOMCTL_PFINFO_NOTAB;
    }
    f = sim_mfn_frame(w, gfn);
    if (f == SIM_NO_FRAME || sim_frames(w)[f].state != SIM_FRAME_GUEST)
        return XEN_DOMCTL_PFINFO_XTAB;
    info = &sim_frames(w)[f];
    return (uint64_t)info->type << XEN_DOMCTL_PFINFO_LTAB_SHIFT |
           (info->pinned ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
}

static long get_types(struct sim_world *w,
                      const struct xen_domctl_getpageframeinfo3 *op)
{
    if (op->num > MAX_TYPES)
        return -E2BIG;
    for (uint64_t i = 0; i < op->num; i++)
        op->array.p[i] = type_of(w, op->array.p[i]);
    return 0;
}

static long read_dirty(struct sim_world *w, struct xen_domctl_shadow_op *op,
                       bool clean)
{
    bool final = op->mode & XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL;

    if (op->mode & ~(uint32_t)XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL)
        return -EINVAL;
    for (uint32_t i = 0; final && i < w->work.nr_silent; i++)
        sim_dirty_mark(w, w->work.silent[i]);
    op->stats.fault_count = 0;
    op->stats.dirty_count = (uint32_t)w->nr_dirty;
    sim_dirty_read(w, op->pages, op->dirty_bitmap.p, clean);
    if (clean)
        sim_workload_at_clean(w);
    return 0;
}

static long shadow(struct sim_world *w, struct xen_domctl_shadow_op *op)
{
    switch (op->op) {
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        if (w->spec.no_shadow)
            return -EOPNOTSUPP;
        if (w->logdirty)
            return -EINVAL;
        sim_dirty_switch(w, true);
        return 0;
    case XEN_DOMCTL_SHADOW_OP_OFF:
        if (w->spec.no_shadow)
            return -EINVAL;
        if (w->logdirty)
            sim_dirty_switch(w, false);
        return 0;
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return read_dirty(w, op, op->op == XEN_DOMCTL_SHADOW_OP_CLEAN);
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        op->mb = 16;
        return 0;
    default:
        return -EINVAL;
    }
}

static long get_policy(struct sim_world *w, struct xen_domctl_cpu_policy *op)
{
    if (op->nr_leaves < w->nr_leaves || op->nr_msrs < w->nr_msrs)
        return -ENOBUFS;
    memcpy(op->leaves.p, w->leaves, w->nr_leaves * sizeof(w->leaves[0]));
    memcpy(op->msrs.p, w->msrs, w->nr_msrs * sizeof(w->msrs[0]));
    op->nr_leaves = w->nr_leaves;
    op->nr_msrs = w->nr_msrs;
    return 0;
}

static long set_policy(struct sim_world *w, struct xen_domctl_cpu_policy *op)
{
    op->err_leaf = op->err_subleaf = op->err_msr = ~0U;
    if (op->nr_leaves > SIM_MAX_LEAVES || op->nr_msrs > SIM_MAX_MSRS)
        return -E2BIG;
    memcpy(w->leaves, op->leaves.p, op->nr_leaves * sizeof(w->leaves[0]));
    memcpy(w->msrs, op->msrs.p, op->nr_msrs * sizeof(w->msrs[0]));
    w->nr_leaves = op->nr_leaves;
    w->nr_msrs = op->nr_msrs;
    return 0;
}

static long schedule(struct sim_world *w, struct xen_domctl_scheduler_op *op)
{
    uint32_t have = w->spec.sched == SIM_CREDIT ? XEN_SCHEDULER_CREDIT
                                                : XEN_SCHEDULER_CREDIT2;
    bool put = op->cmd == XEN_DOMCTL_SCHEDOP_putinfo;

    if (w->spec.sched == SIM_NO_CAPS || op->sched_id != have ||
        (!put && op->cmd != XEN_DOMCTL_SCHEDOP_getinfo))
        return -EINVAL;
    /* Both schedulers keep weight and cap alike. */
    if (put) {
        if (op->u.credit2.cap != (uint16_t)~0U) {
            w->nr_cap_changes += w->cap_percent != op->u.credit2.cap;
            w->cap_percent = op->u.credit2.cap;
        }
        return 0;
    }
    op->u.credit2.weight = 256;
    op->u.credit2.cap = (uint16_t)w->cap_percent;
    return 0;
}

static long tsc(struct sim_world *w, struct xen_domctl *op)
{
    if (op->cmd == XEN_DOMCTL_settscinfo)
        w->tsc = op->u.tsc_info;
    else
        op->u.tsc_info = w->tsc;
    return 0;
}

static long hvm_context(struct sim_world *w, struct xen_domctl *op)
{
    struct xen_domctl_hvmcontext *hvm = &op->u.hvmcontext;

    if (w->spec.kind != SIM_HVM)
        return -EINVAL;
    if (op->cmd == XEN_DOMCTL_sethvmcontext) {
        if (hvm->size > SIM_HVM_CTX_BYTES)
            return -EINVAL;
        memcpy(w->hvm_ctx, hvm->buffer.p, hvm->size);
        w->hvm_ctx_bytes = hvm->size;
        return 0;
    }
    if (hvm->buffer.p) {
        if (hvm->size < w->hvm_ctx_bytes)
            return -ENOSPC;
        memcpy(hvm->buffer.p, w->hvm_ctx, w->hvm_ctx_bytes);
    }
    hvm->size = w->hvm_ctx_bytes;
    return 0;
}

static long pause(struct sim_world *w, bool paused)
{
    w->paused = paused;
    w->work.last_ns = sim_now_ns();
    return 0;
}

long sim_domctl(struct sim_world *w, struct xen_domctl *op)
{
    if (op->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (op->cmd == XEN_DOMCTL_getdomaininfo)
        return get_info(w, op);
    if (op->domain != w->spec.domid || !w->exists)
        return -ESRCH;
    switch (op->cmd) {
    case XEN_DOMCTL_getpageframeinfo3:
        return get_types(w, &op->u.getpageframeinfo3);
    case XEN_DOMCTL_shadow_op:
        return shadow(w, &op->u.shadow_op);
    case XEN_DOMCTL_pausedomain:
    case XEN_DOMCTL_unpausedomain:
        return pause(w, op->cmd == XEN_DOMCTL_pausedomain);
    case XEN_DOMCTL_resumedomain:
        sim_workload_resume(w);
        return 0;
    case XEN_DOMCTL_get_cpu_policy:
        return get_policy(w, &op->u.cpu_policy);
    case XEN_DOMCTL_set_cpu_policy:
        return set_policy(w, &op->u.cpu_policy);
    case XEN_DOMCTL_scheduler_op:
        return schedule(w, &op->u.scheduler_op);
    case XEN_DOMCTL_gettscinfo:
    case XEN_DOMCTL_settscinfo:
        return tsc(w, op);
    case XEN_DOMCTL_gethvmcontext:
    case XEN_DOMCTL_sethvmcontext:
        return hvm_context(w, op);
    case XEN_DOMCTL_get_address_size:
        op->u.address_size.size = 64;
        return 0;
    case XEN_DOMCTL_set_address_size:
        return op->u.address_size.size == 64 ? 0 : -EINVAL;
    default:
        return sim_domctl_vcpu(w, op);
    }
}
