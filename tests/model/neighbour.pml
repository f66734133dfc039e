/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handover beside other programs, for spin: handover.pml's source and
 * target, with an administrator and stock programs that know nothing of the
 * protocol and act on the same guest at either end, and with a guest that
 * reboots. Journals are on disk as soon as they are written, and the link is
 * never cut: handover.pml has those faults. Processes die, and the source's
 * host loses its power.
 *
 *   source  NONE -> OFFERED -> SUSPENDING -> GO -> DONE
 *                      |           |         |--> RESUMED -> RAN
 *                      |           |         '--> LOST, YIELDED
 *                      '-----------'------------> RESUMED, LOST, YIELDED
 *   target  NONE -> READY -> STARTING -> STARTED, or ABORTED
 *
 * The stock program (`xl save`, `xl save -c`, `xl migrate`, libvirt) runs a
 * save helper, which everybody can see, from before it asks the guest to
 * suspend until its image is whole. It may then let the guest go on, or destroy
 * it and have it elsewhere: in a file, at a third host, or at the target.
 *
 * It takes any suspension for its own.
 *
 * What a look at the source's domain shows is look_*() below, the table of
 * handover.h. A look and the step that follows from it are one step here.
 * Three races remain outside and are excluded by the guards that name them:
 *
 *   GAP  after SUSPENDING is written and before the guest has suspended for
 *        us, a stock program suspends the guest; and the only look of ours
 *        falls after its helper has ended and before it has renamed, resumed
 *        or destroyed the domain. It then looks as if suspended for us.
 *   BOTH the two programs ask within the same moment, after each has looked
 *        for the other; the guest acknowledges once, and both believe it.
 *   LATE a stock program starts its helper after GO, while our copy is still
 *        suspended, and then resumes it: because its save failed, say.
 */
#define RESUMES_TWICE    1  /* RAN is not written: a later suspension is ours */
#define NO_NOTE          2  /* OFFERED alone: whoever suspended, it is resumed */
#define NO_HELPER_LOOK   3  /* a save helper at work is not looked for */
#define GONE_IS_LOST     4  /* a copy that was ended is taken for a lost one */
#define AWAY_IS_OURS     5  /* NAME--migratedaway is not looked at */
#define RESUMED_IF_RUNS  6  /* RESUMED, not RAN, is written while it runs */
#define DESTROYS_BY_UUID 7  /* the target destroys whatever has the UUID */
#define ADOPTS           8  /* READY for a copy that our own xl did not make */
#define IN_THE_GAP       9  /* the race GAP, admitted */
#define BOTH_AT_ONCE     10 /* the race BOTH, admitted */
#define LATE_HELPER      11 /* the race LATE, admitted */
#define NEVER_MOVES      21 /* no end with the guest at the target by us */
#define NEVER_YIELDS     22 /* none where the source has yielded */
#define NEVER_RAN        23 /* none where the source's guest went on */
#define NEVER_ELSEWHERE  24 /* none where stock moved the guest elsewhere */
#define NEVER_AT_TARGET  25 /* none where stock moved it to our target */
#define NEVER_REBOOTED   26 /* none where the guest has rebooted */
#define NEVER_LISTED     27 /* none with a half copy that nobody owns */
#define NEVER_TAKES_OVER 28 /* none where only the target kept its copy */
#define GO_TAKEN_BACK    31 /* GO is given and withdrawn, round and round */

#ifndef NR_FAULTS
#define NR_FAULTS 2
#endif
/* How often the neighbour, the administrator and the guest act in all. */
#ifndef NR_ACTS
#define NR_ACTS 3
#endif

c_decl { extern int atoi(const char *); extern char *getenv(const char *); }

/* The source's domain. GONE: another program or the guest has ended it. */
#define ABSENT    0 /* lost with the host's power */
#define RUNNING   1
#define SUSPENDED 2
#define GONE      3
/* The target's copies: BUILDING is 1, too. */
#define BUILDING  1
#define PAUSED    2
#define STARTED_COPY 3

