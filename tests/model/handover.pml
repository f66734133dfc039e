/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handover between the two ends of a migration, for spin.
 *
 * What is modelled: each end has a host (up or not), a domain, a journal in
 * the page cache and on disk, and at most one process, which holds the case's
 * lock. A process is either the first one (send, receive) or what the user's
 * recover started, which knows the journal and looks whether the domain is
 * there, and nothing else. One step is one journal entry, one fsync, one act
 * on a domain or one message, so that a crash can fall between any two.
 *
 *   source  NONE -> OFFERED -> GO -> DONE          then destroys its copy
 *                      |        |--> RESUMED       then resumes its copy
 *                      |        '--> LOST          its copy is gone
 *                      '-----------> RESUMED, LOST
 *   target  NONE -> READY -> STARTING -> STARTED   unpauses after STARTING
 *            '--------'-------------> ABORTED      then destroys its copy
 *                                        '-> FORGOTTEN: no journal any more
 *
 * An end's word is its journal's last entry; both say it whenever they are
 * connected. A word that was said stays to be heard again, late or twice,
 * until a cut of the link loses it (or does not).
 *
 * What goes wrong, NR_FAULTS times in all: a process dies (domains and page
 * cache stay); a host loses power (domains go, of the journal at least what
 * was fsynced stays); the link is cut; the target cannot write STARTING.
 * Then, from any state, all is quiet: links heal, hosts boot, recover runs at
 * both ends, until no step is left; finally() says what must hold then.
 * `--target-is-fenced` comes after the target was switched off.
 *
 * Not modelled: several cases at once (each has its own journal), and the
 * guest's own shutdown.
 *
 * The source's journal has four more entries (handover.h), which neighbour.pml
 * has: they tell the source's own acts on the domain from another program's,
 * and here nobody else acts on it.
 *   SUSPENDING  is OFFERED here: both may go to GO, RESUMED and LOST, and
 *               between them only the domain changes, which each step looks at
 *   RAN         is RESUMED here, once the domain runs: a second resume would
 *               do nothing to a domain that nobody else suspends
 *   FENCED_RAN  is RAN of FENCED, which is RESUMED with the bool fenced here
 *   YIELDED     needs a copy that another program has ended or taken
 * None of the four lets the target do what the entry that stands for it here
 * does not: the words said at them are the same.
 *
 * The environment's MUTANT, a number below, breaks one rule or denies that
 * one end can be reached: spin must then find an error, or the model shows
 * nothing. test-model takes the numbers and what they mean from here.
 */
#define LATE_STARTING    1  /* unpause, then write STARTING */
#define LATE_ABORTED     2  /* say ABORTED, then write it */
#define LATE_RESUMED     3  /* resume, then write RESUMED */
#define LATE_GO          4  /* say GO, then write it */
#define RESUME_AFTER_GO  5  /* resume after GO without the word ABORTED */
#define XL_STARTS        6  /* stock xl starts the target on its own */
#define CLEAN_READY      7  /* the target drops its copy on a lost link */
#define GO_AFTER_ABORTED 8  /* a GO after ABORTED is obeyed */
#define EARLY_DESTROY    9  /* destroy after GO without the word STARTING */
#define TRUST_PAGE_CACHE 10 /* act on entries read, not known to be on disk */
#define NO_FSYNC         11 /* write entries without fsync */
#define EARLY_AUTOSTART  12 /* autostart guests before recover */
#define FALSE_FENCE      13 /* the target is said to be fenced, and is not */
#define ASK_ONCE         14 /* the source does not ask again */
#define ABSENT_IS_NEVER  15 /* absent with STARTING taken as never started */
#define NO_LOCK          16 /* recover beside a first process that lives */
#define LATE_DONE        17 /* destroy, then write DONE */
#define FORGETS_EARLY    18 /* the target drops ABORTED while the source asks */
#define NEVER_MOVES      21 /* no end with the guest at the target */
#define NEVER_STAYS      22 /* none with a GO taken back by ABORTED */
#define NEVER_LOST_HERE  23 /* none with the last copy lost at the source */
#define NEVER_LOST_THERE 24 /* none with the last copy lost at the target */
#define NEVER_FENCED     25 /* none with the source resumed by fencing */
#define NEVER_TAKES_OVER 26 /* none where only the target kept its copy */
#define NEVER_OUTDATED   27 /* none where fencing brought back older memory */
#define NEVER_FORGOTTEN  28 /* none where the target has dropped ABORTED */
#define GO_TAKEN_BACK    31 /* GO is given and withdrawn, round and round */

