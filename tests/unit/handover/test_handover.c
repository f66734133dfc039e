/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover: the steps of each end. Every entry x copy x event keeps to the
 * rules; the rows that matter are spelt out. test_handover_world plays both
 * ends against each other.
 */
#include "xl-migrate/handover/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

typedef int step_fn(enum handover_entry entry, enum handover_copy copy,
                    enum handover_event event, struct handover_step *ret,
                    struct xcx_err *err);

#define E(name) HANDOVER_##name

struct row {
    enum handover_entry entry;
    enum handover_copy copy;
    enum handover_event event;
    struct handover_step want;
};

static const struct row source_rows[] = {
    {E(NONE), E(RUNNING), E(OFFER), {E(OFFERED), 0, 0, E(UNDECIDED)}},
    {E(NONE), E(RUNNING), E(LOOK), {0, 0, 0, E(HERE)}},
    {E(NONE), E(ABSENT), E(LOOK), {0, 0, 0, E(LAST_HERE)}},
    {E(NONE), E(GONE), E(LOOK), {0, 0, 0, E(NOT_OURS)}},
    {E(NONE), E(RUNNING), E(WITHDRAW), {0, 0, 0, E(HERE)}},
    {E(NONE), E(RUNNING), E(HEARD_ABORTED), {0, 0, 0, E(HERE)}},
    {E(OFFERED), E(RUNNING), E(SUSPEND), {E(SUSPENDING), 0, 0, E(UNDECIDED)}},
    {E(OFFERED),
     E(ABSENT),
     E(HEARD_READY),
     {E(GO), 0, E(SAY_GO), E(UNDECIDED)}},
    {E(OFFERED), E(PAUSED), E(LOOK), {0, 0, 0, E(UNDECIDED)}},
    {E(OFFERED),
     E(PAUSED),
     E(WITHDRAW),
     {E(RESUMED), E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(OFFERED), E(RUNNING), E(WITHDRAW), {E(RAN), 0, E(SAY_ABORT), E(HERE)}},
    {E(OFFERED), E(ASKED), E(WITHDRAW), {E(RESUMED), 0, E(SAY_ABORT), E(HERE)}},
    {E(OFFERED), E(ABSENT), E(WITHDRAW), {0, 0, 0, E(UNDECIDED)}},
    {E(OFFERED),
     E(PAUSED),
     E(HEARD_ABORTED),
     {E(RESUMED), E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(OFFERED),
     E(ABSENT),
     E(HEARD_ABORTED),
     {E(LOST), 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(OFFERED), E(ABSENT), E(FENCE), {E(LOST), 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(OFFERED), E(GONE), E(LOOK), {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(GONE),
     E(HEARD_READY),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(GONE),
     E(WITHDRAW),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(GONE),
     E(HEARD_ABORTED),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED), E(GONE), E(FENCE), {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED), E(TAKEN), E(LOOK), {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(TAKEN),
     E(HEARD_READY),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(TAKEN),
     E(WITHDRAW),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(TAKEN),
     E(HEARD_ABORTED),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(OFFERED),
     E(TAKEN),
     E(FENCE),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING), E(PAUSED), E(LOOK), {0, 0, 0, E(UNDECIDED)}},
    {E(SUSPENDING),
     E(PAUSED),
     E(WITHDRAW),
     {E(RESUMED), E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(SUSPENDING),
     E(RUNNING),
     E(WITHDRAW),
     {E(RAN), 0, E(SAY_ABORT), E(HERE)}},
    {E(SUSPENDING),
     E(ASKED),
     E(WITHDRAW),
     {E(RESUMED), 0, E(SAY_ABORT), E(HERE)}},
    {E(SUSPENDING), E(ABSENT), E(WITHDRAW), {0, 0, 0, E(UNDECIDED)}},
    {E(SUSPENDING),
     E(PAUSED),
     E(HEARD_ABORTED),
     {E(RESUMED), E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(SUSPENDING),
     E(ABSENT),
     E(HEARD_ABORTED),
     {E(LOST), 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(SUSPENDING),
     E(ABSENT),
     E(FENCE),
     {E(LOST), 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(SUSPENDING),
     E(GONE),
     E(LOOK),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(GONE),
     E(HEARD_READY),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(GONE),
     E(WITHDRAW),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(GONE),
     E(HEARD_ABORTED),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(GONE),
     E(FENCE),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(TAKEN),
     E(LOOK),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(TAKEN),
     E(HEARD_READY),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(TAKEN),
     E(WITHDRAW),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(TAKEN),
     E(HEARD_ABORTED),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(TAKEN),
     E(FENCE),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(SUSPENDING),
     E(PAUSED),
     E(HEARD_READY),
     {E(GO), 0, E(SAY_GO), E(UNDECIDED)}},
    {E(SUSPENDING),
     E(ABSENT),
     E(HEARD_READY),
     {E(GO), 0, E(SAY_GO), E(UNDECIDED)}},
    {E(SUSPENDING),
     E(RUNNING),
     E(HEARD_READY),
     {E(RAN), 0, E(SAY_ABORT), E(HERE)}},
    {E(GO), E(PAUSED), E(LOOK), {0, 0, E(SAY_GO), E(UNDECIDED)}},
    {E(GO), E(ABSENT), E(LOOK), {0, 0, E(SAY_GO), E(UNDECIDED)}},
    {E(GO), E(GONE), E(LOOK), {0, 0, E(SAY_ABORT), E(UNDECIDED)}},
    {E(GO), E(TAKEN), E(LOOK), {0, 0, E(SAY_ABORT), E(UNDECIDED)}},
    {E(GO), E(GONE), E(HEARD_READY), {0, 0, E(SAY_ABORT), E(UNDECIDED)}},
    {E(GO), E(PAUSED), E(WITHDRAW), {0, 0, E(SAY_ABORT), E(UNDECIDED)}},
    {E(GO), E(ABSENT), E(WITHDRAW), {0, 0, E(SAY_GO), E(UNDECIDED)}},
    {E(GO), E(PAUSED), E(HEARD_FAILED), {0, 0, E(SAY_ABORT), E(UNDECIDED)}},
    {E(GO),
     E(PAUSED),
     E(HEARD_STARTING),
     {E(DONE), E(DO_DESTROY), E(SAY_DONE), E(THERE)}},
    {E(GO), E(ABSENT), E(HEARD_STARTING), {E(DONE), 0, E(SAY_DONE), E(THERE)}},
    {E(GO), E(GONE), E(HEARD_STARTING), {E(DONE), 0, E(SAY_DONE), E(THERE)}},
    {E(GO), E(TAKEN), E(HEARD_STARTING), {E(DONE), 0, E(SAY_DONE), E(THERE)}},
    {E(GO),
     E(PAUSED),
     E(HEARD_ABORTED),
     {E(RESUMED), E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(GO),
     E(ABSENT),
     E(HEARD_ABORTED),
     {E(LOST), 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(GO),
     E(GONE),
     E(HEARD_ABORTED),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(GO),
     E(TAKEN),
     E(HEARD_ABORTED),
     {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(GO),
     E(PAUSED),
     E(FENCE),
     {E(FENCED), E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(GO), E(ABSENT), E(FENCE), {E(FENCED), 0, E(SAY_ABORT), E(LAST_EITHER)}},
    {E(GO), E(GONE), E(FENCE), {E(FENCED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(DONE), E(PAUSED), E(LOOK), {0, E(DO_DESTROY), E(SAY_DONE), E(THERE)}},
    {E(DONE), E(ABSENT), E(LOOK), {0, 0, E(SAY_DONE), E(THERE)}},
    {E(DONE), E(GONE), E(LOOK), {0, 0, E(SAY_DONE), E(THERE)}},
    {E(RESUMED), E(PAUSED), E(LOOK), {0, E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(RESUMED), E(ASKED), E(LOOK), {0, 0, E(SAY_ABORT), E(HERE)}},
    {E(RESUMED), E(RUNNING), E(LOOK), {E(RAN), 0, E(SAY_ABORT), E(HERE)}},
    {E(RESUMED), E(ABSENT), E(LOOK), {0, 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(RESUMED), E(GONE), E(LOOK), {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(RESUMED), E(TAKEN), E(LOOK), {E(YIELDED), 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(RAN), E(PAUSED), E(LOOK), {0, 0, E(SAY_ABORT), E(HERE)}},
    {E(RAN), E(RUNNING), E(LOOK), {0, 0, E(SAY_ABORT), E(HERE)}},
    {E(RAN), E(TAKEN), E(LOOK), {0, 0, E(SAY_ABORT), E(HERE)}},
    {E(RAN), E(GONE), E(LOOK), {0, 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(RAN), E(ABSENT), E(LOOK), {0, 0, E(SAY_ABORT), E(LAST_HERE)}},
    {E(FENCED), E(PAUSED), E(LOOK), {0, E(DO_RESUME), E(SAY_ABORT), E(HERE)}},
    {E(FENCED), E(RUNNING), E(LOOK), {E(FENCED_RAN), 0, E(SAY_ABORT), E(HERE)}},
    {E(FENCED), E(TAKEN), E(LOOK), {E(FENCED_RAN), 0, E(SAY_ABORT), E(HERE)}},
    {E(FENCED), E(GONE), E(LOOK), {0, 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(FENCED_RAN), E(PAUSED), E(LOOK), {0, 0, E(SAY_ABORT), E(HERE)}},
    {E(FENCED_RAN),
     E(RUNNING),
     E(HEARD_STARTING),
     {0, 0, E(SAY_ABORT), E(HERE)}},
    {E(FENCED_RAN), E(ABSENT), E(LOOK), {0, 0, E(SAY_ABORT), E(LAST_EITHER)}},
    {E(YIELDED), E(PAUSED), E(LOOK), {0, 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(YIELDED), E(GONE), E(LOOK), {0, 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(YIELDED), E(TAKEN), E(LOOK), {0, 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(YIELDED), E(ABSENT), E(LOOK), {0, 0, E(SAY_ABORT), E(NOT_OURS)}},
    {E(YIELDED), E(RUNNING), E(LOOK), {0, 0, E(SAY_ABORT), E(HERE)}},
};

static const struct row target_rows[] = {
    {E(NONE), E(BUILDING), E(LOOK), {0, 0, 0, E(UNDECIDED)}},
    {E(NONE),
     E(PAUSED),
     E(COMPLETE),
     {E(READY), 0, E(SAY_READY), E(UNDECIDED)}},
    {E(NONE),
     E(BUILDING),
     E(GIVE_UP),
     {E(ABORTED), E(DO_DESTROY), E(SAY_ABORTED), E(THERE)}},
    {E(NONE),
     E(ABSENT),
     E(HEARD_ABORT),
     {E(ABORTED), 0, E(SAY_ABORTED), E(THERE)}},
    {E(READY), E(PAUSED), E(LOOK), {0, 0, E(SAY_READY), E(UNDECIDED)}},
    {E(READY), E(PAUSED), E(GIVE_UP), {0, 0, E(SAY_READY), E(UNDECIDED)}},
    {E(READY), E(PAUSED), E(CANNOT_START), {0, 0, E(SAY_FAILED), E(UNDECIDED)}},
    {E(READY), E(ABSENT), E(LOOK), {E(ABORTED), 0, E(SAY_ABORTED), E(THERE)}},
    {E(READY),
     E(ABSENT),
     E(HEARD_GO),
     {E(ABORTED), 0, E(SAY_ABORTED), E(THERE)}},
    {E(READY),
     E(PAUSED),
     E(HEARD_ABORT),
     {E(ABORTED), E(DO_DESTROY), E(SAY_ABORTED), E(THERE)}},
    {E(READY),
     E(PAUSED),
     E(HEARD_GO),
     {E(STARTING), E(DO_UNPAUSE), E(SAY_STARTING), E(HERE)}},
    {E(READY),
     E(RUNNING),
     E(HEARD_GO),
     {E(STARTING), 0, E(SAY_STARTING), E(HERE)}},
    {E(STARTING),
     E(PAUSED),
     E(HEARD_ABORT),
     {0, E(DO_UNPAUSE), E(SAY_STARTING), E(HERE)}},
    {E(STARTING),
     E(RUNNING),
     E(LOOK),
     {E(STARTED), 0, E(SAY_STARTING), E(HERE)}},
    {E(STARTING),
     E(ABSENT),
     E(LOOK),
     {E(STARTED), 0, E(SAY_STARTING), E(LAST_HERE)}},
    /* Paused by an administrator since: none of the handover's business. */
    {E(STARTED), E(PAUSED), E(LOOK), {0, 0, E(SAY_STARTING), E(HERE)}},
    {E(STARTED), E(RUNNING), E(HEARD_ABORT), {0, 0, E(SAY_STARTING), E(HERE)}},
    {E(ABORTED),
     E(PAUSED),
     E(HEARD_GO),
     {0, E(DO_DESTROY), E(SAY_ABORTED), E(THERE)}},
    {E(ABORTED), E(ABSENT), E(HEARD_GO), {0, 0, E(SAY_ABORTED), E(THERE)}},
};

static void check_rows(step_fn *step, const struct row *rows, size_t nr_rows)
{
    for (size_t i = 0; i < nr_rows; i++) {
        const struct row *row = &rows[i];
        struct handover_step got;
        struct xcx_err err = XCX_ERR_INIT;

        print_message("%s, copy %d, %s\n", handover_entry_name(row->entry),
                      (int)row->copy, handover_event_name(row->event));
        assert_int_equal(step(row->entry, row->copy, row->event, &got, &err),
                         0);
        assert_int_equal(got.write, row->want.write);
        assert_int_equal(got.act, row->want.act);
        assert_int_equal(got.say, row->want.say);
        assert_int_equal(got.place, row->want.place);
    }
}

static void source_takes_the_steps_of_its_table(void **state)
{
    (void)state;
    check_rows(handover_source_step, source_rows,
               sizeof(source_rows) / sizeof(source_rows[0]));
}

static void target_takes_the_steps_of_its_table(void **state)
{
    (void)state;
    check_rows(handover_target_step, target_rows,
               sizeof(target_rows) / sizeof(target_rows[0]));
}

static const struct {
    step_fn *step;
    enum handover_entry entry;
    enum handover_copy copy;
    enum handover_event event;
    enum xcx_err_kind kind;
    const char *message;
} refusals[] = {
    {handover_source_step, E(NONE), E(ABSENT), E(OFFER), XCX_ERR_USAGE,
     "no domain runs that could be offered"},
    {handover_source_step, E(NONE), E(PAUSED), E(OFFER), XCX_ERR_USAGE,
     "no domain runs that could be offered"},
    {handover_source_step, E(OFFERED), E(TAKEN), E(SUSPEND), XCX_ERR_GUEST,
     "the domain does not run any more, and was not asked to suspend by this "
     "migration"},
    {handover_source_step, E(SUSPENDING), E(RUNNING), E(SUSPEND), XCX_ERR_BUG,
     "no source has a suspension after SUSPENDING"},
    {handover_source_step, E(OFFERED), E(PAUSED), E(HEARD_READY), XCX_ERR_PEER,
     "the other end says READY, but the journal here OFFERED: look at both "
     "hosts before anything is started"},
    {handover_source_step, E(YIELDED), E(TAKEN), E(HEARD_STARTING),
     XCX_ERR_PEER,
     "the other end says STARTING, but the journal here YIELDED: look at both "
     "hosts before anything is started"},
    {handover_source_step, E(NONE), E(RUNNING), E(FENCE), XCX_ERR_USAGE,
     "nothing was offered: no target to be fenced"},
    {handover_source_step, E(DONE), E(ABSENT), E(FENCE), XCX_ERR_USAGE,
     "the target has started the domain: this end does not go back"},
    {handover_source_step, E(DONE), E(PAUSED), E(WITHDRAW), XCX_ERR_USAGE,
     "the target has started the domain: this end does not go back"},
    {handover_source_step, E(OFFERED), E(RUNNING), E(HEARD_READY), XCX_ERR_PEER,
     "the other end says READY, but the journal here OFFERED: look at both "
     "hosts before anything is started"},
    {handover_source_step, E(OFFERED), E(PAUSED), E(HEARD_STARTING),
     XCX_ERR_PEER,
     "the other end says STARTING, but the journal here OFFERED: look at both "
     "hosts before anything is started"},
    {handover_source_step, E(RESUMED), E(RUNNING), E(HEARD_STARTING),
     XCX_ERR_PEER,
     "the other end says STARTING, but the journal here RESUMED: look at both "
     "hosts before anything is started"},
    {handover_source_step, E(DONE), E(ABSENT), E(HEARD_ABORTED), XCX_ERR_PEER,
     "the other end says ABORTED, but the journal here DONE: look at both "
     "hosts before anything is started"},
    {handover_source_step, E(GO), E(RUNNING), E(HEARD_STARTING), XCX_ERR_GUEST,
     "the domain was handed over, yet it runs here: pause it, then recover"},
    {handover_source_step, E(DONE), E(RUNNING), E(LOOK), XCX_ERR_GUEST,
     "the target has started the domain, yet it runs here: destroy one of the "
     "two"},
    {handover_source_step, E(READY), E(PAUSED), E(LOOK), XCX_ERR_BUG,
     "no source has a look after READY"},
    {handover_source_step, E(GO), E(PAUSED), E(HEARD_GO), XCX_ERR_BUG,
     "no source has GO after GO"},
    {handover_target_step, E(READY), E(TAKEN), E(LOOK), XCX_ERR_BUG,
     "no target has a look after READY"},
    {handover_target_step, E(NONE), E(RUNNING), E(LOOK), XCX_ERR_GUEST,
     "the domain runs here before it was received"},
    {handover_target_step, E(NONE), E(PAUSED), E(HEARD_GO), XCX_ERR_PEER,
     "the other end says GO, but the journal here NONE: look at both hosts "
     "before anything is started"},
    {handover_target_step, E(NONE), E(BUILDING), E(COMPLETE), XCX_ERR_BUG,
     "no half-built copy has completion after NONE"},
    {handover_target_step, E(READY), E(RUNNING), E(HEARD_ABORT), XCX_ERR_GUEST,
     "the domain runs here although the source has not let it go: pause it, "
     "then recover"},
    {handover_target_step, E(ABORTED), E(RUNNING), E(HEARD_GO), XCX_ERR_GUEST,
     "the domain runs here, where it was given up: look at both hosts"},
    {handover_target_step, E(GO), E(PAUSED), E(LOOK), XCX_ERR_BUG,
     "no target has a look after GO"},
    {handover_target_step, E(READY), E(PAUSED), E(FENCE), XCX_ERR_BUG,
     "no target has fencing after READY"},
};

static void refusals_say_why_and_decide_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct handover_step got, before;
        struct xcx_err err = XCX_ERR_INIT;

        memset(&got, 0x5a, sizeof(got));
        before = got;
        assert_int_equal(refusals[i].step(refusals[i].entry, refusals[i].copy,
                                          refusals[i].event, &got, &err),
                         -1);
        assert_string_equal(err.msg, refusals[i].message);
        assert_int_equal(err.kind, refusals[i].kind);
        assert_memory_equal(&got, &before, sizeof(got));
    }
}

/* The rules of the source's step, whatever it was made from. */
static void check_source(enum handover_entry entry, enum handover_copy copy,
                         enum handover_event event,
                         const struct handover_step *step)
{
    enum handover_entry now = step->write ? step->write : entry;

    assert_true(step->write == E(NONE) || step->write > entry);
    if (handover_is_final(entry) && step->write)
        assert_true((entry == E(RESUMED) &&
                     (step->write == E(RAN) || step->write == E(YIELDED))) ||
                    (entry == E(FENCED) && step->write == E(FENCED_RAN)));
    if (entry == E(GO) && step->write == E(RESUMED))
        assert_int_equal(event, E(HEARD_ABORTED));
    if (step->write == E(FENCED))
        assert_true(entry == E(GO) && event == E(FENCE));
    if (step->write == E(DONE))
        assert_true(entry == E(GO) && event == E(HEARD_STARTING));
    if (step->act == E(DO_RESUME))
        assert_true(now == E(RESUMED) || now == E(FENCED));
    if (step->act == E(DO_DESTROY))
        assert_int_equal(now, E(DONE));
    assert_int_not_equal(step->act, E(DO_UNPAUSE));
    if (step->say == E(SAY_GO))
        assert_int_equal(now, E(GO));
    /* Another program's is neither given away nor touched. */
    if (copy == E(GONE) || copy == E(TAKEN)) {
        assert_int_not_equal(step->say, E(SAY_GO));
        assert_int_not_equal(step->write, E(GO));
        assert_int_equal(step->act, E(DO_NOTHING));
    }
    /* Nothing is whole before the guest was asked to stop. */
    if (step->write == E(GO))
        assert_true(entry == E(SUSPENDING) || copy == E(ABSENT));
    if (step->act != E(DO_NOTHING))
        assert_int_equal(copy, E(PAUSED));
}

static void check_target(enum handover_entry entry, enum handover_copy copy,
                         enum handover_event event,
                         const struct handover_step *step)
{
    enum handover_entry now = step->write ? step->write : entry;

    assert_true(step->write == E(NONE) || step->write > entry);
    if (entry >= E(STARTED))
        assert_int_equal(step->write, E(NONE));
    if (step->write == E(STARTING))
        assert_true(entry == E(READY) && event == E(HEARD_GO));
    if (step->write == E(ABORTED))
        assert_true(entry == E(NONE) || event == E(HEARD_ABORT) ||
                    copy == E(ABSENT));
    if (step->act == E(DO_UNPAUSE))
        assert_int_equal(now, E(STARTING));
    if (step->act == E(DO_DESTROY))
        assert_true(now == E(ABORTED) && copy != E(RUNNING));
    assert_int_not_equal(step->act, E(DO_RESUME));
    if (step->say == E(SAY_ABORTED))
        assert_int_equal(now, E(ABORTED));
}

static void every_step_keeps_the_rules(void **state)
{
    const int nr = E(NR_ENTRIES) * E(NR_COPIES) * E(NR_EVENTS);

    (void)state;
    for (int i = 0; i < nr; i++) {
        enum handover_entry entry = i % E(NR_ENTRIES);
        enum handover_copy copy = i / E(NR_ENTRIES) % E(NR_COPIES);
        enum handover_event event = i / E(NR_ENTRIES) / E(NR_COPIES);
        struct handover_step step;
        struct xcx_err err = XCX_ERR_INIT;

        if (!handover_source_step(entry, copy, event, &step, &err))
            check_source(entry, copy, event, &step);
        else
            assert_true(err.kind != XCX_OK && err.msg[0]);
        err = XCX_ERR_INIT;
        if (!handover_target_step(entry, copy, event, &step, &err))
            check_target(entry, copy, event, &step);
        else
            assert_true(err.kind != XCX_OK && err.msg[0]);
    }
}

static void names_are_known_and_bounded(void **state)
{
    (void)state;
    assert_string_equal(handover_entry_name(E(GO)), "GO");
    assert_string_equal(handover_entry_name(E(NR_ENTRIES)), "?");
    assert_string_equal(handover_event_name(E(NR_EVENTS)), "?");
    for (int i = 0; i < E(NR_EVENTS); i++)
        assert_non_null(handover_event_name(i));
    for (int i = 0; i < E(NR_ENTRIES); i++)
        assert_non_null(handover_entry_name(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_takes_the_steps_of_its_table),
        cmocka_unit_test(target_takes_the_steps_of_its_table),
        cmocka_unit_test(refusals_say_why_and_decide_nothing),
        cmocka_unit_test(every_step_keeps_the_rules),
        cmocka_unit_test(names_are_known_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
