/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover: decides which copy of a guest may run. Pure: what the journal said
 * last, what a look at the domain shows and what just happened come in; what
 * to write, do and say comes out. No journal, domain or connection is touched
 * here; send, receive and recover do that, all three by the same steps.
 *
 *   source  NONE -> OFFERED -> SUSPENDING -> GO -> DONE
 *                      |           |         |--> RESUMED -> RAN
 *                      |           |         |--> FENCED -> FENCED_RAN
 *                      |           |         '--> LOST, YIELDED
 *                      '-----------'------------> RESUMED, LOST, YIELDED
 *   target  NONE -> READY -> STARTING -> STARTED unpauses after STARTING
 *            '--------'-------------> ABORTED    then destroys its copy
 *
 * A step is carried out in this order, under the case's lock:
 *   1. append write to the journal and fsync it, and whatever was there
 *      before it, even if another process wrote that;
 *   2. act on the domain;
 *   3. look at the domain and take a HANDOVER_LOOK step, until a step neither
 *      writes nor acts;
 *   4. say the word, again on each new connection.
 * A crash between any two of these is made good by a HANDOVER_LOOK step with
 * nothing but the journal. tests/model/handover.pml is the same protocol and
 * shows which of these rules cannot be left out.
 *
 * Nothing is begun at the other end, not even a copy, before OFFERED is on
 * disk: nobody would know of what is left there.
 *
 * A target without the plugin goes by the same steps, with xl list and the
 * like for words (tests/model/handover_stock.pml, where GO is called START):
 * READY is heard when xl has named its paused copy; GO is said by xl unpause;
 * STARTING is heard when the domain runs there or is gone; ABORTED is heard
 * before GO only, when there is nothing but an --incoming copy that no xl
 * works on; ABORT is said by xl destroy, and never after GO.
 *
 * Other programs act on the same guest and know nothing of this. The source
 * tells its own copy from theirs by what its journal says, in this boot:
 *
 *   look at the source's domain             copy       because
 *   ------------------------------------------------------------------------
 *   the host has booted since               ABSENT     power took the copy
 *   not there, or of another UUID           GONE       destroyed, saved, moved
 *   called NAME--migratedaway, or nothing   TAKEN      moved, being destroyed
 *   suspended before SUSPENDING             TAKEN      another has asked
 *   suspended, a save helper is at work     TAKEN      another may have asked
 *   suspended otherwise                     PAUSED     this migration has asked
 *   runs, and may stop for this migration   ASKED
 *   runs, or has shut down                  RUNNING
 *
 * The source's entry that is written, and then its act and word:
 *
 *   entry        RUNNING ASKED    PAUSED       ABSENT       GONE, TAKEN
 *   ------------------------------------------------------------------------
 *   OFFERED      -       -        -            -            YIELDED
 *    SUSPEND     SUSPENDING       refused      refused      refused
 *    READY       refused          refused      GO           YIELDED
 *    ABORTED     RAN     RESUMED  RESUMED      LOST         YIELDED
 *    FENCE       RAN     RESUMED  RESUMED      LOST         YIELDED
 *    WITHDRAW    RAN     RESUMED  RESUMED      -            YIELDED
 *   SUSPENDING   -       -        -            -            YIELDED
 *    READY       RAN     RESUMED  GO           GO           YIELDED
 *    the others as OFFERED
 *   GO           refused          -, says GO   -, says GO   -, says ABORT
 *    STARTING    refused          DONE         DONE         DONE
 *    ABORTED     refused          RESUMED      LOST         YIELDED
 *    FENCE       refused          FENCED       FENCED       FENCED
 *    WITHDRAW    refused          says ABORT   says GO      says ABORT
 *   DONE         refused          destroys     -            -
 *   RESUMED      RAN     -        resumes      -            YIELDED
 *   FENCED       FENCED_RAN  -    resumes      -            -, FENCED_RAN
 *   RAN, FENCED_RAN, LOST, YIELDED: nothing is written or done any more
 *
 * So the source resumes what it has suspended itself, and resumes it once: a
 * guest that is suspended after RAN, or before SUSPENDING, is another
 * program's. A copy that another program has is never given away, resumed or
 * destroyed, and never followed by GO: the target hears ABORT instead, which
 * a target without the plugin is not told after GO (settle.h). Only after
 * power was lost may the target's copy be the only one: then it gets its GO.
 *
 * The target answers ABORT with ABORTED and keeps its journal until the source
 * says that its own entry is final, or for decided_keep_h (cases_incoming.h):
 * a source that dies after GO, before it has written down what it has heard,
 * must hear it again.
 *
 * A case is asked about only until it is settled at both ends: a guest that
 * moved on or was shut down later would else be taken for a lost one.
 *
 * Threads: any; there is no state.
 */
#ifndef XL_MIGRATE_HANDOVER_H
#define XL_MIGRATE_HANDOVER_H

#include <stdbool.h>

#include "xcext.h"

