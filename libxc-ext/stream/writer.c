/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/writer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "stream/record.h"

/* Encoded u64s go out through a buffer of this size on the stack. */
#define CHUNK_BYTES 4096

void xcx_writer_init(struct xcx_writer *writer, struct xcx_sink sink)
{
    *writer = (struct xcx_writer){.sink = sink};
}

/* Hands nr_iov iovecs to the sink, no more of them at once than it takes. */
static int emit(struct xcx_writer *writer, struct iovec *iov, uint32_t nr_iov,
                struct xcx_err *err)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < nr_iov; i++)
        bytes += iov[i].iov_len;
    while (nr_iov) {
        uint32_t now = nr_iov < XCX_SINK_MAX_IOV ? nr_iov : XCX_SINK_MAX_IOV;

        if (writer->sink.writev(writer->sink.opaque, iov, (int)now, err)) {
            writer->broken = true;
            return -1;
        }
        iov += now;
        nr_iov -= now;
    }
    writer->bytes += bytes;
    return 0;
}

static int emit_put(struct xcx_writer *writer, const struct xcx_put *put,
                    struct xcx_err *err)
{
    struct iovec iov = {put->begin, xcx_put_done(put)};

    return emit(writer, &iov, 1, err);
}

/* A mistake of ours: nothing more may be written after it. */
static int __attribute__((format(printf, 3, 4)))
fail(struct xcx_writer *writer, struct xcx_err *err, const char *fmt, ...)
{
    char msg[XCX_ERR_MSG_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    writer->broken = true;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "writing %s", msg);
}

static int check_usable(struct xcx_writer *writer, const char *what,
                        struct xcx_err *err)
{
    if (writer->broken)
        return fail(writer, err, "%s to a broken stream", what);
    if (writer->foreign_bytes)
        return fail(writer, err,
                    "%s while %" PRIu64
                    " bytes of page contents are outstanding",
                    what, writer->foreign_bytes);
    return 0;
}

/* All that can be checked before a record's first byte goes out. */
static int begin(struct xcx_writer *writer, uint32_t type, uint64_t body_bytes,
                 struct xcx_err *err)
{
    const char *name = xcx_record_name(type);
    struct xcx_err why = XCX_ERR_INIT;

    if (check_usable(writer, name, err))
        return -1;
    if (!writer->bytes)
        return fail(writer, err, "%s before the headers", name);
    if (body_bytes > XCX_RECORD_MAX_BODY_BYTES)
        return fail(writer, err, "%s of %" PRIu64 " bytes", name, body_bytes);
    if (xcx_record_check_length(type, (uint32_t)body_bytes, UINT64_MAX, &why) ||
        xcx_order_next(&writer->order, type, XCX_ERR_BUG, &why))
        return fail(writer, err, "%s: %s", name, why.msg);
    writer->nr_records++;
    return 0;
}

int xcx_writer_headers(struct xcx_writer *writer,
                       const struct xcx_stream_headers *headers,
                       bool checkpointed, struct xcx_err *err)
{
    uint8_t bytes[XCX_IMAGE_HEADER_BYTES + XCX_DOMAIN_HEADER_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));

    if (check_usable(writer, "headers", err))
        return -1;
    if (writer->bytes)
        return fail(writer, err, "headers twice");
    xcx_order_init(&writer->order, headers->guest_type, XCX_IMAGE_VERSION,
                   checkpointed, true);
    xcx_image_header_put(&put);
    xcx_domain_header_put(&put, headers);
    return emit_put(writer, &put, err);
}

/*
 * One record: its header and what head holds after that, then the blob, then
 * padding.
 */
static int write_split(struct xcx_writer *writer, struct xcx_put *head,
                       const void *blob, uint32_t blob_bytes,
                       struct xcx_err *err)
{
    static const uint8_t zeroes[XCX_RECORD_ALIGN];
    uint32_t padding =
        xcx_record_padding((uint32_t)xcx_put_done(head) + blob_bytes);
    struct iovec iov[3] = {{head->begin, xcx_put_done(head)}};
    uint32_t nr_iov = 1;

