/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#include "common/cancel.h"
#include "common/guardian.h"
#include "common/qemu_disks.h"
#include "common/record.h"
#include "common/saver.h"
#include "own_limits.h"

#define NS_PER_MS          UINT64_C(1000000)
#define NS_PER_S           UINT64_C(1000000000)

#define RECORD_INTERVAL_NS NS_PER_S

/*
 * The limits for the reader of the stream, which may be a slow disk: xl has no
 * limit for that. xl resumes the guest when a save has failed.
 */
#define LIVE_STALL_NS     (1800 * NS_PER_S)
#define BLACKOUT_STALL_NS (300 * NS_PER_S)

struct session {
    struct parent *parent;
    const struct arguments *arguments;
    const struct config *config;
    struct record record;
    uint64_t recorded_ns; /* monotonic, when the running file was renewed */
    bool record_failed;   /* warned already */
    struct qemu_disks disks;
    uint64_t flush_ns; /* that flushing them took while the guest ran */
    struct guardian guardian;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- what the library calls -------------------------------------------- */

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    static const enum message_level levels[] = {
        [XCX_LOG_DEBUG] = MESSAGE_LEVEL_DEBUG,
        [XCX_LOG_INFO] = MESSAGE_LEVEL_DETAIL,
        [XCX_LOG_WARN] = MESSAGE_LEVEL_WARN,
        [XCX_LOG_ERROR] = MESSAGE_LEVEL_ERROR,
    };
    const struct session *session = opaque;

    if ((unsigned)level >= session->config->log_level)
        parent_log(session->parent, levels[level], MESSAGE_NO_ERRNO, line);
}

static void tell(struct session *session, enum xcx_log_level level,
                 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void tell(struct session *session, enum xcx_log_level level,
                 const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    on_log(session, level, line);
}

/* The record is worth one warning, never a failure. */
static void warn_of_record(struct session *session, const struct xcx_err *err)
{
    if (session->record_failed)
        return;
    session->record_failed = true;
    tell(session, XCX_LOG_WARN, "no statistics: %s", err->msg);
}

static void renew_record(struct session *session, const char *what,
                         uint64_t done, uint64_t total)
{
    struct xcx_err err = XCX_ERR_INIT;

    session->recorded_ns = now_ns();
    if (record_running(&session->record, what, done, total, &err) < 0)
        warn_of_record(session, &err);
}

static void on_progress(void *opaque, const char *what, uint64_t done,
                        uint64_t total)
{
    struct session *session = opaque;

    parent_progress(session->parent, what, done, total);
    if (now_ns() - session->recorded_ns >= RECORD_INTERVAL_NS)
        renew_record(session, what, done, total);
}

static void on_stats(void *opaque, const struct xcx_save_stats *stats)
{
    struct session *session = opaque;
    struct xcx_err err = XCX_ERR_INIT;

    if (record_stats(&session->record, stats, &err) < 0)
        warn_of_record(session, &err);
}

/* libxl does not stop the QEMU of a PV or PVH guest: see qemu_disks.h. */
static int settle_disks(struct session *session, struct xcx_err *err)
{
    uint64_t start_ns = now_ns();

    if (qemu_disks_settle(&session->disks, err) < 0)
        return -1;
    if (session->disks.nr)
        tell(session, XCX_LOG_INFO,
             "flushed %u disks that QEMU serves in %" PRIu64 " ms while the "
             "guest ran, and %" PRIu64 " ms while it stood",
             session->disks.nr, session->flush_ns / NS_PER_MS,
             (now_ns() - start_ns) / NS_PER_MS);
    return 0;
}

static int on_prepare_suspend(void *opaque, struct xcx_err *err)
{
    struct session *session = opaque;
    uint64_t start_ns = now_ns();

    if (qemu_disks_flush_live(&session->disks, err) < 0)
        return -1;
    session->flush_ns += now_ns() - start_ns;
    return 0;
}

static int on_suspend(void *opaque, struct xcx_err *err)
{
    struct session *session = opaque;

    /* A helper that began since may have suspended the guest for itself. */
    if (saver_refuse(SAVER_PROC, session->arguments->domid, err) ||
        parent_suspend(session->parent, err) < 0)
        return -1;
    return settle_disks(session, err);
}

static int on_switch_qemu_logdirty(void *opaque, bool on, struct xcx_err *err)
{
    struct session *session = opaque;

    return parent_switch_qemu_logdirty(session->parent,
                                       session->arguments->domid, on, err);
}

/* ---- a save ------------------------------------------------------------ */

static int engine(struct session *session, const struct cancel *cancel,
                  struct xcx_save_stats *ret_stats, struct xcx_err *err)
{
    const struct arguments *arguments = session->arguments;
    struct xcx_save_params params = {
        .domid = arguments->domid,
        .out_fd = arguments->io_fd,
        .cancel_fd = &cancel->fd,
        .live = arguments->flags & SAVE_FLAG_LIVE,
        .verify = arguments->flags & SAVE_FLAG_DEBUG,
    };
    struct xcx_save_ops ops = {
        .opaque = session,
        .suspend = on_suspend,
        .prepare_suspend = on_prepare_suspend,
        .log = on_log,
        .progress = on_progress,
        .stats = on_stats,
    };

    if (arguments->callbacks & CALLBACK_SWITCH_QEMU_LOGDIRTY)
        ops.switch_qemu_logdirty = on_switch_qemu_logdirty;
    config_apply(session->config, &params);
    params.live_stall_ns = LIVE_STALL_NS;
    params.blackout_stall_ns = BLACKOUT_STALL_NS;
    renew_record(session, "starting", 0, 0);
    if (xcx_save(&params, &ops, ret_stats, err) == 0)
        return 0;
    xcx_err_set(err, XCX_ERR_BUG, 0, "save failed without a reason");
    if (err->kind == XCX_ERR_CANCELLED && cancel_reason(cancel))
        xcx_err_prefix(err, "%s", cancel_reason(cancel));
    return -1;
}

/* Before anything is done, so that the guest never stands for a refusal. */
static int open_disks(struct session *session, struct xcx_err *err)
{
    session->disks = (struct qemu_disks){.xs = xs_open(0),
                                         .domid = session->arguments->domid};
    if (!session->disks.xs)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "xenstore");
    return qemu_disks_check(&session->disks, err);
}

