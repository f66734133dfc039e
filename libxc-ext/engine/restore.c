/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore: xcx_restore() from its first check to the last unmapping.
 *
 *   probe ─▶ headers, static data ─▶ { PAGE_DATA ... } ─▶ state ─▶ END
 *         ─▶ spare pages back ─▶ state into the domain ─▶ done
 *
 * The reader (stream/reader.h) judges what comes; page contents alone do not
 * pass through it. Nothing of the domain changes before a record's header,
 * and its list of pfns, are whole and have been checked.
 */
#include "xcext.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/place.h"
#include "guest/incoming.h"
#include "hv/domain.h"
#include "hv/state.h"
#include "stream/reader.h"

#define FEED_BYTES     (64 * 1024)
#define PROGRESS_PAGES 16384

struct session {
    const struct xcx_restore_params *params;
    const struct xcx_restore_ops *ops;
    struct xcx_log log;
    struct xcx_cancel cancel;
    struct xcx_restore_stats stats;
    uint64_t start_ns;
    uint64_t nr_pages_told;

    struct xcx_hv hv;
    struct xcx_domain_info info;
    struct xcx_incoming *guest;
    struct xcx_place place;
    struct xcx_reader reader;
    struct xcx_cpu_policy_blobs policy;
    uint8_t bytes[FEED_BYTES];
};

/* ---- what the reader calls ---------------------------------------------- */

static const char *name_of(bool hvm)
{
    return hvm ? "HVM" : "PV";
}

static int on_headers(void *opaque, const struct xcx_stream_headers *headers,
                      struct xcx_err *err)
{
    struct session *session = opaque;
    bool hvm = headers->guest_type == XCX_GUEST_HVM;

    if (hvm != session->info.hvm)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the guest of the stream is %s, domain %u is %s",
                           name_of(hvm), session->hv.domid,
                           name_of(session->info.hvm));
    xcx_log(&session->log, XCX_LOG_INFO,
            "Found %s domain from Xen %" PRIu32 ".%" PRIu32
            ", stream version %" PRIu32,
            name_of(hvm), headers->xen_major, headers->xen_minor,
            headers->version);
    return 0;
}

static int keep(void **blob, size_t *blob_bytes, const void *from,
                uint32_t bytes, struct xcx_err *err)
{
    void *copy = malloc(bytes);

    if (!copy)
        return xcx_err_no_memory(err, ENOMEM, "%" PRIu32 " bytes of CPU policy",
                                 bytes);
    memcpy(copy, from, bytes);
    free(*blob);
    *blob = copy;
    *blob_bytes = bytes;
    return 0;
}

static int on_cpu_policy(void *opaque, enum xcx_record_type type,
                         const void *entries, uint32_t bytes,
                         struct xcx_err *err)
{
    struct xcx_cpu_policy_blobs *policy = &((struct session *)opaque)->policy;

    if (type == XCX_REC_X86_CPUID_POLICY)
        return keep(&policy->leaves, &policy->leaves_bytes, entries, bytes,
                    err);
    return keep(&policy->msrs, &policy->msrs_bytes, entries, bytes, err);
}

static int on_static_data_end(void *opaque, bool inferred, struct xcx_err *err)
{
    struct session *session = opaque;
    const struct xcx_restore_ops *ops = session->ops;
    unsigned missing = (session->policy.leaves_bytes ? 0 : XCX_MISSING_CPUID) |
                       (session->policy.msrs_bytes ? 0 : XCX_MISSING_MSR);

    (void)inferred;
    if (xcx_cpu_policy_set(&session->hv, &session->policy, err))
        return -1;
    if (!ops->static_data_done ||
        !ops->static_data_done(ops->opaque, missing, err))
        return 0;
    return xcx_err_set(err, XCX_ERR_PEER, 0, "static data refused");
}

static int on_pv_info(void *opaque, const struct xcx_pv_info *info,
                      struct xcx_err *err)
{
    struct xcx_incoming *guest = ((struct session *)opaque)->guest;

    return guest->ops->pv_info(guest, info, err);
}

static int on_p2m_frames(void *opaque, const struct xcx_p2m_frames *frames,
                         uint64_t nr_frames, struct xcx_get pfns,
                         struct xcx_err *err)
{
    struct xcx_incoming *guest = ((struct session *)opaque)->guest;

    return guest->ops->p2m_frames(guest, frames, nr_frames, pfns, err);
}

static int on_page_data(void *opaque, const struct xcx_page_list *list,
                        struct xcx_err *err)
{
    return xcx_place_begin(&((struct session *)opaque)->place, list, err);
}

static int on_tsc_info(void *opaque, const struct xcx_tsc_info *info,
                       struct xcx_err *err)
{
    const struct session *session = opaque;
    const struct xcx_hv_tsc tsc = {
        .mode = info->mode,
        .khz = info->khz,
        .nsec = info->elapsed_ns,
        .incarnation = info->incarnation,
    };

    return xcx_tsc_set(&session->hv, &tsc, err);
}

static int on_shared_info(void *opaque, const void *page, struct xcx_err *err)
{
    struct xcx_incoming *guest = ((struct session *)opaque)->guest;

    return guest->ops->shared_info(guest, page, err);
}

