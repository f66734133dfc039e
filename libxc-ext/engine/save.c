/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save: xcx_save() from its first check to the last undoing.
 *
 *   lock ─▶ probe ─▶ log-dirty on ─▶ headers, static records ─▶
 *   live rounds ─▶ suspend ─▶ final round ─▶ CPU state ─▶ END ─▶ unwind
 *
 * Not live: no log-dirty, and the final round sends it all.
 */
#include "xcext.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "engine/limits.h"
#include "engine/memory.h"
#include "engine/rounds.h"
#include "engine/sender.h"
#include "engine/unwind.h"
#include "guest/guest.h"
#include "hv/domain.h"
#include "hv/logdirty.h"

struct session {
    const struct xcx_save_params *params;
    const struct xcx_save_ops *ops;
    struct xcx_log log;
    struct xcx_cancel cancel;
    struct xcx_save_stats stats;
    uint64_t start_ns;
    bool live; /* asked for and possible */

    struct xcx_hv hv;
    struct xcx_domain_info info;
    struct xcx_unwind unwind;
    struct xcx_guest *guest;
    struct xcx_types *types;
    struct xcx_out out;
    struct xcx_writer writer;
    struct xcx_memory memory;
    struct xcx_limits limits;
    struct xcx_sender sender;
    struct xcx_rounds rounds;
};

/* ---- preparing ---------------------------------------------------------- */

static void hear_xen(void *opaque, const char *line)
{
    xcx_log(opaque, XCX_LOG_DEBUG, "%s", line);
}

/* To a type query such a page looks like a hole, and would be left out. */
static int refuse_paged(const struct session *session, struct xcx_err *err)
{
    if (!session->info.nr_pages_paged)
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u has %llu pages paged out, which cannot be "
                       "sent: let its pager bring them back and end first",
                       session->params->domid,
                       (unsigned long long)session->info.nr_pages_paged);
}

static int probe(struct session *session, struct xcx_err *err)
{
    uint32_t domid = session->params->domid;

    if (xcx_hv_open(&session->hv, domid, hear_xen, &session->log, err) ||
        xcx_domain_get_info(&session->hv, &session->info, err))
        return -1;
    if (session->info.dying)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "domain %u is dying", domid);
    if (refuse_paged(session, err))
        return -1;
    if (xcx_unwind_do_lock(&session->unwind, session->params->lock_dir, err) ||
        xcx_guest_new(&session->hv, &session->info, &session->guest, err) ||
        session->guest->ops->setup(session->guest, err))
        return -1;
    session->stats.hvm = session->info.hvm;
    session->stats.nr_pfns_p2m = session->guest->nr_pfns;
    session->stats.nr_pfns_guest = session->info.nr_pages;
    return xcx_types_new(&session->hv, &session->types, err);
}

static int no_log_dirty(struct session *session, struct xcx_err *err)
{
    uint32_t domid = session->params->domid;

    if (session->info.hvm)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u: Xen has no log-dirty mode for it",
                           domid);
    if (!session->params->pv_without_logdirty_pause)
        return xcx_err_set(
            err, XCX_ERR_GUEST, 0,
            "domain %u is a PV guest and this hypervisor lacks shadow paging, "
            "which moving it live needs: boot one built with shadow paging, "
            "or set pv_without_logdirty = \"pause\" to move it stopped",
            domid);
    xcx_log(&session->log, XCX_LOG_WARN,
            "domain %u: this hypervisor lacks shadow paging: the guest is "
            "stopped while its memory is copied",
            domid);
    session->live = false;
    return 0;
}

/* Everything from here on is in the record. */
static int log_dirty_on(struct session *session, struct xcx_err *err)
{
    bool hvm = session->info.hvm, unsupported;

    if (!session->live)
        return 0;
    if (hvm && xcx_unwind_do_qemu_log_dirty(&session->unwind, err))
        return -1;
    if (xcx_unwind_do_log_dirty(&session->unwind, &unsupported, err))
        return -1;
    if (unsupported)
        return no_log_dirty(session, err);
    if (xcx_logdirty_new(&session->hv, session->guest->nr_pfns,
                         &session->rounds.log, err) ||
        xcx_canary_begin(&session->rounds.canary, &session->hv, session->guest,
                         session->rounds.log, err))
        return -1;
    session->unwind.canary = &session->rounds.canary;
    return 0;
}