    if (blob_bytes)
        iov[nr_iov++] = (struct iovec){(void *)blob, blob_bytes};
    if (padding)
        iov[nr_iov++] = (struct iovec){(void *)zeroes, padding};
    return emit(writer, iov, nr_iov, err);
}

int xcx_writer_record(struct xcx_writer *writer, enum xcx_record_type type,
                      const void *body, uint32_t body_bytes,
                      struct xcx_err *err)
{
    uint8_t bytes[XCX_RECORD_HEADER_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));

    if (begin(writer, type, body_bytes, err))
        return -1;
    xcx_record_header_put(&put, type, body_bytes);
    return write_split(writer, &put, body, body_bytes, err);
}

int xcx_writer_pv_info(struct xcx_writer *writer,
                       const struct xcx_pv_info *info, struct xcx_err *err)
{
    uint8_t body[XCX_PV_INFO_BYTES];
    struct xcx_put put = xcx_put_over(body, sizeof(body));

    xcx_pv_info_put(&put, info);
    return xcx_writer_record(writer, XCX_REC_X86_PV_INFO, body, sizeof(body),
                             err);
}

int xcx_writer_tsc_info(struct xcx_writer *writer,
                        const struct xcx_tsc_info *info, struct xcx_err *err)
{
    uint8_t body[XCX_TSC_INFO_BYTES];
    struct xcx_put put = xcx_put_over(body, sizeof(body));

    xcx_tsc_info_put(&put, info);
    return xcx_writer_record(writer, XCX_REC_X86_TSC_INFO, body, sizeof(body),
                             err);
}

int xcx_writer_p2m_frames(struct xcx_writer *writer,
                          const struct xcx_p2m_frames *frames,
                          unsigned guest_width, const uint64_t *frame_pfns,
                          struct xcx_err *err)
{
    uint64_t nr = xcx_p2m_frames_nr(frames, guest_width);
    uint64_t body_bytes = XCX_P2M_FRAMES_HEADER_BYTES + 8 * nr;
    uint8_t bytes[CHUNK_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));

    if (begin(writer, XCX_REC_X86_PV_P2M_FRAMES, body_bytes, err))
        return -1;
    xcx_record_header_put(&put, XCX_REC_X86_PV_P2M_FRAMES,
                          (uint32_t)body_bytes);
    xcx_p2m_frames_put(&put, frames);
    for (uint64_t i = 0; i < nr; i++) {
        if (!xcx_put_left(&put)) {
            if (emit_put(writer, &put, err))
                return -1;
            put = xcx_put_over(bytes, sizeof(bytes));
        }
        xcx_put_le64(&put, frame_pfns[i]);
    }
    return emit_put(writer, &put, err);
}