/* Who suspended the source's domain. */
#define NOBODY 0
#define WE     1
#define THEY   2

/* The source's journal. */
#define NONE       0
#define OFFERED    1
#define SUSPENDING 2
#define GO         3
#define DONE       4
#define RESUMED    5
#define RAN        6
#define LOST       7
#define YIELDED    8
/* The target's. */
#define READY      1
#define STARTING   2
#define STARTED    3
#define ABORTED    4

/*
 * The stock program: about to start its helper; its helper works; its image is
 * whole; it has called the source's domain NAME--migratedaway.
 */
#define IDLE       0
#define PREPARED   1
#define COPYING    2
#define WHOLE      3
#define MOVED_AWAY 4

byte mutant;

bool source_up = 1, source_alive = 1, source_first = 1;
byte source_domain = RUNNING, source_journal = NONE, suspended_by = NOBODY;
bool asked;             /* our request to suspend stands in xenstore */
bool target_alive = 1, target_first = 1;
byte target_domain = ABSENT, target_journal = NONE;
bool target_known;      /* the target's journal has the domid of its copy */
bool complete;          /* all of our stream has arrived */
bool say_go, say_abort, say_ready, say_starting, say_aborted;

byte stock = IDLE;
bool stock_asked;       /* it has asked the guest to suspend */
bool elsewhere;         /* the guest's next life is with another program */
bool to_target;         /* stock moves the guest to our own target */
byte other_copy = ABSENT; /* stock's copy at our target, of the same UUID */
bool adopted;           /* our target's journal names stock's copy */
bool rebooted;          /* the guest runs at the source in a new domain */
bool ended;             /* the administrator destroyed it before GO */

bool quiet;
byte faults = NR_FAULTS, acts = NR_ACTS;
bool source_lost, go_said;

#define source_acts (source_up && source_alive)

/* ---- the table of handover.h --------------------------------------------- */

#define helper_seen (stock == COPYING && mutant != NO_HELPER_LOOK)
#define name_away   (stock == MOVED_AWAY && mutant != AWAY_IS_OURS)
#define in_gap      (stock == WHOLE && mutant != IN_THE_GAP && \
                     (source_journal == SUSPENDING || \
                      (source_journal == RESUMED && \
                       mutant != RESUMES_TWICE && mutant != NO_NOTE && \
                       mutant != RESUMED_IF_RUNS)))
#define look_absent (source_domain == ABSENT || \
                     (source_domain == GONE && mutant == GONE_IS_LOST))
#define look_gone   (source_domain == GONE && mutant != GONE_IS_LOST)
#define look_taken  (source_domain == SUSPENDED && (helper_seen || \
                     name_away || (source_journal == OFFERED && \
                     mutant != NO_NOTE)))
#define look_paused (source_domain == SUSPENDED && !look_taken && !in_gap)
#define look_runs   (source_domain == RUNNING)
#define look_others (look_gone || look_taken)

inline one_copy()
{
    assert((source_domain == RUNNING) + rebooted +
           (target_domain == STARTED_COPY) +
           (elsewhere && !to_target) + (other_copy == STARTED_COPY) <= 1)
}

inline source_resumes()
{
    /* Another program's suspension is never undone by us. */
    assert(suspended_by != THEY);
    source_domain = RUNNING;
    suspended_by = NOBODY;
    asked = 0;
    one_copy()
}

inline target_runs()
{
    /* Another program's copy is never started, nor one that was destroyed. */
    assert(!adopted && !ended);
    target_domain = STARTED_COPY;
    one_copy()
}

