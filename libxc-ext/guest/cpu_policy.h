/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu_policy: the CPU features that a domain may see, as numbers. Pure.
 *
 * Source: libxc stream spec, X86_CPUID_POLICY and X86_MSR_POLICY; the feature
 * words in Xen's public arch-x86/cpufeatureset.h. Threads: any.
 */
#ifndef XCX_GUEST_CPU_POLICY_H
#define XCX_GUEST_CPU_POLICY_H

#include "hv/platform.h"
#include "xcext.h"

/*
 * The blobs as the stream has them; empty leaves are left out. Errors:
 * HYPERCALL for more than there can be. *ret is untouched then.
 */
int xcx_cpu_policy_from_blobs(const struct xcx_cpu_policy_blobs *blobs,
                              struct xcx_cpu_policy *ret_policy,
                              struct xcx_err *err);

#endif
