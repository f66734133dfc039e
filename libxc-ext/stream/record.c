/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/record.h"

#include <inttypes.h>

/* ---- headers ----------------------------------------------------------- */

void xcx_image_header_put(struct xcx_put *put)
{
    xcx_put_be64(put, XCX_IMAGE_MARKER);
    xcx_put_be32(put, XCX_IMAGE_ID);
    xcx_put_be32(put, XCX_IMAGE_VERSION);
    xcx_put_zeroes(put, 8); /* options (little-endian) and reserved */
}

int xcx_image_header_get(const void *bytes, uint32_t *ret_version,
                         struct xcx_err *err)
{
    struct xcx_get get = xcx_get_over(bytes, XCX_IMAGE_HEADER_BYTES);
    uint64_t marker = xcx_get_be64(&get);
    uint32_t id = xcx_get_be32(&get);
    uint32_t version = xcx_get_be32(&get);
    uint16_t options = xcx_get_be16(&get);

    if (marker != XCX_IMAGE_MARKER)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "marker %#018" PRIx64 ": not a migration stream, "
                           "or one of the legacy format",
                           marker);
    if (id != XCX_IMAGE_ID)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "id %#010" PRIx32, id);
    if (version < XCX_IMAGE_VERSION_OLDEST || version > XCX_IMAGE_VERSION)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "version %" PRIu32 ", can read 2 and 3", version);
    if (options & XCX_IMAGE_OPT_BIG_ENDIAN)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "big-endian stream");
    *ret_version = version;
    return 0;
}

void xcx_domain_header_put(struct xcx_put *put,
                           const struct xcx_stream_headers *headers)
{
    xcx_put_le32(put, headers->guest_type);
    xcx_put_le16(put, XCX_PAGE_SHIFT);
    xcx_put_le16(put, 0);
    xcx_put_le32(put, headers->xen_major);
    xcx_put_le32(put, headers->xen_minor);
}

int xcx_domain_header_get(const void *bytes,
                          struct xcx_stream_headers *ret_headers,
                          struct xcx_err *err)
{
    struct xcx_get get = xcx_get_over(bytes, XCX_DOMAIN_HEADER_BYTES);
    uint32_t type = xcx_get_le32(&get);
    uint16_t page_shift = xcx_get_le16(&get);

    if (type != XCX_GUEST_PV && type != XCX_GUEST_HVM)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "guest type %" PRIu32 " is neither PV nor HVM",
                           type);
    if (page_shift != XCX_PAGE_SHIFT)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "page shift %u, not 12",
                           page_shift);
    xcx_get_skip(&get, 2);
    ret_headers->guest_type = type;
    ret_headers->xen_major = xcx_get_le32(&get);
    ret_headers->xen_minor = xcx_get_le32(&get);
    return 0;
}

/* ---- lengths ----------------------------------------------------------- */

/*
 * Bounds on body lengths. Where the spec has none they are far above what a
 * guest of thousands of vCPUs brings, and below what would hurt to buffer.
 */
