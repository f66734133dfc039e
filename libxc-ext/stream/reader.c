/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* The first size of the buffer; it doubles from there. */
#define BUF_MIN_BYTES 4096

/* Calls an op, if there is one. */
#define CALL(reader, op, ...)                                                  \
    ((reader)->ops.op ? (reader)->ops.op((reader)->ops.opaque, __VA_ARGS__) : 0)

static void enter(struct xcx_reader *reader, enum xcx_reader_state state,
                  uint32_t bytes)
{
    reader->state = state;
    reader->left = bytes;
    reader->buf_bytes = 0;
}

void xcx_reader_init(struct xcx_reader *reader,
                     const struct xcx_reader_ops *ops,
                     const struct xcx_reader_limits *limits)
{
    *reader = (struct xcx_reader){.ops = *ops, .limits = *limits};
    enter(reader, XCX_READER_IMAGE_HEADER, XCX_IMAGE_HEADER_BYTES);
}

void xcx_reader_set_offset(struct xcx_reader *reader, uint64_t offset)
{
    reader->offset = offset;
    if (reader->state == XCX_READER_IMAGE_HEADER)
        reader->record_offset = offset;
}

void xcx_reader_done(struct xcx_reader *reader)
{
    free(reader->buf);
    reader->buf = NULL;
    reader->buf_room_bytes = 0;
    reader->state = XCX_READER_FAILED;
}

int xcx_reader_fail(struct xcx_reader *reader, struct xcx_err *err)
{
    enum xcx_reader_state state = reader->state;

    reader->state = XCX_READER_FAILED;
    if (state == XCX_READER_IMAGE_HEADER)
        return xcx_err_prefix(err, "image header at byte %" PRIu64,
                              reader->record_offset);
    if (state == XCX_READER_DOMAIN_HEADER)
        return xcx_err_prefix(err, "domain header at byte %" PRIu64,
                              reader->record_offset);
    if (state == XCX_READER_RECORD_HEADER && reader->left)
        return xcx_err_prefix(err,
                              "header of record %" PRIu64 " at byte %" PRIu64,
                              reader->nr_records, reader->offset);
    return xcx_err_prefix(err, "record %" PRIu64 " (%s) at byte %" PRIu64,
                          reader->nr_records - 1, xcx_record_name(reader->type),
                          reader->record_offset);
}

int xcx_reader_fail_late(struct xcx_reader *reader, uint64_t record_index,
                         uint64_t record_offset, struct xcx_err *err)
{
    reader->state = XCX_READER_FAILED;
    return xcx_err_prefix(err, "record %" PRIu64 " (%s) at byte %" PRIu64,
                          record_index, xcx_record_name(XCX_REC_PAGE_DATA),
                          record_offset);
}

static void next_record(struct xcx_reader *reader)
{
    enter(reader, XCX_READER_RECORD_HEADER, XCX_RECORD_HEADER_BYTES);
}

/* ---- what the bytes of one state mean, once all are there -------------- */

static int take_image_header(struct xcx_reader *reader, const void *bytes,
                             struct xcx_err *err)
{
    if (xcx_image_header_get(bytes, &reader->headers.version, err))
        return -1;
    reader->record_offset = reader->offset;
    enter(reader, XCX_READER_DOMAIN_HEADER, XCX_DOMAIN_HEADER_BYTES);
    return 0;
}

static int take_domain_header(struct xcx_reader *reader, const void *bytes,
                              struct xcx_err *err)
{
    if (xcx_domain_header_get(bytes, &reader->headers, err))
        return -1;
    xcx_order_init(&reader->order, reader->headers.guest_type,
                   reader->headers.version, reader->limits.checkpointed, false);
    if (CALL(reader, headers, &reader->headers, err))
        return -1;
    next_record(reader);
    return 0;
}

static int take_mark(struct xcx_reader *reader, struct xcx_err *err)
{
    switch (reader->type) {
    case XCX_REC_STATIC_DATA_END:
        if (CALL(reader, static_data_end, false, err))
            return -1;
        break;
    case XCX_REC_VERIFY:
        if (CALL(reader, verify, err))
            return -1;
        break;
    case XCX_REC_CHECKPOINT:
        if (CALL(reader, checkpoint, err))
            return -1;
        enter(reader, XCX_READER_CHECKPOINT, 0);
        return 0;
    case XCX_REC_END:
        if (CALL(reader, end, err))
            return -1;
        enter(reader, XCX_READER_END, 0);
        return 0;
    default: /* an optional record without a body */
        break;
    }
    next_record(reader);
    return 0;
}