#ifndef NR_FAULTS
#define NR_FAULTS 3
#endif

c_decl { extern int atoi(const char *); extern char *getenv(const char *); }

/* Domains: half a copy, a whole one that does not run, one that runs. */
#define ABSENT   0
#define BUILDING 1
#define PAUSED   2
#define RUNNING  3

/* Journals, by their last entry: first the source's, then the target's. */
#define NONE     0
#define OFFERED  1
#define GO       2
#define DONE     3
#define RESUMED  4
#define LOST     5
#define READY    1
#define STARTING 2
#define STARTED  3
#define ABORTED  4
#define FORGOTTEN 5

byte mutant;

bool source_up = 1, source_alive = 1, source_first = 1, source_synced = 1;
byte source_domain = RUNNING, source_journal = NONE, source_disk = NONE;
bool target_up = 1, target_alive = 1, target_first = 1, target_synced = 1;
byte target_domain = ABSENT, target_journal = NONE, target_disk = NONE;

/* What is said and can be heard. */
bool link = 1;
bool say_complete, say_go, say_abort, say_decided; /* source to target */
bool say_ready, say_starting, say_aborted, say_failed; /* target to source */

bool quiet;  /* nothing goes wrong any more */
bool fenced; /* the administrator's word; the host was switched off before */
bool xl_go;  /* XL_STARTS only: stock xl has its go */
byte faults = NR_FAULTS;
bool second; /* NO_LOCK only: the first process goes on beside recover */

/* For the properties alone: what happened, whether or not anybody knows. */
bool source_lost, target_lost;        /* a host went down with a whole copy */
bool source_went_on;                  /* it ran after it was offered */
bool target_ran;                      /* it ran at the target */
bool asked_to_abort;                  /* the source said ABORT */
bool was_ready;                       /* READY was on the target's disk */
bool go_said;                         /* the source said GO */

#define source_acts (source_up && source_alive && source_synced)
#define target_acts (target_up && target_alive && target_synced)
#define source_has_copy (source_domain != ABSENT)

inline one_copy()
{
    assert(!(source_domain == RUNNING && target_domain == RUNNING))
}

inline source_write(entry)
{
    source_journal = entry;
    source_synced = (mutant == NO_FSYNC)
}

inline target_write(entry)
{
    target_journal = entry;
    target_synced = (mutant == NO_FSYNC)
}

inline source_runs()
{
    source_domain = RUNNING;
    source_went_on = 1;
    one_copy();
    /* Its memory is older than what ran since; fencing accepts that. */
    assert(!target_ran || fenced)
}

inline target_runs()
{
    target_domain = RUNNING;
    target_ran = 1;
    one_copy();
    assert(!source_went_on)
}

