/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control channel over socketpairs and pipes: what is refused and how it
 * is said, lines cut anywhere, a peer that does not read.
 */
#include "xl-migrate/wire/channel.h"

#include <errno.h>
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

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* A channel whose peer is the test, at the other end of a socket. */
struct talk {
    struct channel channel;
    int ours, peer;
};

static void begin(struct talk *talk)
{
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    talk->ours = fds[0];
    talk->peer = fds[1];
    assert_int_equal(
        channel_init(&talk->channel, talk->ours, talk->ours, "host2", &err), 0);
}

static void end(struct talk *talk)
{
    channel_done(&talk->channel);
    channel_done(&talk->channel);
    close(talk->ours);
    if (talk->peer >= 0)
        close(talk->peer);
}

static void peer_says(const struct talk *talk, const char *text)
{
    assert_int_equal(write(talk->peer, text, strlen(text)), strlen(text));
}

static void peer_hears(const struct talk *talk, const char *want)
{
    char text[1024];
    ssize_t nr_bytes = read(talk->peer, text, sizeof(text) - 1);

    assert_true(nr_bytes >= 0);
    text[nr_bytes] = 0;
    assert_string_equal(text, want);
}

static void refused(const char *text, size_t nr_bytes, enum xcx_err_kind kind,
                    const char *message)
{
    struct talk talk;
    struct message heard = MESSAGE_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    begin(&talk);
    assert_int_equal(write(talk.peer, text, nr_bytes), nr_bytes);
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), -1);
    assert_string_equal(err.msg, message);
    assert_int_equal(err.kind, kind);
    end(&talk);
}

static void what_is_no_message_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"{\n", "host2 sent: a line that is no JSON object"},
        {"{\"type\":\"a\"}}\n", "host2 sent: a line that is no JSON object"},
        {"{\"a\":1}\n",
         "host2 sent: a message whose \"type\" is missing or improper"},
        {"{\"type\":7}\n",
         "host2 sent: a message whose \"type\" is missing or improper"},
        {"{\"type\":\"\"}\n",
         "host2 sent: a message whose \"type\" is missing or improper"},
        {"{\"type\":\"\xff\"}\n", "host2 sent: a line that is no JSON object"},
        {"{\"type\":\"0123456789012345678901234567890123\"}\n",
         "host2 sent: a message whose \"type\" is missing or improper"},
        {"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],\"type\":\"x\"}\n",
         "host2 sent: a message nested more than 16 deep"},
    };

    (void)state;
    for (size_t i = 0; i < NR(rows); i++)
        refused(rows[i].text, strlen(rows[i].text), XCX_ERR_PEER,
                rows[i].message);
    refused("{\"type\":\"a\0b\"}\n", 15, XCX_ERR_PEER,
            "host2 sent: a message with a NUL in it");
}

static void brackets_in_strings_are_no_depth(void **state)
{
    struct talk talk;
    struct message heard;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&talk);
    peer_says(&talk, "{\"type\":\"x\",\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[\"}\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), 1);
    message_done(&heard);
    message_done(&heard);
    end(&talk);
}

static void a_line_without_end_is_refused(void **state)
{
    struct talk talk;
    struct message heard;
    struct xcx_err err = XCX_ERR_INIT;
    char *text = malloc(CHANNEL_LINE_BYTES);

    (void)state;
    memset(text, '{', CHANNEL_LINE_BYTES);
    begin(&talk);
    assert_int_equal(write(talk.peer, text, CHANNEL_LINE_BYTES),
                     CHANNEL_LINE_BYTES);
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), -1);
    assert_string_equal(err.msg, "host2 sent: a line of more than 65536 bytes");
    assert_int_equal(err.kind, XCX_ERR_PEER);
    end(&talk);
    free(text);
}

