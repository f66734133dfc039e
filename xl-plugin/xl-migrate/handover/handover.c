/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover.h"

static const char *const entry_names[HANDOVER_NR_ENTRIES] = {
    [HANDOVER_NONE] = "NONE",
    [HANDOVER_OFFERED] = "OFFERED",
    [HANDOVER_SUSPENDING] = "SUSPENDING",
    [HANDOVER_GO] = "GO",
    [HANDOVER_DONE] = "DONE",
    [HANDOVER_RESUMED] = "RESUMED",
    [HANDOVER_RAN] = "RAN",
    [HANDOVER_FENCED] = "FENCED",
    [HANDOVER_FENCED_RAN] = "FENCED_RAN",
    [HANDOVER_LOST] = "LOST",
    [HANDOVER_YIELDED] = "YIELDED",
    [HANDOVER_READY] = "READY",
    [HANDOVER_STARTING] = "STARTING",
    [HANDOVER_STARTED] = "STARTED",
    [HANDOVER_ABORTED] = "ABORTED",
};

static const char *const event_names[HANDOVER_NR_EVENTS] = {
    [HANDOVER_LOOK] = "a look",
    [HANDOVER_OFFER] = "an offer",
    [HANDOVER_SUSPEND] = "a suspension",
    [HANDOVER_WITHDRAW] = "a withdrawal",
    [HANDOVER_FENCE] = "fencing",
    [HANDOVER_HEARD_READY] = "READY",
    [HANDOVER_HEARD_STARTING] = "STARTING",
    [HANDOVER_HEARD_ABORTED] = "ABORTED",
    [HANDOVER_HEARD_FAILED] = "FAILED",
    [HANDOVER_COMPLETE] = "completion",
    [HANDOVER_GIVE_UP] = "giving up",
    [HANDOVER_CANNOT_START] = "a failed start",
    [HANDOVER_HEARD_GO] = "GO",
    [HANDOVER_HEARD_ABORT] = "ABORT",
};

const char *handover_entry_name(enum handover_entry entry)
{
    return (unsigned)entry < HANDOVER_NR_ENTRIES ? entry_names[entry] : "?";
}

const char *handover_event_name(enum handover_event event)
{
    return (unsigned)event < HANDOVER_NR_EVENTS ? event_names[event] : "?";
}

static int contradicts(enum handover_entry entry, enum handover_event event,
                       struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "the other end says %s, but the journal here %s: "
                       "look at both hosts before anything is started",
                       handover_event_name(event), handover_entry_name(entry));
}

static int no_such(const char *end, enum handover_entry entry,
                   enum handover_event event, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_BUG, 0, "no %s has %s after %s", end,
                       handover_event_name(event), handover_entry_name(entry));
}

/* ---- the source --------------------------------------------------------- */

static bool runs(enum handover_copy copy)
{
    return copy == HANDOVER_RUNNING || copy == HANDOVER_ASKED;
}

/* This host never went down: whoever has the copy, or ended it, did so. */
static bool is_another_s(enum handover_copy copy)
{
    return copy == HANDOVER_GONE || copy == HANDOVER_TAKEN;
}

/*
 * The entry that follows once the target is known not to start its copy. A
 * guest that runs and was not asked needs no resuming: RESUMED would let a
 * later process resume it after another program has suspended it.
 */
static enum handover_entry back_from(enum handover_copy copy)
{
    if (is_another_s(copy))
        return HANDOVER_YIELDED;
    if (copy == HANDOVER_ABSENT)
        return HANDOVER_LOST;
    return copy == HANDOVER_RUNNING ? HANDOVER_RAN : HANDOVER_RESUMED;
}

static int source_none(enum handover_copy copy, enum handover_event event,
                       enum handover_entry *ret, struct xcx_err *err)
{
    switch (event) {
    case HANDOVER_OFFER:
        if (!runs(copy))
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "no domain runs that could be offered");
        *ret = HANDOVER_OFFERED;
        return 0;
    case HANDOVER_SUSPEND:
        return no_such("source", HANDOVER_NONE, event, err);
    case HANDOVER_FENCE:
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "nothing was offered: no target to be fenced");
    case HANDOVER_HEARD_READY:
    case HANDOVER_HEARD_STARTING:
    case HANDOVER_HEARD_FAILED:
        return contradicts(HANDOVER_NONE, event, err);
    default:
        return 0;
    }
}

