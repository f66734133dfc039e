/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle where something takes its time: a resume that fails for a while, a
 * target that is slow or hangs, a connection that is gone, a guest that stops
 * when nobody waits for it any more.
 */
#include "settle_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/scratch.h"

static void a_resume_is_tried_again_once_the_target_has_given_up(void **state)
{
    static const struct settle_deed deeds[] = {{SAYS, HANDOVER_SAY_ABORTED},
                                               {SETTLES, 0}};
    struct settle_world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_failing_acts = 1};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_SUSPENDING);
    assert_int_equal(settle_world_run(&world, HANDOVER_WITHDRAW, &result, &err),
                     0);
    assert_int_equal(world.copy, HANDOVER_RUNNING);
    assert_int_equal(result.place, HANDOVER_HERE);
    assert_true(result.settled);
    assert_non_null(strstr(result.why.msg, "no memory"));
}

/* Its locks are free in the end, though it cannot say so. */
static void a_resume_is_tried_again_without_the_target(void **state)
{
    static const struct settle_deed deeds[] = {{ENDS, 0}};
    struct settle_world world = {.copy = HANDOVER_PAUSED,
                                 .deeds = deeds,
                                 .nr_failing_acts = 2,
                                 .reconnect_ns = MS(1000)};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_SUSPENDING);
    assert_int_equal(settle_world_run(&world, HANDOVER_WITHDRAW, &result, &err),
                     0);
    assert_int_equal(world.nr_acts, 3);
    assert_int_equal(world.copy, HANDOVER_RUNNING);
    assert_int_equal(result.place, HANDOVER_HERE);
    journal_remove(&world.journal, NULL);
}

static void a_resume_that_never_succeeds_needs_recover(void **state)
{
    static const struct settle_deed deeds[] = {{SILENT, 0}};
    struct settle_world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_failing_acts = 1000000};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_SUSPENDING);
    assert_int_equal(settle_world_run(&world, HANDOVER_WITHDRAW, &result, &err),
                     0);
    assert_int_equal(result.entry, HANDOVER_RESUMED);
    assert_int_equal(result.place, HANDOVER_UNDECIDED);
    assert_false(result.settled);
    assert_non_null(strstr(result.why.msg, "locks are held"));
    journal_remove(&world.journal, NULL);
}

static void a_copy_left_over_does_not_hide_where_the_guest_is(void **state)
{
    static const struct settle_deed deeds[] = {{SAYS, HANDOVER_SAY_STARTING},
                                               {SILENT, 0}};
    struct settle_world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_failing_acts = 1000000};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_GO);
    assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_int_equal(result.entry, HANDOVER_DONE);
    assert_int_equal(result.place, HANDOVER_THERE);
    assert_false(result.settled);
    assert_non_null(strstr(result.why.msg, "locks are held"));
    journal_remove(&world.journal, NULL);
}

/* Its hooks may take as long as its administrator lets them. */
static void one_that_is_alive_may_be_slow(void **state)
{
    static const struct settle_deed deeds[] = {{IS_SLOW, 0},
                                               {IS_SLOW, 0},
                                               {SAYS, HANDOVER_SAY_READY},
                                               {IS_SLOW, 0},
                                               {SAYS, HANDOVER_SAY_STARTING},
                                               {SETTLES, 0}};

    (void)state;
    for (int watched = 0; watched < 2; watched++) {
        struct settle_world world = {
            .copy = HANDOVER_PAUSED, .deeds = deeds, .watched = watched};
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        settle_world_begin(&world, HANDOVER_SUSPENDING);
        assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err),
                         0);
        assert_int_equal(result.place,
                         watched ? HANDOVER_THERE : HANDOVER_HERE);
        assert_int_equal(result.settled, watched);
        if (!watched)
            journal_remove(&world.journal, NULL);
    }
}

/* The guest stands: that the target is alive, and talks, is no progress. */
static void a_blackout_without_progress_ends(void **state)
{
    static const struct settle_deed silent[] = {{SILENT, 0}};
    static const struct settle_deed logs[] = {{LOGS, 0}};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct settle_world world = {.copy = HANDOVER_PAUSED,
                                     .deeds = i ? logs : silent,
                                     .watched = true,
                                     .blackout_ns = MS(30),
                                     .withdrawn_ns = MS(10),
                                     .hurries_when_back = i};
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        settle_world_begin(&world, HANDOVER_OFFERED);
        assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err),
                         0);
        assert_int_equal(world.copy, HANDOVER_RUNNING);
        assert_int_equal(result.entry, HANDOVER_RAN);
        assert_int_equal(result.place, HANDOVER_HERE);
        assert_false(result.settled);
        assert_non_null(strstr(result.why.msg, "blackout_timeout_s"));
        assert_non_null(strstr(world.said, "ABORT"));
        journal_remove(&world.journal, NULL);
    }
}

