/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io: exact reads and writes on fds that somebody else owns, which a cancel
 * can interrupt at any time. It opens no connection and changes no flag of
 * the fd given: libxl's fds share their open file description with xl's own
 * stdin and stdout, so not even O_NONBLOCK may be set on them. A pipe to be
 * written is enlarged: xl gives a helper one of 64 KiB, in which writer and
 * reader wake each other sixteen times a MiB.
 *
 * How a write on a blocking fd is kept from getting stuck where no cancel
 * reaches it:
 *
 *   socket          sendmsg(MSG_DONTWAIT | MSG_NOSIGNAL)
 *   pipe, FIFO      a second open file description of the same pipe, by way
 *                   of /proc/self/fd, with O_NONBLOCK on that one only
 *   pipe, no /proc  at most PIPE_BUF bytes after POLLOUT: Linux says POLLOUT
 *                   when one page of the pipe is free, and so much fits in
 *                   it. Sound for one writer; slower by a call a page
 *   anything else   (files, devices) plain writes, 1 MiB a call at most; the
 *                   cancel is looked at between them
 *
 * Each write is preceded by one poll() of the fd and the cancel fd together.
 * Small writes that follow one another can be held back and go out as one, so
 * that the reader is woken once: a wake-up costs more than copying 10 KiB.
 * Cost, 1 GiB in 4 KiB iovecs to a reading process, two busy cores, GiB/s:
 * pipe of 64 KiB 1.6 to 2.0, in the PIPE_BUF way 0.4 to 0.5, with writev()
 * alone, which no cancel can interrupt, 1.9 to 3.1; socket 3.6 to 6.3, against
 * 3.4 to 5.2.
 *
 * SIGPIPE: sockets never raise it; for pipes the program ignores the signal,
 * and gets an error of kind IO with EPIPE instead.
 *
 * Errors: IO (os_errno says how; ETIMEDOUT for a deadline), CANCELLED,
 * RESOURCE. After an error an unknown part has been read or written.
 * Threads: an xcx_out belongs to one thread at a time; a worker process
 * makes its own.
 */
#ifndef XCX_IO_IO_H
#define XCX_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "xcext/err.h"

/* Readable: cancelled, and so it stays. fd -1: nobody cancels. */
struct xcx_cancel {
    int fd;
};

#define XCX_CANCEL_NONE ((struct xcx_cancel){.fd = -1})

/* Fails with CANCELLED if so; never blocks. */
int xcx_cancel_check(struct xcx_cancel cancel, struct xcx_err *err);

/* ---- writing ----------------------------------------------------------- */

enum xcx_out_method {
    XCX_OUT_SOCKET,
    XCX_OUT_PIPE_OWN,   /* through own_fd, non-blocking */
    XCX_OUT_PIPE_SMALL, /* PIPE_BUF at a time */
    XCX_OUT_PLAIN,
};

#define XCX_OUT_HELD_BYTES 16384

/* The bytes a pipe may hold when nobody should wait: too few to be felt. */
#define XCX_OUT_LITTLE_BYTES (64 << 10)

/* The most that Linux lets a user have; one with many pipes gets less. */
#define XCX_OUT_PIPE_BYTES (1 << 20)

struct xcx_out {
    int fd;     /* the caller's */
    int own_fd; /* ours, or -1 */
    enum xcx_out_method method;
    struct xcx_cancel cancel;
    uint64_t stall_ns;  /* without a byte taken, at most; 0: no limit */
    uint64_t waited_ns; /* time spent waiting for room, all in all */
    bool holds;         /* what fits into held waits there */
    size_t nr_held;
    uint8_t held[XCX_OUT_HELD_BYTES];
};

/* Looks at what kind of fd it is. The fd must stay open until _done(). */
int xcx_out_init(struct xcx_out *out, int fd, struct xcx_cancel cancel,
                 struct xcx_err *err);

/* Closes what _init() opened. Idempotent. */
void xcx_out_done(struct xcx_out *out);

/*
 * Writes all of it, blocking as long as bytes are taken: IO with ETIMEDOUT if
 * none is for stall_ns. Any number of iovecs; they
 * are used up: their values afterwards are unspecified. opaque is a struct
 * xcx_out, so that this fits a stream's sink.
 */
int xcx_out_writev(void *opaque, struct iovec *iov, int nr_iov,
                   struct xcx_err *err);

/*
 * From hold() to let_go() nothing that is written need go out before
 * let_go(), which writes what was held. Whoever gives up in between need do
 * nothing.
 */
void xcx_out_hold(struct xcx_out *out);
int xcx_out_let_go(struct xcx_out *out, struct xcx_err *err);

/*
 * Waits until a pipe holds left_bytes at most; anything else is taken for
 * empty. There is no event for that, so it looks again after 50 us, later
 * after up to 1 ms. IO with EPIPE if nobody will ever read the rest.
 */
int xcx_out_drain(struct xcx_out *out, unsigned left_bytes,
                  struct xcx_err *err);

/* Writes one buffer, as writev does. */
int xcx_out_write(struct xcx_out *out, const void *buf, size_t bytes,
                  struct xcx_err *err);

/* ---- reading ----------------------------------------------------------- */

/* A deadline that never comes; others are times of xcx_clock_ns(). */
#define XCX_NO_DEADLINE UINT64_MAX

/* In limit_ns from now; 0: never. */
uint64_t xcx_io_deadline_ns(uint64_t limit_ns);

/*
 * Reads until the iovecs are full (any number; used up as above), the end of
 * the file, the deadline or a cancel. *ret_bytes is what was read: less than
 * asked for only at the end of the file. The fd may be blocking, but must
 * have no other reader meanwhile.
 */
int xcx_io_readv(int fd, struct iovec *iov, int nr_iov, uint64_t deadline_ns,
                 struct xcx_cancel cancel, size_t *ret_bytes,
                 struct xcx_err *err);

/* Reads into one buffer. */
int xcx_io_read(int fd, void *buf, size_t bytes, uint64_t deadline_ns,
                struct xcx_cancel cancel, size_t *ret_bytes,
                struct xcx_err *err);

#endif