static void a_login_s_words_are_skipped_but_not_for_ever(void **state)
{
    struct talk talk;
    struct message heard;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&talk);
    for (int i = 0; i < CHANNEL_SKIPPED_LINES; i++)
        peer_says(&talk, i % 2 ? "Welcome!\n" : "\n");
    peer_says(&talk, "{\"type\":\"hello\"}\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), 1);
    assert_string_equal(heard.type, "hello");
    message_done(&heard);
    peer_says(&talk, "Bye\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), -1);
    assert_string_equal(err.msg, "host2 sent: a line that is no JSON object");
    end(&talk);

    err = XCX_ERR_INIT;
    begin(&talk);
    for (int i = 0; i <= CHANNEL_SKIPPED_LINES; i++)
        peer_says(&talk, "Wel\033come!\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), -1);
    assert_string_equal(err.msg,
                        "host2: says \"Wel?come!\" instead of a message");
    assert_int_equal(err.kind, XCX_ERR_PEER);
    end(&talk);
}

static void messages_cut_anywhere_are_the_same(void **state)
{
    static const char text[] = "motd\n{\"type\":\"a\",\"n\":1}\n"
                               "{\"type\":\"b\",\"n\":2}\n";

    (void)state;
    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        struct talk talk;
        struct message heard;
        struct xcx_err err = XCX_ERR_INIT;
        char types[3] = "";
        size_t nr_heard = 0;

        begin(&talk);
        for (int part = 0; part < 2; part++) {
            assert_true(write(talk.peer, part ? text + cut : text,
                              part ? sizeof(text) - 1 - cut : cut) > 0);
            assert_int_equal(channel_fill(&talk.channel, &err), 0);
            while (channel_next(&talk.channel, &heard, &err) == 1) {
                types[nr_heard++] = *heard.type;
                message_done(&heard);
            }
        }
        assert_string_equal(types, "ab");
        end(&talk);
    }
}

static void the_end_and_a_deadline_are_told_apart(void **state)
{
    struct talk talk;
    struct message heard;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&talk);
    assert_int_equal(
        channel_receive(&talk.channel, deadline_in_ms(1), &heard, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, ETIMEDOUT);
    assert_string_equal(err.msg, "host2: Connection timed out");
    err = XCX_ERR_INIT;
    close(talk.peer);
    talk.peer = -1;
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), 0);
    end(&talk);
}

/* ---- values ------------------------------------------------------------- */

static void values_have_bounds(void **state)
{
    static const char line[] =
        "{\"type\":\"t\",\"text\":\"abc\",\"empty\":\"\",\"hex\":\"0a1b\","
        "\"HEX\":\"0A\",\"n\":7,\"neg\":-1,\"big\":1e30,\"yes\":true,"
        "\"uuid\":\"6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001\","
        "\"uuid2\":\"6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a00X\","
        "\"null\":null}";
    struct message message;
    struct xcx_err err = XCX_ERR_INIT;
    const char *text;
    char room[40];
    uint64_t count = 5;
    bool yes = false;

    (void)state;
    assert_int_equal(message_parse(line, sizeof(line) - 1, &message, &err), 0);
    assert_int_equal(message_text(&message, "text", 3, 3, &text, &err), 0);
    assert_string_equal(text, "abc");
    assert_int_equal(message_copy(&message, "text", 1, room, 4, &err), 0);
    assert_int_equal(message_copy(&message, "empty", 0, room, 4, &err), 0);
    assert_int_equal(message_hex(&message, "hex", room, 5, &err), 0);
    assert_string_equal(room, "0a1b");
    assert_int_equal(message_uuid(&message, "uuid", room, 40, &err), 0);
    assert_int_equal(message_count(&message, "n", 7, 7, &count, &err), 0);
    assert_int_equal(count, 7);
    assert_int_equal(message_count(&message, "none", 1, 2, &count, &err), 0);
    assert_int_equal(count, 7);
    assert_int_equal(message_bool(&message, "yes", &yes, &err), 0);
    assert_true(yes);

    assert_int_equal(message_text(&message, "text", 4, 9, &text, &err), -1);
    assert_string_equal(err.msg, "a t whose \"text\" is missing or improper");
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_int_equal(message_text(&message, "text", 0, 2, &text, NULL), -1);
    assert_int_equal(message_text(&message, "n", 0, 9, &text, NULL), -1);
    assert_int_equal(message_text(&message, "none", 0, 9, &text, NULL), -1);
    assert_int_equal(message_copy(&message, "text", 1, room, 3, NULL), -1);
    assert_int_equal(message_hex(&message, "HEX", room, 9, NULL), -1);
    assert_int_equal(message_hex(&message, "empty", room, 9, NULL), -1);
    assert_int_equal(message_uuid(&message, "uuid2", room, 40, NULL), -1);
    assert_int_equal(message_uuid(&message, "uuid", room, 36, NULL), -1);
    assert_int_equal(message_count(&message, "n", 8, 9, &count, NULL), -1);
    assert_int_equal(message_count(&message, "n", 0, 6, &count, NULL), -1);
    assert_int_equal(message_count(&message, "neg", 0, 9, &count, NULL), -1);
    assert_int_equal(message_count(&message, "big", 0, 9, &count, NULL), -1);
    assert_int_equal(message_count(&message, "null", 0, 9, &count, NULL), -1);
    assert_int_equal(message_bool(&message, "n", &yes, NULL), -1);
    message_done(&message);
}

/* ---- saying ------------------------------------------------------------- */