static int open_sender(struct session *session, struct xcx_err *err)
{
    struct xcx_sender *sender = &session->sender;
    unsigned nr_workers = xcx_pool_choose(session->params->nr_workers);
    struct xcx_err why = XCX_ERR_INIT;

    sender->guest = session->guest;
    sender->types = session->types;
    sender->writer = &session->writer;
    sender->cancel = session->cancel;
    sender->populated = &session->memory.populated;
    sender->todo = &session->memory.todo;
    sender->log = &session->log;
    sender->by_gain = session->params->nr_workers == 0;
    sender->limits = &session->limits;
    xcx_limits_fill(&session->limits, &sender->bucket);
    if (!nr_workers ||
        !xcx_sender_init(sender, session->params->out_fd, nr_workers, &why))
        return nr_workers
                   ? 0
                   : xcx_sender_init(sender, session->params->out_fd, 0, err);
    xcx_log(&session->log, XCX_LOG_WARN, "going on without workers: %s",
            why.msg);
    xcx_sender_done(sender);
    return xcx_sender_init(sender, session->params->out_fd, 0, err);
}

static void set_rounds(struct session *session)
{
    struct xcx_rounds *rounds = &session->rounds;

    rounds->memory = &session->memory;
    rounds->sender = &session->sender;
    rounds->writer = &session->writer;
    rounds->out = &session->out;
    rounds->unwind = &session->unwind;
    rounds->ops = session->ops;
    rounds->stats = &session->stats;
    rounds->nr_vcpus = session->info.nr_online_vcpus;
    rounds->start_ns = session->start_ns;
    rounds->limits = &session->limits;
    rounds->max_batch = xcx_limits_max_batch(&session->limits);
    xcx_policy_init(&rounds->policy, &session->params->limits);
    xcx_policy_costs_default(&rounds->costs);
}

/* Workers write the same stream. */
static void set_stall(struct session *session, uint64_t stall_ns)
{
    session->out.stall_ns = session->sender.stall_ns = stall_ns;
}

static int open_stream(struct session *session, struct xcx_err *err)
{
    struct xcx_sink sink = {.writev = xcx_out_writev, .opaque = &session->out};

    if (xcx_out_init(&session->out, session->params->out_fd, session->cancel,
                     err))
        return -1;
    set_stall(session, session->params->live_stall_ns);
    xcx_writer_init(&session->writer, sink);
    if (xcx_memory_init(&session->memory, session->guest, session->types, err))
        return -1;
    session->memory.cancel = session->cancel;
    if (open_sender(session, err))
        return -1;
    set_rounds(session);
    return 0;
}

/* ---- the stream --------------------------------------------------------- */

/* Many small writes, which go out as one. */
static int put_start(struct session *session, struct xcx_err *err)
{
    struct xcx_guest *guest = session->guest;
    struct xcx_writer *writer = &session->writer;
    struct xcx_stream_headers headers = {.guest_type = guest->ops->type};
    unsigned major, minor;

    if (xcx_hv_version(&session->hv, &major, &minor, err))
        return -1;
    headers.xen_major = major;
    headers.xen_minor = minor;
    xcx_out_hold(&session->out);
    if (xcx_writer_headers(writer, &headers, false, err) ||
        guest->ops->static_records(guest, writer, err) ||
        xcx_writer_record(writer, XCX_REC_STATIC_DATA_END, NULL, 0, err) ||
        guest->ops->start_records(guest, writer, err))
        return -1;
    return xcx_out_let_go(&session->out, err);
}

static int put_end(struct session *session, struct xcx_err *err)
{
    struct xcx_guest *guest = session->guest;
    struct xcx_writer *writer = &session->writer;

    xcx_out_hold(&session->out);
    if (guest->ops->end_records(guest, writer, err) ||
        xcx_writer_record(writer, XCX_REC_END, NULL, 0, err))
        return -1;
    if (xcx_out_let_go(&session->out, err))
        return -1;
    /* A reader that has gone by now has not got it all. */
    return xcx_out_drain(&session->out, 0, err);
}

