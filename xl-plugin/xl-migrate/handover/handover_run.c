/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "handover_run.h"

#include <string.h>

/* An entry is followed by an act and by another entry at most. */
#define MAX_STEPS 8

#define NR_WORDS  (HANDOVER_SAY_FAILED + 1)

static const char *const word_names[NR_WORDS] = {
    [HANDOVER_SAY_GO] = "GO",
    [HANDOVER_SAY_ABORT] = "ABORT",
    [HANDOVER_SAY_DONE] = "DONE",
    [HANDOVER_SAY_READY] = "READY",
    [HANDOVER_SAY_STARTING] = "STARTING",
    [HANDOVER_SAY_ABORTED] = "ABORTED",
    [HANDOVER_SAY_FAILED] = "FAILED",
};

static const enum handover_event word_events[2][NR_WORDS] = {
    [JOURNAL_SOURCE] =
        {
            [HANDOVER_SAY_READY] = HANDOVER_HEARD_READY,
            [HANDOVER_SAY_STARTING] = HANDOVER_HEARD_STARTING,
            [HANDOVER_SAY_ABORTED] = HANDOVER_HEARD_ABORTED,
            [HANDOVER_SAY_FAILED] = HANDOVER_HEARD_FAILED,
        },
    [JOURNAL_TARGET] =
        {
            [HANDOVER_SAY_GO] = HANDOVER_HEARD_GO,
            [HANDOVER_SAY_ABORT] = HANDOVER_HEARD_ABORT,
            /* DONE settles the case: there is no step for it. */
        },
};

const char *handover_word_name(enum handover_word word)
{
    const char *name = (unsigned)word < NR_WORDS ? word_names[word] : NULL;

    return name ? name : "?";
}

enum handover_word handover_word_of_name(const char *name)
{
    for (unsigned i = HANDOVER_SAY_NOTHING + 1; i < NR_WORDS; i++) {
        if (!strcmp(name, word_names[i]))
            return i;
    }
    return HANDOVER_SAY_NOTHING;
}

enum handover_event handover_event_of_word(enum journal_side side,
                                           enum handover_word word)
{
    return (unsigned)word < NR_WORDS ? word_events[side][word] : HANDOVER_LOOK;
}

static int decide(const struct journal *journal, enum handover_copy copy,
                  enum handover_event event, struct handover_step *ret,
                  struct xcx_err *err)
{
    return journal->about.side == JOURNAL_SOURCE
               ? handover_source_step(journal->entry, copy, event, ret, err)
               : handover_target_step(journal->entry, copy, event, ret, err);
}

static void say(const struct handover_seam *seam, enum handover_word word,
                const char *text, struct handover_outcome *outcome)
{
    outcome->word = word;
    outcome->said = false;
    outcome->unsaid = XCX_ERR_INIT;
    if (word != HANDOVER_SAY_NOTHING)
        outcome->said = !seam->say(seam->opaque, word, text, &outcome->unsaid);
}

/* Says that the copy stays paused, and that another try is possible. */
static int decline(const struct journal *journal,
                   const struct handover_seam *seam, enum handover_copy copy,
                   const struct xcx_err *why, struct handover_outcome *outcome,
                   struct xcx_err *err)
{
    struct handover_step step;

    if (decide(journal, copy, HANDOVER_CANNOT_START, &step, err))
        return -1;
    outcome->entry = journal->entry;
    outcome->copy = copy;
    outcome->place = step.place;
    say(seam, step.say, why->msg, outcome);
    return 0;
}

static int act(const struct handover_seam *seam,
               const struct handover_step *step, struct xcx_err *err)
{
    struct handover_outcome unused;

    if (!seam->act(seam->opaque, step->act, err))
        return 0;
    if (step->act == HANDOVER_DO_RESUME)
        say(seam, step->say, NULL, &unused);
    return -1;
}

int handover_run(struct journal *journal, const struct handover_seam *seam,
                 enum handover_event event, struct handover_outcome *ret,
                 struct xcx_err *err)
{
    struct handover_outcome outcome = {.place = HANDOVER_UNDECIDED};
    struct handover_step step;

    for (unsigned i = 0; i < MAX_STEPS; i++, event = HANDOVER_LOOK) {
        struct xcx_err unwritten = XCX_ERR_INIT;
        uint32_t domid = 0;

        if (seam->look(seam->opaque, &outcome.copy, &domid, err) ||
            decide(journal, outcome.copy, event, &step, err))
            return -1;
        if (step.write &&
            journal_append(journal, step.write, domid ? domid : journal->domid,
                           &unwritten)) {
            if (step.write == HANDOVER_STARTING &&
                unwritten.kind == XCX_ERR_RESOURCE)
                return decline(journal, seam, outcome.copy, &unwritten, ret,
                               err);
            return xcx_err_set(err, unwritten.kind, 0, "%s", unwritten.msg);
        }
        if (step.act && act(seam, &step, err))
            return -1;
        if (step.write || step.act)
            continue;
        outcome.entry = journal->entry;
        outcome.place = step.place;
        say(seam, step.say, NULL, &outcome);
        *ret = outcome;
        return 0;
    }
    return xcx_err_set(err, XCX_ERR_BUG, 0,
                       "the case does not come to rest after %s",
                       handover_entry_name(journal->entry));
}
