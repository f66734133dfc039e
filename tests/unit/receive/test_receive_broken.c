/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate receive as a process, broken at each point of a case. */
#include "fake_source.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "xl-migrate/handover/handover.h"
#include "xl-migrate/wire/rendezvous.h"

static int ask_if_lost(struct xcx_err *err)
{
    char run_dir[128];

    snprintf(run_dir, sizeof(run_dir), "%s/run", getenv("FAKE_DIR"));
    return rendezvous_ask_if_lost(run_dir, ID, deadline_in_ms(WAIT_MS), err);
}

static void expect_given_up(const char *why)
{
    struct source source;

    reattach(&source);
    hear_aborted(&source, why);
    say(&source, WORD("ABORT"));
    hear_word(&source, "ABORTED");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, -1);
    expect_journal(NULL);
    expect_file("domain", "absent 7\n");
}

static void lost_before_ready_it_is_given_up(void **state)
{
    static const char *const data[] = {"ok\n", "ok\nmemory\n"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct source source;

        begin(&source, BEGIN);
        say_data(&source, data[i]);
        until_domain_is("building 7\n");
        expect_end(&source, 0, 0);
        expect_file("domain", "absent 7\n");
        expect_journal("ABORTED");
        expect_given_up("none");
    }
}

static void a_signal_before_ready_gives_up(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    until_domain_is("building 7\n");
    spawn_signal(&source.receive, SIGTERM);
    assert_true(spawn_wait(&source.receive, deadline_in_ms(WAIT_MS)));
    expect_end(&source, 0, 0);
    expect_journal("ABORTED");
    expect_given_up("none");
}

static void the_data_s_end_before_ready_aborts(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    close(source.data_fd);
    source.data_fd = -1;
    hear_aborted(&source, "xl migrate-receive: exit status 1: libxl: error: "
                          "stream ended early");
    expect_end(&source, 0, 0);
    expect_given_up("none");
}

static void lost_after_ready_it_is_left_for_the_next(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    expect_end(&source, 0, 0);
    expect_journal("READY");
    expect_file("domain", "paused 7\n");
    reattach(&source);
    hear_word(&source, "READY");
    expect_end(&source, 0, -1);
    reattach(&source);
    hear_word(&source, "READY");
    say(&source, KEY WORD("GO"));
    hear_word(&source, "STARTING");
    expect_end(&source, 0, -1);
    expect_journal("STARTED");
    reattach(&source);
    hear_word(&source, "STARTING");
    say(&source, KEY WORD("GO"));
    hear_word(&source, "STARTING");
    say(&source, WORD("DONE"));
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, -1);
    expect_journal(NULL);
    expect_file("domain", "running 7\n");
    /* Its keys are written before it runs, and never again. */
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "hook pre-start target guest\n"
                       "key 7 data/x 1 \"v\" 2\n"
                       "unpause 7\n"
                       "announce br0 1 rounds 5\n"
                       "announce-self 7 step 100\n"
                       "hook post-start target guest\n");
}

static void one_that_is_to_stay_paused_does_after_a_loss(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source,
                "{\"type\":\"begin\",\"id\":\"" ID "\",\"uuid\":\"" UUID
                "\",\"name\":\"guest\",\"source\":\"host1\",\"pause\":true}"
                "\n");
    expect_end(&source, 0, 0);
    reattach(&source);
    hear_word(&source, "READY");
    say(&source, WORD("GO"));
    hear_word(&source, "STARTING");
    expect_end(&source, 0, -1);
    expect_journal("STARTED");
    expect_file("domain", "paused 7\n");
}

#define ALIVE(within_s) "{\"type\":\"alive\",\"within_s\":" within_s "}\n"

static void a_source_that_is_silent_is_gone(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    until_domain_is("building 7\n");
    say(&source, ALIVE("1"));
    assert_true(spawn_wait(&source.receive, deadline_in_ms(WAIT_MS)));
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
    expect_given_up("none");
    until_ready(&source, BEGIN);
    say(&source, ALIVE("1"));
    assert_true(spawn_wait(&source.receive, deadline_in_ms(WAIT_MS)));
    expect_end(&source, 0, 0);
    expect_file("domain", "paused 7\n");
    expect_journal("READY");
}

/* All that was sent meanwhile is still on its way to a host that stood still.
 */
static void whose_own_host_stood_still_waits_on(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    say(&source, ALIVE("2"));
    assert_false(spawn_wait(&source.receive, deadline_in_ms(500)));
    spawn_signal(&source.receive, SIGSTOP);
    assert_false(spawn_wait(&source.receive, deadline_in_ms(2500)));
    spawn_signal(&source.receive, SIGCONT);
    assert_false(spawn_wait(&source.receive, deadline_in_ms(250)));
    say(&source, WORD("GO"));
    hear_word(&source, "STARTING");
    expect_end(&source, 0, -1);
}