active proctype source()
{
    d_step { c_code { now.mutant = getenv("MUTANT") ?
                                   atoi(getenv("MUTANT")) : 0; } };
end:
    do
    :: d_step { source_up && source_alive && !source_synced ->
        source_disk = source_journal;
        source_synced = 1 }

    /* send: offer, suspend, the last of the stream */
    :: d_step { source_acts && source_first && source_journal == NONE && link &&
        source_domain == RUNNING -> source_write(OFFERED) }
    :: d_step { source_acts && source_first && source_journal == OFFERED &&
        source_domain == RUNNING && !source_went_on && link ->
        source_domain = PAUSED }
    :: d_step { source_acts && source_first && source_journal == OFFERED &&
        source_domain == PAUSED && link && !say_complete -> say_complete = 1 }

    /* before GO: on, or back at will; without a copy only on */
    :: d_step { source_acts && source_journal == OFFERED && link && say_ready &&
        source_domain != RUNNING -> source_write(GO) }
    :: d_step { source_acts && source_journal == OFFERED && source_has_copy &&
        mutant != LATE_RESUMED -> source_write(RESUMED) }
    :: d_step { source_acts && source_journal == OFFERED && !source_has_copy &&
        link && say_aborted -> source_write(LOST) }
    :: d_step { source_acts && source_journal == OFFERED && !source_has_copy &&
        fenced -> source_write(LOST) }

    /* after GO: what the target says, asked again as often as it takes */
    :: d_step { source_acts && source_journal == GO && link && !say_go &&
        (mutant != ASK_ONCE || source_first) ->
        say_go = 1;
        go_said = 1 }
    :: d_step { source_acts && source_journal == GO && link && say_starting ->
        source_write(DONE) }
    :: d_step { source_acts && source_journal == GO && link && say_aborted &&
        source_has_copy -> source_write(RESUMED) }
    :: d_step { source_acts && source_journal == GO && link && say_aborted &&
        !source_has_copy -> source_write(LOST) }
    :: d_step { source_acts && source_journal == GO && link && say_failed &&
        source_has_copy && !say_abort ->
        say_abort = 1;
        asked_to_abort = 1 }
    :: d_step { source_acts && source_journal == GO && fenced &&
        source_has_copy -> source_write(RESUMED) }
    :: d_step { source_acts && source_journal == GO && fenced &&
        !source_has_copy -> source_write(LOST) }

    /* the outcome is on disk: act on it, and say so */
    :: d_step { source_acts && source_journal == DONE &&
        source_domain == PAUSED -> source_domain = ABSENT }
    :: d_step { source_acts && source_journal == RESUMED &&
        source_domain == PAUSED -> source_runs() }
    :: d_step { source_acts && source_journal == RESUMED && link &&
        !say_abort ->
        say_abort = 1;
        asked_to_abort = 1 }
    :: d_step { source_acts && (source_journal == RESUMED ||
        source_journal == LOST) && link && !say_decided -> say_decided = 1 }

    /* a guest that was lost here is started cold, recover having run */
    :: d_step { source_acts && !source_first && !quiet && !source_has_copy &&
        source_lost && (source_journal == NONE || source_journal == RESUMED ||
         source_journal == LOST) -> source_runs() }

    /* what must not be */
    :: d_step { mutant == LATE_GO && source_acts && link && say_ready &&
        source_journal == OFFERED && !say_go -> say_go = 1 }
    :: d_step { mutant == LATE_RESUMED && source_acts &&
        source_journal == OFFERED && source_domain == PAUSED ->
        source_runs() }
    :: d_step { mutant == LATE_RESUMED && source_acts &&
        source_journal == OFFERED && source_domain == RUNNING ->
        source_write(RESUMED) }
    :: d_step { mutant == RESUME_AFTER_GO && source_acts && !link &&
        source_journal == GO && source_has_copy -> source_write(RESUMED) }
    :: d_step { mutant == EARLY_DESTROY && source_acts &&
        source_journal == GO && say_go && source_domain == PAUSED ->
        source_domain = ABSENT }
    :: d_step { mutant == LATE_DONE && source_acts && link && say_starting &&
        source_journal == GO && source_domain == PAUSED ->
        source_domain = ABSENT }
    :: d_step { mutant == NO_LOCK && second && source_up && link &&
        say_ready && source_journal == RESUMED ->
        second = 0;
        source_write(GO) }
    :: d_step { mutant == GO_TAKEN_BACK && source_acts && !quiet &&
        source_journal == GO -> source_write(OFFERED) }
    :: d_step { mutant == EARLY_AUTOSTART && source_up && source_lost &&
        !source_has_copy && source_journal != DONE -> source_runs() }
    od
}

