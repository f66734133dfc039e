/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu: the state of a PV guest's vCPUs (libxc stream spec,
 * X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS). The guest must be suspended.
 * Frame numbers in it are the host's, and the caller's to translate.
 * Errors: HYPERCALL, RESOURCE.
 */
#ifndef XCX_HV_VCPU_H
#define XCX_HV_VCPU_H

#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include "hv/hv.h"

/* The basic state of a vCPU of a 64-bit guest. */
int xcx_vcpu_basic(const struct xcx_hv *hv, unsigned vcpu_id,
                   vcpu_guest_context_t *ret_context, struct xcx_err *err);

enum xcx_vcpu_part {
    XCX_VCPU_EXTENDED,
    XCX_VCPU_XSAVE,
    XCX_VCPU_MSRS,
};

/*
 * A further part as the stream has it, malloc'ed, the caller's; NULL and 0
 * bytes when this vCPU has none.
 */
int xcx_vcpu_blob(const struct xcx_hv *hv, unsigned vcpu_id,
                  enum xcx_vcpu_part part, void **ret_blob,
                  size_t *ret_blob_bytes, struct xcx_err *err);

#endif