/* Once it was let go only the target's word takes it back. */
static void after_go_a_blackout_has_no_limit_of_its_own(void **state)
{
    static const struct settle_deed deeds[] = {
        {SAYS, HANDOVER_SAY_READY},    {IS_SLOW, 0}, {IS_SLOW, 0},
        {SAYS, HANDOVER_SAY_STARTING}, {SETTLES, 0},
    };
    struct settle_world world = {.copy = HANDOVER_PAUSED,
                                 .deeds = deeds,
                                 .watched = true,
                                 .blackout_ns = MS(3)};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_GO);
    assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_int_equal(result.place, HANDOVER_THERE);
    assert_true(result.settled);
}

/* Whatever the other end does, and whether it is decided or not. */
static void whoever_waits_for_the_end_gets_it(void **state)
{
    static const struct settle_deed silent[] = {{SILENT, 0}};
    static const struct settle_deed logs[] = {{LOGS, 0}};
    static const struct settle_deed ends[] = {{ENDS, 0}};
    static const struct {
        enum handover_entry entry;
        enum handover_event first;
        enum handover_copy copy;
        const struct settle_deed *deeds;
        enum handover_place place;
    } rows[] = {
        {HANDOVER_OFFERED, HANDOVER_LOOK, HANDOVER_PAUSED, silent,
         HANDOVER_HERE},
        {HANDOVER_OFFERED, HANDOVER_WITHDRAW, HANDOVER_RUNNING, logs,
         HANDOVER_HERE},
        {HANDOVER_OFFERED, HANDOVER_WITHDRAW, HANDOVER_RUNNING, ends,
         HANDOVER_HERE},
        {HANDOVER_OFFERED, HANDOVER_WITHDRAW, HANDOVER_ABSENT, silent,
         HANDOVER_UNDECIDED},
        {HANDOVER_GO, HANDOVER_LOOK, HANDOVER_PAUSED, logs, HANDOVER_UNDECIDED},
        {HANDOVER_GO, HANDOVER_LOOK, HANDOVER_PAUSED, ends, HANDOVER_UNDECIDED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct settle_world world = {.copy = rows[i].copy,
                                     .deeds = rows[i].deeds,
                                     .watched = true,
                                     .hurried = true,
                                     .cancelled = true,
                                     .reconnect_ns = MS(60000)};
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        settle_world_begin(&world, rows[i].entry);
        assert_int_equal(settle_world_run(&world, rows[i].first, &result, &err),
                         0);
        assert_int_equal(result.place, rows[i].place);
        assert_false(result.settled);
        journal_remove(&world.journal, NULL);
    }
}

static void a_loss_is_told_before_it_is_waited_for(void **state)
{
    static const struct settle_deed deeds[] = {{ENDS, 0}};
    struct settle_world world = {.copy = HANDOVER_PAUSED, .deeds = deeds};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_GO);
    assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_string_equal(world.told, "lost: host2: gone; trying it again for up "
                                    "to 0 s");
    journal_remove(&world.journal, NULL);
}

/* It sends signs of life, and nothing else. */
static void one_that_is_alive_may_not_hang(void **state)
{
    static const struct settle_deed deeds[] = {{SILENT, 0}};
    struct settle_world world = {.copy = HANDOVER_PAUSED,
                                 .deeds = deeds,
                                 .watched = true,
                                 .watched_ns = MS(1)};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_SUSPENDING);
    assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_int_equal(result.place, HANDOVER_HERE);
    assert_int_equal(world.copy, HANDOVER_RUNNING);
    assert_string_equal(world.told, "lost: the target does not answer; trying "
                                    "it again for up to 0 s");
    journal_remove(&world.journal, NULL);
}

/* Nor on a new connection: it is left to recover, or to people. */
static void one_that_never_answers_is_not_asked_for_ever(void **state)
{
    static const struct settle_deed deeds[] = {{SILENT, 0}};
    struct settle_world world = {
        .copy = HANDOVER_PAUSED, .deeds = deeds, .nr_connections = 1000};
    struct settle_result result;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    settle_world_begin(&world, HANDOVER_GO);
    assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err), 0);
    assert_int_equal(world.nr_connections, 999);
    assert_int_equal(result.place, HANDOVER_UNDECIDED);
    assert_false(result.settled);
    assert_string_equal(result.why.msg, "the target does not answer");
    journal_remove(&world.journal, NULL);
}

