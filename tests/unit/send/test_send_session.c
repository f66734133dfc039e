/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What send says of a failure, with a target that the test speaks for. */
#include "xl-migrate/send/send_session.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"

/* As long as it is waited for. */
#define LAST_WORD_NS UINT64_C(2000000000)

/* ---- the target -----------------------------------------------------------
 */

enum does { NOTHING, LATER, LOGS, FLOODS, GIVES_UP, IS_GONE };

static struct {
    const enum does *deeds; /* the last one for ever */
    uint64_t deadline_ns;   /* of the last time that it was listened to */
    unsigned nr_heard;
} target;

static int on_hear(struct peer *peer, uint64_t deadline_ns,
                   struct peer_message *ret, struct xcx_err *err)
{
    (void)peer;
    target.deadline_ns = deadline_ns;
    target.nr_heard++;
    *ret = (struct peer_message){.news = PEER_NOTHING};
    /* What comes later is heard by who waits for it. */
    if (*target.deeds == LATER && deadline_ns)
        target.deeds++;
    switch (*target.deeds) {
    case LOGS:
        target.deeds++;
        ret->news = PEER_LOG;
        strcpy(ret->text, "hook 20-no: not today");
        return 0;
    case FLOODS:
        ret->news = PEER_LOG;
        strcpy(ret->text, "and another thing");
        return 0;
    case GIVES_UP:
        ret->news = PEER_WORD;
        ret->word = HANDOVER_SAY_ABORTED;
        strcpy(ret->text, "hook says no");
        return 0;
    case IS_GONE:
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: exit status 255");
    default:
        return 0;
    }
}

static void on_close(struct peer *peer)
{
    (void)peer;
}

void send_same_done(struct send_same *same)
{
    (void)same;
}

void host_close(struct host *host)
{
    (void)host;
}

static const struct peer_ops ops = {.hear = on_hear, .close = on_close};

/* ---- fixture ---------------------------------------------------------------
 */

static const struct send_options options = {
    .domain = "web", .host = "host2", .quiet = true};
static struct send_session session;
static struct peer peer;

static int set_up(void **state)
{
    static struct config config;

    (void)state;
    config_default(&config);
    peer = (struct peer){.ops = &ops, .plugin = true};
    if (send_session_init(&session, &options, &config, NULL))
        return -1;
    session.peer = &peer;
    session.begun = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    send_session_done(&session);
    return 0;
}

/* ---- tests -----------------------------------------------------------------
 */

