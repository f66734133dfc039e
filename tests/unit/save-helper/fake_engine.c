/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xcx_save() and xcx_restore() without Xen, for tests of the program around
 * them. What they do is one word in the environment variable FAKE_ENGINE:
 *
 *   ok      every callback, then success
 *   wait    log-dirty on; waits for the cancel fd; log-dirty off; CANCELLED
 *   fail    a hypercall error with EBUSY
 *   silent  fails without an error
 *   stdout  prints on stdout, then success
 *
 * A restore knows ok, fail, silent and wait, which is for a signal.
 *
 * With the variable FAKE_LIMITS set, an ok restore logs what limits it runs in.
 *
 * The xenstore around them is empty, but for a disk of domain 7 whose backend
 * is in the variable FAKE_DISK, if it is set.
 */
#include "xcext.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "unit/fake_xenstore.h"

static __attribute__((constructor)) void fill_xenstore(void)
{
    const char *backend = getenv("FAKE_DISK");

    if (backend) {
        fake_xenstore_set("/libxl/7/device/vbd/51712", "", 0);
        fake_xenstore_set("/libxl/7/device/vbd/51712/backend", backend, 0);
    }
}

static void log_params(const struct xcx_save_params *params,
                       const struct xcx_save_ops *ops)
{
    char line[256];

    snprintf(line, sizeof(line),
             "domid %u live %d verify %d workers %u qemu %d cloexec %d "
             "nonblock %d back %d on_slow %d",
             params->domid, params->live, params->verify, params->nr_workers,
             ops->switch_qemu_logdirty != NULL,
             fcntl(params->out_fd, F_GETFD) == FD_CLOEXEC,
             (fcntl(params->out_fd, F_GETFL) & O_NONBLOCK) != 0,
             fcntl(params->out_fd + 1, F_GETFD) >= 0, params->limits.on_slow);
    ops->log(ops->opaque, XCX_LOG_DEBUG, line);
    ops->log(ops->opaque, XCX_LOG_INFO, "info");
    ops->log(ops->opaque, XCX_LOG_WARN, "warn");
}

static int succeed(const struct xcx_save_params *params,
                   const struct xcx_save_ops *ops, struct xcx_save_stats *stats,
                   struct xcx_err *err)
{
    log_params(params, ops);
    stats->domid = params->domid;
    stats->total_bytes = 5 << 20;
    stats->total_ns = 7000000;
    stats->nr_rounds = 2;
    stats->blackout_ns = 3000000;
    stats->predicted_blackout_ns = 2000000;
    stats->stop_reason = "enough";
    ops->stats(ops->opaque, stats);
    ops->progress(ops->opaque, "round 0", 50, 100);
    if (ops->switch_qemu_logdirty &&
        ops->switch_qemu_logdirty(ops->opaque, true, err) < 0)
        return -1;
    if (ops->prepare_suspend(ops->opaque, err) < 0 ||
        ops->suspend(ops->opaque, err) < 0)
        return -1;
    if (write(params->out_fd, "memory", 6) != 6)
        return xcx_err_set(err, XCX_ERR_IO, errno, "stream");
    if (ops->switch_qemu_logdirty)
        return ops->switch_qemu_logdirty(ops->opaque, false, err);
    return 0;
}

static int wait_for_cancel(const struct xcx_save_params *params,
                           const struct xcx_save_ops *ops, struct xcx_err *err)
{
    struct pollfd pollfd = {.fd = *params->cancel_fd, .events = POLLIN};

    if (ops->switch_qemu_logdirty(ops->opaque, true, err) < 0)
        return -1;
    poll(&pollfd, 1, -1);
    xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
    ops->switch_qemu_logdirty(ops->opaque, false, err);
    return -1;
}

int xcx_save(const struct xcx_save_params *params,
             const struct xcx_save_ops *ops, struct xcx_save_stats *ret_stats,
             struct xcx_err *err)
{
    const char *word = getenv("FAKE_ENGINE");

    if (word && strcmp(word, "wait") == 0)
        return wait_for_cancel(params, ops, err);
    if (word && strcmp(word, "fail") == 0)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, EBUSY, "enable log-dirty");
    if (word && strcmp(word, "silent") == 0)
        return -1;
    if (word && strcmp(word, "stdout") == 0) {
        printf("stray output\n");
        fflush(stdout);
    }
    return succeed(params, ops, ret_stats, err);
}

/* What the helper has set for itself, and that a restore has room in it. */
static void log_limits(const struct xcx_restore_ops *ops)
{
    struct xcx_bitmap fits = {0}, too_large = {0};
    struct xcx_err err = XCX_ERR_INIT;
    char line[512], points[16] = "";
    FILE *file = fopen("/proc/self/oom_score_adj", "re");

    if (file && fgets(points, sizeof(points), file))
        points[strcspn(points, "\n")] = '\0';
    if (file)
        fclose(file);
    ops->address_space(ops->opaque, UINT64_C(1) << 30);
    xcx_bitmap_init(&fits, UINT64_C(8) * 900 << 20, &err);
    xcx_bitmap_init(&too_large, UINT64_C(8) * 900 << 20, &err);
    snprintf(line, sizeof(line), "oom %s fits %d too large %d: %s", points,
             fits.words != NULL, too_large.words != NULL,
             strstr(err.msg, "RLIMIT_AS") ? "named" : err.msg);
    xcx_bitmap_done(&fits);
    ops->log(ops->opaque, XCX_LOG_INFO, line);
}

static int restore_ok(const struct xcx_restore_params *params,
                      const struct xcx_restore_ops *ops,
                      struct xcx_restore_results *ret_results,
                      struct xcx_restore_stats *ret_stats, struct xcx_err *err)
{
    char line[256];

    snprintf(line, sizeof(line),
             "domid %u store %u %u console %u %u workers %u cloexec %d back %d",
             params->domid, params->store_port, params->store_domid,
             params->console_port, params->console_domid, params->nr_workers,
             fcntl(params->in_fd, F_GETFD) == FD_CLOEXEC,
             fcntl(params->in_fd + 1, F_GETFD) >= 0);
    ops->log(ops->opaque, XCX_LOG_INFO, line);
    if (getenv("FAKE_LIMITS"))
        log_limits(ops);
    if (ops->static_data_done &&
        ops->static_data_done(ops->opaque, XCX_MISSING_MSR, err) < 0)
        return -1;
    *ret_results = (struct xcx_restore_results){.store_frame = 0x1000000000005,
                                                .console_frame = 6};
    *ret_stats = (struct xcx_restore_stats){.total_bytes = 5 << 20,
                                            .total_ns = 7000000,
                                            .nr_pfns_populated = 1024,
                                            .nr_superpages = 2,
                                            .nr_pfns_given_back = 4,
                                            .complete_ns = 3000000};
    return 0;
}

int xcx_restore(const struct xcx_restore_params *params,
                const struct xcx_restore_ops *ops,
                struct xcx_restore_results *ret_results,
                struct xcx_restore_stats *ret_stats, struct xcx_err *err)
{
    const char *word = getenv("FAKE_ENGINE");

    if (word && strcmp(word, "fail") == 0)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "record 3 is bad");
    if (word && strcmp(word, "silent") == 0)
        return -1;
    if (word && strcmp(word, "wait") == 0) {
        ops->log(ops->opaque, XCX_LOG_INFO, "waiting");
        for (;;)
            pause();
    }
    return restore_ok(params, ops, ret_results, ret_stats, err);
}