static const struct bounds {
    uint32_t min, max; /* max 0: the body is empty */
    uint32_t unit;     /* min plus a multiple of this; 0: any */
} bounds[XCX_NR_RECORD_TYPES] = {
    [XCX_REC_PAGE_DATA] = {XCX_PAGE_HEADER_BYTES + 8,
                           XCX_PAGE_HEADER_BYTES +
                               XCX_PAGE_BATCH_MAX *(8 + XCX_PAGE_BYTES),
                           8},
    [XCX_REC_X86_PV_INFO] = {XCX_PV_INFO_BYTES, XCX_PV_INFO_BYTES, 0},
    [XCX_REC_X86_PV_P2M_FRAMES] = {XCX_P2M_FRAMES_HEADER_BYTES + 8,
                                   XCX_RECORD_MAX_BODY_BYTES, 8},
    [XCX_REC_X86_PV_VCPU_BASIC] = {XCX_VCPU_HEADER_BYTES + 1, 64 << 10, 0},
    [XCX_REC_X86_PV_VCPU_EXTENDED] = {XCX_VCPU_HEADER_BYTES, 64 << 10, 0},
    [XCX_REC_X86_PV_VCPU_XSAVE] = {XCX_VCPU_HEADER_BYTES, 1 << 20, 0},
    [XCX_REC_X86_PV_VCPU_MSRS] = {XCX_VCPU_HEADER_BYTES, 64 << 10, 16},
    [XCX_REC_SHARED_INFO] = {XCX_PAGE_BYTES, XCX_PAGE_BYTES, 0},
    [XCX_REC_X86_TSC_INFO] = {XCX_TSC_INFO_BYTES, XCX_TSC_INFO_BYTES, 0},
    [XCX_REC_HVM_CONTEXT] = {1, 16 << 20, 0},
    [XCX_REC_HVM_PARAMS] = {XCX_HVM_PARAMS_HEADER_BYTES,
                            XCX_HVM_PARAMS_HEADER_BYTES +
                                XCX_HVM_PARAMS_MAX *XCX_HVM_PARAM_BYTES,
                            XCX_HVM_PARAM_BYTES},
    [XCX_REC_X86_CPUID_POLICY] = {XCX_CPUID_LEAF_BYTES,
                                  4096 * XCX_CPUID_LEAF_BYTES,
                                  XCX_CPUID_LEAF_BYTES},
    [XCX_REC_X86_MSR_POLICY] = {XCX_MSR_ENTRY_BYTES, 4096 * XCX_MSR_ENTRY_BYTES,
                                XCX_MSR_ENTRY_BYTES},
};

/* The largest p2m list there can be: 32-bit guests have 1024 entries a frame,
 * 64-bit guests 512, so the latter bounds both. */
static uint64_t p2m_frames_max_bytes(uint64_t max_pfn)
{
    return XCX_P2M_FRAMES_HEADER_BYTES + 8 * (max_pfn / 512 + 1);
}

static int check_bounds(const struct bounds *bound, uint32_t max,
                        uint32_t body_bytes, struct xcx_err *err)
{
    if (body_bytes < bound->min || body_bytes > max) {
        if (bound->min == max)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "length %" PRIu32 ", must be %" PRIu32,
                               body_bytes, max);
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "length %" PRIu32 ", must be %" PRIu32
                           " to %" PRIu32,
                           body_bytes, bound->min, max);
    }
    if (bound->unit && (body_bytes - bound->min) % bound->unit)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "length %" PRIu32 ", must be %" PRIu32
                           " and a multiple of %" PRIu32,
                           body_bytes, bound->min, bound->unit);
    return 0;
}

int xcx_record_check_length(uint32_t type, uint32_t body_bytes,
                            uint64_t max_pfn, struct xcx_err *err)
{
    uint32_t max;

    if (body_bytes > XCX_RECORD_MAX_BODY_BYTES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "length %" PRIu32 ", must be at most %" PRIu32,
                           body_bytes, XCX_RECORD_MAX_BODY_BYTES);
    if (type & XCX_REC_OPTIONAL)
        return 0;
    if (type >= XCX_NR_RECORD_TYPES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "unknown mandatory type %#010" PRIx32, type);
    if (type == XCX_REC_TOOLSTACK || type == XCX_REC_CHECKPOINT_DIRTY_PFN_LIST)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "has no place in a forward stream");

    max = bounds[type].max;
    if (type == XCX_REC_X86_PV_P2M_FRAMES &&
        p2m_frames_max_bytes(max_pfn) < max)
        max = (uint32_t)p2m_frames_max_bytes(max_pfn);
    return check_bounds(&bounds[type], max, body_bytes, err);
}

/* ---- PAGE_DATA --------------------------------------------------------- */

