/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/common_records.h"

#include "hv/platform.h"

static int put_policy_blobs(struct xcx_writer *writer,
                            const struct xcx_cpu_policy_blobs *blobs,
                            struct xcx_err *err)
{
    if (blobs->leaves_bytes &&
        xcx_writer_record(writer, XCX_REC_X86_CPUID_POLICY, blobs->leaves,
                          (uint32_t)blobs->leaves_bytes, err))
        return -1;
    if (!blobs->msrs_bytes)
        return 0;
    return xcx_writer_record(writer, XCX_REC_X86_MSR_POLICY, blobs->msrs,
                             (uint32_t)blobs->msrs_bytes, err);
}

int xcx_put_cpu_policy(const struct xcx_hv *hv, struct xcx_writer *writer,
                       struct xcx_err *err)
{
    struct xcx_cpu_policy_blobs blobs = {0};
    int rc;

    if (xcx_cpu_policy_get(hv, &blobs, err))
        return -1;
    rc = put_policy_blobs(writer, &blobs, err);
    xcx_cpu_policy_done(&blobs);
    return rc;
}

int xcx_put_tsc_info(const struct xcx_hv *hv, struct xcx_writer *writer,
                     struct xcx_err *err)
{
    struct xcx_hv_tsc tsc;
    struct xcx_tsc_info info;

    if (xcx_tsc_get(hv, &tsc, err))
        return -1;
    info = (struct xcx_tsc_info){
        .mode = tsc.mode,
        .khz = tsc.khz,
        .elapsed_ns = tsc.nsec,
        .incarnation = tsc.incarnation,
    };
    return xcx_writer_tsc_info(writer, &info, err);
}
