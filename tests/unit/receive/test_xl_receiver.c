/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl's answers cut anywhere, and a child that plays xl (fake_xl). */
#include "xl-migrate/receive/xl_receiver.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define BANNER "xl migration receiver ready, send binary domain data.\n"
#define READY  "domain received, ready to unpause\0"
#define REPORT "my copy unpause results are as follows\0"
#define GO     "domain is yours, you are cleared to unpause\0"

static char dir[] = "/tmp/test-xl-XXXXXX";

#define TEXT(text) text, sizeof(text) - 1

static void answers_are_heard_wherever_they_are_cut(void **state)
{
    static const struct {
        const char *text;
        size_t nr_bytes;
        enum xl_answer heard;
        int code;
    } rows[] = {
        {TEXT(BANNER), XL_ANSWER_BANNER, 0},
        {TEXT(BANNER READY), XL_ANSWER_READY, 0},
        {TEXT(BANNER READY REPORT), XL_ANSWER_REPORT, 0},
        {TEXT(BANNER READY REPORT "\0"), XL_ANSWER_STARTED, 0},
        {TEXT(BANNER READY REPORT "\3"), XL_ANSWER_CODE, 3},
        {TEXT(BANNER READY REPORT "\xff" GO), XL_ANSWER_GIVEN_BACK, 255},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t cut = 0; cut <= rows[i].nr_bytes; cut++) {
            struct xl_answers answers = XL_ANSWERS_INIT;
            struct xcx_err err = XCX_ERR_INIT;

            assert_int_equal(xl_answers_feed(&answers, rows[i].text, cut, &err),
                             0);
            assert_int_equal(xl_answers_feed(&answers, rows[i].text + cut,
                                             rows[i].nr_bytes - cut, &err),
                             0);
            assert_int_equal(answers.heard, rows[i].heard);
            assert_int_equal(answers.code, rows[i].code);
        }
    }
    assert_memory_equal(xl_answers_go, GO, xl_answers_go_bytes);
    assert_int_equal(xl_answers_go_bytes, sizeof(GO) - 1);
}

static void other_answers_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t nr_bytes;
        enum xl_answer heard;
        const char *message;
    } rows[] = {
        {TEXT("bash: xl"), XL_ANSWER_NOTHING,
         "xl migrate-receive does not say its banner, but something else"},
        {TEXT(BANNER "x"), XL_ANSWER_BANNER,
         "xl migrate-receive does not say that it is ready, but something "
         "else"},
        {TEXT(BANNER READY GO), XL_ANSWER_READY,
         "xl migrate-receive does not say its report, but something else"},
        {TEXT(BANNER READY REPORT "\3x"), XL_ANSWER_CODE,
         "xl migrate-receive does not say that the domain is given back, but "
         "something else"},
        {TEXT(BANNER READY REPORT "\0x"), XL_ANSWER_STARTED,
         "xl migrate-receive goes on behind its last answer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xl_answers answers = XL_ANSWERS_INIT;
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(
            xl_answers_feed(&answers, rows[i].text, rows[i].nr_bytes, &err),
            -1);
        assert_string_equal(err.msg, rows[i].message);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        assert_int_equal(answers.heard, rows[i].heard);
    }
}

/* ---- the child ---------------------------------------------------------- */

static void start(struct xl_receiver *receiver, int *ret_peer, bool debug,
                  bool monitor, const char *helper)
{
    char word[64] = "HELPER=none";
    const char *const env[] = {word, NULL};
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    *ret_peer = fds[1];
    if (helper)
        snprintf(word, sizeof(word), "LIBXL_SAVE_HELPER=%s", helper);
    if (xl_receiver_start(receiver, fds[0], debug, monitor, env, &err))
        fail_msg("%s", err.msg);
}

static void say(int peer, const char *text)
{
    assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void until(struct xl_receiver *receiver, enum xl_answer heard)
{
    while (!receiver->child.ended && receiver->answers.heard < heard) {
        struct pollfd fds[XL_RECEIVER_NR_POLLFDS];

        xl_receiver_poll(receiver, fds);
        assert_true(poll(fds, XL_RECEIVER_NR_POLLFDS, 30000) > 0);
        xl_receiver_step(receiver, NULL);
    }
}

static void until_ended(struct xl_receiver *receiver)
{
    until(receiver, XL_ANSWER_GIVEN_BACK + 1);
    assert_true(receiver->child.ended);
}

static void expect_file(const char *name, const char *want)
{
    char path[64], text[512];
    FILE *file;
    size_t nr_bytes;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "r");
    assert_non_null(file);
    nr_bytes = fread(text, 1, sizeof(text) - 1, file);
    text[nr_bytes] = 0;
    fclose(file);
    assert_string_equal(text, want);
}

