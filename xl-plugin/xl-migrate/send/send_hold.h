/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_hold: keeps other programs from changing a guest's configuration, by
 * libxl's own lock, from the last comparison before GO until the guest's copy
 * here is gone or goes on.
 *
 * Without it an `xl block-attach` of that moment would succeed on a domain that
 * is about to be destroyed, and the guest at the target would not have its
 * disk. libxl takes the lock for each change of a device, of the memory target
 * and of the configuration, waits for it without a limit, and looks whether
 * the domain is there once it has the lock:
 *
 *   send_hold_take()     before the comparison; libxl's changes wait from then
 *   send_hold_unname()   before libxl destroys the domain: it takes the lock
 *                        itself, and makes a file of its own for that. Who
 *                        waited waits on
 *   send_hold_release()  the domain is gone: who waited finds none, and fails.
 *                        Or the guest is about to go on here: the change comes
 *   send_hold_expire()   now and then: gives it back after SEND_HOLD_MS, as
 *                        `xl list -l` waits for it, too
 *
 * What is left: a change that begins while libxl destroys the domain, as beside
 * any `xl destroy`; one that begins when the target has not answered for
 * SEND_HOLD_MS after GO, or when send has died after it; and vcpu-set and
 * rename, which take no lock: a rename is seen at GO (source_domain_may_go()),
 * the number of vCPUs is not.
 *
 * No call of libxl's that takes the lock may be made while it is held: it would
 * wait for itself. From take to release those are domain_config_json(),
 * domain_destroy() (see unname) and monitor_start().
 *
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_SEND_HOLD_H
#define XL_MIGRATE_SEND_HOLD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "xl-migrate/domain/domain.h"
#include "xcext.h"

#define SEND_HOLD_MS 10000

struct send_hold {
    int fd;     /* -1: not held */
    bool named; /* its file has its name still */
    uint64_t until_ns;
    char path[PATH_MAX];
};

#define SEND_HOLD_INIT ((struct send_hold){.fd = -1})

/*
 * libxl_dir: SEND_SAME_LIBXL_DIR; where it is not there, nothing is held.
 * Held already: nothing. GUEST: another program holds it for longer than
 * timeout_ms, and so changes the guest; RESOURCE.
 */
int send_hold_take(struct send_hold *hold, const char *libxl_dir,
                   const struct domain *domain, unsigned timeout_ms,
                   struct xcx_err *err);

/* All three: nothing where nothing is held. */
void send_hold_unname(struct send_hold *hold);
void send_hold_release(struct send_hold *hold);
void send_hold_expire(struct send_hold *hold);

#endif