enum handover_entry {
    HANDOVER_NONE, /* no entry yet; in a step: nothing to write */
    /* the source's */
    HANDOVER_OFFERED,    /* the guest runs, not asked to suspend yet */
    HANDOVER_SUSPENDING, /* asked to, perhaps; the source may resume it */
    HANDOVER_GO,         /* the target may start it: only its word counts */
    HANDOVER_DONE,       /* the target has it, for good */
    HANDOVER_RESUMED,    /* the source has it, for good, and resumes it */
    HANDOVER_RAN,        /* after that it ran: what stops it is no matter */
    HANDOVER_FENCED,     /* as RESUMED, by the administrator's word */
    HANDOVER_FENCED_RAN, /* as RAN */
    HANDOVER_LOST,       /* neither has it; the source had it last */
    HANDOVER_YIELDED,    /* another program has it, or ended it */
    /* the target's */
    HANDOVER_READY,    /* a whole copy, paused: may be the only one left */
    HANDOVER_STARTING, /* may run from here on */
    HANDOVER_STARTED,
    HANDOVER_ABORTED, /* never runs here */
    HANDOVER_NR_ENTRIES
};

/* The results of a look at the domain. */
enum handover_copy {
    HANDOVER_ABSENT,   /* source: lost with this host's power */
    HANDOVER_BUILDING, /* target: not whole */
    HANDOVER_PAUSED,   /* whole; at the source: suspended by this migration */
    HANDOVER_RUNNING,
    /* the source's alone; the table above says when */
    HANDOVER_ASKED, /* runs, and may yet suspend for this migration */
    HANDOVER_GONE,  /* another program, or the guest itself, has ended it */
    HANDOVER_TAKEN, /* still there, and another program's */
    HANDOVER_NR_COPIES
};

enum handover_event {
    HANDOVER_LOOK, /* nothing new: what does the journal ask for? */
    /* at the source */
    HANDOVER_OFFER,    /* send begins */
    HANDOVER_SUSPEND,  /* the guest is about to be asked to suspend */
    HANDOVER_WITHDRAW, /* cancel, a failure, a lost link, recover */
    HANDOVER_FENCE,    /* recover --target-is-fenced */
    HANDOVER_HEARD_READY,
    HANDOVER_HEARD_STARTING,
    HANDOVER_HEARD_ABORTED,
    HANDOVER_HEARD_FAILED,
    /* at the target */
    HANDOVER_COMPLETE,     /* the copy is whole and paused */
    HANDOVER_GIVE_UP,      /* a failure, a lost link, recover */
    HANDOVER_CANNOT_START, /* STARTING cannot be written, say */
    HANDOVER_HEARD_GO,
    HANDOVER_HEARD_ABORT,
    HANDOVER_NR_EVENTS
};

enum handover_act {
    HANDOVER_DO_NOTHING,
    HANDOVER_DO_RESUME,
    HANDOVER_DO_UNPAUSE,
    HANDOVER_DO_DESTROY
};

enum handover_word {
    HANDOVER_SAY_NOTHING,
    HANDOVER_SAY_GO,
    HANDOVER_SAY_ABORT, /* answered by ABORTED, or by STARTING */
    HANDOVER_SAY_DONE,
    HANDOVER_SAY_READY,
    HANDOVER_SAY_STARTING,
    HANDOVER_SAY_ABORTED,
    HANDOVER_SAY_FAILED /* not started, and not aborted either */
};

/* Where the guest is once the step is done, as far as this end knows. */
enum handover_place {
    HANDOVER_UNDECIDED,   /* the other end must be heard */
    HANDOVER_HERE,        /* runs here, or is about to */
    HANDOVER_THERE,       /* the other end has it, or knows what became of it */
    HANDOVER_LAST_HERE,   /* lost with this host's power: start it cold here */
    HANDOVER_LAST_EITHER, /* lost, and by fencing nobody knows where it ran */
    HANDOVER_NOT_OURS     /* another program has it, or ended it */
};

struct handover_step {
    enum handover_entry write;
    enum handover_act act;
    enum handover_word say;
    enum handover_place place;
};

/*
 * The step of the source or the target whose journal ends with entry. Errors,
 * upon which nothing must be written, done or said, *ret untouched:
 * USAGE: asked for by the user and refused (fencing after DONE, say).
 * PEER: the word contradicts the journal; GUEST: the domain does.
 * BUG: entry or event is none of this end's.
 */
int handover_source_step(enum handover_entry entry, enum handover_copy copy,
                         enum handover_event event, struct handover_step *ret,
                         struct xcx_err *err);
int handover_target_step(enum handover_entry entry, enum handover_copy copy,
                         enum handover_event event, struct handover_step *ret,
                         struct xcx_err *err);

/* No step of the source follows but what the other end is told. */
bool handover_is_final(enum handover_entry entry);

/* The source has let nothing go: it may still take its guest back. */
bool handover_is_undecided(enum handover_entry entry);

/* The source has it, and resumes it unless it has done so already. */
bool handover_is_back(enum handover_entry entry);

/* As written in journals and messages ("GO"); BUG's answer is "?". */
const char *handover_entry_name(enum handover_entry entry);
const char *handover_event_name(enum handover_event event);

#endif
