/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A step carried out: in which order journal, domain and word are touched,
 * and what is done when one of them fails.
 */
#include "xl-migrate/handover/handover_run.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/case_sample.h"
#include "unit/scratch.h"

struct world {
    struct journal journal;
    enum handover_copy copy;
    bool act_fails, say_fails;
    char trace[256]; /* what was done, in order */
};

static void note(struct world *world, const char *what)
{
    size_t used = strlen(world->trace);

    snprintf(world->trace + used, sizeof(world->trace) - used, "%s%s",
             used ? " " : "", what);
}

/* ---- the seam ------------------------------------------------------------ */

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    struct world *world = opaque;

    (void)err;
    note(world, handover_entry_name(world->journal.entry));
    *ret_copy = world->copy;
    *ret_domid = world->copy == HANDOVER_ABSENT ? 0 : 7;
    return 0;
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    static const char *const names[] = {"?", "resume", "unpause", "destroy"};
    struct world *world = opaque;

    note(world, names[act]);
    if (world->act_fails)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "will not");
    world->copy =
        act == HANDOVER_DO_DESTROY ? HANDOVER_ABSENT : HANDOVER_RUNNING;
    return 0;
}

static int on_say(void *opaque, enum handover_word word, const char *text,
                  struct xcx_err *err)
{
    struct world *world = opaque;

    note(world, handover_word_name(word));
    if (text)
        note(world, text);
    if (world->say_fails)
        return xcx_err_set(err, XCX_ERR_IO, EPIPE, "the target");
    return 0;
}

static void begin(struct world *world, enum journal_side side,
                  enum handover_entry entry)
{
    memset(world, 0, sizeof(*world));
    case_sample_create(&world->journal, scratch_dir, side, entry);
}

static void end(struct world *world)
{
    assert_int_equal(journal_remove(&world->journal, NULL), 0);
}

static int run(struct world *world, enum handover_event event,
               struct handover_outcome *ret, struct xcx_err *err)
{
    const struct handover_seam seam = {
        .opaque = world, .look = on_look, .act = on_act, .say = on_say};

    return handover_run(&world->journal, &seam, event, ret, err);
}

/* ---- what is done in which order ----------------------------------------- */

static const struct {
    enum journal_side side;
    enum handover_entry before;
    enum handover_copy copy;
    enum handover_event event;
    const char *trace; /* the journal's entry at each look; acts; the word */
    enum handover_entry after;
    enum handover_place place;
} orders[] = {
    {JOURNAL_SOURCE, HANDOVER_NONE, HANDOVER_RUNNING, HANDOVER_OFFER,
     "NONE OFFERED", HANDOVER_OFFERED, HANDOVER_UNDECIDED},
    {JOURNAL_SOURCE, HANDOVER_OFFERED, HANDOVER_RUNNING, HANDOVER_SUSPEND,
     "OFFERED SUSPENDING", HANDOVER_SUSPENDING, HANDOVER_UNDECIDED},
    {JOURNAL_SOURCE, HANDOVER_SUSPENDING, HANDOVER_PAUSED, HANDOVER_HEARD_READY,
     "SUSPENDING GO GO", HANDOVER_GO, HANDOVER_UNDECIDED},
    {JOURNAL_SOURCE, HANDOVER_SUSPENDING, HANDOVER_GONE, HANDOVER_HEARD_READY,
     "SUSPENDING YIELDED ABORT", HANDOVER_YIELDED, HANDOVER_NOT_OURS},
    {JOURNAL_SOURCE, HANDOVER_GO, HANDOVER_TAKEN, HANDOVER_LOOK, "GO ABORT",
     HANDOVER_GO, HANDOVER_UNDECIDED},
    {JOURNAL_SOURCE, HANDOVER_SUSPENDING, HANDOVER_PAUSED, HANDOVER_WITHDRAW,
     "SUSPENDING resume RESUMED RAN ABORT", HANDOVER_RAN, HANDOVER_HERE},
    {JOURNAL_SOURCE, HANDOVER_RAN, HANDOVER_PAUSED, HANDOVER_LOOK, "RAN ABORT",
     HANDOVER_RAN, HANDOVER_HERE},
    {JOURNAL_SOURCE, HANDOVER_GO, HANDOVER_PAUSED, HANDOVER_HEARD_STARTING,
     "GO destroy DONE DONE", HANDOVER_DONE, HANDOVER_THERE},
    {JOURNAL_SOURCE, HANDOVER_GO, HANDOVER_PAUSED, HANDOVER_WITHDRAW,
     "GO ABORT", HANDOVER_GO, HANDOVER_UNDECIDED},
    {JOURNAL_SOURCE, HANDOVER_GO, HANDOVER_PAUSED, HANDOVER_HEARD_ABORTED,
     "GO resume RESUMED RAN ABORT", HANDOVER_RAN, HANDOVER_HERE},
    {JOURNAL_TARGET, HANDOVER_NONE, HANDOVER_PAUSED, HANDOVER_COMPLETE,
     "NONE READY READY", HANDOVER_READY, HANDOVER_UNDECIDED},
    {JOURNAL_TARGET, HANDOVER_READY, HANDOVER_PAUSED, HANDOVER_HEARD_GO,
     "READY unpause STARTING STARTED STARTING", HANDOVER_STARTED,
     HANDOVER_HERE},
    {JOURNAL_TARGET, HANDOVER_READY, HANDOVER_PAUSED, HANDOVER_CANNOT_START,
     "READY FAILED", HANDOVER_READY, HANDOVER_UNDECIDED},
    {JOURNAL_TARGET, HANDOVER_READY, HANDOVER_PAUSED, HANDOVER_HEARD_ABORT,
     "READY destroy ABORTED ABORTED", HANDOVER_ABORTED, HANDOVER_THERE},
};

