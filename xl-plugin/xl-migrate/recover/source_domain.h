/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source_domain: the domain of a case on its source, for the steps of the
 * handover: looked at, resumed and destroyed. A domain of another boot of this
 * host is never the case's, and a look tells the case's own copy from one that
 * another program has (the first table of handover.h).
 *
 * Other programs know none of our locks. Who is kept from the same guest:
 *
 *   ours        the domain's lock (cases.h), the lock of its log-dirty mode
 *   xl, libvirt by the suspend event channel, bound under libxl's own lock
 *               file, where the guest offers one: they fail at once. Linux
 *               offers none
 *   xl, libvirt otherwise are not kept out, but seen: by their save helper, by
 *               a request to suspend that is in xenstore already, by a
 *               suspension that was not ours, by NAME--migratedaway, by a
 *               domain that is gone
 *
 * Three races are left. Each needs another program that saves or moves the
 * guest while it moves:
 *
 *   both     it asks the guest to suspend within the moment between our look
 *            for its request and our own, so that one acknowledgement serves
 *            both; and its helper ends within the moment between the stop and
 *            our look for helpers
 *   gap      this process dies between SUSPENDING and the guest's stop, the
 *            other program suspends the guest, and recover looks after its
 *            helper has ended and before it has renamed or destroyed the
 *            domain: a second or so
 *   late     it begins after GO, or while the guest is suspended, and fails
 *            before the copy here is destroyed: xl resumes a guest whose save
 *            has failed. That needs a failure within the tenth of a second
 *            that GO takes; or a target that does not answer after GO for the
 *            minute after which libxl takes our suspension for its own
 *
 * And power that is lost after another program has taken the guest, before
 * any step of the case has seen that, makes the copy ABSENT.
 *
 * Before a resume is undone what a save that died has left (xcx_settle()), and
 * after it xl's monitor is there again: its own ended when the guest was
 * suspended. Either failing is a warning; the guest runs.
 *
 * Blocking: as libxl does. Threads: the host's.
 */
#ifndef XL_MIGRATE_SOURCE_DOMAIN_H
#define XL_MIGRATE_SOURCE_DOMAIN_H

#include <stdbool.h>

#include "xl-migrate/handover/handover.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/handover/journal.h"
#include "xcext.h"

#define SOURCE_DOMAIN_SEEN_BYTES 240

struct source_domain {
    struct host *host;
    struct journal *journal;
    const char *lock_dir;      /* of the saves; NULL: the library's default */
    const struct xcx_log *log; /* or NULL */
    /* The guest is suspended, but not by this case's request (suspend.h). */
    bool is_another_s;
    /* Why the last look found it GONE or TAKEN, or it was YIELDED; else "". */
    char seen[SOURCE_DOMAIN_SEEN_BYTES];
};

/* As settle_ops has them; opaque: a struct source_domain. */
int source_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err);
int source_domain_act(void *opaque, enum handover_act act, struct xcx_err *err);
const char *source_domain_seen(void *opaque);

/*
 * The guest stands suspended here (TAKEN, PAUSED) for another program: what to
 * type if that program has died. False: nothing, for any other copy.
 */
bool source_domain_way_out(const struct source_domain *source,
                           enum handover_copy copy, char *text,
                           size_t room_bytes);

/*
 * A step that the target is not told, HANDOVER_OFFER or HANDOVER_SUSPEND: its
 * entry is on disk then. Fails with kind GUEST and what was seen where another
 * program has the copy.
 */
int source_domain_note(struct source_domain *source, enum handover_event event,
                       struct xcx_err *err);

/*
 * Just before GO: fails with kind GUEST if another program has resumed the
 * copy, or if it is not called as it was when the case began: what is at the
 * target has the old name. Whatever else another program did, a look finds.
 */
int source_domain_may_go(const struct source_domain *source,
                         struct xcx_err *err);

/*
 * Undoes what a save of ours that died has left of a domain: a lowered cap,
 * log-dirty mode. Errors: those of saver_find() and xcx_settle(); GUEST, EBUSY
 * while another program's save helper is at work, whose log-dirty mode it may
 * be by now. Does not block.
 */
int source_domain_undo_leftovers(const struct source_domain *source,
                                 uint32_t domid, struct xcx_err *err);

/* Undoes leftovers of a guest that runs here; a failure is only logged. */
void source_domain_settle(const struct source_domain *source, uint32_t domid);

/* Sees to it that somebody handles the reboot and poweroff of the guest. */
void source_domain_watch(const struct source_domain *source, uint32_t domid);

#endif