/* All cannot have been sent while the guest runs, nor before it was asked. */
static int source_ready(enum handover_entry entry, enum handover_copy copy,
                        enum handover_entry *ret, struct xcx_err *err)
{
    if (entry == HANDOVER_OFFERED && copy != HANDOVER_ABSENT)
        return contradicts(entry, HANDOVER_HEARD_READY, err);
    /* Another program may have resumed it behind our back. */
    *ret = runs(copy) ? back_from(copy) : HANDOVER_GO;
    return 0;
}

static int source_suspend(enum handover_entry entry, enum handover_copy copy,
                          enum handover_entry *ret, struct xcx_err *err)
{
    if (entry != HANDOVER_OFFERED)
        return no_such("source", entry, HANDOVER_SUSPEND, err);
    if (!runs(copy))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the domain does not run any more, and was not "
                           "asked to suspend by this migration");
    *ret = HANDOVER_SUSPENDING;
    return 0;
}

/* OFFERED and SUSPENDING */
static int source_offered(enum handover_entry entry, enum handover_copy copy,
                          enum handover_event event, enum handover_entry *ret,
                          struct xcx_err *err)
{
    if (event == HANDOVER_HEARD_STARTING || event == HANDOVER_HEARD_FAILED)
        return contradicts(entry, event, err);
    if (event == HANDOVER_SUSPEND)
        return source_suspend(entry, copy, ret, err);
    if (is_another_s(copy)) {
        *ret = HANDOVER_YIELDED;
        return 0;
    }
    switch (event) {
    case HANDOVER_HEARD_READY:
        return source_ready(entry, copy, ret, err);
    case HANDOVER_HEARD_ABORTED:
    case HANDOVER_FENCE:
        *ret = back_from(copy);
        return 0;
    case HANDOVER_WITHDRAW:
        /* Without a copy here the target's may be the only one. */
        if (copy != HANDOVER_ABSENT)
            *ret = back_from(copy);
        return 0;
    default:
        return 0;
    }
}

static int source_go(enum handover_copy copy, enum handover_event event,
                     enum handover_entry *ret, struct xcx_err *err)
{
    if (runs(copy))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the domain was handed over, yet it runs here: "
                           "pause it, then recover");
    switch (event) {
    case HANDOVER_HEARD_STARTING:
        *ret = HANDOVER_DONE;
        return 0;
    case HANDOVER_HEARD_ABORTED:
        *ret = back_from(copy);
        return 0;
    case HANDOVER_FENCE:
        *ret = HANDOVER_FENCED;
        return 0;
    default:
        return 0;
    }
}

static int source_done(enum handover_copy copy, enum handover_event event,
                       struct xcx_err *err)
{
    if (runs(copy))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the target has started the domain, yet it runs "
                           "here: destroy one of the two");
    if (event == HANDOVER_HEARD_ABORTED)
        return contradicts(HANDOVER_DONE, event, err);
    if (event == HANDOVER_WITHDRAW || event == HANDOVER_FENCE)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "the target has started the domain: this end does "
                           "not go back");
    return 0;
}

/* The guest is the source's: resumed once, and then not touched any more. */
static void source_back(enum handover_entry entry, enum handover_copy copy,
                        enum handover_entry *ret)
{
    if (entry == HANDOVER_RESUMED && copy == HANDOVER_RUNNING)
        *ret = HANDOVER_RAN;
    else if (entry == HANDOVER_RESUMED && is_another_s(copy))
        *ret = HANDOVER_YIELDED;
    else if (entry == HANDOVER_FENCED &&
             (copy == HANDOVER_RUNNING || copy == HANDOVER_TAKEN))
        *ret = HANDOVER_FENCED_RAN;
}

static int source_next(enum handover_entry entry, enum handover_copy copy,
                       enum handover_event event, enum handover_entry *ret,
                       struct xcx_err *err)
{
    switch (entry) {
    case HANDOVER_NONE:
        return source_none(copy, event, ret, err);
    case HANDOVER_OFFERED:
    case HANDOVER_SUSPENDING:
        return source_offered(entry, copy, event, ret, err);
    case HANDOVER_GO:
        return source_go(copy, event, ret, err);
    case HANDOVER_DONE:
        return source_done(copy, event, err);
    case HANDOVER_FENCED: /* a target that comes back may have started it */
    case HANDOVER_FENCED_RAN:
        break;
    default:
        if (event == HANDOVER_HEARD_STARTING)
            return contradicts(entry, event, err);
        break;
    }
    source_back(entry, copy, ret);
    return 0;
}

