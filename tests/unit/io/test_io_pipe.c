/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What io does to a pipe besides writing to it: enlarging, draining. */
#include "io/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* A test that hangs is a test that failed. */
#define TEST_MAX_S   60

#define QUEUED_BYTES 100000
#define LEFT_BYTES   65536

struct ends {
    int in, out, cancel_fd;
    struct xcx_out writer;
};

static void open_ends(struct ends *ends, bool is_pipe)
{
    static const uint8_t data[QUEUED_BYTES];
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    if (is_pipe)
        assert_int_equal(pipe(fds), 0);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ends->in = fds[0];
    ends->out = fds[1];
    ends->cancel_fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(xcx_out_init(&ends->writer, ends->out,
                                  (struct xcx_cancel){.fd = ends->cancel_fd},
                                  &err),
                     0);
    assert_int_equal(xcx_out_write(&ends->writer, data, sizeof(data), &err), 0);
}

static void close_ends(struct ends *ends)
{
    xcx_out_done(&ends->writer);
    if (ends->in >= 0)
        close(ends->in);
    close(ends->out);
    close(ends->cancel_fd);
}

static void a_pipe_is_enlarged_never_reduced(void **state)
{
    static const int sizes[] = {4096, 65536, XCX_OUT_PIPE_BYTES};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct xcx_out out;
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, sizes[i]), sizes[i]);
        assert_int_equal(xcx_out_init(&out, fds[1], XCX_CANCEL_NONE, &err), 0);
        assert_int_equal(fcntl(fds[1], F_GETPIPE_SZ), XCX_OUT_PIPE_BYTES);
        xcx_out_done(&out);
        close(fds[0]);
        close(fds[1]);
    }
}

/* What there is to be read, down to LEFT_BYTES; then, or at once, it goes. */
struct reader {
    struct ends *ends;
    size_t bytes;
    bool goes;
};

static void *read_some(void *opaque)
{
    struct reader *reader = opaque;
    uint8_t data[4096];

    /* Byte by byte at the end, so that who looks too early is wrong. */
    while (reader->bytes) {
        ssize_t got = read(reader->ends->in, data,
                           reader->bytes > sizeof(data) ? sizeof(data) : 1);

        if (got <= 0)
            abort();
        reader->bytes -= (size_t)got;
    }
    if (reader->goes) {
        close(reader->ends->in);
        reader->ends->in = -1;
    }
    return NULL;
}

static void a_pipe_is_waited_for_until_little_is_left(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct ends ends;
    struct reader reader = {.ends = &ends, .bytes = QUEUED_BYTES - LEFT_BYTES};
    pthread_t thread;
    int left_bytes;

    (void)state;
    open_ends(&ends, true);
    pthread_create(&thread, NULL, read_some, &reader);
    assert_int_equal(xcx_out_drain(&ends.writer, LEFT_BYTES, &err), 0);
    assert_int_equal(ioctl(ends.in, FIONREAD, &left_bytes), 0);
    assert_int_equal(left_bytes, LEFT_BYTES);
    pthread_join(thread, NULL);
    close_ends(&ends);
}

static void a_reader_may_go_once_it_has_it_all(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct ends ends;
        struct reader reader = {
            .ends = &ends, .bytes = QUEUED_BYTES, .goes = true};
        pthread_t thread;

        open_ends(&ends, true);
        pthread_create(&thread, NULL, read_some, &reader);
        assert_int_equal(xcx_out_drain(&ends.writer, 0, &err), 0);
        pthread_join(thread, NULL);
        close_ends(&ends);
    }
}

static void a_reader_that_goes_too_soon_is_epipe(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct ends ends;

    (void)state;
    open_ends(&ends, true);
    close(ends.in);
    ends.in = -1;
    assert_int_equal(xcx_out_drain(&ends.writer, LEFT_BYTES, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_string_equal(err.msg, "writing: Broken pipe");
    close_ends(&ends);
}

static void a_cancel_ends_a_drain(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    uint64_t one = 1;
    struct ends ends;

    (void)state;
    open_ends(&ends, true);
    assert_int_equal(write(ends.cancel_fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(xcx_out_drain(&ends.writer, LEFT_BYTES, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    close_ends(&ends);
}

/* As long as bytes are taken, however slowly, it goes on. */
static void a_reader_that_takes_nothing_for_too_long_ends_it(void **state)
{
    static const uint8_t data[2 * XCX_OUT_PIPE_BYTES];
    struct xcx_err err = XCX_ERR_INIT, drain_err = XCX_ERR_INIT;
    struct ends ends;

    (void)state;
    for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
        err = XCX_ERR_INIT;
        open_ends(&ends, is_pipe);
        ends.writer.stall_ns = 50000000;
        assert_int_equal(xcx_out_write(&ends.writer, data, sizeof(data), &err),
                         -1);
        assert_int_equal(err.kind, XCX_ERR_IO);
        assert_int_equal(err.os_errno, ETIMEDOUT);
        assert_non_null(strstr(err.msg, "the receiver has taken no data for"));
        if (is_pipe)
            assert_int_equal(xcx_out_drain(&ends.writer, 0, &drain_err), -1);
        close_ends(&ends);
    }
    assert_int_equal(drain_err.os_errno, ETIMEDOUT);
}

static void what_is_no_pipe_counts_as_empty(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct ends ends;

    (void)state;
    open_ends(&ends, false);
    assert_int_equal(xcx_out_drain(&ends.writer, 0, &err), 0);
    close_ends(&ends);
}

static int setup(void **state)
{
    (void)state;
    alarm(TEST_MAX_S);
    return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(a_pipe_is_enlarged_never_reduced),
        T(a_pipe_is_waited_for_until_little_is_left),
        T(a_reader_may_go_once_it_has_it_all),
        T(a_reader_that_goes_too_soon_is_epipe),
        T(a_cancel_ends_a_drain),
        T(a_reader_that_takes_nothing_for_too_long_ends_it),
        T(what_is_no_pipe_counts_as_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
