/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread that says that an end is alive, and hears whether the peer is. */
#include "xl-migrate/wire/keepalive.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define ALIVE   "{\"type\":\"alive\",\"within_s\":1}\n"
#define WAIT_MS 30000

static struct {
    struct channel channel;
    struct keepalive keepalive;
    int ours, peer;
    int gone_fd; /* counts how often it was called */
} f;

static int set_up(void **state)
{
    int fds[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        return -1;
    f.ours = fds[0];
    f.peer = fds[1];
    f.gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f.keepalive = KEEPALIVE_INIT;
    return channel_init(&f.channel, f.ours, f.ours, "host2", NULL);
}

static int tear_down(void **state)
{
    (void)state;
    keepalive_stop(&f.keepalive);
    keepalive_stop(&f.keepalive);
    channel_done(&f.channel);
    close(f.ours);
    close(f.peer);
    close(f.gone_fd);
    return 0;
}

static void on_gone(void *opaque)
{
    assert_ptr_equal(opaque, &f);
    assert_int_equal(write(f.gone_fd, &(uint64_t){1}, sizeof(uint64_t)),
                     sizeof(uint64_t));
}

static void start(unsigned within_s)
{
    assert_int_equal(
        keepalive_start(&f.keepalive, &f.channel, within_s, on_gone, &f, NULL),
        0);
}

static bool is_gone_within(int ms)
{
    struct pollfd gone = {.fd = f.gone_fd, .events = POLLIN};

    return poll(&gone, 1, ms) == 1;
}

static void peer_says(const char *text)
{
    assert_int_equal(send(f.peer, text, strlen(text), 0), strlen(text));
}

/* As the channel's own thread does it. */
static void read_all(void)
{
    struct message message;

    assert_int_equal(channel_fill(&f.channel, NULL), 0);
    assert_int_equal(channel_next(&f.channel, &message, NULL), 0);
}

static void it_is_said_again_and_again(void **state)
{
    char text[2 * sizeof(ALIVE)];

    (void)state;
    start(1);
    for (int i = 0; i < 3; i++) {
        struct pollfd said = {.fd = f.peer, .events = POLLIN};

        assert_int_equal(poll(&said, 1, WAIT_MS), 1);
        assert_int_equal(recv(f.peer, text, strlen(ALIVE), MSG_WAITALL),
                         strlen(ALIVE));
        assert_memory_equal(text, ALIVE, strlen(ALIVE));
    }
}

static void who_breaks_a_promise_is_gone(void **state)
{
    (void)state;
    peer_says(ALIVE);
    read_all();
    start(1);
    assert_true(is_gone_within(WAIT_MS));
}

static void who_never_promised_is_not(void **state)
{
    (void)state;
    start(1);
    assert_false(is_gone_within(1500));
}

/*
 * What nobody has read yet, since all are busy, counts. Each way for longer
 * than was promised, which a busy machine is not to make a lie.
 */
static void who_is_heard_is_not(void **state)
{
    static const char slow[] = "{\"type\":\"alive\",\"within_s\":3}\n";

    (void)state;
    peer_says(slow);
    read_all();
    start(1);
    for (int i = 0; i < 20; i++) {
        assert_false(is_gone_within(200));
        peer_says(slow);
    }
    for (int i = 0; i < 20; i++) {
        assert_false(is_gone_within(200));
        peer_says(slow);
        read_all();
    }
}

/* What came before the link died stays unread while all are busy. */
static void who_said_much_and_then_nothing_is_gone(void **state)
{
    char text[10001];

    (void)state;
    peer_says(ALIVE);
    read_all();
    memset(text, ' ', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    peer_says(text);
    start(1);
    assert_true(is_gone_within(WAIT_MS));
}

/* No room for more: nothing can be known, but that is believed for a while. */
static void who_has_no_room_to_be_heard_is_given_longer(void **state)
{
    int fds[2];

    (void)state;
    channel_done(&f.channel);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(channel_init(&f.channel, fds[0], f.ours, "host2", NULL),
                     0);
    assert_int_equal(write(fds[1], ALIVE, strlen(ALIVE)), strlen(ALIVE));
    read_all();
    while (write(fds[1], ALIVE, strlen(ALIVE)) > 0)
        continue;
    start(1);
    assert_false(is_gone_within(1500));
    assert_true(is_gone_within(WAIT_MS));
    keepalive_stop(&f.keepalive);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_said_again_and_again),
        TEST(who_breaks_a_promise_is_gone),
        TEST(who_never_promised_is_not),
        TEST(who_is_heard_is_not),
        TEST(who_said_much_and_then_nothing_is_gone),
        TEST(who_has_no_room_to_be_heard_is_given_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
