/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logdirty: Xen's record of the pages that a guest has written.
 *
 *   off ──on()──▶ on ──clean()──▶ on ... clean(final) ──off()──▶ off
 *
 * The mode has one reader: whoever holds the domain's lock (hv/lock.h). Other
 * programs know nothing of that lock: engine/canary.h finds out what they did.
 * While the mode is off, clean() and peek() succeed and show nothing.
 * clean() and peek() pause the domain while they run (0.2 to 30 ms for 1 M
 * pfns). Switching on makes all pages clean, so round 0 sends everything.
 *
 * Errors: HYPERCALL; GUEST where the domain cannot have the mode at all;
 * RESOURCE for a buffer.
 */
#ifndef XCX_HV_LOGDIRTY_H
#define XCX_HV_LOGDIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h"
#include "hv/hv.h"

struct xcx_logdirty; /* the bitmap's hypercall buffer */

int xcx_logdirty_new(const struct xcx_hv *hv, uint64_t nr_pfns,
                     struct xcx_logdirty **ret_log, struct xcx_err *err);
void xcx_logdirty_free(struct xcx_logdirty *log); /* NULL is fine */

enum xcx_logdirty_on {
    XCX_LOGDIRTY_ON,          /* done */
    XCX_LOGDIRTY_IN_USE,      /* it is on already: somebody else's, or stale */
    XCX_LOGDIRTY_UNSUPPORTED, /* this hypervisor has none for this domain */
};

/* Asks Xen to switch on; what it answers in *ret_answer. */
int xcx_logdirty_on(const struct xcx_hv *hv, enum xcx_logdirty_on *ret_answer,
                    struct xcx_err *err);
int xcx_logdirty_off(const struct xcx_hv *hv, struct xcx_err *err);

/*
 * Reads which pages were written since the last clean(), and starts the record
 * anew. The bits are in xcx_logdirty_bitmap(). final: the guest is suspended
 * for good, and frames that Xen itself has mapped count as written.
 */
int xcx_logdirty_clean(struct xcx_logdirty *log, bool final,
                       uint64_t *ret_nr_dirty, struct xcx_err *err);

/* Reads the record, as clean() does, without starting it anew. */
int xcx_logdirty_peek(struct xcx_logdirty *log, uint64_t *ret_nr_dirty,
                      struct xcx_err *err);

/* Only how many: cheap (0.2 to 0.7 ms), touches no bitmap. */
int xcx_logdirty_count(const struct xcx_hv *hv, uint64_t *ret_nr_dirty,
                       struct xcx_err *err);

/* The buffer that clean() and peek() fill; lives as long as log. */
struct xcx_bitmap *xcx_logdirty_bitmap(struct xcx_logdirty *log);

#endif
