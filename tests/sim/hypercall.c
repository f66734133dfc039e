/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dispatch of hypercalls: which call is it, count it, fail it or do it
 * under the world's lock, then let the caller pay.
 */
#include "process.h"

#include <errno.h>
#include <string.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/sysctl.h>
#include <xen/version.h>

#include "logdirty.h"
#include "pv.h"

#define XEN_VERSION (4 << 16 | 17)

static enum sim_call classify_shadow(const struct xen_domctl *op)
{
    switch (op->u.shadow_op.op) {
    case XEN_DOMCTL_SHADOW_OP_ENABLE:
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return SIM_CALL_shadow_enable;
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return SIM_CALL_shadow_off;
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
        return SIM_CALL_shadow_clean;
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return SIM_CALL_shadow_peek;
    default:
        return SIM_CALL_shadow_other;
    }
}

#define CASE(op, name)                                                         \
    case op##_##name:                                                          \
        return SIM_CALL_##name

static enum sim_call classify_domctl(const struct xen_domctl *op)
{
    switch (op->cmd) {
        CASE(XEN_DOMCTL, getdomaininfo);
        CASE(XEN_DOMCTL, getpageframeinfo3);
        CASE(XEN_DOMCTL, pausedomain);
        CASE(XEN_DOMCTL, unpausedomain);
        CASE(XEN_DOMCTL, resumedomain);
        CASE(XEN_DOMCTL, getvcpuinfo);
        CASE(XEN_DOMCTL, getvcpucontext);
        CASE(XEN_DOMCTL, setvcpucontext);
        CASE(XEN_DOMCTL, get_ext_vcpucontext);
        CASE(XEN_DOMCTL, set_ext_vcpucontext);
        CASE(XEN_DOMCTL, getvcpuextstate);
        CASE(XEN_DOMCTL, setvcpuextstate);
        CASE(XEN_DOMCTL, get_vcpu_msrs);
        CASE(XEN_DOMCTL, set_vcpu_msrs);
        CASE(XEN_DOMCTL, gethvmcontext);
        CASE(XEN_DOMCTL, sethvmcontext);
        CASE(XEN_DOMCTL, gettscinfo);
        CASE(XEN_DOMCTL, settscinfo);
        CASE(XEN_DOMCTL, get_cpu_policy);
        CASE(XEN_DOMCTL, set_cpu_policy);
        CASE(XEN_DOMCTL, get_address_size);
        CASE(XEN_DOMCTL, set_address_size);
        CASE(XEN_DOMCTL, scheduler_op);
    case XEN_DOMCTL_shadow_op:
        return classify_shadow(op);
    default:
        return SIM_CALL_domctl_other;
    }
}

static enum sim_call classify_memory(uint64_t cmd)
{
    switch (cmd) {
        CASE(XENMEM, maximum_ram_page);
        CASE(XENMEM, maximum_gpfn);
        CASE(XENMEM, machphys_mfn_list);
        CASE(XENMEM, populate_physmap);
        CASE(XENMEM, decrease_reservation);
        CASE(XENMEM, add_to_physmap);
        CASE(XENMEM, remove_from_physmap);
        CASE(XENMEM, get_pod_target);
        CASE(XENMEM, claim_pages);
    default:
        return SIM_CALL_memory_other;
    }
}

static enum sim_call classify(unsigned op, const uint64_t arg[5])
{
    const void *p = (const void *)(uintptr_t)arg[0];

    switch (op) {
    case __HYPERVISOR_domctl:
        return classify_domctl(p);
    case __HYPERVISOR_memory_op:
        return classify_memory(arg[0]);
    case __HYPERVISOR_xen_version:
        return SIM_CALL_version;
    case __HYPERVISOR_hvm_op:
        return arg[0] == HVMOP_get_param   ? SIM_CALL_hvm_get_param
               : arg[0] == HVMOP_set_param ? SIM_CALL_hvm_set_param
                                           : SIM_CALL_other;
    case __HYPERVISOR_mmuext_op:
        return SIM_CALL_mmuext_op;
    case __HYPERVISOR_mmu_update:
        return SIM_CALL_mmu_update;
    case __HYPERVISOR_sysctl:
        switch (((const struct xen_sysctl *)p)->cmd) {
        case XEN_SYSCTL_get_cpu_policy:
            return SIM_CALL_sysctl_cpu_policy;
        case XEN_SYSCTL_sched_id:
            return SIM_CALL_sysctl_sched_id;
        default:
            return SIM_CALL_sysctl_other;
        }
    default:
        return SIM_CALL_other;
    }
}