static int suspend(struct session *session, struct xcx_err *err)
{
    const struct xcx_save_ops *ops = session->ops;
    uint32_t domid = session->params->domid;
    uint64_t start_ns = xcx_clock_ns();

    if (xcx_cancel_check(session->cancel, err))
        return -1;
    if (ops->suspend(ops->opaque, err)) {
        xcx_err_set(err, XCX_ERR_PEER, 0, "refused");
        return xcx_err_prefix(err, "suspending domain %u", domid);
    }
    session->stats.suspend_ns = xcx_clock_ns() - start_ns;
    if (xcx_domain_get_info(&session->hv, &session->info, err))
        return -1;
    if (!session->info.shutdown ||
        session->info.shutdown_reason != XCX_SHUTDOWN_SUSPEND)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u has not been suspended", domid);
    return refuse_paged(session, err);
}

/* For a save without live rounds, which prepare the suspension otherwise. */
static int prepare_suspend(struct session *session, struct xcx_err *err)
{
    const struct xcx_save_ops *ops = session->ops;
    uint64_t start_ns = xcx_clock_ns();

    if (ops->prepare_suspend && ops->prepare_suspend(ops->opaque, err))
        return -1;
    session->stats.prepare_ns = xcx_clock_ns() - start_ns;
    return 0;
}

/* From suspending the guest to the stream's end. */
static int blackout(struct session *session, struct xcx_err *err)
{
    uint64_t start_ns = xcx_clock_ns(), state_ns;

    /* The guest stops its writers first; a cap would only delay the rest. */
    xcx_unwind_undo_throttle(&session->unwind, err);
    if (suspend(session, err))
        return -1;
    set_stall(session, session->params->blackout_stall_ns);
    if (xcx_rounds_final(&session->rounds, err))
        return -1;
    if (session->params->verify && xcx_rounds_verify(&session->rounds, err))
        return -1;
    state_ns = xcx_clock_ns();
    if (put_end(session, err))
        return -1;
    session->stats.cpu_state_ns = xcx_clock_ns() - state_ns;
    session->stats.blackout_ns = xcx_clock_ns() - start_ns;
    return 0;
}

static int save(struct session *session, struct xcx_err *err)
{
    if (probe(session, err) || log_dirty_on(session, err) ||
        open_stream(session, err) || put_start(session, err))
        return -1;
    if (session->live ? xcx_rounds_live(&session->rounds, err)
                      : prepare_suspend(session, err))
        return -1;
    /* Old workers would be waited for while the guest stands still. */
    if (xcx_sender_settle(&session->sender, session->rounds.nr_unsent, err))
        return -1;
    return blackout(session, err);
}

/* ---- the frame ---------------------------------------------------------- */

static void init(struct session *session, const struct xcx_save_params *params,
                 const struct xcx_save_ops *ops)
{
    *session = (struct session){
        .params = params,
        .ops = ops,
        .log = {.emit = ops->log, .opaque = ops->opaque},
        .cancel = {.fd = params->cancel_fd ? *params->cancel_fd : -1},
        .live = params->live,
        .start_ns = xcx_clock_ns(),
        .limits = {.ops = ops, .now = params->limits},
        .out = {.fd = -1, .own_fd = -1},
    };
    session->stats.domid = params->domid;
    session->stats.throttle_percent_min = 100;
    session->stats.predicted_blackout_ns = XCX_POLICY_UNKNOWN_NS;
    session->hv.domid = params->domid;
    xcx_unwind_init(&session->unwind, &session->hv, ops);
}

static void done(struct session *session, struct xcx_err *err)
{
    xcx_sender_done(&session->sender);
    xcx_unwind_all(&session->unwind, err);
    xcx_out_done(&session->out);
    xcx_memory_done(&session->memory);
    xcx_canary_done(&session->rounds.canary);
    xcx_logdirty_free(session->rounds.log);
    xcx_types_free(session->types);
    if (session->guest)
        session->guest->ops->done(session->guest);
    xcx_hv_close(&session->hv);
}

int xcx_save(const struct xcx_save_params *params,
             const struct xcx_save_ops *ops, struct xcx_save_stats *ret_stats,
             struct xcx_err *err)
{
    XCX_AUTO_FREE struct session *session = NULL;
    int rc;

    if (!ops->suspend)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "save without suspend()");
    session = malloc(sizeof(*session));
    if (!session)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "state of a save");
    init(session, params, ops);
    rc = save(session, err);
    done(session, err);

    session->stats.total_bytes = session->writer.bytes;
    session->stats.total_ns = xcx_clock_ns() - session->start_ns;
    if (ops->stats)
        ops->stats(ops->opaque, &session->stats);
    if (ret_stats)
        *ret_stats = session->stats;
    return rc;
}
