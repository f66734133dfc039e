/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * platform: state that every kind of domain has: TSC and CPU policy (libxc
 * stream spec, X86_TSC_INFO, X86_CPUID_POLICY, X86_MSR_POLICY).
 * Errors: HYPERCALL, RESOURCE.
 */
#ifndef XCX_HV_PLATFORM_H
#define XCX_HV_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/hv.h"

struct xcx_hv_tsc {
    uint32_t mode;
    uint32_t khz;
    uint64_t nsec;
    uint32_t incarnation;
};

int xcx_tsc_get(const struct xcx_hv *hv, struct xcx_hv_tsc *ret_tsc,
                struct xcx_err *err);

/* Both are malloc'ed and laid out as the stream has them; 0 bytes: none. */
struct xcx_cpu_policy_blobs {
    void *leaves;
    size_t leaves_bytes;
    void *msrs;
    size_t msrs_bytes;
};

int xcx_cpu_policy_get(const struct xcx_hv *hv,
                       struct xcx_cpu_policy_blobs *ret_blobs,
                       struct xcx_err *err);

/* The most that a domain of the kind can be given on this host. */
int xcx_cpu_policy_get_host(const struct xcx_hv *hv, bool hvm,
                            struct xcx_cpu_policy_blobs *ret_blobs,
                            struct xcx_err *err);
void xcx_cpu_policy_done(struct xcx_cpu_policy_blobs *blobs);

#endif
