/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record: headers and record bodies between their values and their bytes,
 * field by field, little-endian but for the image header. Pure.
 *
 * _put functions append to a cursor; whether all fitted is the cursor's
 * overrun flag. _get functions check what the spec lets one body say about
 * itself (lengths, counts, enumerations); reserved fields are ignored, as it
 * demands. Their errors are of kind STREAM and do not name the record or its
 * place: the reader puts that before the message. Outputs are untouched on
 * failure.
 *
 * Any thread; nothing is kept.
 */
#ifndef XCX_STREAM_RECORD_H
#define XCX_STREAM_RECORD_H

#include "base/bytes.h"
#include "xcext/err.h"
#include "stream/format.h"

/* "Image Header", 24 bytes; version 3 is written, 2 and 3 are read. */
void xcx_image_header_put(struct xcx_put *put);
int xcx_image_header_get(const void *bytes, uint32_t *ret_version,
                         struct xcx_err *err);

/* "Domain Header", 16 bytes; only pages of 4096 bytes; version is left. */
void xcx_domain_header_put(struct xcx_put *put,
                           const struct xcx_stream_headers *headers);
int xcx_domain_header_get(const void *bytes,
                          struct xcx_stream_headers *ret_headers,
                          struct xcx_err *err);

/* Zero bytes that follow a body of so many bytes. */
static inline uint32_t xcx_record_padding(uint32_t body_bytes)
{
    return -body_bytes % XCX_RECORD_ALIGN;
}

static inline void xcx_record_header_put(struct xcx_put *put, uint32_t type,
                                         uint32_t body_bytes)
{
    xcx_put_le32(put, type);
    xcx_put_le32(put, body_bytes);
}

/*
 * The bounds on body_bytes for a record of this type, before its body is
 * looked at. max_pfn is the highest pfn that the receiver accepts (it bounds
 * X86_PV_P2M_FRAMES). Errors: STREAM for a length out of bounds, a type that
 * no forward stream may have, and an unknown mandatory type. Optional types
 * pass with any length up to the spec's limit.
 */
int xcx_record_check_length(uint32_t type, uint32_t body_bytes,
                            uint64_t max_pfn, struct xcx_err *err);

/* PAGE_DATA's fixed part: count and a reserved field. */
static inline void xcx_page_header_put(struct xcx_put *put, uint32_t nr_pfns)
{
    xcx_put_le32(put, nr_pfns);
    xcx_put_le32(put, 0);
}

static inline uint64_t xcx_page_entry(uint64_t pfn, enum xcx_page_type type)
{
    return (uint64_t)type << XCX_PAGE_TYPE_SHIFT | (pfn & XCX_PAGE_PFN_MASK);
}

/*
 * The pfns and types of one PAGE_DATA record. pfn bits 52 to 59 are reserved
 * and ignored.
 */
struct xcx_page_list {
    uint32_t nr_pfns;
    uint32_t nr_pages;   /* of them, those with contents */
    uint32_t data_bytes; /* 4096 * nr_pages */
    uint64_t pfns[XCX_PAGE_BATCH_MAX];
    uint8_t types[XCX_PAGE_BATCH_MAX]; /* enum xcx_page_type */
};

/* The count, checked against the length of the body it stands in. */
int xcx_page_header_get(struct xcx_get *get, uint32_t body_bytes,
                        uint32_t *ret_nr_pfns, struct xcx_err *err);

/*
 * nr_pfns entries; every pfn at most max_pfn, every type known, pinned and
 * page table types only where pv, and the body exactly as long as all of it.
 */
int xcx_page_list_get(struct xcx_get *get, uint32_t nr_pfns,
                      uint32_t body_bytes, uint64_t max_pfn, bool pv,
                      struct xcx_page_list *ret_list, struct xcx_err *err);

void xcx_pv_info_put(struct xcx_put *put, const struct xcx_pv_info *info);
int xcx_pv_info_get(struct xcx_get *get, struct xcx_pv_info *ret_info,
                    struct xcx_err *err);

/*
 * The fixed part; the pfns of the frames follow as u64 each. The _get takes
 * the whole body and leaves the cursor at the first of xcx_p2m_frames_nr()
 * pfns, none of them above max_pfn; read them with xcx_get_le64().
 */
void xcx_p2m_frames_put(struct xcx_put *put,
                        const struct xcx_p2m_frames *frames);
int xcx_p2m_frames_get(struct xcx_get *get, unsigned guest_width,
                       uint64_t max_pfn, struct xcx_p2m_frames *ret_frames,
                       struct xcx_err *err);

/* The fixed part; the blob follows, and may be empty (spec, "Errata"). */
void xcx_vcpu_header_put(struct xcx_put *put, uint32_t vcpu_id);
int xcx_vcpu_header_get(struct xcx_get *get, uint32_t *ret_vcpu_id,
                        struct xcx_err *err);

void xcx_tsc_info_put(struct xcx_put *put, const struct xcx_tsc_info *info);
int xcx_tsc_info_get(struct xcx_get *get, struct xcx_tsc_info *ret_info,
                     struct xcx_err *err);

/*
 * Count, then the parameters. The _get checks the count against the length
 * and leaves the cursor at the first parameter; 0 is fine (spec, "Errata").
 */
void xcx_hvm_params_put(struct xcx_put *put, uint32_t nr_params);
int xcx_hvm_params_get(struct xcx_get *get, uint32_t *ret_nr_params,
                       struct xcx_err *err);
void xcx_hvm_param_put(struct xcx_put *put, const struct xcx_hvm_param *param);
struct xcx_hvm_param xcx_hvm_param_get(struct xcx_get *get);

#endif