static void close_disks(struct session *session)
{
    if (session->disks.xs)
        xs_close(session->disks.xs);
    session->disks.xs = NULL;
}

/* Without one a save that is killed leaves more behind: worth a warning. */
static void start_guardian(struct session *session)
{
    const char *lock_dir = session->config->lock_dir;
    struct xcx_err err = XCX_ERR_INIT;

    if (guardian_start(&session->guardian, session->arguments->domid,
                       lock_dir[0] ? lock_dir : NULL, &err) < 0)
        on_log(session, XCX_LOG_WARN, err.msg);
}

static int save(struct session *session, struct xcx_save_stats *ret_stats,
                struct xcx_err *err)
{
    struct cancel cancel = CANCEL_INIT;
    int rc = -1;

    if (parent_move_pipes(session->parent, err) == 0 &&
        parent_take_fds(session->arguments->io_fd, session->arguments->back_fd,
                        err) == 0 &&
        saver_refuse(SAVER_PROC, session->arguments->domid, err) == 0 &&
        cancel_init(&cancel, session->parent->in_fd, "libxl is gone", err) ==
            0 &&
        open_disks(session, err) == 0) {
        start_guardian(session);
        rc = engine(session, &cancel, ret_stats, err);
        guardian_end(&session->guardian);
    }
    close_disks(session);
    cancel_done(&cancel);
    return rc;
}

static void summarise(struct session *session,
                      const struct xcx_save_stats *stats)
{
    char forecast[64] = "none";

    if (stats->stop_reason && stats->predicted_blackout_ns != UINT64_MAX)
        snprintf(forecast, sizeof(forecast), "%" PRIu64 " ms",
                 stats->predicted_blackout_ns / NS_PER_MS);
    tell(session, XCX_LOG_INFO,
         "saved %" PRIu64 " MiB in %" PRIu64 " ms, %u rounds; blackout "
         "%" PRIu64 " ms, forecast %s; %s",
         stats->total_bytes >> 20, stats->total_ns / NS_PER_MS,
         stats->nr_rounds, stats->blackout_ns / NS_PER_MS, forecast,
         stats->stop_reason ? stats->stop_reason : "not live");
}

static int complete(struct parent *parent, const struct xcx_err *outcome)
{
    struct xcx_err err = XCX_ERR_INIT;
    bool failed = xcx_err_is_set(outcome);

    if (parent_complete(parent, failed ? -1 : 0,
                        failed ? xcx_err_to_errno(outcome) : 0, &err) < 0)
        return 1;
    return 0;
}

int save_refuse(struct parent *parent, const struct xcx_err *why)
{
    signal(SIGPIPE, SIG_IGN);
    parent_log(parent, MESSAGE_LEVEL_ERROR, MESSAGE_NO_ERRNO, why->msg);
    return complete(parent, why);
}

int save_run(const struct arguments *arguments, const struct config *config,
             struct parent *parent)
{
    struct session session = {
        .parent = parent,
        .arguments = arguments,
        .config = config,
        .guardian = GUARDIAN_INIT,
    };
    struct xcx_save_stats stats = {.domid = arguments->domid};
    struct xcx_err outcome = XCX_ERR_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    struct timespec started;
    int status;

    signal(SIGPIPE, SIG_IGN);
    own_limits_offer_to_oom_killer();
    clock_gettime(CLOCK_REALTIME, &started);
    record_init(&session.record, RECORD_SAVE, config->stats_dir,
                config->run_dir, arguments->domid, &started);
    session.record.nr_keep = config->stats_keep;
    if (save(&session, &stats, &outcome) == 0)
        summarise(&session, &stats);
    else
        tell(&session, XCX_LOG_ERROR, "%s", outcome.msg);
    /* First the file, since libxl reads no more after "complete". */
    on_stats(&session, &stats);
    if (record_end(&session.record, &outcome, &err) < 0)
        warn_of_record(&session, &err);
    status = complete(parent, &outcome);
    record_done(&session.record);
    return status;
}