static int take_record_header(struct xcx_reader *reader, const void *bytes,
                              struct xcx_err *err)
{
    struct xcx_get get = xcx_get_over(bytes, XCX_RECORD_HEADER_BYTES);
    uint32_t padded;

    reader->type = xcx_get_le32(&get);
    reader->body_bytes = xcx_get_le32(&get);
    reader->record_offset = reader->offset - XCX_RECORD_HEADER_BYTES;
    reader->nr_records++;

    if (xcx_record_check_length(reader->type, reader->body_bytes,
                                reader->limits.max_pfn, err))
        return -1;
    if (xcx_order_infers_static_data_end(&reader->order, reader->type) &&
        CALL(reader, static_data_end, true, err))
        return -1;
    if (xcx_order_next(&reader->order, reader->type, XCX_ERR_STREAM, err) ||
        CALL(reader, record, reader->type, reader->body_bytes,
             reader->record_offset, err))
        return -1;

    padded = reader->body_bytes + xcx_record_padding(reader->body_bytes);
    if (!padded)
        return take_mark(reader, err);
    if (reader->type & XCX_REC_OPTIONAL)
        enter(reader, XCX_READER_SKIP, padded);
    else if (reader->type == XCX_REC_PAGE_DATA)
        enter(reader, XCX_READER_PAGE_HEADER, XCX_PAGE_HEADER_BYTES);
    else
        enter(reader, XCX_READER_BODY, padded);
    return 0;
}

static int take_page_header(struct xcx_reader *reader, const void *bytes,
                            struct xcx_err *err)
{
    struct xcx_get get = xcx_get_over(bytes, XCX_PAGE_HEADER_BYTES);
    uint32_t nr_pfns;

    if (xcx_page_header_get(&get, reader->body_bytes, &nr_pfns, err))
        return -1;
    reader->list.nr_pfns = nr_pfns;
    enter(reader, XCX_READER_PAGE_LIST, 8 * nr_pfns);
    return 0;
}

static int end_of_contents(struct xcx_reader *reader, struct xcx_err *err)
{
    if (CALL(reader, page_data_end, err))
        return -1;
    next_record(reader);
    return 0;
}

static int take_page_list(struct xcx_reader *reader, const void *bytes,
                          struct xcx_err *err)
{
    uint32_t nr_pfns = reader->list.nr_pfns;
    struct xcx_get get = xcx_get_over(bytes, 8 * nr_pfns);

    if (xcx_page_list_get(
            &get, nr_pfns, reader->body_bytes, reader->limits.max_pfn,
            reader->headers.guest_type == XCX_GUEST_PV, &reader->list, err) ||
        CALL(reader, page_data, &reader->list, err))
        return -1;
    if (!reader->list.data_bytes)
        return end_of_contents(reader, err);
    enter(reader, XCX_READER_PAGE_CONTENTS, reader->list.data_bytes);
    return 0;
}

/* ---- bodies ------------------------------------------------------------ */

static int take_pv_info(struct xcx_reader *reader, struct xcx_get *body,
                        struct xcx_err *err)
{
    struct xcx_pv_info info;

    if (xcx_pv_info_get(body, &info, err))
        return -1;
    reader->guest_width = info.guest_width;
    return CALL(reader, pv_info, &info, err);
}

static int take_p2m_frames(struct xcx_reader *reader, struct xcx_get *body,
                           struct xcx_err *err)
{
    struct xcx_p2m_frames frames;

    if (xcx_p2m_frames_get(body, reader->guest_width, reader->limits.max_pfn,
                           &frames, err))
        return -1;
    return CALL(reader, p2m_frames, &frames,
                xcx_p2m_frames_nr(&frames, reader->guest_width), *body, err);
}

static int take_vcpu(struct xcx_reader *reader, struct xcx_get *body,
                     struct xcx_err *err)
{
    uint32_t vcpu_id, bytes;

    if (xcx_vcpu_header_get(body, &vcpu_id, err))
        return -1;
    if (vcpu_id > reader->limits.max_vcpu_id)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "vCPU %" PRIu32 ", the limit is %" PRIu32, vcpu_id,
                           reader->limits.max_vcpu_id);
    bytes = (uint32_t)xcx_get_left(body);
    if (!bytes)
        return 0;
    return CALL(reader, vcpu, reader->type, vcpu_id, body->pos, bytes, err);
}

