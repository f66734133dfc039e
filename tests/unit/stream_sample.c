/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream_sample.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/record.h"

#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t hash(uint64_t so_far, const void *bytes, size_t nr_bytes)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < nr_bytes; i++)
        so_far = (so_far ^ byte[i]) * UINT64_C(0x100000001b3);
    return so_far;
}

uint64_t sample_random(uint64_t *seed)
{
    if (!*seed)
        *seed = 1;
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

static uint32_t below(uint64_t *seed, uint32_t limit)
{
    return (uint32_t)(sample_random(seed) >> 32) % limit;
}

/* ---- growing buffers --------------------------------------------------- */

static void append(struct sample_buf *buf, const void *bytes, size_t nr_bytes)
{
    if (buf->bytes + nr_bytes + 1 > buf->room) {
        buf->room = 2 * (buf->bytes + nr_bytes + 1);
        buf->data = realloc(buf->data, buf->room);
        if (!buf->data)
            abort();
    }
    memcpy(buf->data + buf->bytes, bytes, nr_bytes);
    buf->bytes += nr_bytes;
    buf->data[buf->bytes] = 0;
}

void sample_buf_done(struct sample_buf *buf)
{
    free(buf->data);
    *buf = (struct sample_buf){0};
}

void sample_log(struct sample_buf *log, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    append(log, line, strlen(line));
    append(log, "\n", 1);
}

static int sink_writev(void *opaque, struct iovec *iov, int nr_iov,
                       struct xcx_err *err)
{
    if (nr_iov < 1 || nr_iov > XCX_SINK_MAX_IOV)
        return xcx_err_set(err, XCX_ERR_BUG, 0, "%d iovecs", nr_iov);
    for (int i = 0; i < nr_iov; i++) {
        if (!iov[i].iov_len)
            return xcx_err_set(err, XCX_ERR_BUG, 0, "iovec %d is empty", i);
        append(opaque, iov[i].iov_base, iov[i].iov_len);
        iov[i] = (struct iovec){0};
    }
    return 0;
}

struct xcx_sink sample_sink(struct sample_buf *buf)
{
    return (struct xcx_sink){.writev = sink_writev, .opaque = buf};
}

/* ---- the words of the log ---------------------------------------------- */

static void log_headers(struct sample_buf *log,
                        const struct xcx_stream_headers *headers)
{
    sample_log(log, "headers v%" PRIu32 " type %d Xen %" PRIu32 ".%" PRIu32,
               headers->version, (int)headers->guest_type, headers->xen_major,
               headers->xen_minor);
}

static void log_blob(struct sample_buf *log, uint32_t type, const void *blob,
                     size_t bytes)
{
    sample_log(log, "%s %zu bytes %016" PRIx64, xcx_record_name(type), bytes,
               hash(HASH_START, blob, bytes));
}

static void log_pv_info(struct sample_buf *log, const struct xcx_pv_info *info)
{
    sample_log(log, "PV width %u levels %u", info->guest_width,
               info->pt_levels);
}

static void log_tsc(struct sample_buf *log, const struct xcx_tsc_info *info)
{
    sample_log(log,
               "TSC mode %" PRIu32 " %" PRIu32 " kHz %" PRIu64 " ns %" PRIu32,
               info->mode, info->khz, info->elapsed_ns, info->incarnation);
}

static void log_entry(struct sample_buf *log, uint64_t pfn, unsigned type)
{
    sample_log(log, "  pfn %" PRIx64 " type %x", pfn, type);
}

static void log_pages_end(struct sample_buf *log, uint32_t bytes,
                          uint64_t pages_hash)
{
    sample_log(log, "pages %" PRIu32 " bytes %016" PRIx64, bytes, pages_hash);
}

/* ---- what goes in ------------------------------------------------------ */

struct maker {
    struct xcx_writer writer;
    struct sample_buf *log;
    uint64_t seed;
    bool pv;
    struct xcx_page_batch batch;
    uint8_t pages[24 * XCX_PAGE_BYTES];
    struct xcx_err err;
};

static void must(struct maker *maker, int rc)
{
    if (rc) {
        fprintf(stderr, "sample: %s\n", maker->err.msg);
        abort();
    }
}

static void fill(struct maker *maker, void *bytes, size_t nr_bytes)
{
    uint8_t *byte = bytes;

    for (size_t i = 0; i < nr_bytes; i++)
        byte[i] = (uint8_t)(sample_random(&maker->seed) >> 56);
}

static void make_blob(struct maker *maker, enum xcx_record_type type,
                      uint32_t bytes)
{
    uint8_t blob[16384];

    fill(maker, blob, bytes);
    must(maker,
         xcx_writer_record(&maker->writer, type, blob, bytes, &maker->err));
    log_blob(maker->log, type, blob, bytes);
}

static void make_mark(struct maker *maker, enum xcx_record_type type)
{
    must(maker, xcx_writer_record(&maker->writer, type, NULL, 0, &maker->err));
    sample_log(maker->log, "%s", xcx_record_name(type));
}

static void make_pages(struct maker *maker)
{
    static const uint8_t hvm_types[] = {0, 0, 0, 0xd, 0xe, 0xf};
    static const uint8_t pv_types[] = {0,   0,   1,   2,   3,   4,  9,
                                       0xa, 0xb, 0xc, 0xd, 0xe, 0xf};
    uint32_t nr_pfns = 1 + below(&maker->seed, 20), nr_pages = 0;
    uint64_t pages_hash = HASH_START;

    fill(maker, maker->pages, sizeof(maker->pages));
    sample_log(maker->log, "PAGE_DATA %" PRIu32 " pfns", nr_pfns);
    for (uint32_t i = 0; i < nr_pfns; i++) {
        uint64_t pfn = below(&maker->seed, SAMPLE_MAX_PFN + 1);
        uint8_t type = maker->pv
                           ? pv_types[below(&maker->seed, sizeof(pv_types))]
                           : hvm_types[below(&maker->seed, sizeof(hvm_types))];
        const uint8_t *page = NULL;

        if (xcx_page_type_has_data(type)) {
            /* Some of them neighbours in memory, some not. */
            page = maker->pages +
                   (nr_pages + below(&maker->seed, 2)) * XCX_PAGE_BYTES;
            pages_hash = hash(pages_hash, page, XCX_PAGE_BYTES);
            nr_pages++;
        }
        if (!xcx_page_batch_add(&maker->batch, pfn, type, page))
            abort();
        log_entry(maker->log, pfn, type);
    }
    must(maker,
         xcx_writer_page_data(&maker->writer, &maker->batch, &maker->err));
    log_pages_end(maker->log, nr_pages * XCX_PAGE_BYTES, pages_hash);
}

static void make_some_pages(struct maker *maker)
{
    for (uint32_t left = 1 + below(&maker->seed, 4); left; left--)
        make_pages(maker);
}

static void make_tsc(struct maker *maker)
{
    struct xcx_tsc_info info = {.mode = below(&maker->seed, 4),
                                .khz = below(&maker->seed, 1 << 30),
                                .elapsed_ns = sample_random(&maker->seed),
                                .incarnation = below(&maker->seed, 99)};

    must(maker, xcx_writer_tsc_info(&maker->writer, &info, &maker->err));
    log_tsc(maker->log, &info);
}

static void make_params(struct maker *maker)
{
    struct xcx_hvm_param params[XCX_HVM_PARAMS_MAX];
    uint32_t nr = 1 + below(&maker->seed, XCX_HVM_PARAMS_MAX);

    sample_log(maker->log, "HVM_PARAMS %" PRIu32, nr);
    for (uint32_t i = 0; i < nr; i++) {
        params[i] =
            (struct xcx_hvm_param){.index = below(&maker->seed, 64),
                                   .value = sample_random(&maker->seed)};
        sample_log(maker->log, "  %" PRIu64 " = %" PRIx64, params[i].index,
                   params[i].value);
    }
    must(maker, xcx_writer_hvm_params(&maker->writer, params, nr, &maker->err));
}

static void make_hvm_state(struct maker *maker)
{
    make_tsc(maker);
    make_params(maker);
    make_blob(maker, XCX_REC_HVM_CONTEXT, 1 + below(&maker->seed, 9000));
}

static void make_vcpu(struct maker *maker, enum xcx_record_type type,
                      uint32_t vcpu_id, uint32_t bytes)
{
    uint8_t blob[8192];

    fill(maker, blob, bytes);
    must(maker, xcx_writer_vcpu(&maker->writer, type, vcpu_id, blob, bytes,
                                &maker->err));
    sample_log(maker->log, "vCPU %" PRIu32, vcpu_id);
    log_blob(maker->log, type, blob, bytes);
}

static void make_pv_state(struct maker *maker)
{
    uint32_t nr_vcpus = 1 + below(&maker->seed, 4);

    make_tsc(maker);
    make_blob(maker, XCX_REC_SHARED_INFO, XCX_PAGE_BYTES);
    for (uint32_t i = 0; i < nr_vcpus; i++) {
        make_vcpu(maker, XCX_REC_X86_PV_VCPU_BASIC, i, 5168);
        make_vcpu(maker, XCX_REC_X86_PV_VCPU_EXTENDED, i,
                  1 + below(&maker->seed, 128));
        make_vcpu(maker, XCX_REC_X86_PV_VCPU_XSAVE, i,
                  16 + below(&maker->seed, 2000));
        make_vcpu(maker, XCX_REC_X86_PV_VCPU_MSRS, i,
                  16 * (1 + below(&maker->seed, 9)));
    }
}

static void make_p2m_frames(struct maker *maker, unsigned guest_width)
{
    struct xcx_p2m_frames frames = {0, below(&maker->seed, SAMPLE_MAX_PFN)};
    uint64_t nr = xcx_p2m_frames_nr(&frames, guest_width);
    uint64_t *pfns = calloc(nr, sizeof(*pfns));
    uint64_t pfns_hash = HASH_START;

    if (!pfns)
        abort();
    for (uint64_t i = 0; i < nr; i++) {
        pfns[i] = below(&maker->seed, SAMPLE_MAX_PFN);
        pfns_hash = hash(pfns_hash, &pfns[i], sizeof(pfns[i]));
    }
    must(maker, xcx_writer_p2m_frames(&maker->writer, &frames, guest_width,
                                      pfns, &maker->err));
    sample_log(maker->log, "p2m 0 to %" PRIx32 ", %" PRIu64 " %016" PRIx64,
               frames.end_pfn, nr, pfns_hash);
    free(pfns);
}

static void make_static(struct maker *maker, enum sample_kind kind)
{
    struct xcx_pv_info info = {8, 4};

    if (kind == SAMPLE_PV32)
        info = (struct xcx_pv_info){4, 3};
    if (maker->pv) {
        must(maker, xcx_writer_pv_info(&maker->writer, &info, &maker->err));
        log_pv_info(maker->log, &info);
    }
    make_blob(maker, XCX_REC_X86_CPUID_POLICY,
              24 * (1 + below(&maker->seed, 60)));
    make_blob(maker, XCX_REC_X86_MSR_POLICY, 16);
    make_mark(maker, XCX_REC_STATIC_DATA_END);
    if (maker->pv)
        make_p2m_frames(maker, info.guest_width);
}

void sample_make(enum sample_kind kind, uint64_t seed, struct sample_buf *bytes,
                 struct sample_buf *log)
{
    struct maker *maker = calloc(1, sizeof(*maker));
    struct xcx_stream_headers headers = {
        .version = XCX_IMAGE_VERSION, .xen_major = 4, .xen_minor = 17};

    if (!maker)
        abort();
    maker->log = log;
    maker->seed = seed;
    maker->pv = kind == SAMPLE_PV64 || kind == SAMPLE_PV32;
    headers.guest_type = maker->pv ? XCX_GUEST_PV : XCX_GUEST_HVM;
    xcx_writer_init(&maker->writer, sample_sink(bytes));
    must(maker, xcx_writer_headers(&maker->writer, &headers,
                                   kind == SAMPLE_HVM_REMUS, &maker->err));
    log_headers(log, &headers);
    make_static(maker, kind);
    make_some_pages(maker);
    if (kind == SAMPLE_HVM_VERIFY) {
        make_mark(maker, XCX_REC_VERIFY);
        make_some_pages(maker);
    }
    if (kind == SAMPLE_HVM_REMUS) {
        make_hvm_state(maker);
        make_mark(maker, XCX_REC_CHECKPOINT);
        make_some_pages(maker);
    }
    if (maker->pv)
        make_pv_state(maker);
    else
        make_hvm_state(maker);
    make_mark(maker, XCX_REC_END);
    if (maker->writer.bytes != bytes->bytes)
        abort();
    free(maker);
}

struct xcx_reader_limits sample_limits(enum sample_kind kind)
{
    return (struct xcx_reader_limits){.max_pfn = SAMPLE_MAX_PFN,
                                      .max_vcpu_id = SAMPLE_MAX_VCPU_ID,
                                      .checkpointed = kind == SAMPLE_HVM_REMUS};
}

/* ---- what comes out ---------------------------------------------------- */

static int on_headers(void *opaque, const struct xcx_stream_headers *headers,
                      struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_headers(&events->log, headers);
    return 0;
}

static int on_pv_info(void *opaque, const struct xcx_pv_info *info,
                      struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_pv_info(&events->log, info);
    return 0;
}

static int on_cpu_policy(void *opaque, enum xcx_record_type type,
                         const void *entries, uint32_t bytes,
                         struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_blob(&events->log, type, entries, bytes);
    return 0;
}

static int on_static_data_end(void *opaque, bool inferred, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "%sSTATIC_DATA_END", inferred ? "inferred " : "");
    return 0;
}

