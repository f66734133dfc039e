/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate receive as a process: what it does, and what it refuses. */
#include "fake_source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t took(const struct message *message, const char *what)
{
    uint64_t ns = 0;

    assert_int_equal(message_count(message, what, 1, INT64_MAX, &ns, NULL), 0);
    return ns;
}

/* What the source cannot see for itself, for its report. */
static void hear_start_with_times(struct source *source)
{
    struct message message = hear(source, "word");

    assert_true(took(&message, "start_ns") > 0);
    assert_true(took(&message, "start_ns") <= took(&message, "answer_ns"));
    expect_text(message, "word", "STARTING");
}

static void a_guest_is_received_and_started(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    expect_journal("READY");
    expect_file("domain", "paused 7\n");
    say(&source, KEY WORD("GO"));
    hear_start_with_times(&source);
    expect_journal("STARTED");
    say(&source, WORD("GO"));
    hear_word(&source, "STARTING");
    say(&source, WORD("DONE"));
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_journal(NULL);
    expect_file("domain", "running 7\n");
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "hook pre-start target guest\n"
                       "key 7 data/x 1 \"v\" 2\n"
                       "unpause 7\n"
                       "announce br0 1 rounds 3\n"
                       "announce-self 7 step 70\n"
                       "hook post-start target guest\n");
    expect_file("run/" ID ".data", "");
}

static void keys_before_ready_are_written_before_ready(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    say(&source, "{\"type\":\"xenstore\",\"path\":\"data\",\"value\":null,"
                 "\"perms\":[\"nself\"]}\n"
                 "{\"type\":\"xenstore\",\"path\":\"data/h\","
                 "\"value_hex\":\"4100\",\"perms\":[\"nself\"]}\n");
    /* Answered in order: the keys have been taken. */
    say(&source, "{\"type\":\"facts\",\"guest\":{\"name\":\"g\"}}\n");
    message_done((struct message[]){hear(&source, "facts")});
    say_data(&source, "ok\nmemory\ngo\n");
    hear_word(&source, "READY");
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "key 7 data 0 \"\" 1\n"
                       "key 7 data/h 2 \"A\" 1\n"
                       "hook pre-start target guest\n");
    say(&source, WORD("ABORT"));
    hear_aborted(&source, "the source has withdrawn the guest");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
}

/* Dom0 would send a signal to a "device-model-pid", say. */
static void keys_that_are_not_a_guest_s_own_are_left_out(void **state)
{
    static const char *const paths[] = {
        "image/device-model-pid", "device/vbd/51712/backend",
        "control/shutdown", "memory/target", "database"};
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"type\":\"xenstore\",\"path\":\"%s\",\"value\":\"1\","
                 "\"perms\":[\"n0\"]}\n",
                 paths[i]);
        say(&source, text);
    }
    say(&source, "{\"type\":\"xenstore\",\"path\":\"control/feature-suspend\","
                 "\"value\":\"1\",\"perms\":[\"nself\"]}\n"
                 "{\"type\":\"facts\",\"guest\":{\"name\":\"g\"}}\n");
    message_done((struct message[]){hear(&source, "facts")});
    say_data(&source, "ok\nmemory\ngo\n");
    hear_word(&source, "READY");
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "key 7 control/feature-suspend 1 \"1\" 1\n"
                       "hook pre-start target guest\n");
    expect_end(&source, 0, 0);
}

static void one_that_is_to_stay_paused_does(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source,
                "{\"type\":\"begin\",\"id\":\"" ID "\",\"uuid\":\"" UUID
                "\",\"name\":\"guest\",\"source\":\"host1\",\"pause\":true,"
                "\"debug\":true,\"monitor\":false}\n");
    say(&source, WORD("GO"));
    hear_word(&source, "STARTING");
    expect_journal("STARTED");
    say(&source, WORD("DONE"));
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_file("domain", "paused 7\n");
    expect_file("log", "xl migrate-receive -p -d -e helper=true\n"
                       "hook pre-start target guest\n");
}

