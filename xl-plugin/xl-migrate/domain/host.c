/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_event.h>
#include <xenstore.h>

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define LINE_BYTES   512

struct host_logger {
    struct xentoollog_logger vtable; /* first: libxl knows only this */
    const struct xcx_log *log;
};

/* ---- libxl's lines ------------------------------------------------------ */

static enum xcx_log_level level_of(xentoollog_level level)
{
    if (level >= XTL_ERROR)
        return XCX_LOG_ERROR;
    return level >= XTL_WARN ? XCX_LOG_WARN : XCX_LOG_DEBUG;
}

static void on_message(struct xentoollog_logger *logger, xentoollog_level level,
                       int errnoval, const char *context, const char *format,
                       va_list al) __attribute__((format(printf, 5, 0)));

static void on_message(struct xentoollog_logger *logger, xentoollog_level level,
                       int errnoval, const char *context, const char *format,
                       va_list al)
{
    const struct host_logger *self = (struct host_logger *)logger;
    char line[LINE_BYTES];

    vsnprintf(line, sizeof(line), format, al);
    line[strcspn(line, "\n")] = '\0';
    xcx_log(self->log, level_of(level), "%s: %s%s%s", context ? context : "xen",
            line, errnoval >= 0 ? ": " : "",
            errnoval >= 0 ? strerror(errnoval) : "");
}

/* ---- the host ----------------------------------------------------------- */

static int read_boot_id(char *ret, size_t nr_bytes, struct xcx_err *err)
{
    int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s", BOOT_ID_PATH);
    n = read(fd, ret, nr_bytes - 1);
    close(fd);
    if (n <= 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, n < 0 ? errno : 0,
                           "%s: nothing to read", BOOT_ID_PATH);
    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return 0;
}

int host_identify(struct host *host, struct xcx_err *err)
{
    if (gethostname(host->name, sizeof(host->name)) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "gethostname");
    host->name[sizeof(host->name) - 1] = '\0';
    return read_boot_id(host->boot, sizeof(host->boot), err);
}

static int open_libxl(struct host *host, const struct xcx_log *log,
                      struct xcx_err *err)
{
    static const libxl_childproc_hooks hooks = {
        .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    };

    host->logger = calloc(1, sizeof(*host->logger));
    if (!host->logger)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "libxl's logger");
    host->logger->vtable.vmessage = on_message;
    host->logger->log = log;
    if (libxl_ctx_alloc(&host->ctx, LIBXL_VERSION, 0, &host->logger->vtable)) {
        host->ctx = NULL;
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "libxl cannot be used: is this a Xen host's Dom0, "
                           "and are you root?");
    }
    libxl_childproc_setmode(host->ctx, &hooks, NULL);
    return 0;
}

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    *host = (struct host){.ctx = NULL};
    if (host_identify(host, err) < 0 || open_libxl(host, log, err) < 0)
        goto fail;
    host->xs = xs_open(0);
    if (!host->xs) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "xenstored does not answer");
        goto fail;
    }
    return 0;
fail:
    host_close(host);
    return -1;
}

void host_close(struct host *host)
{
    if (host->xs)
        xs_close(host->xs);
    if (host->ctx)
        libxl_ctx_free(host->ctx);
    free(host->logger);
    *host = (struct host){.ctx = NULL};
}