int xcx_page_header_get(struct xcx_get *get, uint32_t body_bytes,
                        uint32_t *ret_nr_pfns, struct xcx_err *err)
{
    uint32_t nr_pfns = xcx_get_le32(get);

    xcx_get_skip(get, 4);
    if (get->overrun)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "no room for a count");
    if (nr_pfns < 1 || nr_pfns > XCX_PAGE_BATCH_MAX)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%" PRIu32 " pfns, must be 1 to %d", nr_pfns,
                           XCX_PAGE_BATCH_MAX);
    if (body_bytes < XCX_PAGE_HEADER_BYTES + 8 * nr_pfns)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%" PRIu32 " pfns do not fit into length %" PRIu32,
                           nr_pfns, body_bytes);
    *ret_nr_pfns = nr_pfns;
    return 0;
}

static int check_entry(uint32_t index, uint64_t pfn, unsigned type,
                       uint64_t max_pfn, bool pv, struct xcx_err *err)
{
    if (!xcx_page_type_is_known(type))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "pfn %#" PRIx64 " (entry %" PRIu32
                           ") has reserved type %#x",
                           pfn, index, type);
    if (!pv && type != XCX_PAGE_NOTAB && xcx_page_type_has_data(type))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "pfn %#" PRIx64 " (entry %" PRIu32
                           ") is a page table, type %#x, of an HVM guest",
                           pfn, index, type);
    if (pfn > max_pfn)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "pfn %#" PRIx64 " (entry %" PRIu32
                           ") lies above the limit %#" PRIx64,
                           pfn, index, max_pfn);
    return 0;
}

int xcx_page_list_get(struct xcx_get *get, uint32_t nr_pfns,
                      uint32_t body_bytes, uint64_t max_pfn, bool pv,
                      struct xcx_page_list *ret_list, struct xcx_err *err)
{
    struct xcx_get ahead = *get;
    uint32_t nr_pages = 0, want_bytes;

    for (uint32_t i = 0; i < nr_pfns; i++) {
        uint64_t entry = xcx_get_le64(&ahead);
        unsigned type = (unsigned)(entry >> XCX_PAGE_TYPE_SHIFT);

        if (check_entry(i, entry & XCX_PAGE_PFN_MASK, type, max_pfn, pv, err))
            return -1;
        nr_pages += xcx_page_type_has_data(type);
    }
    if (ahead.overrun)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "the pfn list is cut off");
    want_bytes =
        XCX_PAGE_HEADER_BYTES + 8 * nr_pfns + XCX_PAGE_BYTES * nr_pages;
    if (body_bytes != want_bytes)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "length %" PRIu32 ", but %" PRIu32
                           " pfns with %" PRIu32 " pages make %" PRIu32,
                           body_bytes, nr_pfns, nr_pages, want_bytes);

    ret_list->nr_pfns = nr_pfns;
    ret_list->nr_pages = nr_pages;
    ret_list->data_bytes = XCX_PAGE_BYTES * nr_pages;
    for (uint32_t i = 0; i < nr_pfns; i++) {
        uint64_t entry = xcx_get_le64(get);

        ret_list->pfns[i] = entry & XCX_PAGE_PFN_MASK;
        ret_list->types[i] = (uint8_t)(entry >> XCX_PAGE_TYPE_SHIFT);
    }
    return 0;
}

/* ---- PV ---------------------------------------------------------------- */

void xcx_pv_info_put(struct xcx_put *put, const struct xcx_pv_info *info)
{
    xcx_put_u8(put, info->guest_width);
    xcx_put_u8(put, info->pt_levels);
    xcx_put_zeroes(put, 6);
}

int xcx_pv_info_get(struct xcx_get *get, struct xcx_pv_info *ret_info,
                    struct xcx_err *err)
{
    struct xcx_pv_info info = {.guest_width = xcx_get_u8(get)};

    info.pt_levels = xcx_get_u8(get);
    xcx_get_skip(get, 6);
    if (get->overrun)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "body is too short");
    if (!(info.guest_width == 4 && info.pt_levels == 3) &&
        !(info.guest_width == 8 && info.pt_levels == 4))
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "guest width %u with %u page table levels",
                           info.guest_width, info.pt_levels);
    *ret_info = info;
    return 0;
}

void xcx_p2m_frames_put(struct xcx_put *put,
                        const struct xcx_p2m_frames *frames)
{
    xcx_put_le32(put, frames->start_pfn);
    xcx_put_le32(put, frames->end_pfn);
}

