/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test plays libxl at the other ends of two pipes or a socket. */
#include "save-helper/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* What libxl holds: it reads messages from one and answers on the other. */
struct libxl {
    int read_fd, write_fd;
    struct parent parent;
};

static void open_pipes(struct libxl *libxl)
{
    int to_helper[2], from_helper[2];

    assert_int_equal(pipe2(to_helper, O_CLOEXEC), 0);
    assert_int_equal(pipe2(from_helper, O_CLOEXEC), 0);
    *libxl = (struct libxl){
        .read_fd = from_helper[0],
        .write_fd = to_helper[1],
        .parent = {.in_fd = to_helper[0], .out_fd = from_helper[1]},
    };
}

static void close_pipes(struct libxl *libxl)
{
    const int fds[] = {libxl->read_fd, libxl->write_fd, libxl->parent.in_fd,
                       libxl->parent.out_fd};

    for (size_t i = 0; i < 4; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void answer(struct libxl *libxl, int value)
{
    assert_int_equal(write(libxl->write_fd, &value, sizeof(value)),
                     sizeof(value));
}

/* Reads one message; returns its type, or 0 when there is none. */
static unsigned next_type(struct libxl *libxl)
{
    unsigned char body[PIPE_BUF];
    uint16_t nr_body, type;

    fcntl(libxl->read_fd, F_SETFL, O_NONBLOCK);
    if (read(libxl->read_fd, &nr_body, sizeof(nr_body)) != sizeof(nr_body))
        return 0;
    assert_int_equal(read(libxl->read_fd, body, nr_body), nr_body);
    memcpy(&type, body, sizeof(type));
    return type;
}

static int ask_suspend(struct parent *parent, struct xcx_err *err)
{
    return parent_suspend(parent, err);
}

static int ask_logdirty_on(struct parent *parent, struct xcx_err *err)
{
    return parent_switch_qemu_logdirty(parent, 5, true, err);
}

static int ask_logdirty_off(struct parent *parent, struct xcx_err *err)
{
    return parent_switch_qemu_logdirty(parent, 5, false, err);
}

static int ask_complete(struct parent *parent, struct xcx_err *err)
{
    return parent_complete(parent, 0, 0, err);
}

/* An xl that was stopped neither answers nor reads, nor closes its pipes. */
static void a_silent_libxl_is_given_up(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct libxl libxl;

    (void)state;
    open_pipes(&libxl);
    libxl.parent.limit_ms = 20;
    assert_int_equal(parent_suspend(&libxl.parent, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_int_equal(err.os_errno, ETIMEDOUT);
    assert_non_null(strstr(err.msg, "suspend: libxl does not answer"));
    assert_true(libxl.parent.gone);
    close_pipes(&libxl);

    open_pipes(&libxl);
    libxl.parent.limit_ms = 20;
    fcntl(libxl.parent.out_fd, F_SETPIPE_SZ, 4096);
    for (int i = 0; i < 4096 && !libxl.parent.gone; i++)
        parent_progress(&libxl.parent, "round", (uint64_t)(i % 100), 100);
    assert_true(libxl.parent.gone);
    err = XCX_ERR_INIT;
    assert_int_equal(parent_complete(&libxl.parent, 0, 0, &err), -1);
    assert_non_null(strstr(err.msg, "libxl is gone"));
    close_pipes(&libxl);
}

static void answers_are_judged_as_libxl_means_them(void **state)
{
    static const struct {
        int (*ask)(struct parent *parent, struct xcx_err *err);
        unsigned type;
        int answer;
        enum xcx_err_kind kind;
        const char *message;
    } cases[] = {
        {ask_suspend, 3, 1, XCX_OK, ""},
        {ask_suspend, 3, 0, XCX_ERR_GUEST, "libxl could not suspend the guest"},
        {ask_suspend, 3, -3, XCX_ERR_GUEST,
         "libxl could not suspend the guest"},
        {ask_logdirty_on, 7, 0, XCX_OK, ""},
        {ask_logdirty_on, 7, -1, XCX_ERR_PEER,
         "libxl could not switch the device model's log-dirty on"},
        {ask_logdirty_off, 7, 1, XCX_ERR_PEER,
         "libxl could not switch the device model's log-dirty off"},
        {ask_complete, 10, 0, XCX_OK, ""},
        {ask_complete, 10, 77, XCX_OK, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct libxl libxl;

        open_pipes(&libxl);
        answer(&libxl, cases[i].answer);
        assert_int_equal(cases[i].ask(&libxl.parent, &err),
                         cases[i].kind == XCX_OK ? 0 : -1);
        assert_int_equal(err.kind, cases[i].kind);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(next_type(&libxl), cases[i].type);
        assert_int_equal(next_type(&libxl), 0);
        assert_false(libxl.parent.gone);
        close_pipes(&libxl);
    }
}

static void a_closed_pipe_is_told_once_and_remembered(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_err again = XCX_ERR_INIT;
    struct libxl libxl;

    (void)state;
    open_pipes(&libxl);
    close(libxl.write_fd);
    libxl.write_fd = -1;
    assert_int_equal(parent_suspend(&libxl.parent, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_string_equal(err.msg,
                        "suspend: libxl has closed its pipe unanswered");
    assert_int_equal(next_type(&libxl), 3);
    assert_int_equal(
        parent_switch_qemu_logdirty(&libxl.parent, 5, false, &again), -1);
    assert_string_equal(again.msg,
                        "device model's log-dirty off: libxl is gone");
    assert_int_equal(next_type(&libxl), 0);
    close_pipes(&libxl);
}

static void half_an_answer_is_no_answer(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct libxl libxl;

    (void)state;
    open_pipes(&libxl);
    assert_int_equal(write(libxl.write_fd, "\1\0", 2), 2);
    close(libxl.write_fd);
    libxl.write_fd = -1;
    assert_int_equal(parent_suspend(&libxl.parent, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    close_pipes(&libxl);
}

static void nobody_reading_is_told(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct libxl libxl;

    (void)state;
    open_pipes(&libxl);
    close(libxl.read_fd);
    libxl.read_fd = -1;
    assert_int_equal(parent_complete(&libxl.parent, -1, EIO, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_int_equal(err.os_errno, EPIPE);
    assert_string_equal(err.msg, "complete: writing to libxl: Broken pipe");
    close_pipes(&libxl);
}

static void progress_tells_only_news(void **state)
{
    static const struct {
        const char *what;
        uint64_t done, total;
        bool sent;
    } cases[] = {
        {"round 0", 0, 1000, true},
        {"round 0", 9, 1000, false},
        {"round 0", 10, 1000, true},
        {"round 0", 10, 1000, false},
        {"round 0", 1000, 1000, true},
        {"round 1", 50, 50, true},
        {"round 1", 0, 0, true},
        {"round 1", 0, UINT64_MAX, false},
        {"round 1", UINT64_MAX, UINT64_MAX, true},
    };
    struct libxl libxl;

    (void)state;
    open_pipes(&libxl);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parent_progress(&libxl.parent, cases[i].what, cases[i].done,
                        cases[i].total);
        assert_int_equal(next_type(&libxl), cases[i].sent ? 2 : 0);
    }
    close_pipes(&libxl);
}

/* A socket takes messages and answers as well as two pipes do. */
static void one_socket_serves_both_ways(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct libxl libxl;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    libxl = (struct libxl){.read_fd = fds[0],
                           .write_fd = fds[0],
                           .parent = {.in_fd = fds[1], .out_fd = fds[1]}};
    answer(&libxl, 1);
    parent_log(&libxl.parent, MESSAGE_LEVEL_WARN, MESSAGE_NO_ERRNO, "line");
    assert_int_equal(parent_suspend(&libxl.parent, &err), 0);
    assert_int_equal(next_type(&libxl), 1);
    assert_int_equal(next_type(&libxl), 3);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_libxl_is_given_up),
        cmocka_unit_test(answers_are_judged_as_libxl_means_them),
        cmocka_unit_test(a_closed_pipe_is_told_once_and_remembered),
        cmocka_unit_test(half_an_answer_is_no_answer),
        cmocka_unit_test(nobody_reading_is_told),
        cmocka_unit_test(progress_tells_only_news),
        cmocka_unit_test(one_socket_serves_both_ways),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
