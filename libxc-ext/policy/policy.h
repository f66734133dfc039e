/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy: when to end the live phase, and how.
 *
 * Statistics in, decision out. No clock, no fd, no hypercall, no memory of
 * its own but the struct: the same samples always give the same decisions.
 *
 *   round 0        round 1      round 2
 *   |--------------|-------|----|--- ...
 *      p   p   p   E   p   E    E          p: a peek within a round
 *      step() each time;  only at E may it answer other than CONTINUE,
 *      except that a spent time budget is answered at once.
 *
 * The forecast. If the guest were suspended now, it would be stopped for
 *
 *   suspend + final scan + cpu state                (the costs given)
 *   + (dirty + left + dirtying rate * (settle + suspend)) / send rate
 *   + what suspending itself dirties / send rate
 *
 * The last is a guess at a guest's habits: it is told, but a migration is
 * neither refused nor delayed because of it ("fits" is without it).
 *
 * The send rate is a decaying average over the rounds that were large enough
 * to tell, each worth as much as all before it, and never above the bandwidth
 * limit. Round 0 sends long runs in order, and may ask for types or search
 * for holes, which later rounds need not: what it says is forgotten as soon
 * as there is another. The dirtying rate is the slope between the last two
 * samples of the round: the same bitmap goes on growing until the guest has
 * stopped, and it grows slower the more of the working set it holds. A round of
 * less than 5 ms has no slope worth having, as its few hot pages are written
 * first: the slope of the round before stays in force.
 *
 * The decision at a round's end, first match:
 *
 *   the forecast fits, and another round does not pay   STOP_AND_COPY
 *   target 0, and more rounds could at best halve it    STOP_AND_COPY
 *   rounds or time are used up                          last word
 *   the costs alone exceed the target, without a        last word (to stop:
 *   final scan that was measured too seldom             not before it helps)
 *   dirty set no longer shrinks (below)                 slow
 *   otherwise                                           CONTINUE
 *
 *   on_slow              slow                           last word
 *   throttle             THROTTLE to the next cap, at   ABORT
 *                        the lowest: the last word
 *   throttle, then stop  the same                       STOP_AND_COPY
 *   stop                 STOP_AND_COPY                  STOP_AND_COPY
 *   abort                ABORT                          ABORT
 *   any, with target 0   STOP_AND_COPY (no promise to break)
 *
 * So a guest is suspended for longer than the target only under on_slow
 * "stop" and "throttle, then stop".
 *
 * "Pays": where it fits already, another round still costs little and can
 * bring the blackout down by a lot; stopping at once made it a hundred times
 * that of the stock helper for a guest that writes a fifth of the link's rate.
 * So it goes on while the pages, not the fixed costs, are most of the forecast
 * and the next round is to take half of this one's time or less; four times
 * at most, and not past the limits. Pages here and there may take longer than
 * round 0's runs (four times was seen in the simulator): while only round 0's
 * rate is known they count as three times as long in this, and what would then
 * not fit waits for another round, too.
 *
 * "No longer shrinks": two rounds in a row that did not bring the dirty set
 * an eighth below the smallest that counted; one noisy round is forgiven.
 * Under a cap, or with half of the rounds or of the time used, one is enough.
 * What a new cap brings is compared with the set at which it was applied.
 *
 * Limits. It knows counts, not which pages; it takes the link's rate and the
 * guest's habits for those of the last round, so a burst that begins during
 * the suspend is not foreseen. A round is not cut short because it will not
 * help. A cap is not raised again before
 * the guest is asked to suspend; then it goes, as suspending is work, too.
 */
#ifndef XCX_POLICY_POLICY_H
#define XCX_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext.h"

/* The costs of a blackout besides its pages, measured where possible. */
struct xcx_policy_costs {
    uint64_t suspend_ns;      /* asking until the guest has stopped */
    uint64_t final_scan_ns;   /* one CLEAN of the whole bitmap */
    uint64_t cpu_state_ns;    /* vCPUs, platform state, END */
    uint64_t settle_ns;       /* before asking: no blackout, but pages */
    uint64_t suspend_nr_pfns; /* that suspending dirties in an idle guest */
};

/*
 * The costs to assume before any was measured: 10, 1, 5 and 0 ms, and 256
 * pages (an idle Linux was seen to dirty 240 to 260 of them while it stopped).
 */
void xcx_policy_costs_default(struct xcx_policy_costs *ret_costs);

/*
 * The suspend_ns to assume, as it is never measured in time: 10 ms, and
 * more on a host where a count of the dirty pages (which pauses the guest,
 * too) takes long: 200 times that, 150 ms at most. Seen in the lab: 0.2 to
 * 0.7 ms a count, 50 to 140 ms a suspend.
 */
