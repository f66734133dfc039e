/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle with a target that says what the test has it say: refusals, silence,
 * a resume that fails for a while, cancelling, fencing, one without a journal.
 */
#include "../../xl-plugin/xl-migrate/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "case_sample.h"
#include "scratch.h"

#define MS(ms) ((ms)*1000000ull)

/*
 * One thing that the target does, in order; ENDS ends the connection, REPEATS
 * is a new process's, which knows of no reason, IS_SLOW is silent for longer
 * than answer_ns.
 */
enum does { SILENT, IS_SLOW, SAYS, REPEATS, SETTLES, ENDS, NONSENSE };
struct deed {
    enum does does;
    enum handover_word word;
};

struct world {
    struct journal journal;
    enum handover_copy copy;
    int nr_failing_acts;
    int nr_connections; /* that can still be made */
    bool forgets;       /* knows nothing of the case when asked again */
    bool cancelled;
    bool watched; /* hear() fails once the target is gone */
    const struct deed *deeds;
    char said[128]; /* by the source */
    char told[PEER_TEXT_BYTES];
    struct peer peer;
};
static struct world *the_world;

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    const struct world *world = opaque;

    (void)err;
    *ret_copy = world->copy;
    *ret_domid = 7;
    return 0;
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    struct world *world = opaque;

    if (world->nr_failing_acts && world->nr_failing_acts--)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "locks are held");
    world->copy =
        act == HANDOVER_DO_DESTROY ? HANDOVER_ABSENT : HANDOVER_RUNNING;
    return 0;
}

static int on_connect(void *opaque, struct peer **ret, struct xcx_err *err)
{
    struct world *world = opaque;

    if (!world->nr_connections)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: no route");
    world->nr_connections--;
    *ret = &world->peer;
    return 0;
}

static int on_let_go(void *opaque, struct peer *peer, struct xcx_err *err)
{
    struct world *world = opaque;

    (void)err;
    assert_ptr_equal(peer, &world->peer);
    strcat(world->said, " (keys)");
    return 0;
}

static void on_told(void *opaque, const struct peer_message *message)
{
    struct world *world = opaque;

    snprintf(world->told, sizeof(world->told), "%s", message->text);
}

static bool on_cancelled(void *opaque)
{
    return ((struct world *)opaque)->cancelled;
}

static int peer_say(struct peer *peer, enum handover_word word,
                    struct xcx_err *err)
{
    size_t used = strlen(the_world->said);

    (void)peer;
    (void)err;
    snprintf(the_world->said + used, sizeof(the_world->said) - used, "%s%s",
             used ? " " : "", handover_word_name(word));
    return 0;
}

static int peer_hear(struct peer *peer, uint64_t deadline_ns,
                     struct peer_message *ret, struct xcx_err *err)
{
    struct deed deed = *the_world->deeds;

    (void)peer;
    (void)deadline_ns;
    *ret = (struct peer_message){.news = PEER_NOTHING};
    if (deed.does != SILENT)
        the_world->deeds++;
    if (deed.does == IS_SLOW)
        usleep(2000);
    if (deed.does == ENDS)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: gone");
    if (deed.does == NONSENSE)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "host2: nonsense");
    if (deed.does == SETTLES)
        ret->news = PEER_SETTLED;
    if (deed.does == SAYS || deed.does == REPEATS) {
        ret->news = PEER_WORD;
        ret->word = deed.word;
        strcpy(ret->text, deed.does == SAYS && deed.word == HANDOVER_SAY_ABORTED
                              ? "no memory"
                              : "");
    }
    return 0;
}

static int peer_reattach(struct peer *peer, const struct journal_case *about,
                         bool *ret_known, struct xcx_err *err)
{
    (void)peer;
    (void)err;
    assert_string_equal(about->id, CASE_SAMPLE_ID);
    *ret_known = !the_world->forgets;
    return 0;
}

static void peer_end(struct peer *peer)
{
    (void)peer;
}

static bool peer_is_watched(struct peer *peer)
{
    (void)peer;
    return the_world->watched;
}

static const struct peer_ops peer_ops = {
    .is_watched = peer_is_watched,
    .reattach = peer_reattach,
    .say = peer_say,
    .hear = peer_hear,
    .close = peer_end,
};

/* ---- cases --------------------------------------------------------------- */

static void begin(struct world *world, enum handover_entry entry)
{
    world->peer = (struct peer){.ops = &peer_ops, .plugin = true};
    the_world = world;
    case_sample_create(&world->journal, scratch_dir, JOURNAL_SOURCE, entry);
}

static int run(struct world *world, enum handover_event first,
               struct settle_result *ret, struct xcx_err *err)
{
    const struct settle_ops ops = {.opaque = world,
                                   .look = on_look,
                                   .act = on_act,
                                   .connect = on_connect,
                                   .let_go = on_let_go,
                                   .told = on_told,
                                   .cancelled = on_cancelled};
    struct peer *peer = &world->peer;
    const struct settle_params params = {
        .journal = &world->journal,
        .ops = &ops,
        .peer = &peer,
        .first = first,
        .begun = true,
        .reconnect_ns = MS(1),
        .answer_ns = MS(1),
    };