static int take_tsc_info(struct xcx_reader *reader, struct xcx_get *body,
                         struct xcx_err *err)
{
    struct xcx_tsc_info info;

    if (xcx_tsc_info_get(body, &info, err))
        return -1;
    return CALL(reader, tsc_info, &info, err);
}

static int take_hvm_params(struct xcx_reader *reader, struct xcx_get *body,
                           struct xcx_err *err)
{
    uint32_t nr_params;

    if (xcx_hvm_params_get(body, &nr_params, err))
        return -1;
    if (!nr_params)
        return 0;
    return CALL(reader, hvm_params, nr_params, *body, err);
}

static int take_body(struct xcx_reader *reader, const void *bytes,
                     struct xcx_err *err)
{
    struct xcx_get body = xcx_get_over(bytes, reader->body_bytes);

    switch (reader->type) {
    case XCX_REC_X86_PV_INFO:
        return take_pv_info(reader, &body, err);
    case XCX_REC_X86_PV_P2M_FRAMES:
        return take_p2m_frames(reader, &body, err);
    case XCX_REC_X86_PV_VCPU_BASIC:
    case XCX_REC_X86_PV_VCPU_EXTENDED:
    case XCX_REC_X86_PV_VCPU_XSAVE:
    case XCX_REC_X86_PV_VCPU_MSRS:
        return take_vcpu(reader, &body, err);
    case XCX_REC_SHARED_INFO:
        return CALL(reader, shared_info, bytes, err);
    case XCX_REC_X86_TSC_INFO:
        return take_tsc_info(reader, &body, err);
    case XCX_REC_HVM_CONTEXT:
        return CALL(reader, hvm_context, bytes, reader->body_bytes, err);
    case XCX_REC_HVM_PARAMS:
        return take_hvm_params(reader, &body, err);
    case XCX_REC_X86_CPUID_POLICY:
    case XCX_REC_X86_MSR_POLICY:
        return CALL(reader, cpu_policy, reader->type, bytes, reader->body_bytes,
                    err);
    default:
        return xcx_err_set(err, XCX_ERR_BUG, 0, "no decoder");
    }
}

static int take(struct xcx_reader *reader, const void *bytes,
                struct xcx_err *err)
{
    switch (reader->state) {
    case XCX_READER_IMAGE_HEADER:
        return take_image_header(reader, bytes, err);
    case XCX_READER_DOMAIN_HEADER:
        return take_domain_header(reader, bytes, err);
    case XCX_READER_RECORD_HEADER:
        return take_record_header(reader, bytes, err);
    case XCX_READER_PAGE_HEADER:
        return take_page_header(reader, bytes, err);
    case XCX_READER_PAGE_LIST:
        return take_page_list(reader, bytes, err);
    default:
        if (take_body(reader, bytes, err))
            return -1;
        next_record(reader);
        return 0;
    }
}

/* ---- feeding ----------------------------------------------------------- */

static int reserve(struct xcx_reader *reader, uint32_t bytes,
                   struct xcx_err *err)
{
    uint32_t room = reader->buf_room_bytes;
    uint8_t *buf;

    if (bytes <= room)
        return 0;
    if (room < BUF_MIN_BYTES)
        room = BUF_MIN_BYTES;
    while (room < bytes)
        room *= 2;
    buf = realloc(reader->buf, room);
    if (!buf)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "buffer of %" PRIu32 " bytes", room);
    reader->buf = buf;
    reader->buf_room_bytes = room;
    return 0;
}

/* Bytes of a state that is taken as a whole: in place if they all are there. */
static int feed_whole(struct xcx_reader *reader, const uint8_t *bytes,
                      uint32_t nr_bytes, struct xcx_err *err)
{
    reader->offset += nr_bytes;
    reader->left -= nr_bytes;
    if (!reader->left && !reader->buf_bytes)
        return take(reader, bytes, err);
    if (reserve(reader, reader->buf_bytes + nr_bytes, err))
        return -1;
    memcpy(reader->buf + reader->buf_bytes, bytes, nr_bytes);
    reader->buf_bytes += nr_bytes;
    return reader->left ? 0 : take(reader, reader->buf, err);
}

