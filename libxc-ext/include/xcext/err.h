/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * err: how every function of libxcext says what went wrong.
 *
 * A function that can fail returns 0 or -1 and takes `struct xcx_err *err`
 * as its last parameter. The caller owns the struct, usually on its stack,
 * and initialises it with XCX_ERR_INIT. Setting an error allocates nothing.
 *
 * The first error wins: xcx_err_set() on an err that already holds one
 * changes nothing, so clean-up code may pass the same err on. The kind says
 * what the caller must do, the message says what happened to whom.
 *
 * Threads: an err belongs to one thread at a time; there is no global state.
 */
#ifndef XCEXT_ERR_H
#define XCEXT_ERR_H

#include <stdbool.h>
#include <stddef.h>

enum xcx_err_kind {
    XCX_OK = 0,
    XCX_ERR_USAGE,     /* the caller asked for something that makes no sense */
    XCX_ERR_RESOURCE,  /* memory, fds, processes: later it may work */
    XCX_ERR_HYPERCALL, /* the hypervisor said no; os_errno says how */
    XCX_ERR_GUEST,     /* the guest is in a state that cannot be moved */
    XCX_ERR_STREAM,    /* the bytes of a stream break its specification */
    XCX_ERR_PEER,      /* the other end answered no, or nonsense */
    XCX_ERR_IO,        /* a read or write failed; os_errno says how */
    XCX_ERR_CANCELLED, /* somebody asked us to stop */
    XCX_ERR_BUG,       /* an invariant of our own does not hold */
};

#define XCX_ERR_MSG_BYTES 256

struct xcx_err {
    enum xcx_err_kind kind;
    int os_errno;                /* 0 where none applies */
    char msg[XCX_ERR_MSG_BYTES]; /* one line of printable ASCII (plain.h) */
};

#define XCX_ERR_INIT ((struct xcx_err){.kind = XCX_OK})

/*
 * Records the first error and returns -1 always, so that a function can end
 * with `return xcx_err_set(...)`. os_errno is 0 where no errno applies; where
 * it is given, its text is appended to the message. A message that is too
 * long is cut. err may be NULL: nothing is recorded then. errno is kept.
 */
int xcx_err_set(struct xcx_err *err, enum xcx_err_kind kind, int os_errno,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * xcx_err_set() with kind RESOURCE for memory of our own that could not be
 * had. If the process has a limit of address space, the message names it.
 */
int xcx_err_no_memory(struct xcx_err *err, int os_errno, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts "prefix: " before the message of an err that holds one (what was being
 * done when it happened). Does nothing on an empty err. Returns -1 always.
 */
int xcx_err_prefix(struct xcx_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool xcx_err_is_set(const struct xcx_err *err)
{
    return err && err->kind != XCX_OK;
}

/* The kind's name in capitals as in the enum ("HYPERCALL"); never NULL. */
const char *xcx_err_kind_name(enum xcx_err_kind kind);

/*
 * The errno to report at an edge that knows only errnos (libxl's contract):
 * os_errno where there is one, else one by kind; never 0 for a set err.
 */
int xcx_err_to_errno(const struct xcx_err *err);

#endif
