/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guardian: a process that undoes what a save has done to a guest when the
 * process of the save is killed (SIGKILL, the OOM killer, a fault), and that
 * frees a guest of its throttle as soon as the guest shuts down.
 *
 *   helper ── fork ──▶ guardian: waits for
 *                        the helper's word "clean"     ─▶ ends
 *                        the helper's end without it   ─▶ cap back at once;
 *                            log-dirty off, Xen's and QEMU's, once no other
 *                            helper of the guest is there and the lock is
 *                            free; ends
 *                        @releaseDomain of xenstore    ─▶ cap back, if the
 *                            guest has shut down, and not to be suspended
 *
 * The last is for a guest that reboots: xl reads the scheduler's settings of
 * the old domain for the new one. xl has the same event from xenstored, but
 * reads much more before that; if the guardian gets no CPU for so long, the
 * new domain begins with the cap.
 *
 * The guardian is forked before anything is done to the guest. It is in a
 * session of its own, ignores what a terminal or a service manager sends,
 * holds no fd of its parent's but its end of a pipe, and has another name
 * and no arguments (so that saver.h does not take it for a helper). After its
 * parent's end it lives for at most GUARDIAN_LIMIT_S. What it does goes to
 * syslog.
 */
#ifndef COMMON_GUARDIAN_H
#define COMMON_GUARDIAN_H

#include <stdint.h>

#include "xcext.h"

#define GUARDIAN_LIMIT_S 60

struct guardian {
    int fd; /* -1: none; nothing is to be written to it but by guardian_end() */
};

#define GUARDIAN_INIT ((struct guardian){.fd = -1})

/*
 * Forks the guardian of the calling process and of what it is about to do.
 * lock_dir as in xcx_save_params; copied. The child is the caller's and is
 * reaped by nobody: for programs that end soon after the save. Kind RESOURCE.
 */
int guardian_start(struct guardian *guardian, uint32_t domid,
                   const char *lock_dir, struct xcx_err *err);

/* All has been undone, or is to stay. Does not wait. Idempotent. */
void guardian_end(struct guardian *guardian);

#endif