/* Else a dead connection would keep the guest away from here for good. */
static void one_that_never_promised_may_not_be_silent_for_long(void **state)
{
    struct source source;

    (void)state;
    setenv("XL_MIGRATE_PEER_TIMEOUT_S", "4", 1);
    until_ready(&source, BEGIN);
    unsetenv("XL_MIGRATE_PEER_TIMEOUT_S");
    assert_false(spawn_wait(&source.receive, deadline_in_ms(1500)));
    assert_true(spawn_wait(&source.receive, deadline_in_ms(WAIT_MS)));
    expect_end(&source, 0, 0);
    expect_journal("READY");
}

/* ---- one case a guest ---------------------------------------------------- */

static void expect_refused(const char *why)
{
    struct source source;

    connect_to(&source);
    say(&source, OTHER_BEGIN);
    expect_text(hear(&source, "error"), "text", why);
    expect_end(&source, 1, -1);
}

static void expect_begun(void)
{
    struct source source;

    connect_to(&source);
    say(&source, OTHER_BEGIN);
    message_done((struct message[]){hear(&source, "listening")});
    expect_end(&source, 0, -1);
}

#define ABORT(decided)                                                         \
    "{\"type\":\"word\",\"word\":\"ABORT\",\"decided\":" decided "}\n"

/* The source may die before it has written down what it hears. */
static void an_answer_to_an_undecided_source_is_kept(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    say(&source, ABORT("false"));
    hear_aborted(&source, "the source has withdrawn the guest");
    say(&source, ABORT("false"));
    hear_word(&source, "ABORTED");
    /* No copy is left, and so the guest may come once more. */
    expect_begun();
    expect_end(&source, 0, 0);
    expect_journal("ABORTED");
    reattach(&source);
    hear_word(&source, "ABORTED");
    say(&source, ABORT("true"));
    hear_word(&source, "ABORTED");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, -1);
    expect_journal(NULL);
}

#define ALREADY "guest is being received already: migration " ID " from host1"
#define ORPHANED                                                               \
    ALREADY "; its receiver is gone: run xl-migrate recover here, and there"

static void a_guest_is_received_once_at_a_time(void **state)
{
    struct source source;

    (void)state;
    connect_to(&source);
    say(&source, BEGIN);
    message_done((struct message[]){hear(&source, "listening")});
    expect_refused(ALREADY);
    expect_end(&source, 0, -1);
    expect_journal(NULL);
    expect_begun();
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    until_journal_has("built");
    assert_int_equal(system("rm $FAKE_DOMAIN"), 0);
    expect_refused(ALREADY);
    spawn_signal(&source.receive, SIGKILL);
    expect_end(&source, 137, 0);
    until_domain_is("absent 7\n");
    expect_refused(ORPHANED);
    expect_given_up("the connection was lost before the guest was ready here");
    expect_begun();
}

static void a_copy_that_may_run_keeps_others_away(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    expect_end(&source, 0, 0);
    assert_int_equal(system("mv $FAKE_DOMAIN $FAKE_DIR/kept"), 0);
    expect_refused(ORPHANED);
    setenv("FAKE_BOOT", "next-boot", 1);
    expect_begun();
    unsetenv("FAKE_BOOT");
    assert_int_equal(system("mv $FAKE_DIR/kept $FAKE_DOMAIN"), 0);
    reattach(&source);
    hear_word(&source, "READY");
    say(&source, WORD("GO"));
    hear_word(&source, "STARTING");
    /* It went on somewhere else, and comes again. */
    assert_int_equal(system("echo absent 7 >$FAKE_DOMAIN"), 0);
    expect_begun();
    expect_end(&source, 0, -1);
}

/* One of this host's own, of which it is not decided where the guest is. */
static void leave_source_case(enum handover_entry entry)
{
    char command[1024];
    const char *name = handover_entry_name(entry);

    snprintf(command, sizeof(command),
             "mkdir -p -m 700 $FAKE_DIR/journals && umask 077 && printf "
             "'{\"version\":1,\"id\":\"0c\",\"side\":\"source\",\"uuid\":"
             "\"" UUID "\",\"name\":\"guest\",\"peer\":\"host2\","
             "\"boot\":\"" UUID "\"}\n{\"entry\":\"%s\",\"domid\":5}\n' "
             ">$FAKE_DIR/journals/0c.source.journal",
             name);
    assert_int_equal(system(command), 0);
}

