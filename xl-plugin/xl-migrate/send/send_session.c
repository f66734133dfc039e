/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_session.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "xl-migrate/handover/cases.h"
#include "common/deadline.h"
#include "drain.h"
#include "xl-migrate/domain/guest_log.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/wire/transport_ssh.h"

#define HEAR_INTERVAL_NS (NS_PER_S / 5)
/* How long what there is already is heard, if there is ever more of it. */
#define HEAR_NS (NS_PER_S / 10)
/* By when it says why it takes no more data. */
#define LAST_WORD_MS 2000

/* ---- log ----------------------------------------------------------------- */

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    struct send_session *session = opaque;
    enum xcx_log_level lowest =
        session->options->quiet ? XCX_LOG_WARN : XCX_LOG_INFO;

    /* Lines below that level are libxl's and Xen's own, and many. */
    if (lowest < (enum xcx_log_level)session->config.log_level)
        lowest = (enum xcx_log_level)session->config.log_level;
    if (level >= lowest)
        progress_say(&session->progress, line);
}

/* ---- the record ---------------------------------------------------------- */

static void warn_of_record(struct send_session *session,
                           const struct xcx_err *err)
{
    if (!session->record_failed)
        xcx_log(&session->log, XCX_LOG_WARN, "no statistics: %s", err->msg);
    session->record_failed = true;
}

static void renew_record(struct send_session *session, const char *what,
                         uint64_t done, uint64_t total)
{
    struct xcx_err err = XCX_ERR_INIT;

    session->recorded_ns = deadline_now_ns();
    if (record_running(&session->record, what, done, total, &err))
        warn_of_record(session, &err);
}

void send_session_end_record(struct send_session *session,
                             const struct xcx_err *outcome)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (record_stats(&session->record, &session->stream.stats, &err) ||
        record_end(&session->record, outcome, &err))
        warn_of_record(session, &err);
}

/* ---- the control socket -------------------------------------------------- */

static void on_status(void *opaque, struct status *status)
{
    struct send_session *session = opaque;
    struct xcx_policy_limits limits = status->limits;

    session->progress.status.elapsed_ms =
        (deadline_now_ns() - session->start_ns) / 1000000;
    *status = session->progress.status;
    status->domid = session->domain.domid;
    status->limits = limits;
}

static int on_cancel(void *opaque, struct xcx_err *err)
{
    struct send_session *session = opaque;

    if (session->journal.entry > HANDOVER_SUSPENDING)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "the target may have started the domain already");
    session->stop_asked = true;
    cancel_request(&session->cancel);
    return 0;
}

void send_session_open_control(struct send_session *session)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct timespec started;

    clock_gettime(CLOCK_REALTIME, &started);
    record_init(&session->record, RECORD_SAVE, session->config.stats_dir,
                session->config.run_dir, session->domain.domid, &started);
    session->record.nr_keep = session->config.stats_keep;
    renew_record(session, "starting", 0, 0);
    session->control_ops = (struct control_ops){
        .opaque = session, .status = on_status, .cancel = on_cancel};
    if (session->config.run_dir[0] &&
        control_open(&session->control, session->config.run_dir,
                     session->domain.domid, &session->params.limits,
                     &session->control_ops, &err))
        xcx_log(&session->log, XCX_LOG_WARN,
                "no status, cancel and tune from elsewhere: %s", err.msg);
}

/* ---- the target, in passing ---------------------------------------------- */

void send_session_told(void *opaque, const struct peer_message *message)
{
    const struct send_session *session = opaque;

    if (message->news == PEER_LOG)
        xcx_log(&session->log, message->level, "%s: %s", session->address.host,
                message->text);
}

