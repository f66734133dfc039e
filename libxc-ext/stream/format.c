/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/format.h"

const char *xcx_record_name(uint32_t type)
{
    static const char *const names[XCX_NR_RECORD_TYPES] = {
        [XCX_REC_END] = "END",
        [XCX_REC_PAGE_DATA] = "PAGE_DATA",
        [XCX_REC_X86_PV_INFO] = "X86_PV_INFO",
        [XCX_REC_X86_PV_P2M_FRAMES] = "X86_PV_P2M_FRAMES",
        [XCX_REC_X86_PV_VCPU_BASIC] = "X86_PV_VCPU_BASIC",
        [XCX_REC_X86_PV_VCPU_EXTENDED] = "X86_PV_VCPU_EXTENDED",
        [XCX_REC_X86_PV_VCPU_XSAVE] = "X86_PV_VCPU_XSAVE",
        [XCX_REC_SHARED_INFO] = "SHARED_INFO",
        [XCX_REC_X86_TSC_INFO] = "X86_TSC_INFO",
        [XCX_REC_HVM_CONTEXT] = "HVM_CONTEXT",
        [XCX_REC_HVM_PARAMS] = "HVM_PARAMS",
        [XCX_REC_TOOLSTACK] = "TOOLSTACK",
        [XCX_REC_X86_PV_VCPU_MSRS] = "X86_PV_VCPU_MSRS",
        [XCX_REC_VERIFY] = "VERIFY",
        [XCX_REC_CHECKPOINT] = "CHECKPOINT",
        [XCX_REC_CHECKPOINT_DIRTY_PFN_LIST] = "CHECKPOINT_DIRTY_PFN_LIST",
        [XCX_REC_STATIC_DATA_END] = "STATIC_DATA_END",
        [XCX_REC_X86_CPUID_POLICY] = "X86_CPUID_POLICY",
        [XCX_REC_X86_MSR_POLICY] = "X86_MSR_POLICY",
    };

    return type < XCX_NR_RECORD_TYPES ? names[type] : XCX_RECORD_NAME_UNKNOWN;
}
