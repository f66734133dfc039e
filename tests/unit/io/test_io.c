/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"

/* A test that hangs is a test that failed. */
#define TEST_MAX_S 60

#define DATA_BYTES (3 << 20)

/* A cmocka assertion belongs on the main thread only. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the ways to write ------------------------------------------------- */

enum way {
    PIPE,
    PIPE_WITHOUT_PROC,
    SOCKET,
    NR_STUCK_WAYS, /* the rest never gets stuck */
    FILE_PLAIN = NR_STUCK_WAYS,
    NR_WAYS,
};

struct ends {
    int in, out;
    struct xcx_out writer;
    int cancel_fd;
};

static void open_ends(struct ends *ends, enum way way)
{
    static const enum xcx_out_method methods[] = {
        [PIPE] = XCX_OUT_PIPE_OWN,
        [PIPE_WITHOUT_PROC] = XCX_OUT_PIPE_SMALL,
        [SOCKET] = XCX_OUT_SOCKET,
        [FILE_PLAIN] = XCX_OUT_PLAIN,
    };
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    if (way == SOCKET)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    else if (way == FILE_PLAIN)
        fds[0] = memfd_create("plain", 0), fds[1] = dup(fds[0]);
    else
        assert_int_equal(pipe(fds), 0);
    ends->in = fds[0];
    ends->out = fds[1];
    ends->cancel_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(ends->cancel_fd >= 0);
    assert_int_equal(xcx_out_init(&ends->writer, ends->out,
                                  (struct xcx_cancel){.fd = ends->cancel_fd},
                                  &err),
                     0);
    if (way == PIPE_WITHOUT_PROC) {
        xcx_out_done(&ends->writer);
        ends->writer.method = XCX_OUT_PIPE_SMALL;
    }
    assert_int_equal(ends->writer.method, methods[way]);
}

static void close_ends(struct ends *ends)
{
    xcx_out_done(&ends->writer);
    xcx_out_done(&ends->writer);
    if (ends->in >= 0)
        close(ends->in);
    close(ends->out);
    close(ends->cancel_fd);
}

static uint8_t *make_data(void)
{
    uint8_t *data = malloc(DATA_BYTES);
    uint32_t value = 1;

    assert_non_null(data);
    for (size_t i = 0; i < DATA_BYTES; i++) {
        value = value * 1664525 + 1013904223;
        data[i] = (uint8_t)(value >> 24);
    }
    return data;
}

/* Cuts data into nr iovecs of odd sizes, some of them empty. */
static struct iovec *make_iov(uint8_t *data, int nr)
{
    struct iovec *iov = calloc((size_t)nr, sizeof(*iov));
    size_t at = 0;

    assert_non_null(iov);
    for (int i = 0; i < nr; i++) {
        size_t bytes = i % 5 == 0 ? 0 : (size_t)(i * 37 % 900);

        if (i == nr - 1)
            bytes = DATA_BYTES - at;
        iov[i] = (struct iovec){data + at, bytes};
        at += bytes;
    }
    return iov;
}

/* ---- another thread that reads ----------------------------------------- */

struct reading {
    int fd;
    pthread_t disturbed; /* gets a signal at each read */
    uint8_t *data;
    size_t bytes;
};

static void *read_to_end(void *opaque)
{
    struct reading *reading = opaque;
    ssize_t got;

    do {
        pthread_kill(reading->disturbed, SIGUSR1);
        /* In small pieces, so that the writer runs into a full pipe. */
        got = read(reading->fd, reading->data + reading->bytes,
                   reading->bytes + 5000 < DATA_BYTES + 1
                       ? 5000
                       : DATA_BYTES + 1 - reading->bytes);
        if (got > 0)
            reading->bytes += (size_t)got;
    } while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
    return NULL;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
}

/* Without SA_RESTART: every system call that blocks sees EINTR. */
static int setup(void **state)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    alarm(TEST_MAX_S);
    return 0;
}

