/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/state.h"

#include <errno.h>

#include <xenctrl.h>
#include <xenguest.h>

int xcx_tsc_set(const struct xcx_hv *hv, const struct xcx_hv_tsc *tsc,
                struct xcx_err *err)
{
    if (xc_domain_set_tsc_info(hv->xch, hv->domid, tsc->mode, tsc->nsec,
                               tsc->khz, tsc->incarnation))
        return xcx_hv_failed(hv, err, "settscinfo");
    return 0;
}

int xcx_cpu_policy_set(const struct xcx_hv *hv,
                       const struct xcx_cpu_policy_blobs *blobs,
                       struct xcx_err *err)
{
    uint32_t bad_leaf = UINT32_MAX, bad_subleaf = UINT32_MAX;
    uint32_t bad_msr = UINT32_MAX;
    uint32_t nr_leaves =
        (uint32_t)(blobs->leaves_bytes / sizeof(xen_cpuid_leaf_t));
    uint32_t nr_msrs = (uint32_t)(blobs->msrs_bytes / sizeof(xen_msr_entry_t));

    if (!nr_leaves && !nr_msrs)
        return 0;
    if (xc_set_domain_cpu_policy(hv->xch, hv->domid, nr_leaves, blobs->leaves,
                                 nr_msrs, blobs->msrs, &bad_leaf, &bad_subleaf,
                                 &bad_msr))
        return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                           "domain %u: set_cpu_policy failed (leaf %#x, "
                           "subleaf %#x, MSR %#x): this CPU lacks what the "
                           "guest was given",
                           hv->domid, bad_leaf, bad_subleaf, bad_msr);
    return 0;
}

int xcx_hvm_context_set(const struct xcx_hv *hv, const void *blob,
                        uint32_t bytes, struct xcx_err *err)
{
    /* libxenctrl only reads it, for all that its prototype says. */
    if (xc_domain_hvm_setcontext(hv->xch, hv->domid, (uint8_t *)blob, bytes))
        return xcx_hv_failed(hv, err, "sethvmcontext");
    return 0;
}

int xcx_hvm_param_set(const struct xcx_hv *hv, uint32_t index, uint64_t value,
                      struct xcx_err *err)
{
    if (xc_hvm_param_set(hv->xch, hv->domid, index, value))
        return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                           "domain %u: set_param %u to %#llx failed", hv->domid,
                           index, (unsigned long long)value);
    return 0;
}

int xcx_grants_seed(const struct xcx_hv *hv, bool hvm,
                    const struct xcx_rings *rings, struct xcx_err *err)
{
    if (xc_dom_gnttab_seed(hv->xch, hv->domid, hvm, rings->console_frame,
                           rings->store_frame, rings->console_domid,
                           rings->store_domid))
        return xcx_hv_failed(hv, err, "seeding the grant table");
    return 0;
}

int xcx_pin_tables(const struct xcx_hv *hv, const uint64_t *mfns,
                   const uint8_t *levels, unsigned nr_tables,
                   struct xcx_err *err)
{
    static const unsigned commands[] = {
        MMUEXT_PIN_L1_TABLE,
        MMUEXT_PIN_L2_TABLE,
        MMUEXT_PIN_L3_TABLE,
        MMUEXT_PIN_L4_TABLE,
    };
    struct mmuext_op pins[XCX_PINS_MAX];

    if (nr_tables > XCX_PINS_MAX)
        return xcx_err_set(err, XCX_ERR_BUG, 0, "%u pins at once", nr_tables);
    for (unsigned i = 0; i < nr_tables; i++)
        pins[i] = (struct mmuext_op){.cmd = commands[(levels[i] - 1) & 3],
                                     .arg1.mfn = mfns[i]};
    if (xc_mmuext_op(hv->xch, pins, nr_tables, hv->domid) < 0)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                           "domain %u: pinning %u page tables failed: Xen "
                           "does not accept them",
                           hv->domid, nr_tables);
    return 0;
}