static int on_vcpu(void *opaque, enum xcx_record_type type, uint32_t vcpu_id,
                   const void *blob, uint32_t bytes, struct xcx_err *err)
{
    struct xcx_incoming *guest = ((struct session *)opaque)->guest;

    return guest->ops->vcpu(guest, type, vcpu_id, blob, bytes, err);
}

static int on_hvm_params(void *opaque, uint32_t nr_params,
                         struct xcx_get params, struct xcx_err *err)
{
    struct xcx_incoming *guest = ((struct session *)opaque)->guest;

    return guest->ops->hvm_params(guest, nr_params, params, err);
}

static int on_hvm_context(void *opaque, const void *blob, uint32_t bytes,
                          struct xcx_err *err)
{
    struct xcx_incoming *guest = ((struct session *)opaque)->guest;

    return guest->ops->hvm_context(guest, blob, bytes, err);
}

static int on_verify(void *opaque, struct xcx_err *err)
{
    struct session *session = opaque;

    xcx_log(&session->log, XCX_LOG_INFO,
            "comparing memory with what is sent once more");
    return xcx_place_verify(&session->place, err);
}

/* ---- preparing ---------------------------------------------------------- */

static void hear_xen(void *opaque, const char *line)
{
    xcx_log(opaque, XCX_LOG_DEBUG, "%s", line);
}

static int populate_for_guest(void *opaque, const uint64_t *pfns,
                              unsigned nr_pfns, struct xcx_err *err)
{
    return xcx_place_populate(opaque, pfns, nr_pfns, err);
}

static bool is_populated(void *opaque, uint64_t pfn)
{
    const struct xcx_place *place = opaque;

    return pfn < place->populated.nr_bits &&
           xcx_bitmap_test(&place->populated, pfn);
}

static uint64_t nr_pages_left(void *opaque)
{
    return ((const struct xcx_place *)opaque)->nr_left;
}

static int probe(struct session *session, struct xcx_err *err)
{
    const struct xcx_restore_params *params = session->params;
    const struct xcx_incoming_memory memory = {
        .opaque = &session->place,
        .populate = populate_for_guest,
        .is_populated = is_populated,
        .nr_left = nr_pages_left,
        .stats = &session->stats,
    };
    const struct xcx_rings rings = {
        .store_domid = params->store_domid,
        .console_domid = params->console_domid,
        .store_port = params->store_port,
        .console_port = params->console_port,
    };

    if (xcx_hv_open(&session->hv, params->domid, hear_xen, &session->log,
                    err) ||
        xcx_domain_get_info(&session->hv, &session->info, err))
        return -1;
    if (session->info.dying)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "domain %u is dying",
                           params->domid);
    session->stats.hvm = session->info.hvm;
    if (xcx_incoming_new(&session->hv, &session->info, &memory, &rings,
                         &session->guest, err))
        return -1;
    return session->guest->ops->setup(session->guest, err);
}

static int open_place(struct session *session, struct xcx_err *err)
{
    const struct xcx_restore_ops *ops = session->ops;
    struct xcx_place *place = &session->place;

    if (ops->address_space)
        ops->address_space(ops->opaque,
                           xcx_footprint_address_bytes(
                               session->info.hvm, session->guest->max_nr_pfns));
    place->guest = session->guest;
    place->log = &session->log;
    place->stats = &session->stats;
    place->in_fd = session->params->in_fd;
    place->cancel = session->cancel;
    place->stall_ns = session->params->stall_ns;
    place->nr_workers = xcx_pool_choose(session->params->nr_workers);
    place->by_gain = session->params->nr_workers == 0;
    return xcx_place_init(place, err);
}

static void open_reader(struct session *session)
{
    const struct xcx_reader_ops ops = {
        .opaque = session,
        .headers = on_headers,
        .pv_info = on_pv_info,
        .cpu_policy = on_cpu_policy,
        .static_data_end = on_static_data_end,
        .p2m_frames = on_p2m_frames,
        .page_data = on_page_data,
        .tsc_info = on_tsc_info,
        .shared_info = on_shared_info,
        .vcpu = on_vcpu,
        .hvm_params = on_hvm_params,
        .hvm_context = on_hvm_context,
        .verify = on_verify,
    };
    const struct xcx_reader_limits limits = {
        .max_pfn = session->guest->max_nr_pfns - 1,
        .max_vcpu_id = session->info.max_vcpu_id,
        .checkpointed = false,
    };

    xcx_reader_init(&session->reader, &ops, &limits);
}

/* ---- the stream --------------------------------------------------------- */

static void tell_progress(struct session *session)
{
    const struct xcx_restore_ops *ops = session->ops;
    uint64_t nr_pages = session->stats.nr_pages_placed;

    if (!ops->progress || nr_pages - session->nr_pages_told < PROGRESS_PAGES)
        return;
    session->nr_pages_told = nr_pages;
    ops->progress(ops->opaque, "pages placed", nr_pages, 0);
}

