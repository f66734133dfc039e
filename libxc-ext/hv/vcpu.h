/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpu: the state of a PV guest's vCPUs (libxc stream spec,
 * X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS). The guest must be suspended.
 * Only the layout of 64-bit guests. Errors: HYPERCALL, RESOURCE.
 */
#ifndef XCX_HV_VCPU_H
#define XCX_HV_VCPU_H

#include <stddef.h>
#include <stdint.h>

#include "hv/hv.h"

/*
 * The pfn of one of the host's frames that the state refers to; what says
 * which ("cr3"). Fails with an error of its own.
 */
typedef int xcx_vcpu_translate_fn(void *opaque, uint64_t mfn, const char *what,
                                  uint64_t *ret_pfn, struct xcx_err *err);

/*
 * The basic state, malloc'ed, the caller's, with its frame numbers (page
 * table roots, GDT, and on vCPU 0 the start info that the guest named when it
 * suspended) translated. GUEST for a GDT that is too large.
 */
int xcx_vcpu_basic(const struct xcx_hv *hv, unsigned vcpu_id,
                   xcx_vcpu_translate_fn *translate, void *opaque,
                   void **ret_blob, size_t *ret_blob_bytes,
                   struct xcx_err *err);

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
