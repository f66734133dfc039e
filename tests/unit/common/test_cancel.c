/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each reason to stop makes the one fd readable, and is told by name. */
#include "common/cancel.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

static struct cancel cancel;

/* What was asked for: nothing before it, and for good after it. */
static void expect(const char *reason)
{
    struct pollfd pollfd = {.fd = cancel.fd, .events = POLLIN};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(poll(&pollfd, 1, 0), reason ? 1 : 0);
        if (reason)
            assert_string_equal(cancel_reason(&cancel), reason);
        else
            assert_null(cancel_reason(&cancel));
    }
}

static void open_with(int hang_up_fd)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(cancel_init(&cancel, hang_up_fd, "it is gone", &err), 0);
    expect(NULL);
}

static void close_it(void)
{
    cancel_done(&cancel);
    cancel_done(&cancel);
    assert_int_equal(cancel.fd, -1);
}

static void a_signal(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        sigset_t set;
        int taken;

        open_with(-1);
        raise(signals[i]);
        expect("stopped by a signal");
        close_it();
        sigemptyset(&set);
        sigaddset(&set, signals[i]);
        assert_int_equal(sigwait(&set, &taken), 0);
    }
}

static void a_hang_up(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    open_with(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), 1);
    expect(NULL);
    close(fds[1]);
    expect("it is gone");
    close_it();
    close(fds[0]);
}

static void what_cannot_hang_up_is_not_watched(void **state)
{
    int fd = open("/proc/self/exe", O_RDONLY);

    (void)state;
    open_with(fd);
    close_it();
    close(fd);
}

static void a_request(void **state)
{
    (void)state;
    open_with(-1);
    cancel_request(&cancel);
    cancel_request(&cancel);
    expect("stopped on request");
    close_it();
}

static void an_fd_that_is_not_open_is_refused(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(cancel_init(&cancel, 1000, "gone", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_string_equal(err.msg, "watching for a stop: Bad file descriptor");
    assert_int_equal(cancel.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal),
        cmocka_unit_test(a_hang_up),
        cmocka_unit_test(what_cannot_hang_up_is_not_watched),
        cmocka_unit_test(a_request),
        cmocka_unit_test(an_fd_that_is_not_open_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
