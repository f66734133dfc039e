/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover at either end, over one domain that the test directs: which journal
 * asks for what, and that nobody else's domain is ever touched.
 */
#include "recover_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/scratch.h"

static void check(const struct recover_situation *all, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        const struct recover_situation *at = &all[i];
        char said[TEXT_BYTES];
        enum exit_status status;

        print_message("%s\n", at->name);
        recover_world_begin(at);
        status = recover_world_run(at->fenced ? "g1" : NULL, PEER_FIND_OUT,
                                   at->fenced, said);
        assert_string_equal(recover_world.done, at->done);
        if (!strstr(said, at->said))
            fail_msg("%s", said);
        assert_int_equal(status, at->status);
        recover_world_check_case(at);
    }
}

/* ---- the target's end ---------------------------------------------------- */

static void the_target_acts_on_the_case_s_own_copy_alone(void **state)
{
#define AT_TARGET(entry_, copy_, domid_)                                       \
    .side = JOURNAL_TARGET, .entry = HANDOVER_##entry_, .boot = BOOT,          \
    .copy = HANDOVER_##copy_, .domid = domid_
    static const struct recover_situation all[] = {
        {"let go, not unpaused yet", AT_TARGET(STARTING, PAUSED, 7),
         .done = "unpause 7, ", .said = "g1 runs here",
         .then = HANDOVER_STARTED},
        {"let go, to stay paused", AT_TARGET(STARTING, PAUSED, 7),
         .stay_paused = true, .done = "", .said = "g1 runs here",
         .then = HANDOVER_STARTED},
        {"let go, another domain of this UUID", AT_TARGET(STARTING, PAUSED, 9),
         .done = "", .said = "g1 is here as domain 9: it was started anew",
         .then = HANDOVER_STARTED},
        {"rebooted since", AT_TARGET(STARTED, RUNNING, 9), .done = "",
         .said = "g1 is here as domain 9: it was started anew",
         .then = HANDOVER_STARTED},
        {"comes again", AT_TARGET(STARTED, BUILDING, 9), .done = "",
         .said = "is not here any more", .then = HANDOVER_STARTED},
        {"ended since", AT_TARGET(STARTED, ABSENT, 0), .done = "",
         .said = "is not here any more: it was shut down, destroyed or moved",
         .then = HANDOVER_STARTED},
        {"whole", AT_TARGET(READY, PAUSED, 7), .done = "",
         .said = "a whole copy of g1 is paused here",
         .status = EXIT_STATUS_UNDECIDED, .then = HANDOVER_READY},
        {"whole, and its name erases lines", AT_TARGET(READY, PAUSED, 7),
         .guest = "g1\x1b[2K\rall is well\n", .done = "",
         .said = "a whole copy of g1?[2K all is well? is paused here",
         .status = EXIT_STATUS_UNDECIDED, .then = HANDOVER_READY},
        {"given up, not destroyed yet", AT_TARGET(ABORTED, PAUSED, 7),
         .done = "destroy 7, ", .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"given up, not destroyed yet, and half-built",
         AT_TARGET(ABORTED, BUILDING, 7), .built = true, .done = "destroy 7, ",
         .said = "was given up here", .then = HANDOVER_ABORTED},
        {"given up before another began to come",
         AT_TARGET(ABORTED, BUILDING, 9), .unseen = true, .done = "",
         .said = "was given up here", .then = HANDOVER_ABORTED},
        {"given up before another came", AT_TARGET(ABORTED, PAUSED, 9),
         .unseen = true, .done = "", .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"given up, another domain", AT_TARGET(ABORTED, PAUSED, 9), .done = "",
         .said = "was given up here", .then = HANDOVER_ABORTED},
        {"half-built", AT_TARGET(NONE, BUILDING, 7), .built = true,
         .done = "destroy 7, ", .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"whole, READY not written", AT_TARGET(NONE, PAUSED, 7), .built = true,
         .done = "destroy 7, ", .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"half-built, and that is another's", AT_TARGET(NONE, BUILDING, 9),
         .built = true, .done = "", .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"half-built, and its number is another's", AT_TARGET(NONE, PAUSED, 7),
         .built = true, .is_other_uuid = true, .done = "",
         .said = "was given up here", .then = HANDOVER_ABORTED},
        {"nothing built, and another comes", AT_TARGET(NONE, BUILDING, 9),
         .done = "", .said = "was given up here", .then = HANDOVER_ABORTED},
        {"nothing built, and another is paused", AT_TARGET(NONE, PAUSED, 9),
         .done = "", .said = "was given up here", .then = HANDOVER_ABORTED},
        {"nothing built, and another runs", AT_TARGET(NONE, RUNNING, 9),
         .done = "", .said = "was given up here", .then = HANDOVER_ABORTED},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void a_target_that_was_off_has_no_copy_any_more(void **state)
{
#define REBOOTED_TARGET(entry_)                                                \
    .side = JOURNAL_TARGET, .entry = HANDOVER_##entry_, .boot = OLD_BOOT,      \
    .done = ""
    static const struct recover_situation all[] = {
        {"let go", REBOOTED_TARGET(STARTING),
         .said = "copy of g1; unless it was moved on since, it runs nowhere",
         .status = EXIT_STATUS_LOST, .then = HANDOVER_STARTED},
        {"started anew by now", REBOOTED_TARGET(STARTED),
         .copy = HANDOVER_RUNNING, .domid = 7,
         .said = "g1 is here as domain 7: it was started anew",
         .then = HANDOVER_STARTED},
        {"whole", REBOOTED_TARGET(READY), .said = "was given up here",
         .then = HANDOVER_ABORTED},
        /* Nobody can have been told READY: nobody has to be told more. */
        {"given up", REBOOTED_TARGET(ABORTED), .said = "was given up here",
         .settled = true},
        {"half-built", REBOOTED_TARGET(NONE), .said = "was given up here",
         .settled = true},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

/* ---- the source's end ---------------------------------------------------- */

static void the_source_lifts_what_a_dead_save_has_left(void **state)
{
    static const struct recover_situation all[] = {
        {"runs on", AT_SOURCE(OFFERED, RUNNING, 7),
         .done = "settle 7, ABORT, watch 7, ", .said = "g1 runs here"},
        {"runs on, throttled", AT_SOURCE(OFFERED, RUNNING, 7),
         .settle_fails = true, .done = "settle 7, ABORT, watch 7, ",
         .said = "is still there: a save is running"},
        {"suspended", AT_SOURCE(SUSPENDING, PAUSED, 7),
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
        {"suspended, a save is at work", AT_SOURCE(SUSPENDING, PAUSED, 7),
         .nr_busy = 1,
         .done = "settle 7, settle 7, resume 7, watch 7, ABORT, "
                 "watch 7, ",
         .said = "g1 runs here"},
        {"suspended, cannot be settled", AT_SOURCE(SUSPENDING, PAUSED, 7),
         .settle_fails = true,
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "is still there: a save is running"},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void after_go_the_source_goes_by_the_target_s_word(void **state)
{
    static const struct recover_situation all[] = {
        {"it has started", AT_SOURCE(GO, PAUSED, 7),
         .answer = HANDOVER_SAY_STARTING,
         .done = "data/x, GO, destroy 7, DONE, ", .said = "g1 is at host2"},
        {"the same, lost before GO could be said", AT_SOURCE(GO, PAUSED, 7),
         .answer = HANDOVER_SAY_STARTING, .nr_lost = 1,
         .done = "data/x, data/x, GO, destroy 7, DONE, ",
         .said = "g1 is at host2"},
        {"it has not", AT_SOURCE(GO, PAUSED, 7), .answer = HANDOVER_SAY_ABORTED,
         .done = "data/x, GO, settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
        {"it has not, and this is another domain", AT_SOURCE(GO, PAUSED, 9),
         .answer = HANDOVER_SAY_ABORTED, .done = "ABORT, ABORT, ",
         .said = "g1 is here as domain 9: it was started anew"},
        {"it has not, and this was destroyed", AT_SOURCE(GO, ABSENT, 0),
         .answer = HANDOVER_SAY_ABORTED, .done = "ABORT, ABORT, ",
         .said = "g1 (domain 7) is not on this host any more: another program "
                 "has destroyed, saved or moved it, or it has shut down; this "
                 "migration has given it up",
         .status = EXIT_STATUS_TAKEN},
        {"it has started, and this was destroyed", AT_SOURCE(GO, ABSENT, 0),
         .answer = HANDOVER_SAY_STARTING, .done = "ABORT, DONE, ",
         .said = "g1 is at host2"},
        {"went on and ended", AT_SOURCE(RAN, ABSENT, 0), .done = "ABORT, ",
         .said = "is not here any more: it was shut down, destroyed or moved"},
        {"went on and rebooted", AT_SOURCE(RAN, RUNNING, 9), .done = "ABORT, ",
         .said = "g1 is here as domain 9"},
        {"to be resumed, and destroyed", AT_SOURCE(RESUMED, ABSENT, 0),
         .done = "ABORT, ",
         .said = "g1 (domain 7) is not on this host any more",
         .status = EXIT_STATUS_TAKEN},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void a_target_that_is_fenced_is_not_asked(void **state)
{
    static const struct recover_situation all[] = {
        {"after GO", .side = JOURNAL_SOURCE, .entry = HANDOVER_GO, .boot = BOOT,
         .copy = HANDOVER_PAUSED, .domid = 7, .fenced = true,
         .done = "settle 7, resume 7, watch 7, watch 7, ",
         .said = "g1 runs here; the target was not told yet",
         .then = HANDOVER_FENCED_RAN},
        {"after GO, and this copy was destroyed", .side = JOURNAL_SOURCE,
         .entry = HANDOVER_GO, .boot = BOOT, .fenced = true, .done = "",
         .said = "g1 (domain 7) is not on this host any more",
         .status = EXIT_STATUS_TAKEN, .then = HANDOVER_FENCED},
        {"after GO, and this copy is gone", .side = JOURNAL_SOURCE,
         .entry = HANDOVER_GO, .boot = OLD_BOOT, .fenced = true, .done = "",
         .said = "g1 ran last here or at host2, which was fenced",
         .status = EXIT_STATUS_LOST, .then = HANDOVER_FENCED},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

/* Stock xl saves or moves it meanwhile: it knows nothing of any case. */
static void what_another_program_has_suspended_is_not_resumed(void **state)
{
    static const struct recover_situation all[] = {
        {"before it was asked to", AT_SOURCE(OFFERED, PAUSED, 7),
         .done = "ABORT, ",
         .said = "g1 (domain 7) is suspended, and not for this migration: "
                 "another program saves or moves it; this "
                 "migration has given it up, and leaves it alone",
         .status = EXIT_STATUS_TAKEN},
        {"since it ran on", AT_SOURCE(RAN, PAUSED, 7), .done = "ABORT, ",
         .said = "g1 ran on here, and was suspended since by another program\n"
                 "0a1b: if that program has died: where g1 runs nowhere else, "
                 "xl-migrate recover --resume 7 lets it go on here; where it "
                 "does, xl destroy 7\n"},
        {"since it ran on, the target fenced", AT_SOURCE(FENCED_RAN, PAUSED, 7),
         .done = "ABORT, ",
         .said = "g1 ran on here, and was suspended since by another program"},
        {"and xl moves it", AT_SOURCE(SUSPENDING, PAUSED, 7),
         .suffix = "--migratedaway", .done = "ABORT, ",
         .said = "is called g1--migratedaway: xl migrate has moved it, or is "
                 "about to",
         .status = EXIT_STATUS_TAKEN},
        {"to be resumed, and xl moves it", AT_SOURCE(RESUMED, PAUSED, 7),
         .suffix = "--migratedaway", .done = "ABORT, ",
         .said = "is called g1--migratedaway", .status = EXIT_STATUS_TAKEN},
        {"let go, and xl moves it", AT_SOURCE(GO, PAUSED, 7),
         .suffix = "--migratedaway", .answer = HANDOVER_SAY_ABORTED,
         .done = "ABORT, ABORT, ", .said = "is called g1--migratedaway",
         .status = EXIT_STATUS_TAKEN},
        {"and saves it still", AT_SOURCE(SUSPENDING, PAUSED, 7), .saver = 77,
         .done = "ABORT, ",
         .said = "g1 (domain 7) is being saved or moved by process 77 "
                 "(libxl-save-helper); this migration has given it up, and "
                 "leaves it alone\n0a1b: if that program has died: where g1 "
                 "runs nowhere else, xl-migrate recover --resume 7 lets",
         .status = EXIT_STATUS_TAKEN},
        {"to be resumed, and saves it", AT_SOURCE(RESUMED, PAUSED, 7),
         .saver = 77, .done = "ABORT, ", .said = "by process 77",
         .status = EXIT_STATUS_TAKEN},
        {"let go, and saves it", AT_SOURCE(GO, PAUSED, 7), .saver = 77,
         .answer = HANDOVER_SAY_ABORTED, .done = "ABORT, ABORT, ",
         .said = "by process 77", .status = EXIT_STATUS_TAKEN},
        {"to be resumed, the target fenced, and saves it",
         AT_SOURCE(FENCED, PAUSED, 7), .saver = 77, .done = "ABORT, ",
         .said = "suspended since by another program"},
        {"which runs, is none of ours", AT_SOURCE(RESUMED, RUNNING, 7),
         .saver = 77, .done = "ABORT, watch 7, ", .said = "g1 runs here"},
        {"to be resumed", AT_SOURCE(RESUMED, PAUSED, 7),
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
        {"to be resumed, the target fenced", AT_SOURCE(FENCED, PAUSED, 7),
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
        {"renamed, and asked to suspend by this migration",
         AT_SOURCE(SUSPENDING, PAUSED, 7), .suffix = "-new",
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void a_source_that_was_off_has_no_copy_any_more(void **state)
{
#define REBOOTED_SOURCE(entry_)                                                \
    .side = JOURNAL_SOURCE, .entry = HANDOVER_##entry_, .boot = OLD_BOOT,      \
    .settled = true
    static const struct recover_situation all[] = {
        {"started there", REBOOTED_SOURCE(GO), .answer = HANDOVER_SAY_STARTING,
         .done = "GO, DONE, ", .said = "g1 is at host2"},
        {"not started there", REBOOTED_SOURCE(GO),
         .answer = HANDOVER_SAY_ABORTED, .done = "GO, ABORT, ",
         .said = "this host had the last complete copy",
         .status = EXIT_STATUS_LOST},
        {"gone back", REBOOTED_SOURCE(RESUMED), .done = "ABORT, ",
         .said = "this host had the last complete copy",
         .status = EXIT_STATUS_LOST},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_acts_on_the_case_s_own_copy_alone),
        cmocka_unit_test(a_target_that_was_off_has_no_copy_any_more),
        cmocka_unit_test(the_source_lifts_what_a_dead_save_has_left),
        cmocka_unit_test(after_go_the_source_goes_by_the_target_s_word),
        cmocka_unit_test(a_target_that_is_fenced_is_not_asked),
        cmocka_unit_test(what_another_program_has_suspended_is_not_resumed),
        cmocka_unit_test(a_source_that_was_off_has_no_copy_any_more),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