static void what_is_said_is_one_line(void **state)
{
    struct talk talk;
    struct json json;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&talk);
    assert_int_equal(message_begin(&json, "word", &err), 0);
    json_text(&json, "word", "GO\n\"");
    assert_int_equal(channel_send(&talk.channel, &json, DEADLINE_NEVER, &err),
                     0);
    json_done(&json);
    peer_hears(&talk, "{\"type\":\"word\",\"word\":\"GO\\n\\\"\"}\n");

    assert_int_equal(message_begin(&json, "word", &err), 0);
    json_text(&json, "word", "\xff");
    assert_int_equal(channel_send(&talk.channel, &json, DEADLINE_NEVER, &err),
                     -1);
    assert_string_equal(err.msg, "host2: a text is not UTF-8");
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    json_done(&json);
    end(&talk);
}

static void errors_are_told_and_taken(void **state)
{
    struct talk talk;
    struct message heard;
    struct xcx_err err = XCX_ERR_INIT;
    const char *code;

    (void)state;
    begin(&talk);
    assert_int_equal(channel_send_error(&talk.channel, "begin", "n\xc3 \n!",
                                        DEADLINE_NEVER, &err),
                     0);
    peer_hears(&talk,
               "{\"type\":\"error\",\"code\":\"begin\",\"text\":\"n? ?!\"}\n");
    peer_says(&talk, "{\"type\":\"error\",\"code\":\"c\",\"text\":\"no\\u0007"
                     "\"}\n{\"type\":\"error\"}\n{\"type\":\"h\\u0007i\"}\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), 1);
    assert_int_equal(channel_take_error(&talk.channel, &heard, &code, &err),
                     -1);
    assert_string_equal(err.msg, "host2: no?");
    assert_string_equal(code, "c");
    assert_int_equal(err.kind, XCX_ERR_PEER);
    message_done(&heard);
    err = XCX_ERR_INIT;
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), 1);
    channel_take_error(&talk.channel, &heard, NULL, &err);
    assert_string_equal(err.msg, "host2: failed, and does not say why");
    message_done(&heard);
    err = XCX_ERR_INIT;
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &heard, &err), 1);
    channel_unexpected(&talk.channel, &heard, &err);
    assert_string_equal(err.msg, "host2 sent a message of type \"h?i\", which "
                                 "is not expected here");
    message_done(&heard);
    end(&talk);
}

static int put_long(struct channel *channel, bool offer, struct xcx_err *err)
{
    static char text[60001];
    struct json json;
    int rc;

    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(message_begin(&json, "log", err), 0);
    json_text(&json, "text", text);
    rc = offer ? channel_offer(channel, &json, err)
               : channel_put(channel, &json, err);
    json_done(&json);
    return rc;
}

/* Over a blocking pipe, which is what sshd may give. */
static void a_peer_that_does_not_read_blocks_nobody(void **state)
{
    struct channel channel;
    struct json json;
    struct xcx_err err = XCX_ERR_INIT;
    size_t waiting_bytes;
    int pipe_fds[2], null_fd = open("/dev/null", O_RDONLY);
    char bytes[65536];

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(
        channel_init(&channel, null_fd, pipe_fds[1], "host2", &err), 0);
    while (!channel.out_bytes)
        assert_int_equal(put_long(&channel, false, &err), 0);
    waiting_bytes = channel.out_bytes;
    assert_int_equal(put_long(&channel, true, &err), 0);
    assert_int_equal(channel.out_bytes, waiting_bytes);
    while (!put_long(&channel, false, &err))
        assert_true(channel.out_bytes <= CHANNEL_OUT_BYTES);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_string_equal(err.msg, "host2: does not read what it is sent");

    err = XCX_ERR_INIT;
    assert_true(read(pipe_fds[0], bytes, sizeof(bytes)) > 0);
    assert_int_equal(channel_flush(&channel, &err), 0);
    assert_int_equal(message_begin(&json, "word", &err), 0);
    assert_int_equal(channel_send(&channel, &json, deadline_in_ms(1), &err),
                     -1);
    assert_int_equal(err.os_errno, ETIMEDOUT);
    json_done(&json);

    err = XCX_ERR_INIT;
    close(pipe_fds[0]);
    assert_int_equal(channel_flush(&channel, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_string_equal(err.msg, "host2: gone: Broken pipe");
    channel_done(&channel);
    close(pipe_fds[1]);
    close(null_fd);
}

static void long_lines_of_a_log_lose_their_end_only(void **state)
{
    struct lines lines;
    struct xcx_err err = XCX_ERR_INIT;
    char *line, all[64] = "";
    size_t nr_bytes;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "12345678ab\nok\n123456789012345\nend", 33),
                     33);
    close(fds[1]);
    assert_int_equal(lines_init(&lines, fds[0], 8, true, &err), 0);
    while (!lines.ended) {
        assert_int_equal(lines_fill(&lines, &err), 0);
        while (lines_next(&lines, &line, &nr_bytes, &err) == 1) {
            assert_int_equal(strlen(line), nr_bytes);
            strcat(strcat(all, line), "|");
        }
    }
    assert_string_equal(all, "12345678|ok|12345678|end|");
    lines_done(&lines);
    close(fds[0]);
}

