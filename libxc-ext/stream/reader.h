/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader: a push parser for a stream of version 2 or 3. It is fed bytes in
 * pieces of any size and calls back with whole, checked records. Pure: no
 * fds; the only memory it takes is a buffer for one record's body, which
 * grows with the bytes that arrived and never with a length that was claimed.
 *
 *   headers ─▶ record header ─▶ body ───────────────▶ record header …
 *                  │             (buffered, decoded)         ▲
 *                  ├─ PAGE_DATA ─▶ pfn list ─▶ contents ─────┤
 *                  │               (buffered)  (not buffered)│
 *                  ├─ optional ──▶ skipped ──────────────────┘
 *                  └─ CHECKPOINT, END: stops right behind it
 *
 * A record's type, order and length are checked as soon as its header is
 * there, and all a body says of itself before its callback. Page contents are
 * handed on as they arrive, or the caller takes them itself:
 *
 *   for (;;) {
 *       want = xcx_reader_want(reader);        0: at a CHECKPOINT or at END
 *       raw = xcx_reader_raw_left(reader);
 *       if (raw)
 *           read up to raw bytes into the guest; xcx_reader_took_raw();
 *       else
 *           read up to want bytes; xcx_reader_feed();
 *   }
 *
 * Who reads no more than xcx_reader_want() at once never takes a byte of
 * what follows the stream on the same fd.
 *
 * Errors: STREAM for what the peer did wrong, with "record N (NAME) at byte
 * OFFSET: " before the message (N from 0, offsets from the stream's first
 * byte, or as xcx_reader_set_offset() says); RESOURCE; and whatever a callback
 * sets, with the same prefix. After an error the reader takes nothing more:
 * later calls fail with BUG.
 *
 * Threads: one at a time; callbacks come on the thread that feeds.
 */
#ifndef XCX_STREAM_READER_H
#define XCX_STREAM_READER_H

#include "base/bytes.h"
#include "xcext/err.h"
#include "stream/format.h"
#include "stream/order.h"
#include "stream/record.h"

/*
 * Callbacks return 0, or -1 with err set. Any may be NULL. What pointers and
 * cursors point to is valid during the call, and may lie at odd addresses.
 * Nothing here is called twice for one record but page_bytes.
 */
struct xcx_reader_ops {
    void *opaque;
    /* Each record, before all else of it: type, length and order are legal. */
    int (*record)(void *opaque, uint32_t type, uint32_t body_bytes,
                  uint64_t offset, struct xcx_err *err);
    int (*headers)(void *opaque, const struct xcx_stream_headers *headers,
                   struct xcx_err *err);
    int (*pv_info)(void *opaque, const struct xcx_pv_info *info,
                   struct xcx_err *err);
    /* X86_CPUID_POLICY, X86_MSR_POLICY: whole entries, at least one. */
    int (*cpu_policy)(void *opaque, enum xcx_record_type type,
                      const void *entries, uint32_t bytes, struct xcx_err *err);
    /* inferred: the stream is of version 2 and has no such record. */
    int (*static_data_end)(void *opaque, bool inferred, struct xcx_err *err);
    /* pfns: a u64 (xcx_get_le64()) for each of nr_frames. */
    int (*p2m_frames)(void *opaque, const struct xcx_p2m_frames *frames,
                      uint64_t nr_frames, struct xcx_get pfns,
                      struct xcx_err *err);
    /* The list of a PAGE_DATA record; list->data_bytes of contents follow. */
    int (*page_data)(void *opaque, const struct xcx_page_list *list,
                     struct xcx_err *err);
    /* Contents, `at` bytes into the record's data_bytes. */
    int (*page_bytes)(void *opaque, uint32_t at, const void *bytes,
                      uint32_t nr_bytes, struct xcx_err *err);
    /* All contents of that record were handed on or taken. */
    int (*page_data_end)(void *opaque, struct xcx_err *err);
    int (*tsc_info)(void *opaque, const struct xcx_tsc_info *info,
                    struct xcx_err *err);
    int (*shared_info)(void *opaque, const void *page, struct xcx_err *err);
    /* A record of X86_PV_VCPU_*. Not called for empty blobs. */
    int (*vcpu)(void *opaque, enum xcx_record_type type, uint32_t vcpu_id,
                const void *blob, uint32_t bytes, struct xcx_err *err);
    /* params: xcx_hvm_param_get() for each. Not called for none. */
    int (*hvm_params)(void *opaque, uint32_t nr_params, struct xcx_get params,
                      struct xcx_err *err);
    int (*hvm_context)(void *opaque, const void *blob, uint32_t bytes,
                       struct xcx_err *err);
    /* From here on contents are to be compared, not placed. */
    int (*verify)(void *opaque, struct xcx_err *err);
    int (*checkpoint)(void *opaque, struct xcx_err *err);
    /*
     * After a CHECKPOINT it may come before the next state is complete: what
     * came since then is to be dropped.
     */
    int (*end)(void *opaque, struct xcx_err *err);
};

