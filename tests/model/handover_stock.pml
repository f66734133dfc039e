/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handover to a target without the plugin, for spin: handover.pml's
 * source, hosts, faults and mutants, but no journal and nobody to ask at the
 * target. Stock `xl migrate-receive -p` builds the copy and names it; what the
 * source wants done it runs there as `ssh HOST xl unpause` or `xl destroy`,
 * and what is there it sees by `xl list -l`, by UUID. A command that was sent
 * may take effect late or again, until a cut of the link loses it (or does
 * not).
 *
 *   source  NONE -> OFFERED -> START -> DONE    DONE: destroys its copy
 *                      |         '----> FENCED  resumes its copy
 *                      '-----> RESUMED, LOST    destroys the target's
 *   target  ABSENT -> BUILDING -> WHOLE -> NAMED -> RUNNING
 *
 * BUILDING and WHOLE look the same from outside: NAME--incoming. Only NAMED
 * is known to be whole, so the source says START after xl has named it, and
 * never goes back then, unless the target was fenced: an unpause may be under
 * way. A target whose domain is gone after START is taken for one that ran.
 */
#define LATE_START       1  /* unpause, then write START */
#define LATE_RESUMED     2  /* resume, then write RESUMED */
#define BACK_AFTER_START 3  /* resume after START on a lost link */
#define ABSENT_IS_NEVER  4  /* absent after START taken as never started */
#define XL_STARTS        5  /* no -p: stock xl starts it as it names it */
#define TAKES_INCOMING   6  /* START for a copy that is not named yet */
#define TRUST_PAGE_CACHE 7  /* act on entries read, not known to be on disk */
#define NO_FSYNC         8  /* write entries without fsync */
#define EARLY_AUTOSTART  9  /* autostart guests before recover */
#define FALSE_FENCE      10 /* the target is said to be fenced, and is not */
#define ASK_ONCE         11 /* only the first process unpauses */
#define LEAVES_PAUSED    12 /* the target's copy is not cleaned up */
#define EARLY_DESTROY    13 /* destroy its copy after START without a look */
#define NEVER_MOVES      21 /* no end with the guest at the target */
#define NEVER_STAYS      22 /* none with the guest resumed */
#define NEVER_LOST_HERE  23 /* none with the last copy lost at the source */
#define NEVER_LOST_THERE 24 /* none with the last copy lost at the target */
#define NEVER_TAKES_OVER 25 /* none where only the target kept its copy */
#define NEVER_FENCED     26 /* none with the source resumed by fencing */
#define START_TAKEN_BACK 31 /* START is given and withdrawn, round and round */

#ifndef NR_FAULTS
#define NR_FAULTS 3
#endif

c_decl { extern int atoi(const char *); extern char *getenv(const char *); }

/* Domains; the source's is ABSENT, NAMED (suspended) or RUNNING. */
#define ABSENT   0
#define BUILDING 1
#define WHOLE    2
#define NAMED    3
#define RUNNING  4

/* The source's journal. */
#define NONE    0
#define OFFERED 1
#define START   2
#define DONE    3
#define RESUMED 4
#define FENCED  5
#define LOST    6

byte mutant;

bool source_up = 1, source_alive = 1, source_first = 1, source_synced = 1;
byte source_domain = RUNNING, source_journal = NONE, source_disk = NONE;
bool target_up = 1, xl_alive = 1;
byte target_domain = ABSENT;

bool link = 1;
bool sent_stream, sent_unpause, sent_destroy;
bool quiet, fenced;
byte faults = NR_FAULTS;

/* For the properties alone. */
bool source_lost, target_lost, source_went_on, target_ran;

#define source_acts (source_up && source_alive && source_synced)
#define sees(state) (link && target_up && target_domain == state)

inline one_copy()
{
    assert(!(source_domain == RUNNING && target_domain == RUNNING))
}

inline source_write(entry)
{
    source_journal = entry;
    source_synced = (mutant == NO_FSYNC)
}

inline source_runs()
{
    source_domain = RUNNING;
    source_went_on = 1;
    one_copy();
    assert(!target_ran || fenced)
}

