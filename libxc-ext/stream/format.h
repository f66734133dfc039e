/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format: the numbers of the libxc migration stream, version 3, and the
 * values of its records in memory. Source: Xen's
 * docs/specs/libxc-migration-stream.pandoc; the sections are named below.
 *
 *   +--------------+---------------+--------+--------+-- ... --+-----+
 *   | image header | domain header | record | record |         | END |
 *   +--------------+---------------+--------+--------+-- ... --+-----+
 *                                  | type u32 | length u32 | body | pad to 8 |
 *
 * Nothing here is laid over wire bytes; record.h has the encoders. Limits of
 * ours are tighter than the spec's where nothing that exists comes near.
 */
#ifndef XCX_STREAM_FORMAT_H
#define XCX_STREAM_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "Image Header" */
#define XCX_IMAGE_MARKER          UINT64_C(0xffffffffffffffff)
#define XCX_IMAGE_ID              UINT32_C(0x58454e46) /* "XENF" */
#define XCX_IMAGE_VERSION         UINT32_C(3)
#define XCX_IMAGE_VERSION_OLDEST  UINT32_C(2) /* without STATIC_DATA_END */
#define XCX_IMAGE_OPT_BIG_ENDIAN  UINT16_C(0x0001)
#define XCX_IMAGE_HEADER_BYTES    24
#define XCX_DOMAIN_HEADER_BYTES   16
#define XCX_RECORD_HEADER_BYTES   8
#define XCX_RECORD_ALIGN          8
#define XCX_RECORD_MAX_BODY_BYTES (UINT32_C(128) << 20)
#define XCX_PAGE_SHIFT            12
#define XCX_PAGE_BYTES            4096

/* "Domain Header" */
enum xcx_guest_type {
    XCX_GUEST_PV = 1,
    XCX_GUEST_HVM = 2, /* PVH too */
};

struct xcx_stream_headers {
    uint32_t version;
    enum xcx_guest_type guest_type;
    uint32_t xen_major; /* 0: converted from the legacy format */
    uint32_t xen_minor;
};

/* "Records" */
enum xcx_record_type {
    XCX_REC_END = 0x00,
    XCX_REC_PAGE_DATA = 0x01,
    XCX_REC_X86_PV_INFO = 0x02,
    XCX_REC_X86_PV_P2M_FRAMES = 0x03,
    XCX_REC_X86_PV_VCPU_BASIC = 0x04,
    XCX_REC_X86_PV_VCPU_EXTENDED = 0x05,
    XCX_REC_X86_PV_VCPU_XSAVE = 0x06,
    XCX_REC_SHARED_INFO = 0x07,
    XCX_REC_X86_TSC_INFO = 0x08,
    XCX_REC_HVM_CONTEXT = 0x09,
    XCX_REC_HVM_PARAMS = 0x0a,
    XCX_REC_TOOLSTACK = 0x0b, /* deprecated: refused */
    XCX_REC_X86_PV_VCPU_MSRS = 0x0c,
    XCX_REC_VERIFY = 0x0d,
    XCX_REC_CHECKPOINT = 0x0e,
    XCX_REC_CHECKPOINT_DIRTY_PFN_LIST = 0x0f, /* COLO's way back: refused */
    XCX_REC_STATIC_DATA_END = 0x10,
    XCX_REC_X86_CPUID_POLICY = 0x11,
    XCX_REC_X86_MSR_POLICY = 0x12,
};
#define XCX_NR_RECORD_TYPES     0x13
#define XCX_REC_OPTIONAL        UINT32_C(0x80000000)
#define XCX_RECORD_NAME_UNKNOWN "unknown"

/* The spec's name ("PAGE_DATA"), or XCX_RECORD_NAME_UNKNOWN. Never NULL. */
const char *xcx_record_name(uint32_t type);

/* "PAGE_DATA": the top four bits of each entry of the pfn list. */
enum xcx_page_type {
    XCX_PAGE_NOTAB = 0x0,
    XCX_PAGE_L1TAB = 0x1,
    XCX_PAGE_L2TAB = 0x2,
    XCX_PAGE_L3TAB = 0x3,
    XCX_PAGE_L4TAB = 0x4,
    XCX_PAGE_PIN = 0x8, /* a flag on the four above */
    XCX_PAGE_L1TAB_PIN = 0x9,
    XCX_PAGE_L2TAB_PIN = 0xa,
    XCX_PAGE_L3TAB_PIN = 0xb,
    XCX_PAGE_L4TAB_PIN = 0xc,
    XCX_PAGE_BROKEN = 0xd,
    XCX_PAGE_XALLOC = 0xe, /* to be populated, contents unspecified */
    XCX_PAGE_XTAB = 0xf,   /* no such page */
};
#define XCX_PAGE_TYPE_SHIFT   60
#define XCX_PAGE_PFN_MASK     ((UINT64_C(1) << 52) - 1)
#define XCX_PAGE_BATCH_MAX    1024 /* pfns a record; stock sends no more */
#define XCX_PAGE_HEADER_BYTES 8    /* count and reserved, before the list */

static inline bool xcx_page_type_is_known(unsigned type)
{
    return type <= XCX_PAGE_XTAB && !(type >= 5 && type <= XCX_PAGE_PIN);
}

/* Whether a page of contents follows in the record. */
static inline bool xcx_page_type_has_data(unsigned type)
{
    return type < XCX_PAGE_BROKEN;
}

/* "X86_PV_INFO" */
struct xcx_pv_info {
    uint8_t guest_width; /* bytes: 4 with 3 levels, 8 with 4 */
    uint8_t pt_levels;
};
#define XCX_PV_INFO_BYTES 8

/*
 * "X86_PV_P2M_FRAMES": one pfn for each frame of the guest's p2m that holds
 * an entry of the pfns start_pfn to end_pfn, both included.
 */
struct xcx_p2m_frames {
    uint32_t start_pfn;
    uint32_t end_pfn;
};
#define XCX_P2M_FRAMES_HEADER_BYTES 8

/* Frames that a p2m of entries guest_width bytes wide has from start to end. */
static inline uint64_t xcx_p2m_frames_nr(const struct xcx_p2m_frames *frames,
                                         unsigned guest_width)
{
    unsigned entries = XCX_PAGE_BYTES / guest_width;

    return frames->end_pfn / entries - frames->start_pfn / entries + 1;
}

/* "X86_PV_VCPU_BASIC, EXTENDED, XSAVE, MSRS": then a blob. */
#define XCX_VCPU_HEADER_BYTES 8

/* "X86_TSC_INFO" */
struct xcx_tsc_info {
    uint32_t mode;
    uint32_t khz;
    uint64_t elapsed_ns;
    uint32_t incarnation;
};
#define XCX_TSC_INFO_BYTES 24

/* "HVM_PARAMS" */
struct xcx_hvm_param {
    uint64_t index;
    uint64_t value;
};
#define XCX_HVM_PARAMS_HEADER_BYTES 8
#define XCX_HVM_PARAM_BYTES         16
#define XCX_HVM_PARAMS_MAX          256

/* "X86_CPUID_POLICY", "X86_MSR_POLICY": arrays of entries of these sizes. */
#define XCX_CPUID_LEAF_BYTES 24
#define XCX_MSR_ENTRY_BYTES  16

#endif