static void write_and_read_back(enum way way, bool nonblocking, int nr_iov)
{
    struct reading reading = {.disturbed = pthread_self()};
    struct xcx_err err = XCX_ERR_INIT;
    uint8_t *data = make_data();
    struct iovec *iov = make_iov(data, nr_iov);
    struct ends ends;
    pthread_t thread;

    reading.data = malloc(DATA_BYTES + 1);
    assert_non_null(reading.data);
    open_ends(&ends, way);
    if (nonblocking)
        fcntl(ends.out, F_SETFL, fcntl(ends.out, F_GETFL) | O_NONBLOCK);
    reading.fd = ends.in;
    if (way != FILE_PLAIN)
        pthread_create(&thread, NULL, read_to_end, &reading);
    assert_int_equal(xcx_out_writev(&ends.writer, iov, nr_iov, &err), 0);
    assert_string_equal(err.msg, "");
    assert_int_equal(fcntl(ends.out, F_GETFL) & O_NONBLOCK,
                     nonblocking ? O_NONBLOCK : 0);
    /* Only now, with both writing ends closed, is there an end to read. */
    xcx_out_done(&ends.writer);
    close(ends.out);
    ends.out = -1;
    if (way == FILE_PLAIN) {
        lseek(ends.in, 0, SEEK_SET);
        read_to_end(&reading);
    } else {
        pthread_join(thread, NULL);
    }
    assert_int_equal(reading.bytes, DATA_BYTES);
    assert_memory_equal(reading.data, data, DATA_BYTES);
    close_ends(&ends);
    free(reading.data);
    free(iov);
    free(data);
}

static void all_is_written_whatever_interrupts(void **state)
{
    (void)state;
    for (unsigned way = 0; way < NR_WAYS; way++) {
        write_and_read_back(way, false, 1);
        write_and_read_back(way, false, 2 * IOV_MAX + 3);
    }
}

static void non_blocking_fds_work_too(void **state)
{
    (void)state;
    for (unsigned way = 0; way < NR_STUCK_WAYS; way++)
        write_and_read_back(way, true, 7);
}

static int bytes_readable(const struct ends *ends)
{
    int bytes = 0;

    assert_int_equal(ioctl(ends->in, FIONREAD, &bytes), 0);
    return bytes;
}

static void read_exactly(const struct ends *ends, const char *expected)
{
    char got[64] = "";
    size_t bytes = strlen(expected);

    assert_int_equal(bytes_readable(ends), (int)bytes);
    assert_int_equal(read(ends->in, got, bytes), (ssize_t)bytes);
    assert_string_equal(got, expected);
}

static void what_is_held_goes_out_in_order(void **state)
{
    static uint8_t big[XCX_OUT_HELD_BYTES];
    struct xcx_err err = XCX_ERR_INIT;
    struct ends ends;

    (void)state;
    open_ends(&ends, SOCKET);
    xcx_out_hold(&ends.writer);
    assert_int_equal(xcx_out_write(&ends.writer, "ab", 2, &err), 0);
    assert_int_equal(xcx_out_write(&ends.writer, "c", 1, &err), 0);
    assert_int_equal(bytes_readable(&ends), 0);
    assert_int_equal(xcx_out_let_go(&ends.writer, &err), 0);
    read_exactly(&ends, "abc");
    assert_int_equal(xcx_out_write(&ends.writer, "d", 1, &err), 0);
    read_exactly(&ends, "d");

    /* What does not fit takes the rest along, and holding goes on. */
    xcx_out_hold(&ends.writer);
    assert_int_equal(xcx_out_write(&ends.writer, "e", 1, &err), 0);
    assert_int_equal(xcx_out_write(&ends.writer, big, sizeof(big), &err), 0);
    assert_int_equal(xcx_out_write(&ends.writer, "f", 1, &err), 0);
    assert_int_equal(bytes_readable(&ends), 1 + (int)sizeof(big));
    assert_int_equal(read(ends.in, big, 1), 1);
    assert_int_equal(big[0], 'e');
    assert_int_equal(read(ends.in, big, sizeof(big)), (ssize_t)sizeof(big));
    assert_int_equal(xcx_out_let_go(&ends.writer, &err), 0);
    read_exactly(&ends, "f");
    close_ends(&ends);
}

