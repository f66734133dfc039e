/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor: waits for a guest to shut down and then does what its configuration
 * says, as the process does that xl leaves behind for each guest. xl's own ends
 * when the guest suspends; after a migration that failed, this one takes its
 * place, until the guest is gone, or suspends again.
 *
 *   shutdown reason  poweroff  reboot  crash  watchdog  soft reset   suspend
 *   configuration    on_…      on_…    on_…   on_…      on_…            │
 *        └▶ destroy, restart, rename and restart, preserve,        ends ◀┘
 *           core dump and destroy or restart, soft reset
 *
 * Ends also, like xl's, when the guest is destroyed by others or preserved.
 */
#ifndef XL_MIGRATE_MONITOR_H
#define XL_MIGRATE_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "domain.h"
#include "host.h"
#include "xcext.h"

/* The log's name begins so, as xl's does. */
#define MONITOR_LOG_PREFIX "xl-"

/*
 * Starts one for the domain in a process of its own: `xl-migrate monitor
 * DOMID`, in the background, its lines in /var/log/xen/xl-NAME.log. Returns
 * once it watches. Does nothing if there is one still after three seconds:
 * xl's own that has not noticed that the guest was suspended, say. Only for a
 * guest that was. Errors: RESOURCE.
 */
int monitor_start(const struct domain *domain, struct xcx_err *err);

/*
 * Whether a monitor of the guest called name runs: a process whose standard
 * output is that log. proc_dir: "/proc".
 */
bool monitor_is_running(const char *proc_dir, const char *name);

/*
 * Does the work until it ends, in the calling process. ready is called once,
 * when it watches. Errors: RESOURCE.
 */
int monitor_run(struct host *host, uint32_t domid, const struct xcx_log *log,
                void (*ready)(void *opaque), void *opaque, struct xcx_err *err);

#endif