    return settle(&params, ret, err);
}

/* Of the target; of the user for CANCELLED. */
enum { FOUND = 1, FORGETS = 2, STOCK = 4, CANCELLED = 8 };

static const struct {
    const char *what;
    enum handover_entry entry;
    enum handover_copy copy;
    enum handover_event first;
    struct deed deeds[4];
    unsigned is;
    const char *said;
    enum handover_entry after;
    enum handover_copy copy_after;
    enum handover_place place;
    bool settled;
    const char *why; /* part of it; NULL: none */
} cases[] = {
    {"moves",
     HANDOVER_OFFERED,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_READY}, {SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0}},
     0,
     "GO DONE",
     HANDOVER_DONE,
     HANDOVER_ABSENT,
     HANDOVER_THERE,
     true,
     NULL},
    {"target gives up",
     HANDOVER_OFFERED,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "ABORTED: no memory"},
    {"target gives up, and is lost: its reason is told",
     HANDOVER_OFFERED,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED}, {ENDS, 0}},
     0,
     "ABORT",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     false,
     "ABORTED: no memory"},
    {"target gives up, and is found again",
     HANDOVER_OFFERED,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED},
      {ENDS, 0},
      {REPEATS, HANDOVER_SAY_ABORTED},
      {SETTLES, 0}},
     FOUND,
     "ABORT ABORT ABORT",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "ABORTED: no memory"},
    {"target cannot start",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_FAILED}, {SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "GO ABORT ABORT",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "ABORTED"},
    {"lost before GO: back at once",
     HANDOVER_OFFERED,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{ENDS, 0}},
     0,
     "",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     false,
     "no route"},
    {"silent before GO: back",
     HANDOVER_OFFERED,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SILENT, 0}},
     0,
     "",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     false,
     "no route"},
    {"lost after GO: stays",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{ENDS, 0}},
     0,
     "GO",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_UNDECIDED,
     false,
     "no route"},
    {"lost after GO, and found",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{ENDS, 0}, {SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0}},
     FOUND,
     "GO (keys) GO DONE",
     HANDOVER_DONE,
     HANDOVER_ABSENT,
     HANDOVER_THERE,
     true,
     "gone"},
    {"unknown there after GO",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{ENDS, 0}},
     FOUND | FORGETS,
     "GO",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_UNDECIDED,
     false,
     "knows nothing of the case"},
    {"unknown there after DONE",
     HANDOVER_DONE,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{ENDS, 0}},
     FOUND | FORGETS,
     "DONE",
     HANDOVER_DONE,
     HANDOVER_ABSENT,
     HANDOVER_THERE,
     true,
     "gone"},
    {"cancelled before GO",
     HANDOVER_OFFERED,
     HANDOVER_RUNNING,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     CANCELLED,
     "ABORT ABORT",
     HANDOVER_RESUMED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "ABORTED"},
    {"cancelled after GO, too late",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0}},
     CANCELLED,
     "GO ABORT DONE",
     HANDOVER_DONE,
     HANDOVER_ABSENT,
     HANDOVER_THERE,
     true,
     NULL},
    {"after GO a stock target is not asked back",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0}},
     CANCELLED | STOCK,
     "GO DONE",
     HANDOVER_DONE,
     HANDOVER_ABSENT,
     HANDOVER_THERE,
     true,
     NULL},
    {"fenced",
     HANDOVER_GO,
     HANDOVER_PAUSED,
     HANDOVER_FENCE,
     {{ENDS, 0}},
     0,
     "ABORT",
     HANDOVER_FENCED,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     false,
     NULL},
    {"lost with its host, the target is ready",
     HANDOVER_OFFERED,
     HANDOVER_ABSENT,
     HANDOVER_WITHDRAW,
     {{SAYS, HANDOVER_SAY_READY}, {SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0}},
     0,
     "GO DONE",
     HANDOVER_DONE,
     HANDOVER_ABSENT,
     HANDOVER_THERE,
     true,
     NULL},
    {"lost with its host, and the target has none",
     HANDOVER_OFFERED,
     HANDOVER_ABSENT,
     HANDOVER_WITHDRAW,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT",
     HANDOVER_LOST,
     HANDOVER_ABSENT,
     HANDOVER_LAST_HERE,
     true,
     "ABORTED"},
};

static void check_why(const char *what, const char *why, const char *part)
{
    if (part ? !strstr(why, part) : why[0])
        fail_msg("%s: why \"%s\"", what, why);
}