int xcx_writer_vcpu(struct xcx_writer *writer, enum xcx_record_type type,
                    uint32_t vcpu_id, const void *blob, uint32_t blob_bytes,
                    struct xcx_err *err)
{
    uint8_t bytes[XCX_RECORD_HEADER_BYTES + XCX_VCPU_HEADER_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    uint64_t body_bytes = (uint64_t)XCX_VCPU_HEADER_BYTES + blob_bytes;

    if (!blob_bytes)
        return fail(writer, err, "%s: empty", xcx_record_name(type));
    if (begin(writer, type, body_bytes, err))
        return -1;
    xcx_record_header_put(&put, type, (uint32_t)body_bytes);
    xcx_vcpu_header_put(&put, vcpu_id);
    return write_split(writer, &put, blob, blob_bytes, err);
}

int xcx_writer_hvm_params(struct xcx_writer *writer,
                          const struct xcx_hvm_param *params,
                          uint32_t nr_params, struct xcx_err *err)
{
    uint8_t bytes[XCX_RECORD_HEADER_BYTES + XCX_HVM_PARAMS_HEADER_BYTES +
                  XCX_HVM_PARAMS_MAX * XCX_HVM_PARAM_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    uint64_t body_bytes =
        XCX_HVM_PARAMS_HEADER_BYTES + (uint64_t)XCX_HVM_PARAM_BYTES * nr_params;

    if (!nr_params)
        return fail(writer, err, "HVM_PARAMS: empty");
    if (begin(writer, XCX_REC_HVM_PARAMS, body_bytes, err))
        return -1;
    xcx_record_header_put(&put, XCX_REC_HVM_PARAMS, (uint32_t)body_bytes);
    xcx_hvm_params_put(&put, nr_params);
    for (uint32_t i = 0; i < nr_params; i++)
        xcx_hvm_param_put(&put, &params[i]);
    return emit_put(writer, &put, err);
}

/* ---- PAGE_DATA --------------------------------------------------------- */

/* Where the pfn list begins in a batch's head. */
#define LIST_AT (XCX_RECORD_HEADER_BYTES + XCX_PAGE_HEADER_BYTES)

/* A page that begins where the last one ended goes into the same iovec. */
static void add_page(struct xcx_page_batch *batch, const void *page)
{
    struct iovec *last = &batch->iov[batch->nr_iov];

    batch->nr_given++;
    if (batch->nr_iov && (uint8_t *)last->iov_base + last->iov_len == page) {
        last->iov_len += XCX_PAGE_BYTES;
        return;
    }
    last[1] = (struct iovec){(void *)page, XCX_PAGE_BYTES};
    batch->nr_iov++;
}

bool xcx_page_batch_add(struct xcx_page_batch *batch, uint64_t pfn,
                        enum xcx_page_type type, const void *page)
{
    struct xcx_put put;

    if (xcx_page_batch_is_full(batch))
        return false;
    put = xcx_put_over(batch->head + LIST_AT + 8 * batch->nr_pfns, 8);
    xcx_put_le64(&put, xcx_page_entry(pfn, type));
    batch->nr_pfns++;
    if (xcx_page_type_has_data(type)) {
        batch->nr_pages++;
        if (page)
            add_page(batch, page);
    }
    return true;
}

/* Order, lengths and the head's bytes; nothing is written yet. */
static int begin_pages(struct xcx_writer *writer, struct xcx_page_batch *batch,
                       uint32_t nr_given, struct xcx_err *err)
{
    uint32_t head_bytes = LIST_AT + 8 * batch->nr_pfns;
    uint32_t body_bytes =
        head_bytes - XCX_RECORD_HEADER_BYTES + XCX_PAGE_BYTES * batch->nr_pages;
    struct xcx_put put = xcx_put_over(batch->head, LIST_AT);

    if (batch->nr_given != nr_given)
        return fail(writer, err,
                    "PAGE_DATA: %" PRIu32 " pages given, must be %" PRIu32,
                    batch->nr_given, nr_given);
    if (begin(writer, XCX_REC_PAGE_DATA, body_bytes, err))
        return -1;
    xcx_record_header_put(&put, XCX_REC_PAGE_DATA, body_bytes);
    xcx_page_header_put(&put, batch->nr_pfns);
    batch->iov[0] = (struct iovec){batch->head, head_bytes};
    return 0;
}

int xcx_writer_page_data(struct xcx_writer *writer,
                         struct xcx_page_batch *batch, struct xcx_err *err)
{
    int rc = 0;

    if (batch->nr_pfns) {
        rc = begin_pages(writer, batch, batch->nr_pages, err);
        if (!rc)
            rc = emit(writer, batch->iov, 1 + batch->nr_iov, err);
    }
    xcx_page_batch_reset(batch);
    return rc;
}

int xcx_writer_page_head(struct xcx_writer *writer,
                         struct xcx_page_batch *batch, uint64_t *ret_data_bytes,
                         struct xcx_err *err)
{
    uint64_t data_bytes = (uint64_t)XCX_PAGE_BYTES * batch->nr_pages;
    int rc = 0;

    if (batch->nr_pfns) {
        rc = begin_pages(writer, batch, 0, err);
        if (!rc)
            rc = emit(writer, batch->iov, 1, err);
    }
    xcx_page_batch_reset(batch);
    if (rc)
        return -1;
    writer->foreign_bytes = data_bytes;
    *ret_data_bytes = data_bytes;
    return 0;
}

void xcx_writer_page_data_done(struct xcx_writer *writer)
{
    writer->bytes += writer->foreign_bytes;
    writer->foreign_bytes = 0;
}
