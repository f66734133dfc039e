/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle with a target that says what the test has it say: refusals, silence,
 * cancelling, fencing, one without a journal.
 */
#include "settle_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

/* Of the target; of the user for CANCELLED. */
enum { FOUND = 1, FORGETS = 2, STOCK = 4, CANCELLED = 8, CHANGED = 16 };

static const struct {
    const char *what;
    enum handover_entry entry;
    enum handover_copy copy;
    enum handover_event first;
    struct settle_deed deeds[4];
    unsigned is;
    const char *said;
    enum handover_entry after;
    enum handover_copy copy_after;
    enum handover_place place;
    bool settled;
    const char *why; /* part of it; NULL: none */
} cases[] = {
    {"moves",
     HANDOVER_SUSPENDING,
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
     HANDOVER_SUSPENDING,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT",
     HANDOVER_RAN,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "ABORTED: no memory"},
    {"target gives up, and is lost: its reason is told",
     HANDOVER_SUSPENDING,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED}, {ENDS, 0}},
     0,
     "ABORT",
     HANDOVER_RAN,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     false,
     "ABORTED: no memory"},
    {"target gives up, and is found again",
     HANDOVER_SUSPENDING,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED},
      {ENDS, 0},
      {REPEATS, HANDOVER_SAY_ABORTED},
      {SETTLES, 0}},
     FOUND,
     "ABORT ABORT ABORT",
     HANDOVER_RAN,
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
     HANDOVER_RAN,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "ABORTED"},
    {"lost before GO: back at once",
     HANDOVER_SUSPENDING,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{ENDS, 0}},
     0,
     "",
     HANDOVER_RAN,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     false,
     "no route"},
    {"silent before GO: back",
     HANDOVER_SUSPENDING,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SILENT, 0}},
     0,
     "",
     HANDOVER_RAN,
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
     HANDOVER_RAN,
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
     HANDOVER_FENCED_RAN,
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
    {"destroyed here before the target is ready",
     HANDOVER_SUSPENDING,
     HANDOVER_GONE,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_READY}, {SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT ABORT ABORT",
     HANDOVER_YIELDED,
     HANDOVER_GONE,
     HANDOVER_NOT_OURS,
     true,
     "seen"},
    {"taken by another program before the target is ready",
     HANDOVER_SUSPENDING,
     HANDOVER_TAKEN,
     HANDOVER_WITHDRAW,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT ABORT",
     HANDOVER_YIELDED,
     HANDOVER_TAKEN,
     HANDOVER_NOT_OURS,
     true,
     "seen"},
    {"taken by another program, an old journal",
     HANDOVER_OFFERED,
     HANDOVER_TAKEN,
     HANDOVER_WITHDRAW,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT ABORT",
     HANDOVER_YIELDED,
     HANDOVER_TAKEN,
     HANDOVER_NOT_OURS,
     true,
     "seen"},
    {"destroyed here after GO: asked back",
     HANDOVER_GO,
     HANDOVER_GONE,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     0,
     "ABORT ABORT",
     HANDOVER_YIELDED,
     HANDOVER_GONE,
     HANDOVER_NOT_OURS,
     true,
     "seen"},
    {"destroyed here after GO, and started there",
     HANDOVER_GO,
     HANDOVER_GONE,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0}},
     0,
     "ABORT DONE",
     HANDOVER_DONE,
     HANDOVER_GONE,
     HANDOVER_THERE,
     true,
     NULL},
    {"destroyed here after GO, and a stock target cannot be asked back",
     HANDOVER_GO,
     HANDOVER_GONE,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_READY}},
     STOCK,
     "",
     HANDOVER_GO,
     HANDOVER_GONE,
     HANDOVER_UNDECIDED,
     false,
     "cannot be asked back"},
    {"suspended since by another program",
     HANDOVER_RAN,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SETTLES, 0}},
     0,
     "ABORT",
     HANDOVER_RAN,
     HANDOVER_PAUSED,
     HANDOVER_HERE,
     true,
     NULL},
    {"fenced, and suspended since by another program",
     HANDOVER_FENCED_RAN,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SETTLES, 0}},
     0,
     "ABORT",
     HANDOVER_FENCED_RAN,
     HANDOVER_PAUSED,
     HANDOVER_HERE,
     true,
     NULL},
    {"changed while it moved",
     HANDOVER_SUSPENDING,
     HANDOVER_PAUSED,
     HANDOVER_LOOK,
     {{SAYS, HANDOVER_SAY_READY}, {SAYS, HANDOVER_SAY_ABORTED}, {SETTLES, 0}},
     CHANGED,
     "ABORT ABORT",
     HANDOVER_RAN,
     HANDOVER_RUNNING,
     HANDOVER_HERE,
     true,
     "it was renamed"},
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
        struct settle_world world = {
            .copy = cases[i].copy,
            .deeds = cases[i].deeds,
            .nr_connections = cases[i].is & FOUND ? 1 : 0,
            .forgets = cases[i].is & FORGETS,
            .cancelled = cases[i].is & CANCELLED,
            .changed = cases[i].is & CHANGED,
        };
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        settle_world_begin(&world, cases[i].entry);
        world.peer.plugin = !(cases[i].is & STOCK);
        if (settle_world_run(&world, cases[i].first, &result, &err))
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

static void a_contradiction_stops_everything(void **state)
{
    static const struct settle_deed deeds[] = {{SAYS, HANDOVER_SAY_STARTING}};
    struct settle_world world = {.copy = HANDOVER_PAUSED, .deeds = deeds};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_OFFERED);
    assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err),
                     -1);
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
        cmocka_unit_test(a_contradiction_stops_everything),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove_empty);
}
