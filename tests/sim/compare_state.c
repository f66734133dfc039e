/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compare.h"

#include <string.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>

static void state(struct sim_diff *diff, bool same, const char *what)
{
    if (same)
        return;
    diff->nr_state++;
    sim_diff_say(diff, "state: %s", what);
}

static void compare_params(struct sim_world *source, struct sim_world *target,
                           struct sim_diff *diff)
{
    static const unsigned carried[] = {
        HVM_PARAM_STORE_PFN,        HVM_PARAM_IOREQ_PFN,
        HVM_PARAM_BUFIOREQ_PFN,     HVM_PARAM_PAGING_RING_PFN,
        HVM_PARAM_MONITOR_RING_PFN, HVM_PARAM_SHARING_RING_PFN,
        HVM_PARAM_CONSOLE_PFN,      HVM_PARAM_VIRIDIAN,
        HVM_PARAM_IDENT_PT,         HVM_PARAM_VM_GENERATION_ID_ADDR,
        HVM_PARAM_X87_FIP_WIDTH,    HVM_PARAM_MCA_CAP,
    };

    for (unsigned i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
        if (source->params[carried[i]] != target->params[carried[i]])
            state(diff, false, "an HVM parameter");
    }
    state(diff,
          target->params[HVM_PARAM_STORE_EVTCHN] == SIM_STORE_EVTCHN &&
              target->params[HVM_PARAM_CONSOLE_EVTCHN] == SIM_CONSOLE_EVTCHN,
          "event channels of xenstore and console");
}

static bool has_leaf(const struct sim_world *w, const xen_cpuid_leaf_t *leaf)
{
    for (uint32_t i = 0; i < w->nr_leaves; i++) {
        if (!memcmp(&w->leaves[i], leaf, sizeof(*leaf)))
            return true;
    }
    return false;
}

static void compare_policy(const struct sim_world *source,
                           const struct sim_world *target,
                           struct sim_diff *diff)
{
    bool same = source->nr_msrs <= target->nr_msrs &&
                source->msrs[0].val == target->msrs[0].val;

    for (uint32_t i = 0; i < source->nr_leaves; i++)
        same = same && has_leaf(target, &source->leaves[i]);
    state(diff, same, "CPU policy");
}

/* The context with pfns in place of machine frame numbers. */
static vcpu_guest_context_t normal_context(struct sim_world *w, unsigned v)
{
    vcpu_guest_context_t context = w->vcpu[v].context;
    const struct sim_frame *frames = sim_frames(w);
    uint64_t f;

#define TO_PFN(value)                                                          \
    ((f = sim_mfn_frame(w, value)) == SIM_NO_FRAME ? UINT64_MAX : frames[f].pfn)
    if (v == 0)
        context.user_regs.rdx = TO_PFN(context.user_regs.rdx);
    context.gdt_frames[0] = TO_PFN(context.gdt_frames[0]);
    context.ctrlreg[3] = TO_PFN(context.ctrlreg[3] >> SIM_PAGE_SHIFT);
    context.ctrlreg[1] = TO_PFN(context.ctrlreg[1] >> SIM_PAGE_SHIFT);
#undef TO_PFN
    context.flags |= VGCF_online;
    return context;
}

static void compare_vcpu(struct sim_world *source, struct sim_world *target,
                         struct sim_diff *diff, unsigned v)
{
    const struct sim_vcpu *s = &source->vcpu[v], *t = &target->vcpu[v];
    vcpu_guest_context_t ours, theirs;

    state(diff, s->online == t->online, "a vCPU's being online");
    if (!s->online || !t->online)
        return;
    ours = normal_context(source, v);
    theirs = normal_context(target, v);
    state(diff, !memcmp(&ours, &theirs, sizeof(ours)), "a vCPU's context");
    state(diff, !memcmp(&s->ext, &t->ext, sizeof(s->ext)),
          "a vCPU's extended context");
    state(diff,
          s->xsave_bytes == t->xsave_bytes &&
              !memcmp(s->xsave, t->xsave, s->xsave_bytes),
          "a vCPU's xsave area");
    state(diff,
          s->nr_msrs == t->nr_msrs &&
              !memcmp(s->msrs, t->msrs, s->nr_msrs * sizeof(s->msrs[0])),
          "a vCPU's MSRs");
}

static void compare_shared_info(struct sim_world *source,
                                struct sim_world *target, struct sim_diff *diff)
{
    const shared_info_t *s = sim_ram(source, source->shared_info_frame);
    const shared_info_t *t = sim_ram(target, target->shared_info_frame);
    bool same = s->arch.max_pfn == t->arch.max_pfn &&
                s->arch.p2m_vaddr == t->arch.p2m_vaddr &&
                !t->arch.pfn_to_mfn_frame_list_list;

    for (unsigned v = 0; v < source->spec.nr_vcpus; v++)
        same = same && s->vcpu_info[v].arch.cr2 == t->vcpu_info[v].arch.cr2 &&
               !t->vcpu_info[v].evtchn_pending_sel;
    for (unsigned i = 0; i < sizeof(t->evtchn_mask) / 8; i++)
        same = same && !t->evtchn_pending[i] && !~t->evtchn_mask[i];
    state(diff, same, "shared info");
}

/* Grants 0 and 1 let the console's and xenstore's back ends in. */
static void compare_grants(struct sim_world *target, uint64_t console,
                           uint64_t store, struct sim_diff *diff)
{
    const grant_entry_v1_t *grants = sim_ram(target, target->grant_frame);

    state(diff,
          grants[GNTTAB_RESERVED_CONSOLE].frame == (uint32_t)console &&
              grants[GNTTAB_RESERVED_XENSTORE].frame == (uint32_t)store,
          "grant table");
}

/* Field by field: the padding is whatever the caller had there. */
static bool is_same_tsc(const struct xen_domctl_tsc_info *s,
                        const struct xen_domctl_tsc_info *t)
{
    return s->tsc_mode == t->tsc_mode && s->gtsc_khz == t->gtsc_khz &&
           s->incarnation == t->incarnation &&
           s->elapsed_nsec == t->elapsed_nsec;
}

void sim_compare_state(struct sim_world *source, struct sim_world *target,
                       struct sim_diff *diff)
{
    const struct sim_pv *pv = &source->pv;

    state(diff, is_same_tsc(&source->tsc, &target->tsc), "TSC");
    compare_policy(source, target, diff);
    if (source->spec.kind == SIM_HVM) {
        state(diff,
              source->hvm_ctx_bytes == target->hvm_ctx_bytes &&
                  !memcmp(source->hvm_ctx, target->hvm_ctx,
                          source->hvm_ctx_bytes),
              "HVM context");
        compare_params(source, target, diff);
        compare_grants(target, source->params[HVM_PARAM_CONSOLE_PFN],
                       source->params[HVM_PARAM_STORE_PFN], diff);
        return;
    }
    for (unsigned v = 0; v < source->spec.nr_vcpus; v++)
        compare_vcpu(source, target, diff, v);
    compare_shared_info(source, target, diff);
    compare_grants(target, sim_mfn(target, sim_pfn_frame(target, pv->console)),
                   sim_mfn(target, sim_pfn_frame(target, pv->store)), diff);
}
