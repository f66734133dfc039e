/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_stream: all that a receiving xl needs of a guest, written to it: the
 * layers of xl and libxl around the engine's stream, and within the engine's
 * suspend callback the guest and its device model.
 *
 *   xl header, configuration, libxl header, LIBXC_CONTEXT
 *   ├─ engine: rounds, then suspend ─▶ guest suspended, disks that QEMU serves
 *   │          flushed (qemu_disks.h), device model stopped and its state
 *   │          taken, the rest of memory, CPU state
 *   EMULATOR_XENSTORE_DATA, EMULATOR_CONTEXT (HVM), END, xl's permission
 *
 * After a failure the guest may be suspended and its device model stopped:
 * a look shows it, and domain_resume() brings both back.
 *
 * Blocking: for the whole of it; cancel_fd interrupts. SIGPIPE must be
 * ignored. Threads: one at a time.
 */
#ifndef XL_MIGRATE_SEND_STREAM_H
#define XL_MIGRATE_SEND_STREAM_H

#include <stdint.h>

#include "common/qemu_disks.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/format/libxl_write.h"
#include "xl-migrate/domain/suspend.h"
#include "xcext.h"

/* When (CLOCK_MONOTONIC); 0: it did not come to that. */
struct send_times {
    uint64_t start_ns;   /* the first byte */
    uint64_t asked_ns;   /* the guest to suspend */
    uint64_t stopped_ns; /* it has */
    uint64_t model_ns;   /* QEMU has flushed its disks and given its state */
    uint64_t memory_ns;  /* the engine's stream has ended */
    uint64_t end_ns;     /* all is written */
};

struct send_stream {
    /* The caller's. */
    struct host *host;
    const struct domain *domain;
    const char *config_json;
    const struct xcx_save_params *params; /* out_fd and cancel_fd set */
    const struct xcx_save_ops *ops; /* without suspend, switch_qemu_logdirty */
    unsigned suspend_timeout_s;
    /* Optional: it is about to be asked to suspend; an error forbids it. */
    int (*before_suspend)(void *opaque, struct xcx_err *err);
    void *opaque;
    /* Filled. */
    struct xcx_save_stats stats;
    struct send_times times;
    uint64_t bytes; /* of all layers */
    /* Private. */
    struct qemu_disks disks;
    struct suspend suspend;
    struct libxl_write write;
    int state_fd;
    uint64_t state_bytes;
};

/*
 * stream zeroed but for the caller's part. Errors: the engine's and those of
 * suspend.h, device_model.h, libxl_write.h.
 */
int send_stream_run(struct send_stream *stream, struct xcx_err *err);

#endif
