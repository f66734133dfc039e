/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_stream.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/guardian.h"
#include "common/deadline.h"
#include "xl-migrate/domain/device_model.h"
#include "xl-migrate/domain/xenstore.h"
#include "xl-migrate/format/xl_answers.h"

/* ---- what the engine calls ----------------------------------------------- */

/* QEMU stops, but not for requests that it has not seen yet: they come first.
 */
static int stop_device_model(struct send_stream *stream, struct xcx_err *err)
{
    struct device_model model = device_model_of(stream->domain);

    if (qemu_disks_drain(&stream->disks, err))
        return -1;
    return device_model_save(&model, true, &stream->state_fd,
                             &stream->state_bytes, err);
}

/* The guest stands: from here on its QEMU writes nothing to its disks. */
static int settle_qemu(struct send_stream *stream, struct xcx_err *err)
{
    bool has_model = stream->domain->kind == DOMAIN_HVM;

    if (has_model ? stop_device_model(stream, err)
                  : qemu_disks_settle(&stream->disks, err))
        return -1;
    if (has_model || stream->disks.nr)
        stream->times.model_ns = deadline_now_ns();
    return 0;
}

static int on_prepare_suspend(void *opaque, struct xcx_err *err)
{
    struct send_stream *stream = opaque;

    return qemu_disks_flush_live(&stream->disks, err);
}

static int on_suspend(void *opaque, struct xcx_err *err)
{
    struct send_stream *stream = opaque;

    if (stream->before_suspend && stream->before_suspend(stream->opaque, err))
        return -1;
    stream->times.asked_ns = deadline_now_ns();
    if (suspend_guest(&stream->suspend, err))
        return -1;
    stream->times.stopped_ns = deadline_now_ns();
    stream->write.stall_ns = stream->params->blackout_stall_ns;
    return settle_qemu(stream, err);
}

static int on_switch_qemu_logdirty(void *opaque, bool on, struct xcx_err *err)
{
    const struct send_stream *stream = opaque;
    struct device_model model = device_model_of(stream->domain);

    return device_model_set_log_dirty(&model, on, err);
}

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    const struct send_stream *stream = opaque;

    stream->ops->log(stream->ops->opaque, level, line);
}

static void on_progress(void *opaque, const char *what, uint64_t done,
                        uint64_t total)
{
    const struct send_stream *stream = opaque;

    stream->ops->progress(stream->ops->opaque, what, done, total);
}

static void on_stats(void *opaque, const struct xcx_save_stats *stats)
{
    const struct send_stream *stream = opaque;

    stream->ops->stats(stream->ops->opaque, stats);
}

static void on_limits(void *opaque, struct xcx_policy_limits *limits)
{
    const struct send_stream *stream = opaque;

    stream->ops->limits(stream->ops->opaque, limits);
}

static void on_drain(void *opaque)
{
    const struct send_stream *stream = opaque;

    stream->ops->drain(stream->ops->opaque);
}

/* Without one a send that is killed leaves more to recover: worth a warning. */
static void start_guardian(struct send_stream *stream,
                           struct guardian *guardian)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (guardian_start(guardian, stream->domain->domid,
                       stream->params->lock_dir, &why))
        on_log(stream, XCX_LOG_WARN, why.msg);
}

static int save(struct send_stream *stream, struct xcx_err *err)
{
    struct guardian guardian = GUARDIAN_INIT;
    int rc;
    struct xcx_save_ops ops = {
        .opaque = stream,
        .suspend = on_suspend,
        .prepare_suspend = on_prepare_suspend,
        .log = on_log,
        .progress = on_progress,
        .stats = on_stats,
        .limits = on_limits,
        .drain = on_drain,
    };

    if (stream->domain->kind == DOMAIN_HVM)
        ops.switch_qemu_logdirty = on_switch_qemu_logdirty;
    start_guardian(stream, &guardian);
    rc = xcx_save(stream->params, &ops, &stream->stats, err);
    guardian_end(&guardian);
    if (rc)
        return -1;
    stream->times.memory_ns = deadline_now_ns();
    return 0;
}

/* ---- the layers ---------------------------------------------------------- */

static int write_emulator(struct send_stream *stream, struct xcx_err *err)
{
    char *pairs = NULL;
    size_t pairs_bytes = 0;
    int rc;

    if (stream->domain->kind != DOMAIN_HVM)
        return 0;
    if (xenstore_read_physmap(stream->host->xs, stream->domain->domid, &pairs,
                              &pairs_bytes, err))
        return -1;
    rc = libxl_write_xenstore(&stream->write, pairs, pairs_bytes, err);
    free(pairs);
    return rc ? -1
              : libxl_write_emulator(&stream->write, stream->state_fd,
                                     stream->state_bytes, err);
}

static int write_all(struct send_stream *stream, struct xcx_err *err)
{
    stream->times.start_ns = deadline_now_ns();
    if (libxl_write_start(&stream->write, stream->config_json, err) ||
        save(stream, err) || write_emulator(stream, err) ||
        libxl_write_end(&stream->write, err) ||
        libxl_write_bytes(&stream->write, xl_answers_go, xl_answers_go_bytes,
                          err))
        return -1;
    stream->times.end_ns = deadline_now_ns();
    return 0;
}

int send_stream_run(struct send_stream *stream, struct xcx_err *err)
{
    const struct xcx_save_params *params = stream->params;
    int rc = -1;

    stream->state_fd = -1;
    stream->write = (struct libxl_write){
        .fd = params->out_fd,
        .cancel_fd = params->cancel_fd ? *params->cancel_fd : -1,
        .stall_ns = params->live_stall_ns,
    };
    stream->disks = (struct qemu_disks){.xs = stream->host->xs,
                                        .domid = stream->domain->domid};
    if (qemu_disks_check(&stream->disks, err) ||
        suspend_prepare(&stream->suspend, stream->domain,
                        stream->suspend_timeout_s, err))
        goto out;
    stream->suspend.cancel_fd = stream->write.cancel_fd;
    rc = write_all(stream, err);
out:
    stream->bytes = stream->write.bytes + stream->stats.total_bytes;
    suspend_done(&stream->suspend);
    if (stream->state_fd >= 0)
        close(stream->state_fd);
    stream->state_fd = -1;
    return rc;
}