/* A target that gives up or is lost ends the save. */
static void hear_until(struct send_session *session, uint64_t deadline_ns)
{
    struct peer_message message;
    struct xcx_err err = XCX_ERR_INIT;

    uint64_t end_ns = deadline_now_ns() + HEAR_NS;

    if (end_ns < deadline_ns)
        end_ns = deadline_ns;
    session->heard_ns = deadline_now_ns();
    do {
        if (xcx_err_is_set(&session->told))
            return;
        if (session->peer->ops->hear(session->peer, deadline_ns, &message,
                                     &err)) {
            session->told = err;
            cancel_request(&session->cancel);
            return;
        }
        send_session_told(session, &message);
        if (message.news == PEER_WORD) {
            xcx_err_set(&session->told, XCX_ERR_PEER, 0, "%.40s says %s%s%s",
                        session->address.host, handover_word_name(message.word),
                        message.text[0] ? ": " : "", message.text);
            cancel_request(&session->cancel);
        }
    } while (message.news != PEER_NOTHING && deadline_now_ns() < end_ns);
}

void send_session_set_copying(struct send_session *session, bool copying)
{
    __atomic_store_n(&session->copying, copying, __ATOMIC_RELAXED);
}

/*
 * In another thread. Nobody hears words while data is written; later a loss is
 * no reason to want back what may have been let go.
 */
static void on_gone(void *opaque)
{
    const struct send_session *session = opaque;

    if (__atomic_load_n(&session->copying, __ATOMIC_RELAXED))
        cancel_request(&session->cancel);
}

/* In another thread: the copying one may wait for a link that stands still. */
static void on_guest_ended(void *opaque)
{
    const struct send_session *session = opaque;

    cancel_request(&session->cancel);
}

void send_session_watch_guest(struct send_session *session)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (guest_watch_start(&session->watch, session->domain.domid,
                          on_guest_ended, session, &err))
        xcx_log(&session->log, XCX_LOG_WARN,
                "the end of the guest may be noticed late: %s", err.msg);
}

void send_session_end_watch(struct send_session *session)
{
    enum guest_end end = guest_watch_stop(&session->watch);

    /* xl may have been faster: then its log says why it has destroyed it. */
    if (end == GUEST_DESTROYED)
        end = guest_log_end(GUEST_LOG_DIR, session->domain.name,
                            session->domain.domid);
    if (!session->guest_end)
        session->guest_end = end;
}

/* Reads pending messages of the target; on failure the reason is in told. */
static void hear(struct send_session *session)
{
    hear_until(session, 0);
}

void send_session_explain(struct send_session *session, struct xcx_err *why)
{
    const char *reason = cancel_reason(&session->cancel);
    bool listens = session->begun && session->peer;
    bool is_closed = why->kind == XCX_ERR_IO &&
                     (why->os_errno == EPIPE || why->os_errno == ECONNRESET);

    /* Data that cannot be written is how its giving up is noticed first. */
    if (listens && is_closed && session->peer->plugin)
        hear_until(session, deadline_in_ms(LAST_WORD_MS));
    else if (listens &&
             (why->kind == XCX_ERR_IO || why->kind == XCX_ERR_CANCELLED))
        hear(session);
    if (session->guest_end) {
        *why = XCX_ERR_INIT;
        xcx_err_set(why, XCX_ERR_GUEST, 0, "%s %s %s its memory was copied",
                    session->domain.name, guest_end_text(session->guest_end),
                    session->stream.times.start_ns ? "while" : "before");
    } else if (xcx_err_is_set(&session->told))
        *why = session->told;
    else if (why->kind == XCX_ERR_CANCELLED && reason)
        xcx_err_prefix(why, "%s", reason);
}

/* ---- what the engine calls ----------------------------------------------- */

static void on_progress(void *opaque, const char *what, uint64_t done,
                        uint64_t total)
{
    struct send_session *session = opaque;
    uint64_t now_ns = deadline_now_ns();

    progress_pages(&session->progress, what, done, total, now_ns);
    control_serve(&session->control);
    if (now_ns - session->recorded_ns >= NS_PER_S)
        renew_record(session, what, done, total);
    if (now_ns - session->heard_ns >= HEAR_INTERVAL_NS)
        hear(session);
}

static void on_stats(void *opaque, const struct xcx_save_stats *stats)
{
    struct send_session *session = opaque;
    struct xcx_err err = XCX_ERR_INIT;

    progress_stats(&session->progress, stats);
    if (record_stats(&session->record, stats, &err))
        warn_of_record(session, &err);
}