static void each_event_is_written_done_and_said_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct handover_outcome outcome;
        struct xcx_err err = XCX_ERR_INIT;
        struct world world;

        begin(&world, orders[i].side, orders[i].before);
        world.copy = orders[i].copy;
        if (run(&world, orders[i].event, &outcome, &err))
            fail_msg("%zu: %s", i, err.msg);
        assert_string_equal(world.trace, orders[i].trace);
        assert_int_equal(outcome.entry, orders[i].after);
        assert_int_equal(world.journal.entry, orders[i].after);
        assert_int_equal(outcome.place, orders[i].place);
        assert_int_equal(outcome.said, outcome.word != HANDOVER_SAY_NOTHING);
        end(&world);
    }
}

static void a_refused_event_touches_nothing(void **state)
{
    struct handover_outcome outcome = {.entry = HANDOVER_LOST};
    struct xcx_err err = XCX_ERR_INIT;
    struct world world;

    (void)state;
    begin(&world, JOURNAL_SOURCE, HANDOVER_DONE);
    assert_int_equal(run(&world, HANDOVER_WITHDRAW, &outcome, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_non_null(strstr(err.msg, "does not go back"));
    assert_string_equal(world.trace, "DONE");
    assert_int_equal(outcome.entry, HANDOVER_LOST);
    end(&world);
}

/* ---- failures ------------------------------------------------------------ */

static void a_word_that_cannot_be_said_is_no_failure(void **state)
{
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;
    struct world world;

    (void)state;
    begin(&world, JOURNAL_SOURCE, HANDOVER_SUSPENDING);
    world.copy = HANDOVER_PAUSED;
    world.say_fails = true;
    assert_int_equal(run(&world, HANDOVER_HEARD_READY, &outcome, &err), 0);
    assert_int_equal(world.journal.entry, HANDOVER_GO);
    assert_int_equal(outcome.word, HANDOVER_SAY_GO);
    assert_false(outcome.said);
    assert_int_equal(outcome.unsaid.kind, XCX_ERR_IO);
    assert_non_null(strstr(outcome.unsaid.msg, "the target"));
    end(&world);
}

static void a_resume_that_fails_still_says_abort(void **state)
{
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;
    struct world world;

    (void)state;
    begin(&world, JOURNAL_SOURCE, HANDOVER_SUSPENDING);
    world.copy = HANDOVER_PAUSED;
    world.act_fails = true;
    assert_int_equal(run(&world, HANDOVER_WITHDRAW, &outcome, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_string_equal(err.msg, "will not");
    assert_string_equal(world.trace, "SUSPENDING resume ABORT");
    assert_int_equal(world.journal.entry, HANDOVER_RESUMED);

    /* Once the target has given up, a look tries again. */
    world.act_fails = false;
    world.trace[0] = 0;
    err = XCX_ERR_INIT;
    assert_int_equal(run(&world, HANDOVER_LOOK, &outcome, &err), 0);
    assert_string_equal(world.trace, "RESUMED resume RESUMED RAN ABORT");
    assert_int_equal(outcome.place, HANDOVER_HERE);
    end(&world);
}

static void an_unpause_that_fails_says_nothing(void **state)
{
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;
    struct world world;

    (void)state;
    begin(&world, JOURNAL_TARGET, HANDOVER_READY);
    world.copy = HANDOVER_PAUSED;
    world.act_fails = true;
    assert_int_equal(run(&world, HANDOVER_HEARD_GO, &outcome, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_string_equal(world.trace, "READY unpause");
    assert_int_equal(world.journal.entry, HANDOVER_STARTING);
    end(&world);
}

/* The disk is full: what cannot be promised must not be done. */
static int run_on_full_disk(struct world *world, enum handover_event event,
                            struct handover_outcome *outcome,
                            struct xcx_err *err)
{
    struct rlimit limit, full;
    int rc;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    full = limit;
    full.rlim_cur = world->journal.whole_bytes;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    rc = run(world, event, outcome, err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_DFL);
    return rc;
}

static void a_target_that_cannot_write_starting_says_failed(void **state)
{
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;
    struct world world;

    (void)state;
    begin(&world, JOURNAL_TARGET, HANDOVER_READY);
    world.copy = HANDOVER_PAUSED;
    assert_int_equal(
        run_on_full_disk(&world, HANDOVER_HEARD_GO, &outcome, &err), 0);
    assert_int_equal(outcome.word, HANDOVER_SAY_FAILED);
    assert_int_equal(outcome.entry, HANDOVER_READY);
    assert_ptr_equal(strstr(world.trace, "READY FAILED journal "), world.trace);
    assert_non_null(strstr(world.trace, "cannot write"));
    assert_int_equal(world.copy, HANDOVER_PAUSED);
    end(&world);
}

static void a_source_that_cannot_write_go_does_not_say_it(void **state)
{
    struct handover_outcome outcome;
    struct xcx_err err = XCX_ERR_INIT;
    struct world world;

    (void)state;
    begin(&world, JOURNAL_SOURCE, HANDOVER_SUSPENDING);
    world.copy = HANDOVER_PAUSED;
    assert_int_equal(
        run_on_full_disk(&world, HANDOVER_HEARD_READY, &outcome, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "cannot write"));
    assert_string_equal(world.trace, "SUSPENDING");
    end(&world);
}

/* ---- words --------------------------------------------------------------- */

static void words_have_names_and_events(void **state)
{
    (void)state;
    for (enum handover_word word = HANDOVER_SAY_GO; word <= HANDOVER_SAY_FAILED;
         word++)
        assert_int_equal(handover_word_of_name(handover_word_name(word)), word);
    assert_int_equal(handover_word_of_name("?"), HANDOVER_SAY_NOTHING);
    assert_int_equal(handover_word_of_name("go"), HANDOVER_SAY_NOTHING);
    assert_string_equal(handover_word_name(HANDOVER_SAY_NOTHING), "?");
    assert_int_equal(handover_event_of_word(JOURNAL_TARGET, HANDOVER_SAY_GO),
                     HANDOVER_HEARD_GO);
    assert_int_equal(
        handover_event_of_word(JOURNAL_SOURCE, HANDOVER_SAY_STARTING),
        HANDOVER_HEARD_STARTING);
    /* Never told to that end. */
    assert_int_equal(handover_event_of_word(JOURNAL_SOURCE, HANDOVER_SAY_GO),
                     HANDOVER_LOOK);
    assert_int_equal(handover_event_of_word(JOURNAL_TARGET, HANDOVER_SAY_READY),
                     HANDOVER_LOOK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_event_is_written_done_and_said_in_order),
        cmocka_unit_test(a_refused_event_touches_nothing),
        cmocka_unit_test(a_word_that_cannot_be_said_is_no_failure),
        cmocka_unit_test(a_resume_that_fails_still_says_abort),
        cmocka_unit_test(an_unpause_that_fails_says_nothing),
        cmocka_unit_test(a_target_that_cannot_write_starting_says_failed),
        cmocka_unit_test(a_source_that_cannot_write_go_does_not_say_it),
        cmocka_unit_test(words_have_names_and_events),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove_empty);
}
