/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_watch: notices that a guest has ended while it is copied: it has
 * rebooted, powered off or crashed, or another program has destroyed it. A
 * thread of its own looks, since the copying one may be blocked on the link.
 *
 *   xenstore: @releaseDomain ──┐
 *   once a second           ───┴─▶ look at Xen ─▶ ended()
 *
 * xl's monitor is woken by the same event and destroys the domain: the reason
 * is read in the milliseconds before that. A guest that suspends has not
 * ended.
 *
 * Threads: started and stopped by one; ended() is called in the watch's own.
 */
#ifndef XL_MIGRATE_GUEST_WATCH_H
#define XL_MIGRATE_GUEST_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "xcext.h"

enum guest_end {
    GUEST_GOES_ON,
    GUEST_POWERED_OFF,
    GUEST_REBOOTED,
    GUEST_CRASHED, /* or its watchdog has ended it */
    GUEST_DESTROYED,
    GUEST_TAKEN, /* destroyed after it had suspended: saved, migrated */
};

struct xs_handle;

struct guest_watch {
    bool runs;
    pthread_t thread;
    int stop_fd;          /* owned */
    struct xs_handle *xs; /* owned; NULL: it looks once a second only */
    uint32_t domid;
    enum guest_end end;          /* atomic */
    void (*ended)(void *opaque); /* in the thread, once */
    void *opaque;
};

#define GUEST_WATCH_INIT ((struct guest_watch){.stop_fd = -1})

/* opaque must outlive it. RESOURCE. */
int guest_watch_start(struct guest_watch *watch, uint32_t domid,
                      void (*ended)(void *opaque), void *opaque,
                      struct xcx_err *err);

/*
 * Looks once more, so that what was noticed elsewhere first has its reason,
 * and returns how the guest has ended. Never started: GUEST_GOES_ON.
 */
enum guest_end guest_watch_stop(struct guest_watch *watch);

/* "rebooted", "powered off", ... behind the guest's name. */
const char *guest_end_text(enum guest_end end);

#endif