static int on_p2m_frames(void *opaque, const struct xcx_p2m_frames *frames,
                         uint64_t nr_frames, struct xcx_get pfns,
                         struct xcx_err *err)
{
    struct sample_events *events = opaque;
    uint64_t pfns_hash = HASH_START;

    (void)err;
    for (uint64_t i = 0; i < nr_frames; i++) {
        uint64_t pfn = xcx_get_le64(&pfns);

        pfns_hash = hash(pfns_hash, &pfn, sizeof(pfn));
    }
    if (pfns.overrun || xcx_get_left(&pfns))
        abort();
    sample_log(&events->log,
               "p2m %" PRIx32 " to %" PRIx32 ", %" PRIu64 " %016" PRIx64,
               frames->start_pfn, frames->end_pfn, nr_frames, pfns_hash);
    return 0;
}

static int on_page_data(void *opaque, const struct xcx_page_list *list,
                        struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "PAGE_DATA %" PRIu32 " pfns", list->nr_pfns);
    for (uint32_t i = 0; i < list->nr_pfns; i++)
        log_entry(&events->log, list->pfns[i], list->types[i]);
    events->page_hash = HASH_START;
    events->page_bytes = 0;
    return 0;
}

static int on_page_bytes(void *opaque, uint32_t at, const void *bytes,
                         uint32_t nr_bytes, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    if (at != events->page_bytes || !nr_bytes)
        abort();
    events->page_hash = hash(events->page_hash, bytes, nr_bytes);
    events->page_bytes += nr_bytes;
    return 0;
}

