/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer: the save side's way from values to a stream. Each call hands whole
 * records to a sink as iovecs; page contents are never copied, and nothing is
 * allocated. Pure: the sink does the I/O.
 *
 *   page_batch: [ record header | count | pfn list ]   one fixed buffer
 *               iov: ^head, then the pages; neighbours in memory share one
 *
 * The order of records is checked before a byte is written; breaking it is a
 * BUG. After any error the stream is broken: nothing more may be written,
 * and every later call fails with BUG.
 *
 * Threads: one at a time; the sink is called on the caller's thread.
 */
#ifndef XCX_STREAM_WRITER_H
#define XCX_STREAM_WRITER_H

#include <sys/uio.h>

#include "xcext/err.h"
#include "stream/format.h"
#include "stream/order.h"

/* iovecs in one call of a sink at most: the kernel's own limit (IOV_MAX). */
#define XCX_SINK_MAX_IOV 1024

struct xcx_sink {
    /*
     * Writes all of it or fails. The iovecs (not what they point to) may be
     * changed meanwhile; 1 to XCX_SINK_MAX_IOV of them, none empty.
     */
    int (*writev)(void *opaque, struct iovec *iov, int nr_iov,
                  struct xcx_err *err);
    void *opaque;
};

struct xcx_writer {
    struct xcx_sink sink;
    struct xcx_order order;
    uint64_t bytes;         /* handed to the sink so far, or written past it */
    uint64_t nr_records;    /* END included */
    uint64_t foreign_bytes; /* page contents somebody else still has to write */
    bool broken;
};

void xcx_writer_init(struct xcx_writer *writer, struct xcx_sink sink);

/*
 * Image and domain header. First of all, once. headers->version is ignored:
 * 3 is written. checkpointed: CHECKPOINT records may follow.
 */
int xcx_writer_headers(struct xcx_writer *writer,
                       const struct xcx_stream_headers *headers,
                       bool checkpointed, struct xcx_err *err);

/*
 * A record whose body is the given bytes as they are: SHARED_INFO,
 * HVM_CONTEXT, X86_CPUID_POLICY, X86_MSR_POLICY; and with 0 bytes the marks:
 * STATIC_DATA_END, VERIFY, CHECKPOINT, END. A blob must not be empty: such
 * records are left out (spec, "Layout"). The body is not copied.
 */
int xcx_writer_record(struct xcx_writer *writer, enum xcx_record_type type,
                      const void *body, uint32_t body_bytes,
                      struct xcx_err *err);

int xcx_writer_pv_info(struct xcx_writer *writer,
                       const struct xcx_pv_info *info, struct xcx_err *err);

/* frame_pfns: xcx_p2m_frames_nr(frames, guest_width) of them. */
int xcx_writer_p2m_frames(struct xcx_writer *writer,
                          const struct xcx_p2m_frames *frames,
                          unsigned guest_width, const uint64_t *frame_pfns,
                          struct xcx_err *err);

/* type: one of the four X86_PV_VCPU_*; the blob must not be empty. */
int xcx_writer_vcpu(struct xcx_writer *writer, enum xcx_record_type type,
                    uint32_t vcpu_id, const void *blob, uint32_t blob_bytes,
                    struct xcx_err *err);

int xcx_writer_tsc_info(struct xcx_writer *writer,
                        const struct xcx_tsc_info *info, struct xcx_err *err);

/* 1 to XCX_HVM_PARAMS_MAX parameters. */
int xcx_writer_hvm_params(struct xcx_writer *writer,
                          const struct xcx_hvm_param *params,
                          uint32_t nr_params, struct xcx_err *err);

/* ---- PAGE_DATA --------------------------------------------------------- */

/* Record header, count, and the pfn list. */
#define XCX_PAGE_HEAD_MAX_BYTES                                                \
    (XCX_RECORD_HEADER_BYTES + XCX_PAGE_HEADER_BYTES + 8 * XCX_PAGE_BATCH_MAX)

/* 24 KiB: keep one and use it again. A zeroed one is empty. */
struct xcx_page_batch {
    uint32_t nr_pfns;
    uint32_t nr_pages; /* with contents */
    uint32_t nr_given; /* of them, those whose contents are in iov */
    uint32_t nr_iov;   /* of iov in use, the head's own not counted */
    struct iovec iov[1 + XCX_PAGE_BATCH_MAX]; /* the first is the head's */
    uint8_t head[XCX_PAGE_HEAD_MAX_BYTES];    /* as on the wire */
};

static inline void xcx_page_batch_reset(struct xcx_page_batch *batch)
{
    batch->nr_pfns = batch->nr_pages = batch->nr_given = batch->nr_iov = 0;
}

static inline bool xcx_page_batch_is_full(const struct xcx_page_batch *batch)
{
    return batch->nr_pfns == XCX_PAGE_BATCH_MAX;
}

/*
 * Adds one pfn. page: its 4096 bytes, which must stay until the batch is
 * written; NULL for a type without contents, and for contents that somebody
 * else will write (xcx_writer_page_head()). False, and nothing is done, when
 * the batch is full.
 */
bool xcx_page_batch_add(struct xcx_page_batch *batch, uint64_t pfn,
                        enum xcx_page_type type, const void *page);

/*
 * Writes the batch as one record. Every page must have been given. The batch
 * is empty afterwards, whatever happens. An empty batch writes nothing.
 */
int xcx_writer_page_data(struct xcx_writer *writer,
                         struct xcx_page_batch *batch, struct xcx_err *err);

/*
 * Writes the head of a record whose contents somebody else, a worker process
 * say, writes into the same stream: this writes the head only; then exactly
 * *ret_data_bytes of page contents, in the order of the batch, must reach the
 * stream; then the caller says so with xcx_writer_page_data_done(). Any other
 * call in between is a BUG. No page may have been given to the batch.
 */
int xcx_writer_page_head(struct xcx_writer *writer,
                         struct xcx_page_batch *batch, uint64_t *ret_data_bytes,
                         struct xcx_err *err);
void xcx_writer_page_data_done(struct xcx_writer *writer);

#endif
