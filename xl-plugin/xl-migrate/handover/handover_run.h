/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover_run: carries out the steps that handover.h decides, for send,
 * receive and recover alike:
 *
 *   event ──▶ look ──▶ step ──▶ journal, fsync ──▶ act ──┐
 *              ▲                                         │ until a step
 *              '──── the event is now HANDOVER_LOOK ◀────' does nothing
 *                                    then: say its word
 *
 * What touches the world comes in as a seam of three functions. A word that
 * could not be said is no failure: what it tells is on disk, and it is said
 * again on the next connection.
 *
 * Blocking: on the disk and as the seam does. Threads: one at a time for a
 * journal, whose lock is held as long as it is open.
 */
#ifndef XL_MIGRATE_HANDOVER_RUN_H
#define XL_MIGRATE_HANDOVER_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "handover.h"
#include "journal.h"
#include "xcext.h"

/* opaque is given back as is. All are required. */
struct handover_seam {
    void *opaque;
    /*
     * The case's own domain (domid and UUID at the source, UUID at the
     * target). *ret_domid: its domid, 0 if absent.
     */
    int (*look)(void *opaque, enum handover_copy *ret_copy, uint32_t *ret_domid,
                struct xcx_err *err);
    /* Must be harmless when repeated; never HANDOVER_DO_NOTHING. */
    int (*act)(void *opaque, enum handover_act act, struct xcx_err *err);
    /*
     * To the other end; text is for people, of FAILED, else NULL; never
     * HANDOVER_SAY_NOTHING. Fails when there is no connection.
     */
    int (*say)(void *opaque, enum handover_word word, const char *text,
               struct xcx_err *err);
};

struct handover_outcome {
    enum handover_entry entry; /* the journal's last one now */
    enum handover_copy copy;   /* as of the last look */
    enum handover_place place;
    enum handover_word word; /* what there was to say */
    bool said;               /* false: word could not be said, or was nothing */
    struct xcx_err unsaid;   /* why not */
};

/*
 * Handles an event of side (the journal's own) until nothing is left to do.
 * Errors: those of handover_*_step(), journal_append() and the seam, *ret
 * untouched. Two failures are dealt with first:
 * - STARTING that cannot be written: the target says FAILED with the reason.
 *   Success, then.
 * - RESUMED is on disk, but the domain cannot be resumed (its device model
 *   wants images that the target's still holds): ABORT is said all the same,
 *   the error is returned, and a HANDOVER_LOOK later tries again.
 */
int handover_run(struct journal *journal, const struct handover_seam *seam,
                 enum handover_event event, struct handover_outcome *ret,
                 struct xcx_err *err);

/* As said on the wire ("GO"); "?" for none. */
const char *handover_word_name(enum handover_word word);

/* The word of that name, or HANDOVER_SAY_NOTHING. */
enum handover_word handover_word_of_name(const char *name);

/*
 * Returns the event that word is at that end, or HANDOVER_LOOK if that end is
 * never told it.
 */
enum handover_event handover_event_of_word(enum journal_side side,
                                           enum handover_word word);

#endif