struct xcx_reader_limits {
    uint64_t max_pfn;     /* the highest pfn to accept */
    uint32_t max_vcpu_id; /* the highest vCPU to accept */
    bool checkpointed;    /* CHECKPOINT records are expected */
};

enum xcx_reader_state {
    XCX_READER_IMAGE_HEADER,
    XCX_READER_DOMAIN_HEADER,
    XCX_READER_RECORD_HEADER,
    XCX_READER_BODY,
    XCX_READER_PAGE_HEADER,
    XCX_READER_PAGE_LIST,
    XCX_READER_PAGE_CONTENTS,
    XCX_READER_SKIP,
    XCX_READER_CHECKPOINT, /* behind one: xcx_reader_resume() goes on */
    XCX_READER_END,        /* the stream is complete */
    XCX_READER_FAILED,
};

struct xcx_reader {
    struct xcx_reader_ops ops;
    struct xcx_reader_limits limits;
    struct xcx_stream_headers headers;
    struct xcx_order order;
    unsigned guest_width; /* of a PV guest, once X86_PV_INFO was there */
    enum xcx_reader_state state;
    uint64_t offset;        /* of the next byte: bytes taken so far */
    uint64_t record_offset; /* of the current header, or record's header */
    uint64_t nr_records;    /* whose header was taken; the last is current */
    uint32_t type, body_bytes;
    uint32_t left; /* bytes to come in the current state */
    struct xcx_page_list list;
    uint8_t *buf; /* the current state's bytes so far */
    uint32_t buf_bytes, buf_room_bytes;
};

/* ops and limits are copied. Takes no memory yet. */
void xcx_reader_init(struct xcx_reader *reader,
                     const struct xcx_reader_ops *ops,
                     const struct xcx_reader_limits *limits);

/*
 * Where the next byte lies in a larger stream that this one is a part of;
 * offsets count on from there. Before the first byte or behind a CHECKPOINT.
 */
void xcx_reader_set_offset(struct xcx_reader *reader, uint64_t offset);

/* Idempotent. */
void xcx_reader_done(struct xcx_reader *reader);

/*
 * Takes bytes until they are used up or a CHECKPOINT or END is behind; how
 * many it took is in *ret_used.
 */
int xcx_reader_feed(struct xcx_reader *reader, const void *bytes,
                    size_t nr_bytes, size_t *ret_used, struct xcx_err *err);

/* Bytes that are certain to belong to the stream; 0 when stopped. */
uint32_t xcx_reader_want(const struct xcx_reader *reader);

/* Bytes of page contents that come next, else 0. */
uint32_t xcx_reader_raw_left(const struct xcx_reader *reader);

/*
 * The caller has taken so many of them itself; page_bytes is not called for
 * these. Taking more than there are is a BUG.
 */
int xcx_reader_took_raw(struct xcx_reader *reader, uint32_t bytes,
                        struct xcx_err *err);

/*
 * Something failed outside of a callback, reading contents perhaps: names
 * the place in err as for a callback's error, and stops for good. -1 always.
 */
int xcx_reader_fail(struct xcx_reader *reader, struct xcx_err *err);

/* Fails for a PAGE_DATA record that has been read already. */
int xcx_reader_fail_late(struct xcx_reader *reader, uint64_t record_index,
                         uint64_t record_offset, struct xcx_err *err);

/* Behind a CHECKPOINT: the stream goes on. Nothing otherwise. */
void xcx_reader_resume(struct xcx_reader *reader);

/* The input has ended: 0 if the stream is complete, else STREAM. */
int xcx_reader_finish(const struct xcx_reader *reader, struct xcx_err *err);

#endif