active proctype target()
{
end:
    do
    :: d_step { target_up && target_alive && !target_synced ->
        target_disk = target_journal;
        target_synced = 1;
        was_ready = was_ready || target_disk == READY }

    /* receive: before READY it may give up at will */
    :: d_step { target_acts && target_first && target_journal == NONE &&
        target_domain == ABSENT && link -> target_domain = BUILDING }
    :: d_step { target_acts && target_first && target_journal == NONE &&
        target_domain == BUILDING && link && say_complete ->
        target_domain = PAUSED }
    :: d_step { target_acts && target_first && target_journal == NONE &&
        target_domain == PAUSED -> target_write(READY) }
    :: d_step { target_acts && target_journal == NONE ->
        target_write(ABORTED) }

    /* READY: only the source's word moves it, or that the copy is gone */
    :: d_step { target_acts && target_journal == READY && link && !say_ready &&
        target_domain == PAUSED -> say_ready = 1 }
    :: d_step { target_acts && target_journal == READY && link && say_go &&
        target_domain == PAUSED && mutant != LATE_STARTING &&
        mutant != XL_STARTS -> target_write(STARTING) }
    :: d_step { target_acts && target_journal == READY && link && say_go &&
        target_domain == PAUSED && faults > 0 && !say_failed ->
        say_failed = 1;
        faults-- }
    :: d_step { target_acts && target_journal == READY && link && say_abort ->
        target_write(ABORTED) }
    :: d_step { target_acts && target_journal == READY &&
        target_domain == ABSENT -> target_write(ABORTED) }

    /* after STARTING only forward; absent means that it did start */
    :: d_step { target_acts && target_journal == STARTING &&
        target_domain == PAUSED -> target_runs() }
    :: d_step { target_acts && target_journal == STARTING &&
        (target_domain == RUNNING ||
         (target_domain == ABSENT && mutant != ABSENT_IS_NEVER)) ->
        target_write(STARTED) }
    :: d_step { target_acts && (target_journal == STARTING ||
        target_journal == STARTED) && link && !say_starting ->
        say_starting = 1 }

    /* after ABORTED only back */
    :: d_step { target_acts && target_journal == ABORTED && link &&
        !say_aborted -> say_aborted = 1 }
    :: d_step { target_acts && target_journal == ABORTED &&
        (target_domain == BUILDING || target_domain == PAUSED) ->
        target_domain = ABSENT;
        /* It could have been the only copy left. */
        assert(!was_ready || asked_to_abort) }
    /* It is asked again until the source has written its own end. */
    :: d_step { target_acts && target_journal == ABORTED && link &&
        target_domain == ABSENT && (say_decided ||
        (say_abort && mutant == FORGETS_EARLY)) -> target_write(FORGOTTEN) }

    /* a guest that was lost here is started cold, recover having run */
    :: d_step { target_acts && !target_first && !quiet && !fenced &&
        target_domain == ABSENT && target_lost &&
        target_journal == STARTED -> target_runs() }

    /* what must not be */
    :: d_step { mutant == LATE_STARTING && target_acts && link && say_go &&
        target_journal == READY && target_domain == PAUSED -> target_runs() }
    :: d_step { mutant == LATE_STARTING && target_acts &&
        target_journal == READY && target_domain == RUNNING ->
        target_write(STARTING) }
    :: d_step { mutant == LATE_ABORTED && target_acts && link && say_failed &&
        target_journal == READY && !say_aborted -> say_aborted = 1 }
    :: d_step { mutant == XL_STARTS && target_acts && link && say_go &&
        target_journal == READY && !xl_go -> xl_go = 1 }
    :: d_step { mutant == XL_STARTS && target_up && xl_go &&
        target_domain == PAUSED -> target_runs() }
    :: d_step { mutant == XL_STARTS && target_acts && xl_go &&
        target_journal == READY && target_domain == RUNNING ->
        target_write(STARTING) }
    :: d_step { mutant == CLEAN_READY && target_acts && !link &&
        target_journal == READY -> target_write(ABORTED) }
    :: d_step { mutant == GO_AFTER_ABORTED && target_acts && link && say_go &&
        target_journal == ABORTED && target_domain == PAUSED ->
        target_write(STARTING) }
    :: d_step { mutant == ABSENT_IS_NEVER && target_acts &&
        target_journal == STARTING && target_domain == ABSENT ->
        target_write(ABORTED) }
    od
}

inline source_power_loss()
{
    source_lost = source_lost || source_domain >= PAUSED;
    source_domain = ABSENT;
    source_up = 0;
    source_alive = 0
}

inline target_power_loss()
{
    target_lost = target_lost || target_domain >= PAUSED;
    target_domain = ABSENT;
    target_up = 0;
    target_alive = 0;
    xl_go = 0
}

