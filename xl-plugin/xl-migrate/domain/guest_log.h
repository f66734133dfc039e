/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_log: how a domain that is gone has ended, by the log of the xl that
 * watched it. xl writes the reason there before it acts on it:
 *
 *   /var/log/xen/xl-NAME.log   Domain 7 has shut down, reason code 3 0x3
 *
 * A guest that crashed and has on_crash=destroy is there no more when somebody
 * looks, and Xen then tells nothing but that.
 */
#ifndef XL_MIGRATE_GUEST_LOG_H
#define XL_MIGRATE_GUEST_LOG_H

#include <stdint.h>

#include "guest_watch.h"

#define GUEST_LOG_DIR "/var/log/xen"

/* By Xen's SHUTDOWN_*, of a domain that is gone or stands still for good. */
enum guest_end guest_end_of_reason(unsigned reason);

/*
 * By the end of the log of a guest called so, or of one that came here under
 * the name of an incoming one. GUEST_DESTROYED: the logs do not say. Does not
 * block; any failure is the same as a log that does not say.
 */
enum guest_end guest_log_end(const char *log_dir, const char *name,
                             uint32_t domid);

#endif