static void an_undecided_case_of_this_source_keeps_others_away(void **state)
{
    static const enum handover_entry undecided[] = {HANDOVER_OFFERED,
                                                    HANDOVER_GO};
    static const enum handover_entry decided[] = {
        HANDOVER_DONE, HANDOVER_RESUMED, HANDOVER_FENCED, HANDOVER_LOST};

    (void)state;
    for (size_t i = 0; i < sizeof(undecided) / sizeof(undecided[0]); i++) {
        leave_source_case(undecided[i]);
        expect_refused("guest: its migration 0c from here to host2 is not "
                       "settled: run xl-migrate recover 0c here");
    }
    for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++) {
        leave_source_case(decided[i]);
        expect_begun();
    }
}

/* recover asks: the case is its own only if the source is not heard. */
static void it_lets_go_of_the_case_once_the_source_is_lost(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say(&source, ALIVE("60"));
    assert_int_equal(ask_if_lost(&err), -1);
    assert_string_equal(err.msg, "case " ID ": it goes on; its source was "
                                 "heard just now");
    assert_false(spawn_wait(&source.receive, 0));
    say(&source, ALIVE("2"));
    err = XCX_ERR_INIT;
    while (ask_if_lost(&err)) {
        assert_int_equal(err.os_errno, 0);
        assert_int_equal(err.kind, XCX_ERR_IO);
        err = XCX_ERR_INIT;
        poll(NULL, 0, 10);
    }
    assert_true(spawn_wait(&source.receive, deadline_in_ms(WAIT_MS)));
    expect_end(&source, 0, -1);
    expect_journal("ABORTED");
}

/* The old process waits on a connection that nobody has told it is dead. */
static void who_holds_the_case_gives_it_to_the_next(void **state)
{
    struct source old, new;

    (void)state;
    until_ready(&old, BEGIN);
    reattach(&new);
    hear_word(&new, "READY");
    assert_true(spawn_wait(&old.receive, deadline_in_ms(WAIT_MS)));
    expect_end(&old, 0, 0);
    say(&new, WORD("ABORT"));
    hear_word(&new, "ABORTED");
    message_done((struct message[]){hear(&new, "settled")});
    expect_end(&new, 0, -1);
    expect_file("domain", "absent 7\n");
}

/*
 * Nobody but the source asks for a case, over a line that it has given up. If
 * somebody did, the source would only have to come again.
 */
static void one_taken_from_a_living_line_is_had_back(void **state)
{
    struct source living, other;

    (void)state;
    until_ready(&living, BEGIN);
    say(&living, ALIVE("60"));
    reattach(&other);
    hear_word(&other, "READY");
    expect_end(&living, 0, 0);
    reattach(&living);
    hear_word(&living, "READY");
    expect_end(&other, 0, -1);
    say(&living, KEY WORD("GO"));
    hear_word(&living, "STARTING");
    reattach(&other);
    hear_word(&other, "STARTING");
    expect_end(&living, 0, -1);
    expect_end(&other, 0, -1);
    expect_file("domain", "running 7\n");
    expect_journal("STARTED");
}

/* Nothing was promised yet, and the source's copy goes on. */
static void one_taken_from_a_living_line_before_ready_is_given_up(void **state)
{
    struct source living, other;

    (void)state;
    begin(&living, BEGIN);
    say(&living, ALIVE("60"));
    say_data(&living, "ok\n");
    until_domain_is("building 7\n");
    reattach(&other);
    hear_aborted(&other, "none");
    expect_end(&living, 0, 0);
    expect_end(&other, 0, -1);
    expect_given_up("none");
}

static void killed_before_ready_the_next_gives_up(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    until_domain_is("building 7\n");
    spawn_signal(&source.receive, SIGKILL);
    expect_end(&source, 137, 0);
    until_domain_is("absent 7\n");
    expect_given_up("the connection was lost before the guest was ready here");
}

/* The guest's keys and hooks were lost; its source still has it. */
static void killed_behind_xl_s_work_the_next_gives_up(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    until_journal_has("{\"built\":7,\"uuid\":\"" UUID "\"");
    spawn_signal(&source.receive, SIGKILL);
    expect_end(&source, 137, 0);
    until_domain_is("absent 7\n"); /* from now on only we write it */
    assert_int_equal(system("echo paused 7 >$FAKE_DOMAIN"), 0);
    expect_given_up("the connection was lost before the guest was ready here");
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "destroy 7\n"
                       "hook failed target guest why\n");
}

/* Nothing tells whose it is: xl died before its helper could tell. */
static void a_domain_that_nobody_told_of_is_not_touched(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "early\n");
    hear_aborted(&source, "xl migrate-receive: killed by signal 9: migration "
                          "target: Ready to receive domain.");
    expect_end(&source, 0, 0);
    expect_file("domain", "building 7\n");
    reattach(&source);
    hear_aborted(&source, "none");
    expect_end(&source, 0, -1);
    expect_file("domain", "building 7\n");
}