active proctype source()
{
    d_step { c_code { now.mutant = getenv("MUTANT") ?
                                   atoi(getenv("MUTANT")) : 0; } };
end:
    do
    /* send */
    :: d_step { source_acts && source_first && source_journal == NONE &&
        look_runs && !helper_seen -> source_journal = OFFERED }
    :: d_step { source_acts && source_first && source_journal == OFFERED &&
        look_runs && !helper_seen && target_domain == BUILDING ->
        source_journal = SUSPENDING }
    /* Before it asks it looks once more. */
    :: d_step { source_acts && source_first && source_journal == SUSPENDING &&
        look_runs && !asked && (!helper_seen || mutant == BOTH_AT_ONCE) ->
        asked = 1 }
    :: d_step { source_acts && source_first && source_journal == SUSPENDING &&
        source_domain == SUSPENDED && !complete && !look_taken &&
        suspended_by == WE -> complete = 1 }

    /* before GO: on, or back at will; a copy that others have is theirs */
    :: d_step { source_acts && source_journal == SUSPENDING && say_ready &&
        (look_paused || look_absent) -> source_journal = GO }
    :: d_step { source_acts && (source_journal == OFFERED ||
        source_journal == SUSPENDING) && look_others ->
        source_journal = YIELDED }
    :: d_step { source_acts && (source_journal == OFFERED ||
        source_journal == SUSPENDING) && look_runs && !asked &&
        mutant != RESUMES_TWICE && mutant != RESUMED_IF_RUNS ->
        source_journal = RAN }
    :: d_step { source_acts && (source_journal == OFFERED ||
        source_journal == SUSPENDING) && (look_paused || (look_runs &&
        (asked || mutant == RESUMES_TWICE || mutant == RESUMED_IF_RUNS))) ->
        source_journal = RESUMED }
    :: d_step { source_acts && (source_journal == OFFERED ||
        source_journal == SUSPENDING || source_journal == GO) &&
        look_absent && say_aborted -> source_journal = LOST }

    /* after GO only what the target says counts */
    :: d_step { source_acts && source_journal == GO && !look_others &&
        !say_go -> say_go = 1; go_said = 1 }
    :: d_step { source_acts && source_journal == GO && look_others &&
        !say_abort -> say_abort = 1 }
    :: d_step { source_acts && source_journal == GO && say_starting ->
        source_journal = DONE }
    :: d_step { source_acts && source_journal == GO && say_aborted &&
        look_paused -> source_journal = RESUMED }
    :: d_step { source_acts && source_journal == GO && say_aborted &&
        look_others -> source_journal = YIELDED }

    /* what follows from the journal */
    :: d_step { source_acts && source_journal == DONE && look_paused ->
        source_domain = GONE }
    :: d_step { source_acts && source_journal == RESUMED && look_paused ->
        source_resumes() }
    :: d_step { source_acts && source_journal == RESUMED && look_runs &&
        asked -> asked = 0 }
    :: d_step { source_acts && source_journal == RESUMED && look_runs &&
        !asked && mutant != RESUMES_TWICE -> source_journal = RAN }
    :: d_step { source_acts && source_journal == RESUMED && look_others ->
        source_journal = YIELDED }
    :: d_step { source_acts && source_journal >= RESUMED && !say_abort ->
        say_abort = 1 }

    /* what must not be */
    :: d_step { mutant == GO_TAKEN_BACK && source_acts && !quiet &&
        source_journal == GO -> source_journal = SUSPENDING }
    od
}

/* Our own copy, or with a mutant whatever has the UUID. */
#define mine (target_domain == PAUSED || adopted)