/* It was asked to suspend, and does so once send has given up. */
static void a_guest_that_stops_late_is_resumed(void **state)
{
    static const struct settle_deed gone[] = {{ENDS, 0}};
    static const struct settle_deed settles[] = {{SAYS, HANDOVER_SAY_ABORTED},
                                                 {SETTLES, 0}};
    static const struct settle_deed comes_back[] = {{ENDS, 0}, {SETTLES, 0}};
    static const struct {
        const char *name;
        const struct settle_deed *deeds;
        int stops_at_look, nr_late_looks, nr_acts;
        enum handover_copy copy;
        bool is_recover;
    } all[] = {
        {"for a send that died", gone, 3, 0, 1, HANDOVER_RUNNING, true},
        {"without a target", gone, 3, 9, 1, HANDOVER_RUNNING, false},
        {"once all else is settled", settles, 6, 9, 1, HANDOVER_RUNNING, false},
        {"never, and is not waited for for ever", settles, 0, 6, 0,
         HANDOVER_RUNNING, false},
        {"for somebody else", comes_back, 3, 0, 0, HANDOVER_PAUSED, false},
        {"for somebody else, as the target settles", settles, 3, 0, 0,
         HANDOVER_PAUSED, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct settle_world world = {.copy = HANDOVER_RUNNING,
                                     .deeds = all[i].deeds,
                                     .stops_at_look = all[i].stops_at_look,
                                     .nr_late_looks = all[i].nr_late_looks,
                                     .is_recover = all[i].is_recover,
                                     .nr_connections =
                                         all[i].deeds == comes_back};
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        print_message("%s\n", all[i].name);
        settle_world_begin(&world, HANDOVER_SUSPENDING);
        assert_int_equal(
            settle_world_run(&world, HANDOVER_WITHDRAW, &result, &err), 0);
        assert_int_equal(world.stops_at_look, 0);
        assert_true(world.nr_late_looks <= 0);
        assert_int_equal(world.nr_acts, all[i].nr_acts);
        assert_int_equal(world.copy, all[i].copy);
        assert_true(result.settled ? handover_is_back(result.entry)
                                   : result.entry == HANDOVER_RAN);
        assert_int_equal(result.place, HANDOVER_HERE);
        assert_int_equal(result.settled, all[i].deeds != gone);
        if (!result.settled)
            journal_remove(&world.journal, NULL);
    }
}

/* It may have been moved there since, by other means. */
static void what_went_on_is_not_destroyed_by_an_old_case(void **state)
{
    static const struct settle_deed deeds[] = {{SETTLES, 0}};

    (void)state;
    for (int plugin = 0; plugin < 2; plugin++) {
        struct settle_world world = {.copy = HANDOVER_ABSENT, .deeds = deeds};
        struct settle_result result;
        struct xcx_err err = XCX_ERR_INIT;

        settle_world_begin(&world, HANDOVER_RESUMED);
        world.peer.plugin = plugin;
        assert_int_equal(settle_world_run(&world, HANDOVER_LOOK, &result, &err),
                         0);
        assert_string_equal(world.said, plugin ? "ABORT" : "");
        assert_true(result.settled);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resume_is_tried_again_once_the_target_has_given_up),
        cmocka_unit_test(a_resume_that_never_succeeds_needs_recover),
        cmocka_unit_test(a_copy_left_over_does_not_hide_where_the_guest_is),
        cmocka_unit_test(one_that_is_alive_may_be_slow),
        cmocka_unit_test(one_that_is_alive_may_not_hang),
        cmocka_unit_test(one_that_never_answers_is_not_asked_for_ever),
        cmocka_unit_test(a_blackout_without_progress_ends),
        cmocka_unit_test(after_go_a_blackout_has_no_limit_of_its_own),
        cmocka_unit_test(whoever_waits_for_the_end_gets_it),
        cmocka_unit_test(a_loss_is_told_before_it_is_waited_for),
        cmocka_unit_test(a_guest_that_stops_late_is_resumed),
        cmocka_unit_test(a_resume_is_tried_again_without_the_target),
        cmocka_unit_test(what_went_on_is_not_destroyed_by_an_old_case),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove_empty);
}
