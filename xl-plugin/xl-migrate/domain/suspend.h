/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suspend: asks a guest to suspend itself, and waits until it has.
 *
 *   event channel     the guest offers one (device/suspend/event-channel):
 *                     notify it; bound at the start, under libxl's lock file
 *   xenstore          control/shutdown = "suspend"; the guest takes the
 *                     request by emptying the node. A request not taken in
 *                     time is taken back in a transaction, so that a guest
 *                     that was only late is not left suspended unseen
 *   by Xen            an HVM guest without PV drivers, or in ACPI S3, needs
 *                     not be asked
 *
 * A suspension that another program has asked for is never taken for this
 * one: a guest that stands still, or that was asked something else, before it
 * is asked is refused, and its own sign that it took this very request is
 * required. A guest asked by the channel needs none, as libxl's lock keeps
 * other programs out; nor does one that Xen suspends. A save helper of another
 * program is looked for before the guest is asked and once it has stopped.
 *
 * Xen fires the channel, and xenstored @releaseDomain, when it has stopped;
 * both are awaited, and Xen is asked whether it has.
 *
 * The device model is not touched. Threads: one at a time.
 */
#ifndef XL_MIGRATE_SUSPEND_H
#define XL_MIGRATE_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "domain.h"
#include "xcext.h"

#define SUSPEND_TIMEOUT_S 60 /* by default, as libxl has it */

enum suspend_method { SUSPEND_EVTCHN, SUSPEND_XENSTORE, SUSPEND_BY_XEN };

struct suspend {
    struct xcx_suspender *xen; /* owned */
    struct xs_handle *xs;      /* owned; for the watches */
    uint32_t domid;
    enum domain_kind kind;
    enum suspend_method method;
    uint64_t timeout_ns;
    int cancel_fd;      /* -1: none */
    bool suspended;     /* the guest has: whoever goes on resumes it */
    bool may_stop_late; /* it was given up on, its request not taken back */
    bool by_another;    /* it is suspended, and not by this request */
};

#define SUSPEND_INIT ((struct suspend){.cancel_fd = -1})

/*
 * Binds what is needed; the guest notices nothing. timeout_s 0: the default.
 * Errors: GUEST for vNUMA, a stub domain, a channel that another migration
 * holds; RESOURCE, HYPERCALL.
 */
int suspend_prepare(struct suspend *suspend, const struct domain *domain,
                    unsigned timeout_s, struct xcx_err *err);

/*
 * Blocks until the guest has suspended, fails, or does not in time, or
 * cancel_fd is readable. Once. Errors: GUEST; CANCELLED; RESOURCE;
 * HYPERCALL. After an error the guest runs, unless suspended is set; one
 * asked by event channel may still follow late: may_stop_late is set.
 */
int suspend_guest(struct suspend *suspend, struct xcx_err *err);

/* "event channel", … of the method that suspend_guest() uses. */
const char *suspend_method_name(enum suspend_method method);

/* Gives back channel, lock and watches. Idempotent. */
void suspend_done(struct suspend *suspend);

#endif