static long do_version(struct sim_world *w, uint64_t cmd, void *arg)
{
    (void)w;
    switch (cmd) {
    case XENVER_version:
        return XEN_VERSION;
    case XENVER_pagesize:
        return SIM_PAGE_BYTES;
    case XENVER_extraversion:
        memcpy(arg, ".sim", 5);
        return 0;
    case XENVER_capabilities:
        memcpy(arg, "xen-3.0-x86_64 hvm-3.0-x86_64", 30);
        return 0;
    default:
        return -ENOSYS;
    }
}

static long do_hvm_param(struct sim_world *w, bool set,
                         struct xen_hvm_param *param)
{
    if (param->domid != w->spec.domid || !w->exists)
        return -ESRCH;
    if (w->spec.kind != SIM_HVM || param->index >= SIM_NR_PARAMS)
        return -EINVAL;
    if (set)
        w->params[param->index] = param->value;
    else
        param->value = w->params[param->index];
    return 0;
}

static long do_mmuext(struct sim_world *w, const struct mmuext_op *ops,
                      uint64_t nr_ops, uint64_t domid)
{
    if (domid != w->spec.domid)
        return -ESRCH;
    for (uint64_t i = 0; i < nr_ops; i++) {
        bool pv = w->spec.kind == SIM_PV;
        uint64_t f = pv ? sim_mfn_frame(w, ops[i].arg1.mfn)
                        : sim_pfn_frame(w, ops[i].arg1.mfn);
        unsigned level = ops[i].cmd - MMUEXT_PIN_L1_TABLE + 1;
        int rc = -EINVAL;

        if (f == SIM_NO_FRAME)
            return -EINVAL;
        if (pv && level >= 1 && level <= 4)
            rc = sim_pv_pin(w, f, level);
        else if (pv && ops[i].cmd == MMUEXT_UNPIN_TABLE)
            rc = sim_pv_unpin(w, f);
        else if (ops[i].cmd == MMUEXT_CLEAR_PAGE)
            rc = (memset(sim_ram(w, f), 0, SIM_PAGE_BYTES), 0);
        if (rc)
            return rc;
    }
    return 0;
}

static long do_mmu_update(struct sim_world *w, const mmu_update_t *updates,
                          uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        uint64_t f = sim_mfn_frame(w, updates[i].ptr >> SIM_PAGE_SHIFT);

        if ((updates[i].ptr & 3) != MMU_MACHPHYS_UPDATE || f == SIM_NO_FRAME)
            return -EINVAL;
        sim_m2p(w)[sim_mfn(w, f)] = updates[i].val;
        sim_dirty_mark(w, updates[i].val);
    }
    return 0;
}