/* ---- cancel ------------------------------------------------------------ */

/* Waits until there is no room left, and the writer stuck; then cancels. */
static void *cancel_when_full(void *opaque)
{
    struct ends *ends = opaque;
    struct pollfd room = {.fd = ends->out, .events = POLLOUT};
    uint64_t one = 1;

    while (poll(&room, 1, 0) != 0)
        sched_yield();
    must(write(ends->cancel_fd, &one, sizeof(one)) == sizeof(one));
    return NULL;
}

static void a_stuck_write_is_cancelled(void **state)
{
    uint8_t *data = make_data();

    (void)state;
    for (unsigned way = 0; way < NR_STUCK_WAYS; way++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct ends ends;
        pthread_t thread;

        open_ends(&ends, way);
        /* An odd byte first: now pages and writes do not coincide. */
        assert_int_equal(xcx_out_write(&ends.writer, "x", 1, &err), 0);
        pthread_create(&thread, NULL, cancel_when_full, &ends);
        assert_int_equal(xcx_out_write(&ends.writer, data, DATA_BYTES, &err),
                         -1);
        assert_int_equal(err.kind, XCX_ERR_CANCELLED);
        assert_string_equal(err.msg, "writing: cancelled");
        pthread_join(thread, NULL);
        assert_true(ends.writer.waited_ns > 0);
        close_ends(&ends);
    }
    free(data);
}

