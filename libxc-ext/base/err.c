/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xcext/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "xcext/plain.h"

int xcx_err_set(struct xcx_err *err, enum xcx_err_kind kind, int os_errno,
                const char *fmt, ...)
{
    int saved_errno = errno;
    va_list ap;
    size_t used;

    if (!err || err->kind != XCX_OK)
        return -1;

    err->kind = kind;
    err->os_errno = os_errno;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    xcx_make_plain(err->msg);
    if (os_errno) {
        used = strlen(err->msg);
        snprintf(err->msg + used, sizeof(err->msg) - used, ": %s",
                 strerrordesc_np(os_errno) ? strerrordesc_np(os_errno)
                                           : "unknown error");
    }
    errno = saved_errno;
    return -1;
}

int xcx_err_no_memory(struct xcx_err *err, int os_errno, const char *fmt, ...)
{
    char what[XCX_ERR_MSG_BYTES];
    struct rlimit limit;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (os_errno != ENOMEM || getrlimit(RLIMIT_AS, &limit) ||
        limit.rlim_cur == RLIM_INFINITY)
        return xcx_err_set(err, XCX_ERR_RESOURCE, os_errno, "%s", what);
    return xcx_err_set(err, XCX_ERR_RESOURCE, os_errno,
                       "%s, of a process limited to %llu MiB of address space "
                       "(RLIMIT_AS)",
                       what, (unsigned long long)limit.rlim_cur >> 20);
}

int xcx_err_prefix(struct xcx_err *err, const char *fmt, ...)
{
    char old[XCX_ERR_MSG_BYTES];
    va_list ap;
    size_t used;

    if (!xcx_err_is_set(err))
        return -1;

    memcpy(old, err->msg, sizeof(old));
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    xcx_make_plain(err->msg);
    used = strlen(err->msg);
    snprintf(err->msg + used, sizeof(err->msg) - used, ": %.*s",
             (int)sizeof(old) - 1, old);
    return -1;
}

const char *xcx_err_kind_name(enum xcx_err_kind kind)
{
    static const char *const names[] = {
        [XCX_OK] = "OK",
        [XCX_ERR_USAGE] = "USAGE",
        [XCX_ERR_RESOURCE] = "RESOURCE",
        [XCX_ERR_HYPERCALL] = "HYPERCALL",
        [XCX_ERR_GUEST] = "GUEST",
        [XCX_ERR_STREAM] = "STREAM",
        [XCX_ERR_PEER] = "PEER",
        [XCX_ERR_IO] = "IO",
        [XCX_ERR_CANCELLED] = "CANCELLED",
        [XCX_ERR_BUG] = "BUG",
    };

    if ((size_t)kind >= sizeof(names) / sizeof(names[0]))
        return "UNKNOWN";
    return names[kind];
}

int xcx_err_to_errno(const struct xcx_err *err)
{
    static const int by_kind[] = {
        [XCX_OK] = 0,
        [XCX_ERR_USAGE] = EINVAL,
        [XCX_ERR_RESOURCE] = ENOMEM,
        [XCX_ERR_HYPERCALL] = EIO,
        [XCX_ERR_GUEST] = EOPNOTSUPP,
        [XCX_ERR_STREAM] = EBADMSG,
        [XCX_ERR_PEER] = EPROTO,
        [XCX_ERR_IO] = EIO,
        [XCX_ERR_CANCELLED] = EINTR,
        [XCX_ERR_BUG] = EIO,
    };

    if (err->os_errno)
        return err->os_errno;
    if ((size_t)err->kind >= sizeof(by_kind) / sizeof(by_kind[0]))
        return EIO;
    return by_kind[err->kind];
}