static long do_sysctl(struct sim_world *w, struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_policy *policy = &op->u.cpu_policy;

    switch (op->cmd) {
    case XEN_SYSCTL_get_cpu_policy:
        if (policy->leaves.p || policy->msrs.p)
            return -EOPNOTSUPP;
        policy->nr_leaves = SIM_MAX_LEAVES;
        policy->nr_msrs = SIM_MAX_MSRS;
        return 0;
    case XEN_SYSCTL_sched_id:
        op->u.sched_id.sched_id =
            w->spec.sched == SIM_NO_CAPS  ? XEN_SCHEDULER_NULL
            : w->spec.sched == SIM_CREDIT ? XEN_SCHEDULER_CREDIT
                                          : XEN_SCHEDULER_CREDIT2;
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

static long dispatch(struct sim_world *w, unsigned op, const uint64_t arg[5])
{
    void *first = (void *)(uintptr_t)arg[0];
    void *second = (void *)(uintptr_t)arg[1];

    switch (op) {
    case __HYPERVISOR_domctl:
        return sim_domctl(w, first);
    case __HYPERVISOR_memory_op:
        return sim_memory_op(w, (unsigned)arg[0], second);
    case __HYPERVISOR_xen_version:
        return do_version(w, arg[0], second);
    case __HYPERVISOR_hvm_op:
        if (arg[0] != HVMOP_get_param && arg[0] != HVMOP_set_param)
            return -ENOSYS;
        return do_hvm_param(w, arg[0] == HVMOP_set_param, second);
    case __HYPERVISOR_mmuext_op:
        return do_mmuext(w, first, arg[1], arg[3]);
    case __HYPERVISOR_mmu_update:
        return do_mmu_update(w, first, arg[1]);
    case __HYPERVISOR_sysctl:
        return do_sysctl(w, first);
    default:
        return -ENOSYS;
    }
}

static uint64_t cost_of(const struct sim_cost *cost, enum sim_call call,
                        const uint64_t arg[5])
{
    const struct xen_domctl *op = (const void *)(uintptr_t)arg[0];
    const struct xen_memory_reservation *res = (const void *)(uintptr_t)arg[1];

    switch (call) {
    case SIM_CALL_getpageframeinfo3:
        return cost->call_ns + op->u.getpageframeinfo3.num * cost->type_ns;
    case SIM_CALL_shadow_clean:
    case SIM_CALL_shadow_peek:
        return cost->peek_ns + op->u.shadow_op.pages * cost->bitmap_ps / 1000;
    case SIM_CALL_populate_physmap:
        return cost->call_ns + res->nr_extents * cost->populate_ns;
    default:
        return cost->call_ns;
    }
}

static long mark_pages(struct sim_world *w, uint64_t domid, uint64_t first_pfn,
                       uint64_t nr_pfns)
{
    if (domid != w->spec.domid || !w->exists)
        return -ESRCH;
    if (w->spec.kind != SIM_HVM)
        return -EINVAL;
    if (!w->logdirty)
        return 0;
    if (!nr_pfns || first_pfn + nr_pfns >= w->nr_pfns)
        return -EINVAL;
    for (uint64_t i = 0; i < nr_pfns; i++)
        if (sim_pfn_frame(w, first_pfn + i) != SIM_NO_FRAME)
            sim_dirty_mark(w, first_pfn + i);
    return 0;
}

long sim_modified_memory(struct sim_world *w, uint64_t domid,
                         uint64_t first_pfn, uint64_t nr_pfns)
{
    struct sim_process *p = sim_self();
    long rc = sim_enter(p, SIM_CALL_modified_memory, NULL);

    if (rc)
        return rc;
    sim_lock(w);
    rc = mark_pages(w, domid, first_pfn, nr_pfns);
    sim_unlock(w);
    sim_pay(p, p->cost.call_ns);
    return rc;
}

/* Pages that this process has mapped must not be freed under its hands. */
static void watch_freeing(struct sim_process *p, enum sim_call call,
                          const uint64_t arg[5])
{
    const struct xen_memory_reservation *res = (const void *)(uintptr_t)arg[1];

    if (call != SIM_CALL_decrease_reservation)
        return;
    for (uint64_t i = 0; i < res->nr_extents; i++) {
        if (sim_mapping_has(p, res->extent_start.p[i]))
            sim_finding(p, "page freed while mapped", "gfn %#llx",
                        (unsigned long long)res->extent_start.p[i]);
    }
}

/* libxenctrl wraps calls whose results do not fit an int into these. */
static long multicall(struct sim_world *w, multicall_entry_t *entries,
                      uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++)
        entries[i].result = (unsigned long)sim_hypercall(
            w, (unsigned)entries[i].op, entries[i].args);
    return 0;
}

long sim_hypercall(struct sim_world *w, unsigned op, const uint64_t arg[5])
{
    struct sim_process *p = sim_self();
    enum sim_call call;
    long rc;

    if (op == __HYPERVISOR_multicall)
        return multicall(w, (void *)(uintptr_t)arg[0], arg[1]);
    call = classify(op, arg);
    rc = sim_enter(p, call, NULL);
    if (rc)
        return rc;
    watch_freeing(p, call, arg);
    sim_lock(w);
    rc = dispatch(w, op, arg);
    sim_unlock(w);
    sim_pay(p, cost_of(&p->cost, call, arg));
    return rc;
}