static void each_case_ends_as_it_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world = {
            .copy = cases[i].copy,
            .deeds = cases[i].deeds,
            .nr_connections = cases[i].is & FOUND ? 1 : 0,
            .forgets = cases[i].is & FORGETS,
            .cancelled = cases[i].is & CANCELLED,
        };
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        begin(&world, cases[i].entry);
        world.peer.plugin = !(cases[i].is & STOCK);
        if (run(&world, cases[i].first, &result, &err))
            fail_msg("%s: %s", cases[i].what, err.msg);
        if (strcmp(world.said, cases[i].said) != 0 ||
            result.entry != cases[i].after ||
            world.copy != cases[i].copy_after ||
            result.place != cases[i].place ||
            result.settled != cases[i].settled)
            fail_msg("%s: said \"%s\", entry %s, copy %d, place %d, settled "
                     "%d, why \"%s\"",
                     cases[i].what, world.said,
                     handover_entry_name(result.entry), world.copy,
                     result.place, result.settled, result.why.msg);
        check_why(cases[i].what, result.why.msg, cases[i].why);
        assert_int_equal(world.journal.fd < 0, cases[i].settled);
        if (!result.settled)
            journal_remove(&world.journal, NULL);
    }
}

static void a_resume_is_tried_again_once_the_target_has_given_up(void **state)
{
    static const struct deed deeds[] = {{SAYS, HANDOVER_SAY_ABORTED},
                                        {SETTLES, 0}};
    struct world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_failing_acts = 1};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&world, HANDOVER_OFFERED);
    assert_int_equal(run(&world, HANDOVER_WITHDRAW, &result, &err), 0);
    assert_int_equal(world.copy, HANDOVER_RUNNING);
    assert_int_equal(result.place, HANDOVER_HERE);
    assert_true(result.settled);
    assert_non_null(strstr(result.why.msg, "no memory"));
}

static void a_resume_that_never_succeeds_needs_recover(void **state)
{
    static const struct deed deeds[] = {{SILENT, 0}};
    struct world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_failing_acts = 1000000};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&world, HANDOVER_OFFERED);
    usleep(2000); /* longer than reconnect_ns */
    assert_int_equal(run(&world, HANDOVER_WITHDRAW, &result, &err), 0);
    assert_int_equal(result.entry, HANDOVER_RESUMED);
    assert_int_equal(result.place, HANDOVER_UNDECIDED);
    assert_false(result.settled);
    assert_non_null(strstr(result.why.msg, "locks are held"));
    journal_remove(&world.journal, NULL);
}

static void a_copy_left_over_does_not_hide_where_the_guest_is(void **state)
{
    static const struct deed deeds[] = {{SAYS, HANDOVER_SAY_STARTING},
                                        {SILENT, 0}};
    struct world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_failing_acts = 1000000};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&world, HANDOVER_GO);
    assert_int_equal(run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_int_equal(result.entry, HANDOVER_DONE);
    assert_int_equal(result.place, HANDOVER_THERE);
    assert_false(result.settled);
    assert_non_null(strstr(result.why.msg, "locks are held"));
    journal_remove(&world.journal, NULL);
}

/* Its hooks may take as long as its administrator lets them. */
static void one_that_is_alive_may_be_slow(void **state)
{
    static const struct deed deeds[] = {{IS_SLOW, 0},
                                        {IS_SLOW, 0},
                                        {SAYS, HANDOVER_SAY_READY},
                                        {IS_SLOW, 0},
                                        {SAYS, HANDOVER_SAY_STARTING},
                                        {SETTLES, 0}};

    (void)state;
    for (int watched = 0; watched < 2; watched++) {
        struct world world = {
            .copy = HANDOVER_PAUSED, .deeds = deeds, .watched = watched};
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        begin(&world, HANDOVER_OFFERED);
        assert_int_equal(run(&world, HANDOVER_LOOK, &result, &err), 0);
        assert_int_equal(result.place,
                         watched ? HANDOVER_THERE : HANDOVER_HERE);
        assert_int_equal(result.settled, watched);
        if (!watched)
            journal_remove(&world.journal, NULL);
    }
}

static void a_loss_is_told_before_it_is_waited_for(void **state)
{
    static const struct deed deeds[] = {{ENDS, 0}};
    struct world world = {.copy = HANDOVER_PAUSED, .deeds = deeds};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&world, HANDOVER_GO);
    assert_int_equal(run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_string_equal(world.told, "lost: host2: gone; trying it again for up "
                                    "to 0 s");
    journal_remove(&world.journal, NULL);
}

static void a_contradiction_stops_everything(void **state)
{
    static const struct deed deeds[] = {{SAYS, HANDOVER_SAY_STARTING}};
    struct world world = {.copy = HANDOVER_PAUSED, .deeds = deeds};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&world, HANDOVER_OFFERED);
    assert_int_equal(run(&world, HANDOVER_LOOK, &result, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_non_null(strstr(err.msg, "look at both hosts"));
    assert_int_equal(world.journal.entry, HANDOVER_OFFERED);
    assert_int_equal(world.copy, HANDOVER_PAUSED);
    journal_remove(&world.journal, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_ends_as_it_must),
        cmocka_unit_test(a_resume_is_tried_again_once_the_target_has_given_up),
        cmocka_unit_test(a_resume_that_never_succeeds_needs_recover),
        cmocka_unit_test(a_copy_left_over_does_not_hide_where_the_guest_is),
        cmocka_unit_test(one_that_is_alive_may_be_slow),
        cmocka_unit_test(a_loss_is_told_before_it_is_waited_for),
        cmocka_unit_test(a_contradiction_stops_everything),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove_empty);
}
