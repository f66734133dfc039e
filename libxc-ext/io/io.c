/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* A plain write of this size ends soon enough for a cancel to wait for it. */
#define PLAIN_MAX_BYTES ((size_t)1 << 20)

/* ---- waiting ----------------------------------------------------------- */

/* poll() in whole milliseconds, rounded up so that it does not spin. */
static int timeout_ms(uint64_t deadline_ns)
{
    uint64_t now_ns, left_ms;

    if (deadline_ns == XCX_NO_DEADLINE)
        return -1;
    now_ns = xcx_clock_ns();
    if (now_ns >= deadline_ns)
        return 0;
    left_ms = (deadline_ns - now_ns - 1) / XCX_NS_PER_MS + 1;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* Until the fd has one of the events or an error, or a cancel; 1: too late. */
static int wait_for(int fd, short events, uint64_t deadline_ns,
                    struct xcx_cancel cancel, struct xcx_err *err)
{
    struct pollfd fds[2] = {{.fd = cancel.fd, .events = POLLIN},
                            {.fd = fd, .events = events}};

    for (;;) {
        int r = poll(fds, 2, timeout_ms(deadline_ns));

        if (r < 0 && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
        if (r < 0)
            continue;
        if (fds[0].revents)
            return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
        if (fds[1].revents)
            return 0;
        if (xcx_clock_ns() >= deadline_ns)
            return 1;
    }
}

int xcx_cancel_check(struct xcx_cancel cancel, struct xcx_err *err)
{
    struct pollfd fds = {.fd = cancel.fd, .events = POLLIN};

    /* An interrupted poll() has not seen a cancel; the next look will. */
    if (poll(&fds, 1, 0) > 0)
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
    return 0;
}

/* ---- iovecs ------------------------------------------------------------ */

struct span {
    struct iovec *iov;
    int nr_iov;
};

/* Drops bytes that are done, and empty iovecs at the front. */
static void advance(struct span *span, size_t bytes)
{
    while (span->nr_iov && bytes >= span->iov->iov_len) {
        bytes -= span->iov->iov_len;
        span->iov++;
        span->nr_iov--;
    }
    if (bytes) {
        span->iov->iov_base = (uint8_t *)span->iov->iov_base + bytes;
        span->iov->iov_len -= bytes;
    }
}

/*
 * How many iovecs from the front hold max_bytes at most, at least one; the
 * last of them is cut to fit, and *ret_cut is what was taken off it.
 */
static int cut_at(struct span *span, size_t max_bytes, size_t *ret_cut)
{
    size_t bytes = 0;
    int n = 0;

    while (n < span->nr_iov && n < IOV_MAX && bytes < max_bytes)
        bytes += span->iov[n++].iov_len;
    *ret_cut = bytes > max_bytes ? bytes - max_bytes : 0;
    span->iov[n - 1].iov_len -= *ret_cut;
    return n;
}

/* ---- writing ----------------------------------------------------------- */

/* More, or as much as the system lets us; it works with less, too. */
static void enlarge_pipe(int fd)
{
    int bytes = fcntl(fd, F_GETPIPE_SZ);

    for (int want = XCX_OUT_PIPE_BYTES; bytes >= 0 && want > bytes; want /= 2)
        if (fcntl(fd, F_SETPIPE_SZ, want) >= 0)
            return;
}

/* Opens the pipe once more for ourselves; -1 where that cannot be done. */
static int open_own_pipe(int fd)
{
    char path[sizeof("/proc/self/fd/") + 3 * sizeof(fd)];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

int xcx_out_init(struct xcx_out *out, int fd, struct xcx_cancel cancel,
                 struct xcx_err *err)
{
    struct stat st;

    if (fstat(fd, &st))
        return xcx_err_set(err, XCX_ERR_IO, errno, "output fd %d", fd);
    *out = (struct xcx_out){
        .fd = fd, .own_fd = -1, .method = XCX_OUT_PLAIN, .cancel = cancel};
    if (S_ISSOCK(st.st_mode)) {
        out->method = XCX_OUT_SOCKET;
    } else if (S_ISFIFO(st.st_mode)) {
        enlarge_pipe(fd);
        out->own_fd = open_own_pipe(fd);
        out->method = out->own_fd < 0 ? XCX_OUT_PIPE_SMALL : XCX_OUT_PIPE_OWN;
    }
    return 0;
}

void xcx_out_done(struct xcx_out *out)
{
    if (out->method == XCX_OUT_PIPE_OWN && out->own_fd >= 0)
        close(out->own_fd);
    out->own_fd = -1;
}

static size_t max_bytes_of(enum xcx_out_method method)
{
    switch (method) {
    case XCX_OUT_PIPE_SMALL:
        return PIPE_BUF;
    case XCX_OUT_PLAIN:
        return PLAIN_MAX_BYTES;
    default:
        return SSIZE_MAX;
    }
}

/* Tries to write once; the next attempt goes on where this one ended. */
static ssize_t write_some(const struct xcx_out *out, struct span *span)
{
    size_t cut;
    int n = cut_at(span, max_bytes_of(out->method), &cut);
    ssize_t written;

    if (out->method == XCX_OUT_SOCKET) {
        struct msghdr msg = {.msg_iov = span->iov, .msg_iovlen = (size_t)n};

        written = sendmsg(out->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        int fd = out->method == XCX_OUT_PIPE_OWN ? out->own_fd : out->fd;

        written = writev(fd, span->iov, n);
    }
    span->iov[n - 1].iov_len += cut;
    return written;
}

static int stalled(const struct xcx_out *out, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT,
                       "the receiver has taken no data for %u s",
                       (unsigned)(out->stall_ns / XCX_NS_PER_S));
}

uint64_t xcx_io_deadline_ns(uint64_t limit_ns)
{
    return limit_ns ? xcx_clock_ns() + limit_ns : XCX_NO_DEADLINE;
}

static uint64_t stall_deadline_ns(const struct xcx_out *out)
{
    return xcx_io_deadline_ns(out->stall_ns);
}

static int write_all(struct xcx_out *out, struct span span, struct xcx_err *err)
{
    ssize_t written;
    int rc;

    advance(&span, 0);
    while (span.nr_iov) {
        uint64_t start_ns = xcx_clock_ns();

        rc = wait_for(out->fd, POLLOUT, stall_deadline_ns(out), out->cancel,
                      err);
        if (rc)
            return rc > 0 ? stalled(out, err) : xcx_err_prefix(err, "writing");
        out->waited_ns += xcx_clock_ns() - start_ns;
        written = write_some(out, &span);
        if (written >= 0)
            advance(&span, (size_t)written);
        else if (errno != EINTR && errno != EAGAIN)
            return xcx_err_set(err, XCX_ERR_IO, errno, "writing");
    }
    return 0;
}

static int write_held(struct xcx_out *out, struct xcx_err *err)
{
    struct iovec iov = {out->held, out->nr_held};

    out->nr_held = 0;
    return write_all(out, (struct span){&iov, 1}, err);
}

/* False: there is no room for it beside what is held. */
static bool take_hold(struct xcx_out *out, const struct iovec *iov, int nr_iov)
{
    size_t end = out->nr_held;

    for (int i = 0; i < nr_iov; i++) {
        if (iov[i].iov_len > sizeof(out->held) - end)
            return false;
        memcpy(out->held + end, iov[i].iov_base, iov[i].iov_len);
        end += iov[i].iov_len;
    }
    out->nr_held = end;
    return true;
}

int xcx_out_writev(void *opaque, struct iovec *iov, int nr_iov,
                   struct xcx_err *err)
{
    struct xcx_out *out = opaque;

    if (out->holds && take_hold(out, iov, nr_iov))
        return 0;
    if (write_held(out, err))
        return -1;
    return write_all(out, (struct span){iov, nr_iov}, err);
}

void xcx_out_hold(struct xcx_out *out)
{
    out->holds = true;
}

int xcx_out_let_go(struct xcx_out *out, struct xcx_err *err)
{
    out->holds = false;
    return write_held(out, err);
}

/* How long it is waited for more of a pipe to be read. */
#define FIRST_LOOK_NS 50000L
#define LAST_LOOK_NS  1000000L

static bool is_pipe(const struct xcx_out *out)
{
    return out->method == XCX_OUT_PIPE_OWN || out->method == XCX_OUT_PIPE_SMALL;
}

int xcx_out_drain(struct xcx_out *out, unsigned left_bytes, struct xcx_err *err)
{
    struct pollfd fds[2] = {{.fd = out->cancel.fd, .events = POLLIN},
                            {.fd = out->fd}};
    uint64_t deadline_ns = stall_deadline_ns(out);
    struct timespec look = {.tv_nsec = 0};
    int bytes, least_bytes = INT_MAX;

    while (is_pipe(out)) {
        /* In this order: a reader may read the last of it, and go. */
        if (ppoll(fds, 2, &look, NULL) < 0 && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
        if (ioctl(out->fd, FIONREAD, &bytes) || bytes <= (int)left_bytes)
            break;
        if (fds[0].revents)
            return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
        if (fds[1].revents)
            return xcx_err_set(err, XCX_ERR_IO, EPIPE, "writing");
        if (bytes < least_bytes)
            deadline_ns = stall_deadline_ns(out);
        else if (xcx_clock_ns() >= deadline_ns)
            return stalled(out, err);
        least_bytes = bytes;
        look.tv_nsec = look.tv_nsec ? look.tv_nsec * 2 : FIRST_LOOK_NS;
        if (look.tv_nsec > LAST_LOOK_NS)
            look.tv_nsec = LAST_LOOK_NS;
    }
    return 0;
}

int xcx_out_write(struct xcx_out *out, const void *buf, size_t bytes,
                  struct xcx_err *err)
{
    struct iovec iov = {(void *)buf, bytes};

    return xcx_out_writev(out, &iov, 1, err);
}

/* ---- reading ----------------------------------------------------------- */

int xcx_io_readv(int fd, struct iovec *iov, int nr_iov, uint64_t deadline_ns,
                 struct xcx_cancel cancel, size_t *ret_bytes,
                 struct xcx_err *err)
{
    struct span span = {iov, nr_iov};
    size_t bytes = 0;
    ssize_t got;

    advance(&span, 0);
    while (span.nr_iov) {
        int rc = wait_for(fd, POLLIN, deadline_ns, cancel, err);

        if (rc > 0)
            xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT, "waiting for data");
        if (rc)
            return xcx_err_prefix(err, "reading");
        got =
            readv(fd, span.iov, span.nr_iov < IOV_MAX ? span.nr_iov : IOV_MAX);
        if (got == 0)
            break;
        if (got > 0) {
            bytes += (size_t)got;
            advance(&span, (size_t)got);
        } else if (errno != EINTR && errno != EAGAIN) {
            return xcx_err_set(err, XCX_ERR_IO, errno, "reading");
        }
    }
    *ret_bytes = bytes;
    return 0;
}

int xcx_io_read(int fd, void *buf, size_t bytes, uint64_t deadline_ns,
                struct xcx_cancel cancel, size_t *ret_bytes,
                struct xcx_err *err)
{
    struct iovec iov = {buf, bytes};

    return xcx_io_readv(fd, &iov, 1, deadline_ns, cancel, ret_bytes, err);
}
