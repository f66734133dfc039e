/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * canary: whether Xen's log-dirty record is still ours alone.
 *
 * Another program can switch log-dirty mode off, switch it off and on, or take
 * its bits, and Xen answers our next CLEAN with success all the same: pages
 * that the guest wrote would be missing from the copy. So a few pages that the
 * guest never writes are marked by ourselves after each CLEAN, and the next
 * CLEAN must show them all.
 *
 *   ON ─▶ mark ─▶ PEEK ─▶ … CLEAN: seen? ─▶ mark … CLEAN: seen? ─▶ mark ─▶ OFF
 *                 which ones work                           PEEK: seen? ┘
 *
 * The same before OFF: a record that is another program's by now is left on,
 * or that program would lose its bits in turn.
 *
 * Where no page can be marked (a PV guest under a PVH Dom0), the mode is asked
 * for by switching it on before each CLEAN: it must be on already. That shows
 * less: not a record that was switched off and on again.
 *
 * What is left: another program that acts within the microseconds between a
 * CLEAN and the marks behind it is not noticed.
 */
#ifndef XCX_ENGINE_CANARY_H
#define XCX_ENGINE_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/guest.h"
#include "hv/logdirty.h"
#include "hv/mark.h"
#include "xcext.h"

struct xcx_canary {
    const struct xcx_hv *hv;
    struct xcx_guest *guest;   /* NULL: no page can be marked */
    struct xcx_logdirty *log;  /* the caller's */
    struct xcx_marker *marker; /* NULL: by switching on */
    struct xcx_mark_page pages[XCX_MAX_MARKS];
    unsigned nr_pages;
    bool is_set;  /* the pages are marked */
    bool is_lost; /* the record is another program's, or nobody's */
};

/*
 * Log-dirty has just been switched on. guest and log stay the caller's; guest
 * may be NULL. Errors: HYPERCALL of the peek; GUEST when the record is lost
 * already.
 */
int xcx_canary_begin(struct xcx_canary *canary, const struct xcx_hv *hv,
                     struct xcx_guest *guest, struct xcx_logdirty *log,
                     struct xcx_err *err);
void xcx_canary_done(struct xcx_canary *canary); /* idempotent; zeroed: fine */

/*
 * xcx_logdirty_clean() of canary->log, believed only if the record is still
 * ours. Errors: GUEST if it is not, and those of the hypercalls.
 */
int xcx_canary_clean(struct xcx_canary *canary, bool final,
                     uint64_t *ret_nr_dirty, struct xcx_err *err);

/*
 * Whether log-dirty may be switched off: false once the record is another
 * program's. True where that cannot be told.
 */
bool xcx_canary_may_switch_off(struct xcx_canary *canary);

#endif