/* Already cancelled: not a byte is written or read. */
static void a_cancel_comes_first(void **state)
{
    uint64_t one = 1;

    (void)state;
    for (unsigned way = 0; way < NR_WAYS; way++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_cancel cancel;
        struct ends ends;
        char byte;
        size_t got = 9;

        open_ends(&ends, way);
        cancel = ends.writer.cancel;
        assert_int_equal(xcx_cancel_check(cancel, &err), 0);
        assert_int_equal(xcx_out_write(&ends.writer, "x", 1, &err), 0);
        assert_int_equal(write(ends.cancel_fd, &one, sizeof(one)), 8);
        assert_int_equal(xcx_cancel_check(cancel, &err), -1);
        assert_string_equal(err.msg, "cancelled");
        err = XCX_ERR_INIT;
        assert_int_equal(xcx_out_write(&ends.writer, "y", 1, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_CANCELLED);
        err = XCX_ERR_INIT;
        assert_int_equal(
            xcx_io_read(ends.in, &byte, 1, XCX_NO_DEADLINE, cancel, &got, &err),
            -1);
        assert_int_equal(err.kind, XCX_ERR_CANCELLED);
        assert_string_equal(err.msg, "reading: cancelled");
        assert_int_equal(got, 9);
        close_ends(&ends);
    }
    assert_int_equal(xcx_cancel_check(XCX_CANCEL_NONE, NULL), 0);
}

/* ---- errors ------------------------------------------------------------ */

/* SIGPIPE kills this process unless it is kept from being raised. */
static void a_vanished_reader_is_epipe(void **state)
{
    (void)state;
    for (unsigned way = 0; way < NR_STUCK_WAYS; way++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct ends ends;

        if (way != SOCKET)
            signal(SIGPIPE, SIG_IGN);
        open_ends(&ends, way);
        close(ends.in);
        ends.in = -1;
        assert_int_equal(xcx_out_write(&ends.writer, "x", 1, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_IO);
        assert_int_equal(err.os_errno, EPIPE);
        assert_string_equal(err.msg, "writing: Broken pipe");
        close_ends(&ends);
        signal(SIGPIPE, SIG_DFL);
    }
}

static void a_bad_fd_is_refused(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_out out;
    size_t got;
    char byte;

    (void)state;
    assert_int_equal(xcx_out_init(&out, 9999, XCX_CANCEL_NONE, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_string_equal(err.msg, "output fd 9999: Bad file descriptor");
    err = XCX_ERR_INIT;
    assert_int_equal(xcx_io_read(9999, &byte, 1, XCX_NO_DEADLINE,
                                 XCX_CANCEL_NONE, &got, &err),
                     -1);
    assert_int_equal(err.os_errno, EBADF);
}

static void a_full_device_is_told(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct xcx_out out;

    (void)state;
    assert_int_equal(xcx_out_init(&out, fd, XCX_CANCEL_NONE, &err), 0);
    assert_int_equal(xcx_out_write(&out, "x", 1, &err), -1);
    assert_string_equal(err.msg, "writing: No space left on device");
    xcx_out_done(&out);
    close(fd);
}

/* ---- reading ----------------------------------------------------------- */

struct later {
    int fd;
    pthread_t disturbed;
};

/* "ab", then a hundred signals, then "cdef". */
static void *write_in_pieces(void *opaque)
{
    const struct later *later = opaque;

    must(write(later->fd, "ab", 2) == 2);
    for (unsigned i = 0; i < 100; i++) {
        pthread_kill(later->disturbed, SIGUSR1);
        sched_yield();
    }
    must(write(later->fd, "cdef", 4) == 4);
    return NULL;
}

static void reads_are_exact(void **state)
{
    struct later later = {.disturbed = pthread_self()};
    struct xcx_err err = XCX_ERR_INIT;
    char first[2], second[3], text[4] = "";
    struct iovec iov[] = {
        {NULL, 0}, {first, sizeof(first)}, {NULL, 0}, {second, sizeof(second)}};
    pthread_t thread;
    size_t got = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    later.fd = fds[1];
    pthread_create(&thread, NULL, write_in_pieces, &later);
    assert_int_equal(xcx_io_readv(fds[0], iov, 4, XCX_NO_DEADLINE,
                                  XCX_CANCEL_NONE, &got, &err),
                     0);
    assert_int_equal(got, 5);
    assert_memory_equal(first, "ab", 2);
    assert_memory_equal(second, "cde", 3);
    pthread_join(thread, NULL);
    close(fds[1]);
    /* One byte is left, then the end of the file; and then only that. */
    assert_int_equal(xcx_io_read(fds[0], text, sizeof(text), XCX_NO_DEADLINE,
                                 XCX_CANCEL_NONE, &got, &err),
                     0);
    assert_int_equal(got, 1);
    assert_int_equal(text[0], 'f');
    assert_int_equal(xcx_io_read(fds[0], text, sizeof(text), XCX_NO_DEADLINE,
                                 XCX_CANCEL_NONE, &got, &err),
                     0);
    assert_int_equal(got, 0);
    close(fds[0]);
}

static void a_deadline_ends_a_read(void **state)
{
    static const uint64_t waits_ns[] = {0, 3 * XCX_NS_PER_MS};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    for (size_t i = 0; i < 2; i++) {
        struct xcx_err err = XCX_ERR_INIT;
        uint64_t deadline_ns = xcx_clock_ns() + waits_ns[i];
        size_t got = 9;
        char byte;

        assert_int_equal(xcx_io_read(fds[0], &byte, 1, deadline_ns,
                                     XCX_CANCEL_NONE, &got, &err),
                         -1);
        assert_true(xcx_clock_ns() >= deadline_ns);
        assert_int_equal(err.kind, XCX_ERR_IO);
        assert_int_equal(err.os_errno, ETIMEDOUT);
        assert_string_equal(err.msg,
                            "reading: waiting for data: Connection timed out");
        assert_int_equal(got, 9);
    }
    close(fds[0]);
    close(fds[1]);
}

/* What is there already is read even when the deadline has passed. */
static void data_beats_the_deadline(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    size_t got = 0;
    int fds[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(
        xcx_io_read(fds[0], &byte, 1, 1, XCX_CANCEL_NONE, &got, &err), 0);
    assert_int_equal(got, 1);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(all_is_written_whatever_interrupts),
        T(non_blocking_fds_work_too),
        T(what_is_held_goes_out_in_order),
        T(a_stuck_write_is_cancelled),
        T(a_cancel_comes_first),
        T(a_vanished_reader_is_epipe),
        T(a_bad_fd_is_refused),
        T(a_full_device_is_told),
        T(reads_are_exact),
        T(a_deadline_ends_a_read),
        T(data_beats_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
