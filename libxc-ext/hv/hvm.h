/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hvm: CPU and platform state of an HVM or PVH domain (libxc stream spec,
 * HVM_CONTEXT and HVM_PARAMS). The domain must be paused or suspended, where
 * it does not say otherwise.
 * Errors: HYPERCALL, RESOURCE.
 */
#ifndef XCX_HV_HVM_H
#define XCX_HV_HVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/hv.h"

struct xcx_hv_param {
    uint64_t index;
    uint64_t value;
};

#define XCX_HVM_MAX_PARAMS 16

/* The context as one blob, malloc'ed, the caller's. */
int xcx_hvm_context(const struct xcx_hv *hv, void **ret_blob,
                    size_t *ret_blob_bytes, struct xcx_err *err);

/* The parameters that migrate and are not 0. */
int xcx_hvm_params(const struct xcx_hv *hv,
                   struct xcx_hv_param ret_params[XCX_HVM_MAX_PARAMS],
                   unsigned *ret_nr_params, struct xcx_err *err);

#define XCX_HVM_NR_IDLE_PAGES 3

/*
 * The pfns of special pages that are there and hardly ever in use; 0 for one
 * that cannot be had. The domain may run.
 */
void xcx_hvm_idle_pages(const struct xcx_hv *hv,
                        uint64_t ret_pfns[XCX_HVM_NR_IDLE_PAGES]);

/*
 * Whether the guest has told Xen how to deliver events: its PV drivers are
 * up. The domain may run.
 */
int xcx_hvm_has_pv_drivers(const struct xcx_hv *hv, bool *ret_has,
                           struct xcx_err *err);

/*
 * Whether a vCPU has switched VMX or SVM on: the guest runs a hypervisor, or
 * is about to. The domain may run; Xen pauses it for each look.
 */
int xcx_hvm_is_hypervisor(const struct xcx_hv *hv, unsigned nr_vcpus,
                          bool *ret_is, struct xcx_err *err);

#endif