static void who_knows_best_says_why(void **state)
{
    static const struct {
        const char *what;
        enum does deeds[3];
        enum xcx_err_kind kind; /* of the failure */
        bool stock, cancelled;
        const char *why;
    } rows[] = {
        {"it has said so",
         {LOGS, GIVES_UP},
         XCX_ERR_IO,
         false,
         false,
         "host2 says ABORTED: hook says no"},
        {"it says so later",
         {LATER, LOGS, GIVES_UP},
         XCX_ERR_IO,
         false,
         false,
         "host2 says ABORTED: hook says no"},
        {"xl says nothing by itself",
         {LATER, GIVES_UP},
         XCX_ERR_IO,
         true,
         false,
         "the save: Broken pipe"},
        {"its connection is lost",
         {IS_GONE},
         XCX_ERR_IO,
         false,
         false,
         "host2: exit status 255"},
        {"it does not say",
         {NOTHING},
         XCX_ERR_IO,
         false,
         false,
         "the save: Broken pipe"},
        {"nothing of it",
         {GIVES_UP},
         XCX_ERR_GUEST,
         false,
         false,
         "the save: Broken pipe"},
        {"the user",
         {NOTHING},
         XCX_ERR_CANCELLED,
         false,
         true,
         "stopped on request: the save: Broken pipe"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xcx_err why = XCX_ERR_INIT;

        assert_int_equal(set_up(state), 0);
        target.deeds = rows[i].deeds;
        peer.plugin = !rows[i].stock;
        if (rows[i].cancelled)
            cancel_request(&session.cancel);
        xcx_err_set(&why, rows[i].kind, EPIPE, "the save");
        send_session_explain(&session, &why);
        if (strcmp(why.msg, rows[i].why) != 0)
            fail_msg("%s: \"%s\"", rows[i].what, why.msg);
        tear_down(state);
    }
}

/* Only what closed the connection is worth a wait, and that has an end. */
static void its_last_word_is_waited_for_so_long(void **state)
{
    static const enum does deeds[] = {NOTHING};
    static const struct {
        const char *what;
        enum xcx_err_kind kind;
        int os_errno;
        bool stock;
        unsigned nr_heard;
        uint64_t wait_ns; /* 0: only what is there already */
    } rows[] = {
        {"the pipe closed", XCX_ERR_IO, EPIPE, false, 1, LAST_WORD_NS},
        {"the socket closed", XCX_ERR_IO, ECONNRESET, false, 1, LAST_WORD_NS},
        {"a disk is full", XCX_ERR_IO, ENOSPC, false, 1, 0},
        {"xl has no last word", XCX_ERR_IO, EPIPE, true, 1, 0},
        {"the user", XCX_ERR_CANCELLED, 0, false, 1, 0},
        {"the guest", XCX_ERR_GUEST, EPIPE, false, 0, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t begin_ns = deadline_now_ns();
        struct xcx_err why = XCX_ERR_INIT;

        print_message("%s\n", rows[i].what);
        assert_int_equal(set_up(state), 0);
        target.deeds = deeds;
        target.nr_heard = 0;
        target.deadline_ns = 0;
        peer.plugin = !rows[i].stock;
        xcx_err_set(&why, rows[i].kind, rows[i].os_errno, "the save");
        send_session_explain(&session, &why);
        assert_int_equal(target.nr_heard, rows[i].nr_heard);
        if (rows[i].wait_ns)
            assert_in_range(target.deadline_ns, begin_ns + rows[i].wait_ns,
                            deadline_now_ns() + rows[i].wait_ns);
        else
            assert_int_equal(target.deadline_ns, 0);
        tear_down(state);
    }
}

static void one_that_never_stops_talking_is_not_heard_out(void **state)
{
    static const enum does deeds[] = {FLOODS};
    struct xcx_err why = XCX_ERR_INIT;

    (void)state;
    target.deeds = deeds;
    alarm(60); /* else it would be for ever */
    xcx_err_set(&why, XCX_ERR_IO, ENOSPC, "the save");
    send_session_explain(&session, &why);
    assert_string_equal(why.msg, "the save: No space left on device");
    alarm(0);
}

/* Its loss ends the writing of data, and nothing behind that. */
static void one_that_goes_silent_ends_the_copying(void **state)
{
    static const enum does deeds[] = {IS_GONE};
    struct xcx_err why = XCX_ERR_INIT;

    (void)state;
    target.deeds = deeds;
    session.address.gone(session.address.opaque);
    assert_null(cancel_reason(&session.cancel));
    send_session_set_copying(&session, true);
    session.address.gone(session.address.opaque);
    session.address.gone(session.address.opaque);
    assert_non_null(cancel_reason(&session.cancel));
    assert_int_equal(xcx_err_set(&why, XCX_ERR_CANCELLED, 0, "cancelled"), -1);
    send_session_explain(&session, &why);
    assert_string_equal(why.msg, "host2: exit status 255");
}

static void one_that_was_never_begun_is_not_listened_to(void **state)
{
    static const enum does deeds[] = {GIVES_UP};
    struct xcx_err why = XCX_ERR_INIT;

    (void)state;
    target.deeds = deeds;
    session.begun = false;
    xcx_err_set(&why, XCX_ERR_IO, 0, "host2: no route");
    send_session_explain(&session, &why);
    assert_string_equal(why.msg, "host2: no route");
}

/* Also by who tunes it while it goes on, and back again. */
static void that_it_was_limited_is_kept(void **state)
{
    static const uint64_t bandwidths[] = {0, 5 << 20, 0};
    struct xcx_policy_limits limits;

    (void)state;
    xcx_policy_limits_default(&limits);
    for (size_t i = 0; i < sizeof(bandwidths) / sizeof(bandwidths[0]); i++) {
        limits.bandwidth_bytes_per_s = bandwidths[i];
        send_session_ops.limits(&session, &limits);
        assert_int_equal(session.was_limited, i > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_knows_best_says_why),
        cmocka_unit_test(its_last_word_is_waited_for_so_long),
        cmocka_unit_test_setup_teardown(
            one_that_never_stops_talking_is_not_heard_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_goes_silent_ends_the_copying,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            one_that_was_never_begun_is_not_listened_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(that_it_was_limited_is_kept, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