static enum handover_act source_act(enum handover_entry entry,
                                    enum handover_copy copy)
{
    if (copy != HANDOVER_PAUSED)
        return HANDOVER_DO_NOTHING;
    switch (entry) {
    case HANDOVER_RESUMED:
    case HANDOVER_FENCED:
        return HANDOVER_DO_RESUME;
    case HANDOVER_DONE:
        return HANDOVER_DO_DESTROY;
    default:
        return HANDOVER_DO_NOTHING;
    }
}

static enum handover_word source_word_at_go(enum handover_copy copy,
                                            enum handover_event event)
{
    bool wants_it_back =
        event == HANDOVER_WITHDRAW || event == HANDOVER_HEARD_FAILED;

    /* Without a copy that power took, the target's is wanted anyhow. */
    return is_another_s(copy) || (wants_it_back && copy == HANDOVER_PAUSED)
               ? HANDOVER_SAY_ABORT
               : HANDOVER_SAY_GO;
}

static enum handover_word source_word(enum handover_entry entry,
                                      enum handover_copy copy,
                                      enum handover_event event)
{
    switch (entry) {
    case HANDOVER_NONE:
    case HANDOVER_OFFERED:
    case HANDOVER_SUSPENDING:
        return HANDOVER_SAY_NOTHING;
    case HANDOVER_GO:
        return source_word_at_go(copy, event);
    case HANDOVER_DONE:
        return HANDOVER_SAY_DONE;
    default:
        return HANDOVER_SAY_ABORT;
    }
}

/* The place of a guest that is the source's, or was. */
static enum handover_place source_place_back(enum handover_entry entry,
                                             enum handover_copy copy)
{
    bool fenced = entry == HANDOVER_FENCED || entry == HANDOVER_FENCED_RAN;

    if (runs(copy))
        return HANDOVER_HERE;
    if (copy == HANDOVER_GONE || entry == HANDOVER_YIELDED)
        return HANDOVER_NOT_OURS;
    if (copy == HANDOVER_ABSENT)
        return fenced ? HANDOVER_LAST_EITHER : HANDOVER_LAST_HERE;
    return HANDOVER_HERE;
}

static enum handover_place source_place(enum handover_entry entry,
                                        enum handover_copy copy)
{
    switch (entry) {
    case HANDOVER_OFFERED:
    case HANDOVER_SUSPENDING:
    case HANDOVER_GO:
        return HANDOVER_UNDECIDED;
    case HANDOVER_DONE:
        return HANDOVER_THERE;
    default:
        return source_place_back(entry, copy);
    }
}

bool handover_is_undecided(enum handover_entry entry)
{
    return entry == HANDOVER_OFFERED || entry == HANDOVER_SUSPENDING;
}

bool handover_is_back(enum handover_entry entry)
{
    return entry == HANDOVER_RESUMED || entry == HANDOVER_RAN ||
           entry == HANDOVER_FENCED || entry == HANDOVER_FENCED_RAN;
}

bool handover_is_final(enum handover_entry entry)
{
    return handover_is_back(entry) || entry == HANDOVER_DONE ||
           entry == HANDOVER_LOST || entry == HANDOVER_YIELDED;
}

int handover_source_step(enum handover_entry entry, enum handover_copy copy,
                         enum handover_event event, struct handover_step *ret,
                         struct xcx_err *err)
{
    enum handover_entry next = HANDOVER_NONE;

    if ((unsigned)entry > HANDOVER_YIELDED ||
        (unsigned)event > HANDOVER_HEARD_FAILED || copy == HANDOVER_BUILDING)
        return no_such("source", entry, event, err);
    if (source_next(entry, copy, event, &next, err))
        return -1;

    enum handover_entry now = next ? next : entry;

    *ret = (struct handover_step){
        .write = next,
        .act = source_act(now, copy),
        .say = source_word(now, copy, event),
        .place = source_place(now, copy),
    };
    return 0;
}

/* ---- the target --------------------------------------------------------- */

static int target_none(enum handover_copy copy, enum handover_event event,
                       enum handover_entry *ret, struct xcx_err *err)
{
    if (copy == HANDOVER_RUNNING)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the domain runs here before it was received");
    switch (event) {
    case HANDOVER_COMPLETE:
        if (copy != HANDOVER_PAUSED)
            return no_such("half-built copy", HANDOVER_NONE, event, err);
        *ret = HANDOVER_READY;
        return 0;
    case HANDOVER_GIVE_UP:
    case HANDOVER_HEARD_ABORT:
        *ret = HANDOVER_ABORTED;
        return 0;
    case HANDOVER_HEARD_GO:
        return contradicts(HANDOVER_NONE, event, err);
    default:
        return 0;
    }
}