static int feed_contents(struct xcx_reader *reader, uint32_t nr_bytes,
                         struct xcx_err *err)
{
    reader->offset += nr_bytes;
    reader->left -= nr_bytes;
    return reader->left ? 0 : end_of_contents(reader, err);
}

static int feed_some(struct xcx_reader *reader, const uint8_t *bytes,
                     uint32_t nr_bytes, struct xcx_err *err)
{
    switch (reader->state) {
    case XCX_READER_PAGE_CONTENTS:
        if (CALL(reader, page_bytes, reader->list.data_bytes - reader->left,
                 bytes, nr_bytes, err))
            return -1;
        return feed_contents(reader, nr_bytes, err);
    case XCX_READER_SKIP:
        reader->offset += nr_bytes;
        reader->left -= nr_bytes;
        if (!reader->left)
            next_record(reader);
        return 0;
    default:
        return feed_whole(reader, bytes, nr_bytes, err);
    }
}

int xcx_reader_feed(struct xcx_reader *reader, const void *bytes,
                    size_t nr_bytes, size_t *ret_used, struct xcx_err *err)
{
    const uint8_t *pos = bytes;
    size_t left = nr_bytes;

    if (reader->state == XCX_READER_FAILED)
        return xcx_err_set(err, XCX_ERR_BUG, 0, "reading on after a failure");
    /* When stopped behind a CHECKPOINT or END, reader->left is 0. */
    while (left && reader->left) {
        uint32_t now = left < reader->left ? (uint32_t)left : reader->left;

        if (feed_some(reader, pos, now, err))
            return xcx_reader_fail(reader, err);
        pos += now;
        left -= now;
    }
    *ret_used = nr_bytes - left;
    return 0;
}

uint32_t xcx_reader_want(const struct xcx_reader *reader)
{
    switch (reader->state) {
    case XCX_READER_IMAGE_HEADER:
        return reader->left + XCX_DOMAIN_HEADER_BYTES + XCX_RECORD_HEADER_BYTES;
    case XCX_READER_DOMAIN_HEADER:
    case XCX_READER_BODY:
    case XCX_READER_SKIP:
    case XCX_READER_PAGE_CONTENTS:
        /* Only END has no record behind it, and it has no body. */
        return reader->left + XCX_RECORD_HEADER_BYTES;
    case XCX_READER_PAGE_HEADER:
        return reader->left + 8; /* one entry at least */
    case XCX_READER_RECORD_HEADER:
    case XCX_READER_PAGE_LIST:
        return reader->left;
    default:
        return 0;
    }
}

uint32_t xcx_reader_raw_left(const struct xcx_reader *reader)
{
    return reader->state == XCX_READER_PAGE_CONTENTS ? reader->left : 0;
}

int xcx_reader_took_raw(struct xcx_reader *reader, uint32_t bytes,
                        struct xcx_err *err)
{
    if (bytes > xcx_reader_raw_left(reader)) {
        reader->state = XCX_READER_FAILED;
        return xcx_err_set(err, XCX_ERR_BUG, 0,
                           "%" PRIu32 " bytes taken that are not page contents",
                           bytes);
    }
    if (bytes && feed_contents(reader, bytes, err))
        return xcx_reader_fail(reader, err);
    return 0;
}

void xcx_reader_resume(struct xcx_reader *reader)
{
    if (reader->state == XCX_READER_CHECKPOINT)
        next_record(reader);
}

int xcx_reader_finish(const struct xcx_reader *reader, struct xcx_err *err)
{
    switch (reader->state) {
    case XCX_READER_END:
        return 0;
    case XCX_READER_FAILED:
        return xcx_err_set(err, XCX_ERR_BUG, 0, "reading on after a failure");
    case XCX_READER_IMAGE_HEADER:
    case XCX_READER_DOMAIN_HEADER:
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "truncated at byte %" PRIu64 ", in the headers",
                           reader->offset);
    case XCX_READER_RECORD_HEADER:
    case XCX_READER_CHECKPOINT:
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "truncated at byte %" PRIu64
                           ", in the header of record %" PRIu64,
                           reader->offset, reader->nr_records);
    default:
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "truncated at byte %" PRIu64 ", in record %" PRIu64
                           " (%s) at byte %" PRIu64,
                           reader->offset, reader->nr_records - 1,
                           xcx_record_name(reader->type),
                           reader->record_offset);
    }
}
