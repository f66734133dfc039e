/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state: CPU and platform state for a domain that is being restored. The
 * counterpart of hvm.h and platform.h, with blobs as the stream has them;
 * the hypervisor judges what is in them. Errors: HYPERCALL, RESOURCE.
 */
#ifndef XCX_HV_STATE_H
#define XCX_HV_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/hv.h"
#include "hv/platform.h"

int xcx_tsc_set(const struct xcx_hv *hv, const struct xcx_hv_tsc *tsc,
                struct xcx_err *err);

/*
 * Either blob may be missing (0 bytes). The hypervisor's complaint names the
 * leaf or MSR, and so does the error.
 */
int xcx_cpu_policy_set(const struct xcx_hv *hv,
                       const struct xcx_cpu_policy_blobs *blobs,
                       struct xcx_err *err);

/* Sizes by unsigned int in libxenctrl: bytes must fit. */
int xcx_hvm_context_set(const struct xcx_hv *hv, const void *blob,
                        uint32_t bytes, struct xcx_err *err);

int xcx_hvm_param_set(const struct xcx_hv *hv, uint32_t index, uint64_t value,
                      struct xcx_err *err);

/* The guest's two rings: where they are, and who is at their other ends. */
struct xcx_rings {
    uint64_t store_frame; /* gfn of HVM, mfn of PV; 0: none */
    uint64_t console_frame;
    uint32_t store_domid;
    uint32_t console_domid;
    uint32_t store_port;
    uint32_t console_port;
};

/* The two reserved entries of the grant table. */
int xcx_grants_seed(const struct xcx_hv *hv, bool hvm,
                    const struct xcx_rings *rings, struct xcx_err *err);

/* MMUEXT_PIN_L1_TABLE and so on, for mfns of the given levels (1 to 4). */
#define XCX_PINS_MAX 1024
int xcx_pin_tables(const struct xcx_hv *hv, const uint64_t *mfns,
                   const uint8_t *levels, unsigned nr_tables,
                   struct xcx_err *err);

#endif