static int target_ready(enum handover_copy copy, enum handover_event event,
                        enum handover_entry *ret, struct xcx_err *err)
{
    if (copy == HANDOVER_BUILDING)
        return no_such("half-built copy", HANDOVER_READY, event, err);
    if (copy == HANDOVER_ABSENT) {
        *ret = HANDOVER_ABORTED;
        return 0;
    }
    if (event == HANDOVER_HEARD_GO) {
        *ret = HANDOVER_STARTING;
        return 0;
    }
    if (copy == HANDOVER_RUNNING)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the domain runs here although the source has not "
                           "let it go: pause it, then recover");
    if (event == HANDOVER_HEARD_ABORT)
        *ret = HANDOVER_ABORTED;
    return 0;
}

static int target_next(enum handover_entry entry, enum handover_copy copy,
                       enum handover_event event, enum handover_entry *ret,
                       struct xcx_err *err)
{
    switch (entry) {
    case HANDOVER_NONE:
        return target_none(copy, event, ret, err);
    case HANDOVER_READY:
        return target_ready(copy, event, ret, err);
    case HANDOVER_STARTING:
        if (copy == HANDOVER_BUILDING)
            return no_such("half-built copy", entry, event, err);
        /* Absent: it may have run, so that no older copy may any more. */
        if (copy != HANDOVER_PAUSED)
            *ret = HANDOVER_STARTED;
        return 0;
    case HANDOVER_ABORTED:
        if (copy == HANDOVER_RUNNING)
            return xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "the domain runs here, where it was given up: "
                               "look at both hosts");
        return 0;
    default:
        return 0;
    }
}

static enum handover_act target_act(enum handover_entry entry,
                                    enum handover_copy copy)
{
    if (entry == HANDOVER_STARTING && copy == HANDOVER_PAUSED)
        return HANDOVER_DO_UNPAUSE;
    if (entry == HANDOVER_ABORTED && copy != HANDOVER_ABSENT)
        return HANDOVER_DO_DESTROY;
    return HANDOVER_DO_NOTHING;
}

static enum handover_word target_word(enum handover_entry entry,
                                      enum handover_event event)
{
    switch (entry) {
    case HANDOVER_READY:
        return event == HANDOVER_CANNOT_START ? HANDOVER_SAY_FAILED
                                              : HANDOVER_SAY_READY;
    case HANDOVER_STARTING:
    case HANDOVER_STARTED:
        return HANDOVER_SAY_STARTING;
    case HANDOVER_ABORTED:
        return HANDOVER_SAY_ABORTED;
    default:
        return HANDOVER_SAY_NOTHING;
    }
}

static enum handover_place target_place(enum handover_entry entry,
                                        enum handover_copy copy)
{
    switch (entry) {
    case HANDOVER_STARTING:
    case HANDOVER_STARTED:
        return copy == HANDOVER_ABSENT ? HANDOVER_LAST_HERE : HANDOVER_HERE;
    case HANDOVER_ABORTED:
        return HANDOVER_THERE;
    default:
        return HANDOVER_UNDECIDED;
    }
}

static bool is_targets(enum handover_entry entry, enum handover_event event)
{
    return (entry == HANDOVER_NONE ||
            ((unsigned)entry >= HANDOVER_READY &&
             (unsigned)entry < HANDOVER_NR_ENTRIES)) &&
           (event == HANDOVER_LOOK || ((unsigned)event >= HANDOVER_COMPLETE &&
                                       (unsigned)event < HANDOVER_NR_EVENTS));
}

int handover_target_step(enum handover_entry entry, enum handover_copy copy,
                         enum handover_event event, struct handover_step *ret,
                         struct xcx_err *err)
{
    enum handover_entry next = HANDOVER_NONE;

    if (!is_targets(entry, event) || (unsigned)copy > HANDOVER_RUNNING)
        return no_such("target", entry, event, err);
    if (target_next(entry, copy, event, &next, err))
        return -1;

    enum handover_entry now = next ? next : entry;

    *ret = (struct handover_step){
        .write = next,
        .act = target_act(now, copy),
        .say = target_word(now, event),
        .place = target_place(now, copy),
    };
    return 0;
}
