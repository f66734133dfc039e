/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common_records: records that a stream of either kind of guest has. Errors
 * are those of hv/platform.h and of the writer.
 */
#ifndef XCX_GUEST_COMMON_RECORDS_H
#define XCX_GUEST_COMMON_RECORDS_H

#include "hv/hv.h"
#include "stream/writer.h"

/* X86_CPUID_POLICY and X86_MSR_POLICY; left out when empty. */
int xcx_put_cpu_policy(const struct xcx_hv *hv, struct xcx_writer *writer,
                       struct xcx_err *err);

/* X86_TSC_INFO. */
int xcx_put_tsc_info(const struct xcx_hv *hv, struct xcx_writer *writer,
                     struct xcx_err *err);

#endif