/* Killed with its receiver, xl leaves a domain that the journal names. */
static void
a_domain_that_was_written_down_is_destroyed_by_the_next(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say_data(&source, "kill\n");
    hear_aborted(&source, "xl migrate-receive: killed by signal 9: migration "
                          "target: Ready to receive domain.");
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "destroy 7\n"
                       "hook failed target guest why\n");
}

static void an_unpause_that_fails_is_tried_again_by_the_next(void **state)
{
    struct source source;

    (void)state;
    setenv("FAKE_FAILS", "unpause", 1);
    until_ready(&source, BEGIN);
    say(&source, WORD("GO"));
    expect_text(hear(&source, "error"), "text", "cannot be unpaused");
    expect_end(&source, 1, 0);
    expect_journal("STARTING");
    setenv("FAKE_FAILS", "", 1);
    reattach(&source);
    hear_word(&source, "STARTING");
    expect_end(&source, 0, -1);
    expect_file("domain", "running 7\n");
}

static void after_a_reboot_the_copy_is_gone(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    expect_end(&source, 0, 0);
    /* Another domain has its UUID by now, and is not to be touched. */
    assert_int_equal(system("echo running 7 >$FAKE_DOMAIN"), 0);
    setenv("FAKE_BOOT", "next-boot", 1);
    reattach(&source);
    hear_word(&source, "ABORTED");
    expect_end(&source, 0, -1);
    unsetenv("FAKE_BOOT");
    expect_file("domain", "running 7\n");
}

static void another_domid_is_another_domain(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    expect_end(&source, 0, 0);
    assert_int_equal(system("echo paused 8 >$FAKE_DOMAIN"), 0);
    reattach(&source);
    hear_word(&source, "ABORTED");
    expect_end(&source, 0, -1);
    expect_file("domain", "paused 8\n");
}

/* The case is there: its source must not take it for one that never was. */
static void a_reattach_that_fails_is_no_answer_about_the_case(void **state)
{
    struct source source;
    char run_dir[160];

    (void)state;
    until_ready(&source, BEGIN);
    expect_end(&source, 0, 0);
    snprintf(run_dir, sizeof(run_dir), "%s/%0120d", getenv("FAKE_DIR"), 0);
    setenv("XL_MIGRATE_RUN_DIR", run_dir, 1);
    reattach(&source);
    expect_text(hear(&source, "error"), "code", "reattach");
    expect_end(&source, 2, -1);
    snprintf(run_dir, sizeof(run_dir), "%s/run", getenv("FAKE_DIR"));
    setenv("XL_MIGRATE_RUN_DIR", run_dir, 1);
    expect_journal("READY");
    reattach(&source);
    hear_word(&source, "READY");
    expect_end(&source, 0, -1);
}

#define TEST(name) cmocka_unit_test_setup(name, fake_source_clean)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(lost_before_ready_it_is_given_up),
        TEST(a_source_that_is_silent_is_gone),
        TEST(whose_own_host_stood_still_waits_on),
        TEST(an_answer_to_an_undecided_source_is_kept),
        TEST(one_that_never_promised_may_not_be_silent_for_long),
        TEST(a_guest_is_received_once_at_a_time),
        TEST(a_copy_that_may_run_keeps_others_away),
        TEST(an_undecided_case_of_this_source_keeps_others_away),
        TEST(it_lets_go_of_the_case_once_the_source_is_lost),
        TEST(a_signal_before_ready_gives_up),
        TEST(the_data_s_end_before_ready_aborts),
        TEST(lost_after_ready_it_is_left_for_the_next),
        TEST(one_that_is_to_stay_paused_does_after_a_loss),
        TEST(who_holds_the_case_gives_it_to_the_next),
        TEST(one_taken_from_a_living_line_is_had_back),
        TEST(one_taken_from_a_living_line_before_ready_is_given_up),
        TEST(killed_before_ready_the_next_gives_up),
        TEST(killed_behind_xl_s_work_the_next_gives_up),
        TEST(a_domain_that_nobody_told_of_is_not_touched),
        TEST(a_domain_that_was_written_down_is_destroyed_by_the_next),
        TEST(an_unpause_that_fails_is_tried_again_by_the_next),
        TEST(after_a_reboot_the_copy_is_gone),
        TEST(another_domid_is_another_domain),
        TEST(a_reattach_that_fails_is_no_answer_about_the_case),
    };

    (void)argc;
    fake_source_find_program(argv[0]);
    return cmocka_run_group_tests(tests, fake_source_set_up,
                                  fake_source_tear_down);
}