static void on_limits(void *opaque, struct xcx_policy_limits *limits)
{
    struct send_session *session = opaque;

    control_serve(&session->control);
    if (session->control.fd >= 0)
        *limits = session->control.limits;
    if (limits->bandwidth_bytes_per_s)
        session->was_limited = true;
}

static uint64_t queued_bytes(void *opaque)
{
    const struct send_session *session = opaque;

    return session->peer->ops->queued_bytes(session->peer);
}

static void serve(void *opaque)
{
    struct send_session *session = opaque;

    control_serve(&session->control);
    if (deadline_now_ns() - session->heard_ns >= HEAR_INTERVAL_NS)
        hear(session);
}

static void on_drain(void *opaque)
{
    struct send_session *session = opaque;
    const struct drain drain = {
        .opaque = session,
        .queued_bytes = queued_bytes,
        .serve = serve,
        .cancel_fd = session->cancel.fd,
        .stuck_ns = DRAIN_STUCK_NS,
    };

    drain_wait(&drain);
}

const struct xcx_save_ops send_session_ops = {
    .log = on_log,
    .progress = on_progress,
    .stats = on_stats,
    .limits = on_limits,
    .drain = on_drain,
};

/* ---- opening and closing ------------------------------------------------- */

int send_session_init(struct send_session *session,
                      const struct send_options *options,
                      const struct config *config, struct xcx_err *err)
{
    uint64_t now_ns = deadline_now_ns();

    memset(session, 0, sizeof(*session));
    session->options = options;
    session->config = *config;
    session->log = (struct xcx_log){.emit = on_log, .opaque = session};
    session->cancel = CANCEL_INIT;
    session->lock_fd = -1;
    session->journal = JOURNAL_INIT;
    session->control = CONTROL_INIT;
    session->watch = GUEST_WATCH_INIT;
    session->same = SEND_SAME_INIT;
    session->hold = SEND_HOLD_INIT;
    session->start_ns = now_ns;
    session->source = (struct source_domain){
        .host = &session->host,
        .journal = &session->journal,
        .lock_dir =
            session->config.lock_dir[0] ? session->config.lock_dir : NULL,
        .log = &session->log,
    };
    transport_ssh_command(options->ssh ? options->ssh
                                       : session->config.remote_command,
                          (unsigned)session->config.peer_timeout_s,
                          session->ssh, sizeof(session->ssh));
    session->address = (struct peer_address){
        .host = options->host,
        .ssh = session->ssh,
        .kind = options->kind,
        .timeout_s = (unsigned)session->config.peer_timeout_s,
        .log = &session->log,
        .cancel_fd = &session->cancel.fd,
        .gone = on_gone,
        .opaque = session,
    };
    progress_init(&session->progress, stderr,
                  "xl-migrate send: ", isatty(STDERR_FILENO), options->quiet,
                  now_ns);
    snprintf(session->progress.status.host,
             sizeof(session->progress.status.host), "%s", options->host);
    report_init(&session->report);
    snprintf(session->report.host, sizeof(session->report.host), "%s",
             options->host);
    snprintf(session->report.name, sizeof(session->report.name), "%s",
             options->domain);
    signal(SIGPIPE, SIG_IGN);
    return cancel_init(&session->cancel, -1, NULL, err);
}

void send_session_done(struct send_session *session)
{
    progress_end(&session->progress);
    guest_watch_stop(&session->watch);
    peer_close(&session->peer);
    control_close(&session->control);
    record_done(&session->record);
    journal_close(&session->journal);
    cases_unlock_domain(session->config.journal_dir, session->domain.uuid,
                        &session->lock_fd);
    send_hold_release(&session->hold);
    send_same_done(&session->same);
    free(session->config_json);
    session->config_json = NULL;
    host_close(&session->host);
    cancel_done(&session->cancel);
}

void send_session_look_after(struct send_session *session)
{
    uint64_t for_s = session->config.suspend_timeout_s;

    if (!session->stream.suspend.may_stop_late)
        return;
    session->looked_after_ns = deadline_now_ns() + for_s * NS_PER_S;
    xcx_log(&session->log, XCX_LOG_WARN,
            "%s was asked to suspend and may still do so: it is looked after "
            "for %u s, and then runs on",
            session->domain.name, (unsigned)for_s);
}
