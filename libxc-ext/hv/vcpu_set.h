/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu_set: the state of a PV guest's vCPUs on its way back, the counterpart
 * of vcpu.h. 64-bit guests. Lengths that the hypervisor's interface fixes are
 * checked by xcx_vcpu_check(), before anything is done with a blob. Errors:
 * STREAM for what a blob says, HYPERCALL, RESOURCE.
 */
#ifndef XCX_HV_VCPU_SET_H
#define XCX_HV_VCPU_SET_H

#include <stdint.h>

#include "hv/hv.h"
#include "hv/vcpu.h"

/* X86_PV_VCPU_BASIC's length. */
uint32_t xcx_vcpu_basic_bytes(void);

/* Whether a further part can be so long. */
int xcx_vcpu_check_bytes(enum xcx_vcpu_part part, uint32_t bytes,
                         struct xcx_err *err);

/*
 * The mfn of a pfn that the state refers to, as a page table of this level
 * (0: no page table); what says which ("cr3"). Fails with an error of its own.
 */
typedef int xcx_vcpu_localise_fn(void *opaque, uint64_t pfn, unsigned level,
                                 const char *what, uint64_t *ret_mfn,
                                 struct xcx_err *err);

/*
 * Basic state of xcx_vcpu_basic_bytes(). On vCPU 0 *ret_start_info is the
 * start info's mfn, untouched otherwise.
 */
int xcx_vcpu_set_basic(const struct xcx_hv *hv, unsigned vcpu_id,
                       const void *blob, xcx_vcpu_localise_fn *localise,
                       void *opaque, uint64_t *ret_start_info,
                       struct xcx_err *err);

/* A further part, of a length that was checked. */
int xcx_vcpu_set_blob(const struct xcx_hv *hv, unsigned vcpu_id,
                      enum xcx_vcpu_part part, const void *blob, uint32_t bytes,
                      struct xcx_err *err);

#endif