active proctype target()
{
end:
    do
    :: d_step { target_alive && target_first && target_journal == NONE &&
        source_journal == OFFERED && target_domain == ABSENT &&
        other_copy == ABSENT -> target_domain = BUILDING }
    :: d_step { target_alive && target_first && target_journal == NONE &&
        target_domain == BUILDING && !target_known -> target_known = 1 }
    :: d_step { target_alive && target_first && target_journal == NONE &&
        target_domain == BUILDING && target_known && complete ->
        target_domain = PAUSED }
    :: d_step { target_alive && target_first && target_journal == NONE &&
        target_domain == PAUSED -> target_journal = READY }
    :: d_step { target_alive && target_journal == NONE &&
        source_journal != NONE -> target_journal = ABORTED }
    :: d_step { mutant == ADOPTS && target_alive && target_journal == NONE &&
        target_domain == ABSENT && other_copy == PAUSED &&
        source_journal != NONE ->
        adopted = 1;
        target_journal = READY }

    :: d_step { target_alive && target_journal == READY && mine &&
        !say_ready -> say_ready = 1 }
    :: d_step { target_alive && target_journal == READY && say_go && mine ->
        target_journal = STARTING }
    :: d_step { target_alive && target_journal == READY && say_abort ->
        target_journal = ABORTED }
    :: d_step { target_alive && target_journal == STARTING && mine ->
        target_runs() }
    :: d_step { target_alive && target_journal == STARTING && !mine ->
        target_journal = STARTED }
    :: d_step { target_alive && (target_journal == STARTING ||
        target_journal == STARTED) && !say_starting -> say_starting = 1 }
    :: d_step { target_alive && target_journal == ABORTED && !say_aborted ->
        say_aborted = 1 }
    :: d_step { target_alive && target_journal == ABORTED &&
        (target_domain == BUILDING || target_domain == PAUSED) &&
        (target_known || target_first) -> target_domain = ABSENT }

    :: d_step { target_alive && target_journal == ABORTED &&
        ((mutant == DESTROYS_BY_UUID && !target_known) || adopted) &&
        other_copy == PAUSED -> other_copy = ABSENT }
    od
}

/* Stock's xl, for one move or save of the guest after another. */
active proctype neighbour()
{
end:
    do
    :: d_step { acts > 0 && source_up && stock == IDLE && !elsewhere &&
        (source_domain == RUNNING || source_domain == SUSPENDED) &&
        (source_journal < GO || source_journal > DONE ||
        mutant == LATE_HELPER) ->
        acts--;
        stock = PREPARED }
    :: d_step { stock == PREPARED &&
        (source_domain == RUNNING || source_domain == SUSPENDED) &&
        (source_journal < GO || source_journal > DONE ||
        mutant == LATE_HELPER) ->
        stock = COPYING;
        stock_asked = 0 }
    :: d_step { stock == PREPARED -> stock = IDLE }
    :: d_step { source_up && stock == COPYING && source_domain == RUNNING &&
        !stock_asked && (!asked || mutant == BOTH_AT_ONCE) ->
        stock_asked = 1 }
    /* It fails: log-dirty is in use, the guest does not answer, is gone. */
    :: d_step { stock == COPYING && source_domain == RUNNING -> stock = IDLE;
        stock_asked = 0 }
    :: d_step { stock == COPYING && source_domain != RUNNING &&
        source_domain != SUSPENDED -> stock = IDLE; stock_asked = 0 }
    /* Whoever asked the guest: it is suspended, and so may be copied. */
    :: d_step { stock == COPYING && source_domain == SUSPENDED ->
        suspended_by = THEY;
        stock = WHOLE }
    /* Its failure, too, ends with what it does to any guest: resume it. */
    :: d_step { stock == COPYING && source_domain == SUSPENDED ->
        source_domain = RUNNING;
        suspended_by = NOBODY;
        stock = IDLE;
        one_copy() }
    /* It lets the guest go on, or destroys it here. */
    :: d_step { stock == WHOLE && source_domain == SUSPENDED ->
        source_domain = RUNNING;
        suspended_by = NOBODY;
        stock = IDLE;
        one_copy() }
    :: d_step { stock == WHOLE && source_domain == SUSPENDED ->
        stock = MOVED_AWAY }
    :: d_step { stock == MOVED_AWAY && source_domain == SUSPENDED &&
        !elsewhere -> elsewhere = 1; one_copy() }
    :: d_step { stock == MOVED_AWAY && source_domain == SUSPENDED &&
        !elsewhere && other_copy == ABSENT ->
        elsewhere = 1;
        to_target = 1;
        other_copy = PAUSED }
    :: d_step { stock == MOVED_AWAY && elsewhere &&
        source_domain == SUSPENDED -> source_domain = GONE }
    :: d_step { stock > COPYING && source_domain == GONE -> stock = IDLE }
    /* Our source has destroyed its copy, or resumed it, beneath stock. */
    :: d_step { stock > COPYING && source_domain == RUNNING -> assert(0) }
    /* At the target: started, and paused by its administrator later. */
    :: d_step { other_copy == PAUSED && source_domain == GONE &&
        stock == IDLE ->
        other_copy = STARTED_COPY;
        one_copy() }
    :: d_step { acts > 0 && other_copy == STARTED_COPY -> acts--;
        other_copy = PAUSED }
    od
}