/* What breaks. */
active proctype fate()
{
end:
    do
    :: d_step { !quiet -> quiet = 1; faults = 0 }

    :: d_step { faults > 0 && source_alive -> faults--;
        source_alive = 0 }
    :: d_step { faults > 0 && target_alive -> faults--;
        target_alive = 0 }

    /* What was not fsynced is lost, or is not. */
    :: d_step { faults > 0 && source_up -> faults--;
        source_power_loss();
        source_disk = source_journal }
    :: d_step { faults > 0 && source_up &&
        source_journal != source_disk -> faults--;
        source_power_loss();
        source_journal = source_disk }
    :: d_step { faults > 0 && target_up -> faults--;
        target_power_loss();
        target_disk = target_journal }
    :: d_step { faults > 0 && target_up &&
        target_journal != target_disk -> faults--;
        target_power_loss();
        target_journal = target_disk }

    /* What was under way is lost, one way or both, or comes late. */
    :: d_step { faults > 0 && link -> faults--; link = 0 }
    :: d_step { faults > 0 && link -> faults--; link = 0;
        say_complete = 0; say_go = 0; say_abort = 0; say_decided = 0 }
    :: d_step { faults > 0 && link -> faults--; link = 0;
        say_ready = 0; say_starting = 0; say_aborted = 0; say_failed = 0 }
    :: d_step { faults > 0 && link -> faults--; link = 0;
        say_complete = 0; say_go = 0; say_abort = 0; say_decided = 0;
        say_ready = 0; say_starting = 0; say_aborted = 0; say_failed = 0 }
    od
}

/* What mends: the user, at any time. */
active proctype user()
{
end:
    do
    :: d_step { !link -> link = 1 }
    :: d_step { !source_up -> source_up = 1 }
    :: d_step { !target_up -> target_up = 1 }

    /* recover, with nothing but the journal, which it fsyncs as it reads */
    :: d_step { source_up && !source_alive -> source_alive = 1;
        source_first = 0;
        source_synced = (mutant == TRUST_PAGE_CACHE || mutant == NO_FSYNC) }
    :: d_step { target_up && !target_alive -> target_alive = 1;
        target_first = 0;
        target_synced = (mutant == TRUST_PAGE_CACHE || mutant == NO_FSYNC) }

    :: d_step { mutant == NO_LOCK && source_up && source_alive &&
        source_first ->
        source_first = 0;
        source_synced = 0;
        second = 1 }

    /* --target-is-fenced: switched off first, whatever it was doing */
    :: d_step { !fenced && !target_up && source_up && !quiet -> fenced = 1 }
    :: d_step { mutant == FALSE_FENCE && !fenced && !link && !quiet ->
        fenced = 1 }
    od
}

/*
 * When no step is left: where the guest is, or where it was last, is known,
 * and nothing is left behind.
 */
active proctype finally()
{
    timeout;
    assert(quiet && link && source_up && target_up);
    assert(source_domain == RUNNING || source_domain == ABSENT);
    assert(target_domain == RUNNING || target_domain == ABSENT);
    one_copy();
    if
    :: source_domain == RUNNING ->
        assert(source_journal != OFFERED && source_journal != GO &&
               source_journal != DONE);
        assert(target_journal >= ABORTED || fenced)
    :: target_domain == RUNNING ->
        assert(source_journal == DONE && target_journal == STARTED)
    :: else ->
        /* Only power loss takes the last copy, and the journals say whose. */
        assert(source_journal != OFFERED && source_journal != GO);
        assert(source_journal == DONE || source_lost);
        assert(source_journal != DONE ||
               (target_lost && target_journal == STARTED));
        assert(mutant != NEVER_LOST_HERE || source_journal != LOST);
        assert(mutant != NEVER_LOST_THERE || source_journal != DONE)
    fi;
    assert(mutant != NEVER_MOVES || target_domain != RUNNING);
    assert(mutant != NEVER_STAYS || !go_said || fenced ||
           source_journal != RESUMED || source_domain != RUNNING);
    assert(mutant != NEVER_FENCED || !fenced || !go_said ||
           source_journal != RESUMED || source_domain != RUNNING);
    assert(mutant != NEVER_OUTDATED || !target_ran || !source_went_on);
    assert(mutant != NEVER_FORGOTTEN || target_journal != FORGOTTEN);
    assert(mutant != NEVER_TAKES_OVER || !source_lost ||
           target_domain != RUNNING)
}