int xcx_p2m_frames_get(struct xcx_get *get, unsigned guest_width,
                       uint64_t max_pfn, struct xcx_p2m_frames *ret_frames,
                       struct xcx_err *err)
{
    struct xcx_p2m_frames frames = {.start_pfn = xcx_get_le32(get)};
    struct xcx_get ahead;
    uint64_t nr;

    frames.end_pfn = xcx_get_le32(get);
    ahead = *get;
    if (frames.start_pfn > frames.end_pfn || frames.end_pfn > max_pfn)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "pfns %#" PRIx32 " to %#" PRIx32
                           ", the limit is %#" PRIx64,
                           frames.start_pfn, frames.end_pfn, max_pfn);
    nr = xcx_p2m_frames_nr(&frames, guest_width);
    if (xcx_get_left(&ahead) != 8 * nr)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "pfns %#" PRIx32 " to %#" PRIx32 " take %" PRIu64
                           " frames, not %zu bytes",
                           frames.start_pfn, frames.end_pfn, nr,
                           xcx_get_left(&ahead));
    for (uint64_t i = 0; i < nr; i++) {
        uint64_t pfn = xcx_get_le64(&ahead);

        if (pfn > max_pfn)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "frame %" PRIu64 " at pfn %#" PRIx64
                               ", the limit is %#" PRIx64,
                               i, pfn, max_pfn);
    }
    *ret_frames = frames;
    return 0;
}

void xcx_vcpu_header_put(struct xcx_put *put, uint32_t vcpu_id)
{
    xcx_put_le32(put, vcpu_id);
    xcx_put_le32(put, 0);
}

int xcx_vcpu_header_get(struct xcx_get *get, uint32_t *ret_vcpu_id,
                        struct xcx_err *err)
{
    uint32_t vcpu_id = xcx_get_le32(get);

    xcx_get_skip(get, 4);
    if (get->overrun)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "body is too short");
    *ret_vcpu_id = vcpu_id;
    return 0;
}

/* ---- both and HVM ------------------------------------------------------ */

void xcx_tsc_info_put(struct xcx_put *put, const struct xcx_tsc_info *info)
{
    xcx_put_le32(put, info->mode);
    xcx_put_le32(put, info->khz);
    xcx_put_le64(put, info->elapsed_ns);
    xcx_put_le32(put, info->incarnation);
    xcx_put_le32(put, 0);
}

int xcx_tsc_info_get(struct xcx_get *get, struct xcx_tsc_info *ret_info,
                     struct xcx_err *err)
{
    struct xcx_tsc_info info = {.mode = xcx_get_le32(get)};

    info.khz = xcx_get_le32(get);
    info.elapsed_ns = xcx_get_le64(get);
    info.incarnation = xcx_get_le32(get);
    xcx_get_skip(get, 4);
    if (get->overrun)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "body is too short");
    *ret_info = info;
    return 0;
}

void xcx_hvm_params_put(struct xcx_put *put, uint32_t nr_params)
{
    xcx_put_le32(put, nr_params);
    xcx_put_le32(put, 0);
}

int xcx_hvm_params_get(struct xcx_get *get, uint32_t *ret_nr_params,
                       struct xcx_err *err)
{
    uint32_t nr_params = xcx_get_le32(get);

    xcx_get_skip(get, 4);
    if (get->overrun ||
        xcx_get_left(get) != (uint64_t)XCX_HVM_PARAM_BYTES * nr_params)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "%" PRIu32 " parameters do not make %zu bytes",
                           nr_params, xcx_get_left(get));
    *ret_nr_params = nr_params;
    return 0;
}

void xcx_hvm_param_put(struct xcx_put *put, const struct xcx_hvm_param *param)
{
    xcx_put_le64(put, param->index);
    xcx_put_le64(put, param->value);
}

struct xcx_hvm_param xcx_hvm_param_get(struct xcx_get *get)
{
    struct xcx_hvm_param param = {.index = xcx_get_le64(get)};

    param.value = xcx_get_le64(get);
    return param;
}