inline target_runs()
{
    /* A half-built copy cannot run. */
    assert(target_domain >= WHOLE);
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

    :: d_step { source_acts && source_first && source_journal == NONE && link &&
        source_domain == RUNNING -> source_write(OFFERED) }
    :: d_step { source_acts && source_first && source_journal == OFFERED &&
        source_domain == RUNNING && !source_went_on && link ->
        source_domain = NAMED }
    :: d_step { source_acts && source_first && source_journal == OFFERED &&
        source_domain == NAMED && link && !sent_stream -> sent_stream = 1 }

    /* before START: on, or back at will; without a copy only on */
    :: d_step { source_acts && source_journal == OFFERED && sees(NAMED) &&
        source_domain != RUNNING && mutant != LATE_START ->
        source_write(START) }
    :: d_step { source_acts && source_journal == OFFERED &&
        source_domain != ABSENT && mutant != LATE_RESUMED ->
        source_write(RESUMED) }
    :: d_step { source_acts && source_journal == OFFERED &&
        source_domain == ABSENT && !xl_alive &&
        (sees(ABSENT) || sees(BUILDING) || sees(WHOLE) || fenced) ->
        source_write(LOST) }

    /* after START: unpause until it is seen to run, or to be gone */
    :: d_step { source_acts && source_journal == START && sees(NAMED) &&
        !sent_unpause && (mutant != ASK_ONCE || source_first) ->
        sent_unpause = 1 }
    :: d_step { source_acts && source_journal == START &&
        (sees(RUNNING) || (sees(ABSENT) && mutant != ABSENT_IS_NEVER)) &&
        !fenced -> source_write(DONE) }
    :: d_step { source_acts && source_journal == START && fenced ->
        source_write(FENCED) }

    :: d_step { source_acts && source_journal == DONE &&
        source_domain == NAMED -> source_domain = ABSENT }
    :: d_step { source_acts && (source_journal == RESUMED ||
        source_journal == FENCED) && source_domain == NAMED -> source_runs() }
    /* An --incoming one is xl's own as long as that xl lives. */
    :: d_step { source_acts && (source_journal == RESUMED ||
        source_journal == FENCED || source_journal == LOST) &&
        (sees(NAMED) || (!xl_alive && (sees(BUILDING) || sees(WHOLE)))) &&
        !sent_destroy && mutant != LEAVES_PAUSED -> sent_destroy = 1 }

    /* a guest that was lost here is started cold, recover having run */
    :: d_step { source_acts && !source_first && !quiet && source_lost &&
        source_domain == ABSENT && source_journal != OFFERED &&
        source_journal != START && source_journal != DONE -> source_runs() }

    /* what must not be */
    :: d_step { mutant == LATE_START && source_acts && sees(NAMED) &&
        source_journal == OFFERED && !sent_unpause -> sent_unpause = 1 }
    :: d_step { mutant == LATE_START && source_acts && sees(RUNNING) &&
        source_journal == OFFERED -> source_write(START) }
    :: d_step { mutant == LATE_RESUMED && source_acts &&
        source_journal == OFFERED && source_domain == NAMED -> source_runs() }
    :: d_step { mutant == LATE_RESUMED && source_acts &&
        source_journal == OFFERED && source_domain == RUNNING ->
        source_write(RESUMED) }
    :: d_step { mutant == BACK_AFTER_START && source_acts && !link &&
        source_journal == START && source_domain == NAMED ->
        source_write(RESUMED) }
    :: d_step { mutant == ABSENT_IS_NEVER && source_acts && sees(ABSENT) &&
        source_journal == START && source_domain == NAMED ->
        source_write(RESUMED) }
    :: d_step { mutant == TAKES_INCOMING && source_acts && !xl_alive &&
        (sees(BUILDING) || sees(WHOLE)) && source_journal == OFFERED &&
        source_domain == ABSENT -> source_write(START) }
    :: d_step { mutant == TAKES_INCOMING && source_acts && !xl_alive &&
        (sees(BUILDING) || sees(WHOLE)) && source_journal == START &&
        !sent_unpause -> sent_unpause = 1 }
    :: d_step { mutant == EARLY_DESTROY && source_acts &&
        source_journal == START && source_domain == NAMED ->
        source_domain = ABSENT }
    :: d_step { mutant == START_TAKEN_BACK && source_acts && !quiet &&
        source_journal == START -> source_write(OFFERED) }
    :: d_step { mutant == EARLY_AUTOSTART && source_up && source_lost &&
        source_domain == ABSENT && source_journal != DONE -> source_runs() }
    od
}