uint64_t xcx_policy_suspend_guess(uint64_t count_ns);

/*
 * The shortest of the last three times that something took: any one of them
 * may have been held up by another domain's work. Zeroed: none yet.
 */
#define XCX_POLICY_NR_TIMES 3
struct xcx_policy_times {
    unsigned nr; /* so far */
    uint64_t ns[XCX_POLICY_NR_TIMES];
};

/* Notes one; returns the shortest with it. */
uint64_t xcx_policy_note_time(struct xcx_policy_times *times, uint64_t ns);

/*
 * Whether this guess, of fewer than three times, would by itself end the live
 * phase: then it is worth to measure once more.
 */
bool xcx_policy_is_worth_a_look(const struct xcx_policy_times *times,
                                uint64_t suspend_ns,
                                const struct xcx_policy_limits *limits);

/* A look at the migration, at a peek or at a round's end. */
struct xcx_policy_sample {
    bool round_end;      /* false: a peek while the round goes on */
    unsigned nr_rounds;  /* rounds completed so far, round 0 included */
    uint64_t elapsed_ns; /* since the live phase began; never goes back */
    uint64_t round_ns;   /* since this round's CLEAN; never goes back in it */
    uint64_t nr_pfns_dirty; /* dirtied since this round's CLEAN */
    uint64_t nr_pfns_left;  /* others unsent: deferred; at a peek the rest of
                               the round, too */
    uint64_t nr_pfns_sent;  /* with data, in this round so far */
    uint64_t send_ns;       /* time that sending them took, pauses included,
                               peeks not */
    struct xcx_policy_costs costs;
    bool scan_is_doubtful; /* its cost is the shortest of less than 3 CLEANs */
};

enum xcx_policy_action {
    XCX_POLICY_CONTINUE,      /* go on; at a round's end: another live round */
    XCX_POLICY_STOP_AND_COPY, /* suspend and send the rest */
    XCX_POLICY_THROTTLE,      /* set the cap, then another live round */
    XCX_POLICY_ABORT,         /* xcx_policy_abort_err() has the words */
};

#define XCX_POLICY_UNKNOWN_NS UINT64_MAX

struct xcx_policy_decision {
    enum xcx_policy_action action;
    /* XCX_POLICY_UNKNOWN_NS while nothing was sent that would tell. */
    uint64_t predicted_blackout_ns;
    unsigned cap_percent; /* THROTTLE: of the CPU time its vCPUs could have */
    const char *reason;   /* static text, for statistics and log */
};

/* Owned by the caller, used by one thread; fields are the policy's own. */
struct xcx_policy {
    struct xcx_policy_limits limits;
    /* The send rate: picoseconds a page. 0: not known. */
    uint64_t page_ps;
    bool rate_is_of_few;    /* of a round too small to tell */
    bool rate_is_of_round0; /* and of nothing else */
    /* Dirtying rate: the last slope of the round, and where it ended. */
    uint64_t dirtied_pfns;
    uint64_t dirtied_ns;
    uint64_t previous_dirty;
    uint64_t previous_round_ns;
    /* Whether the dirty set shrinks. */
    uint64_t reference_dirty;
    bool has_reference;
    unsigned nr_stalled;
    unsigned next_cap; /* index of the next lower cap */
    bool no_caps;      /* the guest's scheduler has none */
    unsigned nr_extra; /* rounds since it fitted first */
};

/* Starts a migration. The limits are copied. */
void xcx_policy_init(struct xcx_policy *policy,
                     const struct xcx_policy_limits *limits);

/* Sets new limits. A cap that is set stays, and past rounds still count. */
void xcx_policy_set_limits(struct xcx_policy *policy,
                           const struct xcx_policy_limits *limits);

/* Takes one sample and answers it. Cannot fail; fills all of ret_decision. */
void xcx_policy_step(struct xcx_policy *policy,
                     const struct xcx_policy_sample *sample,
                     struct xcx_policy_decision *ret_decision);

/* Whether a guest that cannot be kept within its limits is suspended anyway. */
bool xcx_policy_stops_anyway(const struct xcx_policy *policy);

/*
 * A THROTTLE was asked for, and the guest's scheduler has no caps: what is
 * decided instead, now and from now on.
 */
void xcx_policy_set_no_caps(struct xcx_policy *policy,
                            struct xcx_policy_decision *decision);

/*
 * The error that an ABORT becomes, kind GUEST, with the forecast, the target
 * and the reason. Returns -1 always.
 */
int xcx_policy_abort_err(const struct xcx_policy *policy,
                         const struct xcx_policy_decision *decision,
                         struct xcx_err *err);

#endif