static void what_fails_before_ready_is_aborted_with_its_reason(void **state)
{
    static const struct {
        const char *data, *fails, *why;
    } rows[] = {
        {"fail\n", "",
         "xl migrate-receive: exit status 3: xc: error: page 5 is bad"},
        {"garble\nm\ngo\n", "",
         "xl migrate-receive does not say that it is ready, but something "
         "else"},
        {"unnamed\nm\n", "",
         "xl migrate-receive: reports failure, code 3: migration target: "
         "Ready to receive domain."},
        {"ok\nm\ngo\n", "pre-start", "hook says no"},
        {"ok\nm\ngo\n", "keys", "xenstored says no"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct source source;

        setenv("FAKE_FAILS", rows[i].fails, 1);
        begin(&source, BEGIN);
        say(&source, KEY);
        say(&source, "{\"type\":\"facts\",\"guest\":{\"name\":\"g\"}}\n");
        message_done((struct message[]){hear(&source, "facts")});
        say_data(&source, rows[i].data);
        hear_aborted(&source, rows[i].why);
        expect_journal("ABORTED");
        /* Keys that were on their way are no reason to say anything else. */
        say(&source, KEY WORD("GO"));
        hear_word(&source, "ABORTED");
        say(&source, WORD("ABORT"));
        hear_word(&source, "ABORTED");
        message_done((struct message[]){hear(&source, "settled")});
        expect_end(&source, 0, 0);
        expect_journal(NULL);
        expect_file("domain", "absent 7\n");
    }
}

static void
keys_that_cannot_be_written_after_ready_forbid_the_start(void **state)
{
    struct source source;

    (void)state;
    setenv("FAKE_FAILS", "keys", 1);
    until_ready(&source, BEGIN);
    say(&source, KEY WORD("GO"));
    expect_text(hear(&source, "word"), "text", "xenstored says no");
    expect_journal("READY");
    say(&source, WORD("ABORT"));
    hear_word(&source, "ABORTED");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
}

/* The source lives, and would wait for as long as its own limits are. */
static void an_xl_that_reads_nothing_more_is_stopped(void **state)
{
    struct source source;

    (void)state;
    setenv("XL_MIGRATE_BUILD_TIMEOUT_S", "1", 1);
    begin(&source, BEGIN);
    unsetenv("XL_MIGRATE_BUILD_TIMEOUT_S");
    say_data(&source, "stuck\nmemory\nmore\n");
    hear_aborted(&source,
                 "xl migrate-receive has read nothing for 1 s although data of "
                 "the guest waits: see build_timeout_s, and xl's log");
    expect_journal("ABORTED");
    say(&source, WORD("ABORT"));
    hear_word(&source, "ABORTED");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
}

static void an_xl_that_waits_for_the_source_is_not(void **state)
{
    struct source source;

    (void)state;
    setenv("XL_MIGRATE_BUILD_TIMEOUT_S", "1", 1);
    begin(&source, BEGIN);
    unsetenv("XL_MIGRATE_BUILD_TIMEOUT_S");
    say_data(&source, "ok\n");
    assert_false(spawn_wait(&source.receive, deadline_in_ms(3000)));
    say_data(&source, "memory\ngo\n");
    hear_word(&source, "READY");
    expect_end(&source, 0, 0);
}

/* ---- nonsense ------------------------------------------------------------ */

#define FACTS "{\"type\":\"facts\",\"guest\":{\"name\":\"g\"}}\n"

static void nonsense_is_refused_by_name(void **state)
{
    static const struct {
        const char *says, *code, *text;
    } rows[] = {
        {"x\n{\"type\":\"dance\"}\n", "protocol",
         "the source sent a message of type \"dance\", which is not expected "
         "here"},
        {"{}\n", "failed",
         "the source sent: a message whose \"type\" is missing or improper"},
        {WORD("GO"), "word",
         "the source sent a message of type \"word\", which is not expected "
         "here"},
        {KEY, "xenstore",
         "the source sent a message of type \"xenstore\", which is not "
         "expected here"},
        {"{\"type\":\"begin\",\"id\":\"../x\"}\n", "begin",
         "a begin whose \"id\" is missing or improper"},
        {"{\"type\":\"begin\",\"id\":\"0a\",\"uuid\":\"x\"}\n", "begin",
         "a begin whose \"uuid\" is missing or improper"},
        {BEGIN BEGIN, "begin",
         "the source sent a message of type \"begin\", which is not expected "
         "here"},
        {BEGIN WORD("GO"), "word",
         "the other end says GO, but the journal here NONE: look at both hosts "
         "before anything is started"},
        {BEGIN WORD("DONE"), "word",
         "the other end says DONE, but the journal here NONE"},
        {BEGIN WORD("READY"), "word",
         "the source says a word that is not one of its own"},
        {BEGIN "{\"type\":\"xenstore\",\"path\":\"a\",\"value\":\"v\"}\n",
         "xenstore", "a xenstore whose \"perms\" is improper"},
        {BEGIN "{\"type\":\"xenstore\",\"path\":\"a\",\"value_hex\":\"4x\","
               "\"perms\":[\"n0\"]}\n",
         "xenstore", "a xenstore whose \"value_hex\" is improper"},
        {"{\"type\":\"facts\"}\n", "facts", "a guest without a name"},
        {FACTS FACTS FACTS FACTS FACTS FACTS FACTS FACTS FACTS, "facts",
         "facts: more than 8 questions on one connection"},
        {"{\"type\":\"reattach\",\"id\":\"0a\"}\n", "no-such-case", NULL},
        {"{\"type\":\"error\",\"text\":\"oh\"}\n", "error", "the source: oh"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct source source;
        struct message message;

        print_message("%s", rows[i].says);
        connect_to(&source);
        say(&source, rows[i].says);
        if (!strncmp(rows[i].says, BEGIN, strlen(BEGIN)))
            message_done((struct message[]){hear(&source, "listening")});
        for (const char *at = rows[i].says; (at = strstr(at, FACTS));) {
            at += strlen(FACTS);
            if (*at)
                message_done((struct message[]){hear(&source, "facts")});
        }
        message = hear(&source, "error");
        if (rows[i].text)
            assert_string_equal(
                YAJL_GET_STRING(message_value(&message, "text")), rows[i].text);
        expect_text(message, "code", rows[i].code);
        assert_true(spawn_wait(&source.receive, deadline_in_ms(WAIT_MS)));
        assert_int_not_equal(spawn_exit_status(&source.receive), 0);
        expect_end(&source, spawn_exit_status(&source.receive), -1);
        assert_int_equal(system("rm -rf $FAKE_DIR/journals/*"), 0);
    }
}

static void a_guest_that_is_here_already_is_refused(void **state)
{
    struct source source;

    (void)state;
    assert_int_equal(system("echo running 9 >$FAKE_DOMAIN"), 0);
    connect_to(&source);
    say(&source, BEGIN);
    expect_text(hear(&source, "error"), "text",
                "domain 9 here has the guest's UUID " UUID " already");
    expect_end(&source, 1, -1);
    expect_journal(NULL);
    expect_file("domain", "running 9\n");
}

/* The domain came by another program's hand while the source was silent. */
static void another_s_copy_is_not_touched_by_a_stale_connection(void **state)
{
    static const char *const others[] = {"paused 9\n", "building 9\n",
                                         "running 9\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct source source;
        char command[64];

        connect_to(&source);
        say(&source, BEGIN);
        message_done((struct message[]){hear(&source, "listening")});
        snprintf(command, sizeof(command), "echo %.*s >$FAKE_DOMAIN",
                 (int)strlen(others[i]) - 1, others[i]);
        assert_int_equal(system(command), 0);
        expect_end(&source, 0, -1);
        expect_file("domain", others[i]);
        assert_int_equal(system("rm -rf $FAKE_DOMAIN $FAKE_DIR/journals/*"), 0);
    }
}

/* xl ends well, but with a domain that its helper never told of. */
static void another_s_copy_is_not_adopted(void **state)
{
    struct source source;

    (void)state;
    setenv("FAKE_UUID", "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a009", 1);
    begin(&source, BEGIN);
    say_data(&source, "ok\nmemory\ngo\n");
    hear_aborted(&source, "the stream holds the guest with UUID "
                          "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a009, not the "
                          "announced one with UUID " UUID);
    expect_journal("ABORTED");
    expect_file("domain", "absent 7\n");
    say(&source, WORD("ABORT"));
    hear_word(&source, "ABORTED");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_file("log", "xl migrate-receive -p helper=true\n"
                       "hook failed target guest why\n");
}

#define TWO                                                                    \
    "domain 9 here has the guest's UUID " UUID ", too: another program has "   \
    "received or started the guest; this copy does not run beside that domain"

static void beside_another_of_the_uuid_it_is_given_up(void **state)
{
    struct source source;

    (void)state;
    begin(&source, BEGIN);
    assert_int_equal(system("echo 9 >$FAKE_DIR/other"), 0);
    say_data(&source, "ok\n");
    hear_aborted(&source, TWO);
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
    assert_int_equal(system("rm -rf $FAKE_DIR/other $FAKE_DIR/journals/*"), 0);
    begin(&source, BEGIN);
    say_data(&source, "ok\n");
    until_journal_has("built");
    assert_int_equal(system("echo 9 >$FAKE_DIR/other"), 0);
    say_data(&source, "memory\ngo\n");
    hear_aborted(&source, TWO);
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
}

static void beside_another_of_the_uuid_it_is_not_started(void **state)
{
    struct source source;

    (void)state;
    until_ready(&source, BEGIN);
    assert_int_equal(system("echo 9 >$FAKE_DIR/other"), 0);
    say(&source, WORD("GO"));
    expect_text(hear(&source, "word"), "text", TWO);
    expect_journal("READY");
    expect_file("domain", "paused 7\n");
    say(&source, WORD("ABORT"));
    hear_word(&source, "ABORTED");
    message_done((struct message[]){hear(&source, "settled")});
    expect_end(&source, 0, 0);
    expect_file("domain", "absent 7\n");
}

static void data_of_no_case_is_sent_away(void **state)
{
    static const struct {
        const char *id;
        int status;
    } rows[] = {{ID, 2}, {"../" ID, 2}, {"", 2}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *const argv[] = {program, "--data", rows[i].id, NULL};
        struct spawned data;

        spawn_with(&data, -1, -1, argv);
        assert_true(spawn_wait(&data, deadline_in_ms(WAIT_MS)));
        assert_int_equal(spawn_exit_status(&data), rows[i].status);
        spawn_done(&data);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, fake_source_clean)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_guest_is_received_and_started),
        TEST(keys_before_ready_are_written_before_ready),
        TEST(keys_that_are_not_a_guest_s_own_are_left_out),
        TEST(one_that_is_to_stay_paused_does),
        TEST(what_fails_before_ready_is_aborted_with_its_reason),
        TEST(keys_that_cannot_be_written_after_ready_forbid_the_start),
        TEST(an_xl_that_reads_nothing_more_is_stopped),
        TEST(an_xl_that_waits_for_the_source_is_not),
        TEST(nonsense_is_refused_by_name),
        TEST(a_guest_that_is_here_already_is_refused),
        TEST(another_s_copy_is_not_touched_by_a_stale_connection),
        TEST(another_s_copy_is_not_adopted),
        TEST(beside_another_of_the_uuid_it_is_given_up),
        TEST(beside_another_of_the_uuid_it_is_not_started),
        TEST(data_of_no_case_is_sent_away),
    };

    (void)argc;
    fake_source_find_program(argv[0]);
    return cmocka_run_group_tests(tests, fake_source_set_up,
                                  fake_source_tear_down);
}