/* {"type":"alive"} itself is given to nobody. */
static void a_promise_is_taken_and_kept(void **state)
{
    struct talk talk;
    struct message message;
    struct xcx_err err = XCX_ERR_INIT;
    char text[64];

    (void)state;
    begin(&talk);
    peer_says(&talk, "{\"type\":\"a\"}\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &message, &err), 1);
    message_done(&message);
    assert_true(channel_due_ns(&talk.channel) == DEADLINE_NEVER);
    assert_true(channel_is_heard(&talk.channel));
    peer_says(&talk, "{\"type\":\"alive\",\"within_s\":3600}\n"
                     "{\"type\":\"b\"}\n");
    assert_int_equal(
        channel_receive(&talk.channel, DEADLINE_NEVER, &message, &err), 1);
    assert_string_equal(message.type, "b");
    message_done(&message);
    assert_true(channel_due_ns(&talk.channel) > deadline_in_ms(3000000));
    assert_true(channel_due_ns(&talk.channel) <= deadline_in_ms(3600000));
    assert_true(channel_is_heard(&talk.channel));
    talk.channel.heard_ns -= 1801000000000;
    assert_false(channel_is_heard(&talk.channel));

    channel_promise(&talk.channel, 7);
    assert_int_equal(recv(talk.peer, text, sizeof(text), 0), 30);
    assert_memory_equal(text, "{\"type\":\"alive\",\"within_s\":7}\n", 30);
    end(&talk);
}

/* Whoever has put them there may be busy with something else. */
static void a_promise_lets_no_message_wait_but_goes_last(void **state)
{
    struct talk talk;
    char text[64] = "";

    (void)state;
    begin(&talk);
    while (send(talk.ours, text, sizeof(text), MSG_DONTWAIT) > 0)
        continue;
    talk.channel.out[0] = '\n';
    talk.channel.out_bytes = 1;
    channel_promise(&talk.channel, 7);
    assert_int_equal(talk.channel.out_bytes, 1);
    while (recv(talk.peer, text, sizeof(text), MSG_DONTWAIT) > 0)
        continue;
    channel_promise(&talk.channel, 7);
    assert_int_equal(talk.channel.out_bytes, 0);
    peer_hears(&talk, "\n{\"type\":\"alive\",\"within_s\":7}\n");
    end(&talk);
}

/* What waited and what comes is not for a file opened there since. */
static void an_output_that_was_ended_is_not_written_to(void **state)
{
    struct talk talk;
    struct json json;
    struct xcx_err err = XCX_ERR_INIT;
    char text[64];

    (void)state;
    begin(&talk);
    talk.channel.out[0] = '\n';
    talk.channel.out_bytes = 1;
    channel_end_output(&talk.channel);
    assert_int_equal(channel_flush(&talk.channel, &err), 0);
    channel_promise(&talk.channel, 7);
    assert_int_equal(message_begin(&json, "a", &err), 0);
    assert_int_equal(channel_send(&talk.channel, &json, DEADLINE_NEVER, &err),
                     -1);
    json_done(&json);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_int_equal(err.os_errno, EPIPE);
    assert_non_null(strstr(err.msg, "host2: gone"));
    assert_int_equal(recv(talk.peer, text, sizeof(text), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    end(&talk);
}

static void a_promise_has_bounds(void **state)
{
    static const char *const wrong[] = {"0", "3601", "-1", "\"x\""};

    (void)state;
    for (size_t i = 0; i < NR(wrong); i++) {
        struct talk talk;
        struct message message;
        struct xcx_err err = XCX_ERR_INIT;
        char text[64];

        begin(&talk);
        snprintf(text, sizeof(text), "{\"type\":\"alive\",\"within_s\":%s}\n",
                 wrong[i]);
        peer_says(&talk, text);
        assert_int_equal(
            channel_receive(&talk.channel, DEADLINE_NEVER, &message, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        assert_non_null(strstr(err.msg, "within_s"));
        end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(brackets_in_strings_are_no_depth),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(a_login_s_words_are_skipped_but_not_for_ever),
        cmocka_unit_test(messages_cut_anywhere_are_the_same),
        cmocka_unit_test(the_end_and_a_deadline_are_told_apart),
        cmocka_unit_test(values_have_bounds),
        cmocka_unit_test(what_is_said_is_one_line),
        cmocka_unit_test(errors_are_told_and_taken),
        cmocka_unit_test(a_peer_that_does_not_read_blocks_nobody),
        cmocka_unit_test(long_lines_of_a_log_lose_their_end_only),
        cmocka_unit_test(a_promise_is_taken_and_kept),
        cmocka_unit_test(a_promise_lets_no_message_wait_but_goes_last),
        cmocka_unit_test(an_output_that_was_ended_is_not_written_to),
        cmocka_unit_test(a_promise_has_bounds),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