/* The error may belong to a record that was still in flight. */
static int contents_failed(struct session *session, struct xcx_err *err)
{
    const struct xcx_filler *filler = &session->place.filler;

    if (filler->has_failed_late)
        return xcx_reader_fail_late(&session->reader, filler->failed.index,
                                    filler->failed.offset, err);
    return xcx_reader_fail(&session->reader, err);
}

/* The contents of one record. *ret_end: the input has ended within. */
static int take_contents(struct session *session, bool *ret_end,
                         struct xcx_err *err)
{
    struct xcx_reader *reader = &session->reader;
    uint32_t bytes, want = xcx_reader_raw_left(reader);

    session->place.record = (struct xcx_record_id){
        .index = reader->nr_records - 1, .offset = reader->record_offset};
    if (xcx_place_receive(&session->place, &bytes, err))
        return contents_failed(session, err);
    tell_progress(session);
    *ret_end = bytes < want;
    return xcx_reader_took_raw(reader, bytes, err);
}

static int take_bytes(struct session *session, bool *ret_end,
                      struct xcx_err *err)
{
    struct xcx_reader *reader = &session->reader;
    size_t want = xcx_reader_want(reader), used, bytes;

    if (want > FEED_BYTES)
        want = FEED_BYTES;
    if (xcx_io_read(session->params->in_fd, session->bytes, want,
                    xcx_io_deadline_ns(session->params->stall_ns),
                    session->cancel, &bytes, err))
        return xcx_reader_fail(reader, err);
    *ret_end = bytes < want;
    return xcx_reader_feed(reader, session->bytes, bytes, &used, err);
}

static int take_stream(struct session *session, struct xcx_err *err)
{
    struct xcx_reader *reader = &session->reader;
    bool end = false;

    while (!end && xcx_reader_want(reader)) {
        int rc = xcx_reader_raw_left(reader) ? take_contents(session, &end, err)
                                             : take_bytes(session, &end, err);

        if (rc)
            return -1;
    }
    return xcx_reader_finish(reader, err);
}

static int complete(struct session *session, struct xcx_err *err)
{
    struct xcx_incoming *guest = session->guest;
    uint64_t start_ns = xcx_clock_ns();

    if (session->stats.nr_pages_verified)
        xcx_log(&session->log, XCX_LOG_INFO,
                "verify: %" PRIu64 " pages compared, %" PRIu64 " differ",
                session->stats.nr_pages_verified,
                session->stats.nr_pages_not_as_sent);
    if (xcx_place_finish(&session->place, err))
        return contents_failed(session, err);
    if (guest->ops->complete(guest, err))
        return xcx_err_prefix(err,
                              "completing the domain, after END at byte "
                              "%" PRIu64,
                              session->reader.record_offset);
    session->stats.complete_ns = xcx_clock_ns() - start_ns;
    xcx_log(&session->log, XCX_LOG_INFO,
            "XenStore: mfn %#" PRIx64 ", dom %u, evt %u",
            guest->rings.store_frame, guest->rings.store_domid,
            guest->rings.store_port);
    xcx_log(&session->log, XCX_LOG_INFO,
            "Console: mfn %#" PRIx64 ", dom %u, evt %u",
            guest->rings.console_frame, guest->rings.console_domid,
            guest->rings.console_port);
    return 0;
}

static int restore(struct session *session, struct xcx_err *err)
{
    if (probe(session, err) || open_place(session, err))
        return -1;
    open_reader(session);
    if (take_stream(session, err))
        return -1;
    return complete(session, err);
}

/* ---- the frame ---------------------------------------------------------- */

static void init(struct session *session,
                 const struct xcx_restore_params *params,
                 const struct xcx_restore_ops *ops)
{
    session->params = params;
    session->ops = ops;
    session->log = (struct xcx_log){.emit = ops->log, .opaque = ops->opaque};
    session->cancel.fd = params->cancel_fd ? *params->cancel_fd : -1;
    session->start_ns = xcx_clock_ns();
    session->stats.domid = params->domid;
    session->hv.domid = params->domid;
}

static void done(struct session *session)
{
    xcx_place_done(&session->place);
    xcx_reader_done(&session->reader);
    xcx_cpu_policy_done(&session->policy);
    if (session->guest)
        session->guest->ops->done(session->guest);
    xcx_hv_close(&session->hv);
}

int xcx_restore(const struct xcx_restore_params *params,
                const struct xcx_restore_ops *ops,
                struct xcx_restore_results *ret_results,
                struct xcx_restore_stats *ret_stats, struct xcx_err *err)
{
    XCX_AUTO_FREE struct session *session = calloc(1, sizeof(*session));
    int rc;

    if (!session)
        return xcx_err_no_memory(err, ENOMEM, "state of a restore");
    init(session, params, ops);
    rc = restore(session, err);
    session->stats.nr_records = session->reader.nr_records;
    session->stats.total_bytes = session->reader.offset;
    session->stats.total_ns = xcx_clock_ns() - session->start_ns;
    if (!rc)
        *ret_results = (struct xcx_restore_results){
            .store_frame = session->guest->rings.store_frame,
            .console_frame = session->guest->rings.console_frame,
        };
    done(session);
    if (ret_stats)
        *ret_stats = session->stats;
    return rc;
}