/* xl migrate-receive -p, and the commands that arrive. */
active proctype target()
{
end:
    do
    :: d_step { target_up && xl_alive && link && target_domain == ABSENT &&
        !sent_stream && source_acts && source_first &&
        source_journal == OFFERED -> target_domain = BUILDING }
    :: d_step { target_up && xl_alive && link && target_domain == BUILDING &&
        sent_stream -> target_domain = WHOLE }
    :: d_step { target_up && xl_alive && link && target_domain == WHOLE &&
        source_alive && source_first ->
        target_domain = NAMED;
        xl_alive = 0;
        if
        :: mutant == XL_STARTS -> target_runs()
        :: else
        fi }
    /* Its stdin ended: it destroys its copy, or leaves it there. */
    :: d_step { target_up && xl_alive && (!link || !source_alive ||
        !source_first || !source_up || source_journal > OFFERED) ->
        xl_alive = 0;
        target_domain = ABSENT }
    :: d_step { target_up && xl_alive && (!link || !source_alive ||
        !source_first || !source_up || source_journal > OFFERED) ->
        xl_alive = 0 }

    :: d_step { target_up && sent_unpause && (target_domain == NAMED ||
        (mutant == TAKES_INCOMING && target_domain != ABSENT &&
         target_domain != RUNNING)) -> target_runs() }
    :: d_step { target_up && sent_destroy && target_domain != ABSENT &&
        !xl_alive ->
        assert(target_domain != RUNNING);
        target_domain = ABSENT }
    od
}

inline source_power_loss()
{
    source_lost = source_lost || source_domain != ABSENT;
    source_domain = ABSENT;
    source_up = 0;
    source_alive = 0
}

/* What breaks; the commands in flight are lost with the link, or come late. */
active proctype fate()
{
end:
    do
    :: d_step { !quiet -> quiet = 1; faults = 0 }
    :: d_step { faults > 0 && source_alive -> faults--; source_alive = 0 }
    :: d_step { faults > 0 && xl_alive -> faults--; xl_alive = 0 }
    :: d_step { faults > 0 && source_up -> faults--;
        source_power_loss();
        source_disk = source_journal }
    :: d_step { faults > 0 && source_up && source_journal != source_disk ->
        faults--;
        source_power_loss();
        source_journal = source_disk }
    :: d_step { faults > 0 && target_up -> faults--;
        target_lost = target_lost || target_domain >= WHOLE;
        target_domain = ABSENT;
        target_up = 0;
        xl_alive = 0 }
    :: d_step { faults > 0 && link -> faults--; link = 0 }
    :: d_step { faults > 0 && link -> faults--; link = 0;
        sent_stream = 0; sent_unpause = 0; sent_destroy = 0 }
    od
}

active proctype user()
{
end:
    do
    :: d_step { !link -> link = 1 }
    :: d_step { !source_up -> source_up = 1 }
    :: d_step { !target_up -> target_up = 1 }
    :: d_step { source_up && !source_alive -> source_alive = 1;
        source_first = 0;
        source_synced = (mutant == TRUST_PAGE_CACHE || mutant == NO_FSYNC) }
    :: d_step { !fenced && !target_up && source_up && !quiet -> fenced = 1 }
    :: d_step { mutant == FALSE_FENCE && !fenced && !link && !quiet ->
        fenced = 1 }
    od
}

active proctype finally()
{
    timeout;
    assert(quiet && link && source_up && target_up);
    assert(source_domain == RUNNING || source_domain == ABSENT);
    assert(target_domain == RUNNING || target_domain == ABSENT);
    one_copy();
    assert(source_journal != OFFERED && source_journal != START);
    if
    :: source_domain == RUNNING -> assert(source_journal != DONE)
    :: target_domain == RUNNING -> assert(source_journal == DONE)
    :: else ->
        assert(source_journal == DONE || source_lost);
        assert(source_journal != DONE || target_lost);
        assert(mutant != NEVER_LOST_HERE || source_journal != LOST);
        assert(mutant != NEVER_LOST_THERE || source_journal != DONE)
    fi;
    assert(mutant != NEVER_MOVES || target_domain != RUNNING);
    assert(mutant != NEVER_STAYS || source_journal != RESUMED ||
           source_domain != RUNNING);
    assert(mutant != NEVER_FENCED || source_journal != FENCED ||
           source_domain != RUNNING);
    assert(mutant != NEVER_TAKES_OVER || !source_lost ||
           target_domain != RUNNING)
}