/* The guest answers who asked; the administrator ends it; it reboots. */
active proctype guest()
{
end:
    do
    :: d_step { asked && source_domain == RUNNING -> asked = 0;
        source_domain = SUSPENDED; suspended_by = WE }
    :: d_step { stock_asked && stock == COPYING && source_domain == RUNNING ->
        stock_asked = 0; source_domain = SUSPENDED; suspended_by = THEY }
    :: d_step { mutant == BOTH_AT_ONCE && asked && stock_asked &&
        stock == COPYING && source_domain == RUNNING -> asked = 0;
        source_domain = SUSPENDED; suspended_by = WE }
    :: d_step { acts > 0 && source_up && stock == IDLE &&
        source_journal != GO && source_journal != DONE &&
        (source_domain == RUNNING || source_domain == SUSPENDED) -> acts--;
        ended = 1;
        source_domain = GONE }
    :: d_step { acts > 0 && source_domain == RUNNING && !rebooted -> acts--;
        source_domain = GONE;
        rebooted = 1;
        one_copy() }
    od
}

active proctype fate()
{
end:
    do
    :: d_step { !quiet -> quiet = 1; faults = 0; acts = 0 }
    :: d_step { faults > 0 && source_alive -> faults--; source_alive = 0 }
    :: d_step { faults > 0 && target_alive -> faults--; target_alive = 0 }
    :: d_step { faults > 0 && source_up && stock == IDLE && !elsewhere &&
        !rebooted && !ended -> faults--;
        source_lost = 1;
        source_domain = ABSENT;
        suspended_by = NOBODY;
        asked = 0;
        source_up = 0;
        source_alive = 0 }
    od
}

active proctype user()
{
end:
    do
    :: d_step { !source_up -> source_up = 1 }
    :: d_step { source_up && !source_alive -> source_alive = 1;
        source_first = 0 }
    :: d_step { !target_alive -> target_alive = 1; target_first = 0 }
    od
}

active proctype finally()
{
    timeout;
    assert(quiet);
    one_copy();
    assert(source_journal != OFFERED && source_journal != SUSPENDING);
    assert(source_domain != SUSPENDED);
    assert(target_domain != PAUSED);
    /* Half a copy stays only where its domid was never written down. */
    assert(target_domain != BUILDING || !target_known);
    /* Stock's copy is stock's: nothing of ours has ended it. */
    assert(!to_target || other_copy != ABSENT);
    /* The guest lives, unless power or another program has ended it. */
    assert(source_domain == RUNNING || rebooted || elsewhere || ended ||
           target_domain == STARTED_COPY || source_lost);
    assert(mutant != NEVER_MOVES || target_domain != STARTED_COPY);
    assert(mutant != NEVER_YIELDS || source_journal != YIELDED);
    assert(mutant != NEVER_RAN || source_journal != RAN);
    assert(mutant != NEVER_ELSEWHERE || !elsewhere || to_target);
    assert(mutant != NEVER_AT_TARGET || other_copy != STARTED_COPY);
    assert(mutant != NEVER_REBOOTED || !rebooted);
    assert(mutant != NEVER_LISTED || target_domain != BUILDING);
    assert(mutant != NEVER_TAKES_OVER || !source_lost ||
           target_domain != STARTED_COPY)
}