static void a_copy_is_received(void **state)
{
    struct xl_receiver receiver;
    int peer;

    (void)state;
    start(&receiver, &peer, true, false, "/our/helper");
    say(peer, "ok\nmemory\n");
    until(&receiver, XL_ANSWER_READY);
    assert_int_equal(getsid(receiver.child.pid), receiver.child.pid);
    assert_false(xl_receiver_has_copy(&receiver));
    say(peer, "go\n");
    until_ended(&receiver);
    assert_true(xl_receiver_has_copy(&receiver));
    expect_file("domain", "paused 7\n");
    expect_file("log", "xl migrate-receive -p -d -e helper=/our/helper\n");
    xl_receiver_done(&receiver);
    xl_receiver_done(&receiver);
    close(peer);
}

static void why_there_is_no_copy_is_told(void **state)
{
    static const struct {
        const char *data, *why;
    } rows[] = {
        {"fail\n",
         "xl migrate-receive: exit status 3: xc: error: page 5 is bad"},
        {"garble\nx\ngo\n", "xl migrate-receive does not say that it is "
                            "ready, but something else"},
        {"kill\n", "xl migrate-receive: killed by signal 9: migration target: "
                   "Ready to receive domain."},
        {"unnamed\nx\n",
         "xl migrate-receive: reports failure, code 3: migration "
         "target: Ready to receive domain."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xl_receiver receiver;
        struct xcx_err err = XCX_ERR_INIT;
        int peer;

        start(&receiver, &peer, false, true, NULL);
        say(peer, rows[i].data);
        until_ended(&receiver);
        assert_false(xl_receiver_has_copy(&receiver));
        assert_int_equal(xl_receiver_why(&receiver, &err), -1);
        assert_string_equal(err.msg, rows[i].why);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        xl_receiver_done(&receiver);
        close(peer);
    }
}

/* Without a signal, in the middle of the data and behind READY. */
static void stopped_it_destroys_its_copy(void **state)
{
    (void)state;
    for (int behind_ready = 0; behind_ready < 2; behind_ready++) {
        struct xl_receiver receiver;
        int peer;

        start(&receiver, &peer, false, true, NULL);
        say(peer, behind_ready ? "ok\nmemory\n" : "ok\n");
        until(&receiver, behind_ready ? XL_ANSWER_READY : XL_ANSWER_BANNER);
        xl_receiver_stop(&receiver, 30000, NULL);
        assert_true(receiver.child.ended);
        assert_false(xl_receiver_has_copy(&receiver));
        assert_int_equal(spawn_exit_status(&receiver.child),
                         behind_ready ? 0 : 1);
        expect_file("domain", "absent 7\n");
        xl_receiver_done(&receiver);
        close(peer);
    }
}

static void one_that_is_deaf_is_killed_in_the_end(void **state)
{
    struct xl_receiver receiver;
    int peer;

    (void)state;
    start(&receiver, &peer, false, true, NULL);
    say(peer, "deaf\nx\n");
    until(&receiver, XL_ANSWER_BANNER);
    xl_receiver_stop(&receiver, 300, NULL);
    assert_true(receiver.child.ended);
    assert_int_equal(spawn_exit_status(&receiver.child), 137);
    xl_receiver_done(&receiver);
    close(peer);
}

static void no_xl_is_an_error(void **state)
{
    struct xl_receiver receiver;
    struct xcx_err err = XCX_ERR_INIT;
    char path[4096];

    (void)state;
    snprintf(path, sizeof(path), "%s", getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(xl_receiver_start(&receiver, open("/dev/null", O_RDONLY),
                                       false, true, NULL, &err),
                     -1);
    setenv("PATH", path, 1);
    assert_string_equal(err.msg, "cannot run xl: No such file or directory");
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

static int clean(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -f %s/domain %s/log", dir, dir);
    return system(command);
}

static int set_up(void **state)
{
    char command[512];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(command, sizeof(command),
             "cp tests/unit/fake_xl %s/xl && chmod +x %s/xl", dir, dir);
    if (system(command))
        return -1;
    snprintf(command, sizeof(command), "%s:%s", dir, getenv("PATH"));
    setenv("PATH", command, 1);
    snprintf(command, sizeof(command), "%s/domain", dir);
    setenv("FAKE_DOMAIN", command, 1);
    snprintf(command, sizeof(command), "%s/log", dir);
    setenv("FAKE_LOG", command, 1);
    unsetenv("LIBXL_SAVE_HELPER");
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int tear_down(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_heard_wherever_they_are_cut),
        cmocka_unit_test(other_answers_are_refused),
        cmocka_unit_test_setup(a_copy_is_received, clean),
        cmocka_unit_test_setup(why_there_is_no_copy_is_told, clean),
        cmocka_unit_test_setup(stopped_it_destroys_its_copy, clean),
        cmocka_unit_test_setup(one_that_is_deaf_is_killed_in_the_end, clean),
        cmocka_unit_test(no_xl_is_an_error),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
