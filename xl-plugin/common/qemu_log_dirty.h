/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_log_dirty: switches off the log-dirty mode that a save which was killed
 * has left on in the guest's device model.
 *
 * QEMU ends itself by an assertion when it is told to switch off a mode that
 * is off, and does not tell which it is. So the mode is first switched on,
 * which QEMU takes twice.
 *
 * Another save may need the mode. The caller has xcext.h's lock, so no save of
 * ours has begun; and a helper of another program is looked for once libxl's
 * lock for QEMU is held: one that starts later switches the mode on later.
 *
 *   lock of libxl for QEMU ─▶ no save helper? ─▶ on ─▶ off ─▶ unlock
 */
#ifndef COMMON_QEMU_LOG_DIRTY_H
#define COMMON_QEMU_LOG_DIRTY_H

#include "qemu_socket.h"
#include "xcext.h"

#define QEMU_LOG_DIRTY_MS 10000

/*
 * Blocks for QEMU_LOG_DIRTY_MS at most. 0 also where there is nothing to do: no
 * HVM guest, or another save is at work, which switches it off at its end.
 * Errors: PEER, IO, RESOURCE.
 */
int qemu_log_dirty_end(const struct qemu_socket *socket, struct xcx_err *err);

#endif
