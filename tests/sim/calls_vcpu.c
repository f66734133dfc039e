/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What belongs to one vCPU of a PV guest (an HVM guest's vCPUs are in its
 * context, which is one blob).
 */
#include "calls.h"

#include <errno.h>
#include <string.h>

#define XFEATURES     7UL
#define EXT_MAX_BYTES 128U

static long get_info(const struct sim_vcpu *vcpu,
                     struct xen_domctl_getvcpuinfo *info)
{
    info->online = vcpu->online;
    info->blocked = 0;
    info->running = vcpu->online;
    info->cpu_time = 0;
    info->cpu = 0;
    return 0;
}

static long context(struct sim_world *w, struct sim_vcpu *vcpu,
                    const struct xen_domctl *op)
{
    vcpu_guest_context_t *theirs = op->u.vcpucontext.ctxt.p;

    if (op->cmd == XEN_DOMCTL_getvcpucontext) {
        *theirs = vcpu->context;
        return 0;
    }
    if (w->spec.kind == SIM_PV &&
        sim_mfn_frame(w, theirs->ctrlreg[3] >> SIM_PAGE_SHIFT) == SIM_NO_FRAME)
        return -EINVAL;
    vcpu->context = *theirs;
    vcpu->online = theirs->flags & VGCF_online;
    return 0;
}

static long extended(struct sim_vcpu *vcpu, struct xen_domctl *op)
{
    struct xen_domctl_ext_vcpucontext *theirs = &op->u.ext_vcpucontext;

    if (op->cmd == XEN_DOMCTL_get_ext_vcpucontext) {
        *theirs = vcpu->ext;
        return 0;
    }
    if (theirs->size > EXT_MAX_BYTES)
        return -EINVAL;
    vcpu->ext = *theirs;
    return 0;
}

/* The state's size asked for is the most there may be, as in Xen. */
static long get_xsave(const struct sim_vcpu *vcpu,
                      struct xen_domctl_vcpuextstate *theirs)
{
    if (!vcpu->xsave_bytes) {
        theirs->xfeature_mask = 0;
        theirs->size = 0;
        return 0;
    }
    if ((!theirs->size && !theirs->xfeature_mask) || !theirs->buffer.p) {
        theirs->xfeature_mask = XFEATURES;
        theirs->size = vcpu->xsave_bytes + 64;
        return 0;
    }
    if (theirs->size < vcpu->xsave_bytes || theirs->xfeature_mask != XFEATURES)
        return -EINVAL;
    memcpy(theirs->buffer.p, vcpu->xsave, vcpu->xsave_bytes);
    theirs->size = vcpu->xsave_bytes;
    return 0;
}

static long set_xsave(struct sim_vcpu *vcpu,
                      const struct xen_domctl_vcpuextstate *theirs)
{
    if (theirs->size > sizeof(vcpu->xsave))
        return -EINVAL;
    memcpy(vcpu->xsave, theirs->buffer.p, theirs->size);
    vcpu->xsave_bytes = (uint32_t)theirs->size;
    return 0;
}

static long get_msrs(const struct sim_vcpu *vcpu,
                     struct xen_domctl_vcpu_msrs *theirs)
{
    uint32_t room = theirs->msr_count;

    if (!theirs->msrs.p) {
        theirs->msr_count = SIM_MAX_MSRS;
        return 0;
    }
    theirs->msr_count = vcpu->nr_msrs;
    if (room < vcpu->nr_msrs)
        return -ENOBUFS;
    memcpy(theirs->msrs.p, vcpu->msrs, vcpu->nr_msrs * sizeof(vcpu->msrs[0]));
    return 0;
}

static long set_msrs(struct sim_vcpu *vcpu,
                     const struct xen_domctl_vcpu_msrs *theirs)
{
    if (theirs->msr_count > SIM_MAX_MSRS)
        return -EINVAL;
    memcpy(vcpu->msrs, theirs->msrs.p,
           theirs->msr_count * sizeof(vcpu->msrs[0]));
    vcpu->nr_msrs = theirs->msr_count;
    return 0;
}

long sim_domctl_vcpu(struct sim_world *w, struct xen_domctl *op)
{
    /* In all of these the vCPU's number comes first. */
    uint32_t id = op->u.getvcpuinfo.vcpu;
    struct sim_vcpu *vcpu = &w->vcpu[id % SIM_MAX_VCPUS];

    switch (op->cmd) {
    case XEN_DOMCTL_getvcpuinfo:
    case XEN_DOMCTL_getvcpucontext:
    case XEN_DOMCTL_setvcpucontext:
    case XEN_DOMCTL_get_ext_vcpucontext:
    case XEN_DOMCTL_set_ext_vcpucontext:
    case XEN_DOMCTL_getvcpuextstate:
    case XEN_DOMCTL_setvcpuextstate:
    case XEN_DOMCTL_get_vcpu_msrs:
    case XEN_DOMCTL_set_vcpu_msrs:
        break;
    default:
        return -ENOSYS;
    }
    if (id >= w->spec.nr_vcpus)
        return -ESRCH;
    switch (op->cmd) {
    case XEN_DOMCTL_getvcpuinfo:
        return get_info(vcpu, &op->u.getvcpuinfo);
    case XEN_DOMCTL_getvcpucontext:
    case XEN_DOMCTL_setvcpucontext:
        return context(w, vcpu, op);
    case XEN_DOMCTL_get_ext_vcpucontext:
    case XEN_DOMCTL_set_ext_vcpucontext:
        return extended(vcpu, op);
    case XEN_DOMCTL_getvcpuextstate:
        return get_xsave(vcpu, &op->u.vcpuextstate);
    case XEN_DOMCTL_setvcpuextstate:
        return set_xsave(vcpu, &op->u.vcpuextstate);
    case XEN_DOMCTL_get_vcpu_msrs:
        return get_msrs(vcpu, &op->u.vcpu_msrs);
    default:
        return set_msrs(vcpu, &op->u.vcpu_msrs);
    }
}