static int on_page_data_end(void *opaque, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_pages_end(&events->log, events->page_bytes, events->page_hash);
    return 0;
}

static int on_tsc_info(void *opaque, const struct xcx_tsc_info *info,
                       struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_tsc(&events->log, info);
    return 0;
}

static int on_shared_info(void *opaque, const void *page, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_blob(&events->log, XCX_REC_SHARED_INFO, page, XCX_PAGE_BYTES);
    return 0;
}

static int on_vcpu(void *opaque, enum xcx_record_type type, uint32_t vcpu_id,
                   const void *blob, uint32_t bytes, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "vCPU %" PRIu32, vcpu_id);
    log_blob(&events->log, type, blob, bytes);
    return 0;
}

static int on_hvm_params(void *opaque, uint32_t nr_params,
                         struct xcx_get params, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "HVM_PARAMS %" PRIu32, nr_params);
    for (uint32_t i = 0; i < nr_params; i++) {
        struct xcx_hvm_param param = xcx_hvm_param_get(&params);

        sample_log(&events->log, "  %" PRIu64 " = %" PRIx64, param.index,
                   param.value);
    }
    return 0;
}

static int on_hvm_context(void *opaque, const void *blob, uint32_t bytes,
                          struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    log_blob(&events->log, XCX_REC_HVM_CONTEXT, blob, bytes);
    return 0;
}

static int on_verify(void *opaque, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "VERIFY");
    return 0;
}

static int on_checkpoint(void *opaque, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "CHECKPOINT");
    return 0;
}

static int on_end(void *opaque, struct xcx_err *err)
{
    struct sample_events *events = opaque;

    (void)err;
    sample_log(&events->log, "END");
    return 0;
}

struct xcx_reader_ops sample_ops(struct sample_events *events)
{
    return (struct xcx_reader_ops){
        .opaque = events,
        .headers = on_headers,
        .pv_info = on_pv_info,
        .cpu_policy = on_cpu_policy,
        .static_data_end = on_static_data_end,
        .p2m_frames = on_p2m_frames,
        .page_data = on_page_data,
        .page_bytes = on_page_bytes,
        .page_data_end = on_page_data_end,
        .tsc_info = on_tsc_info,
        .shared_info = on_shared_info,
        .vcpu = on_vcpu,
        .hvm_params = on_hvm_params,
        .hvm_context = on_hvm_context,
        .verify = on_verify,
        .checkpoint = on_checkpoint,
        .end = on_end,
    };
}
