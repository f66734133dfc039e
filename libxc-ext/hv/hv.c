/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/hv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>
#include <xentoollog.h>

struct xcx_hv_logger {
    struct xentoollog_logger vtable; /* first: libxenctrl knows only this */
    xcx_hv_log_fn *log;
    void *opaque;
};

static void logger_message(struct xentoollog_logger *logger,
                           xentoollog_level level, int errnoval,
                           const char *context, const char *format, va_list al)
    __attribute__((format(printf, 5, 0)));

static void logger_message(struct xentoollog_logger *logger,
                           xentoollog_level level, int errnoval,
                           const char *context, const char *format, va_list al)
{
    struct xcx_hv_logger *self = (struct xcx_hv_logger *)logger;
    char line[XCX_ERR_MSG_BYTES];
    int used;

    (void)level;
    (void)errnoval;
    if (!self->log)
        return;
    used = snprintf(line, sizeof(line), "%s: ", context ? context : "xen");
    if (used < 0 || (size_t)used >= sizeof(line))
        return;
    vsnprintf(line + used, sizeof(line) - used, format, al);
    line[strcspn(line, "\n")] = '\0';
    self->log(self->opaque, line);
}

int xcx_hv_open(struct xcx_hv *hv, uint32_t domid, xcx_hv_log_fn *log,
                void *log_opaque, struct xcx_err *err)
{
    *hv = (struct xcx_hv){.domid = domid};
    hv->logger = calloc(1, sizeof(*hv->logger));
    if (!hv->logger)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: handle on the hypervisor", domid);
    hv->logger->vtable.vmessage = logger_message;
    hv->logger->log = log;
    hv->logger->opaque = log_opaque;

    hv->xch = xc_interface_open(&hv->logger->vtable, &hv->logger->vtable, 0);
    if (!hv->xch) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                    "domain %u: cannot open the hypervisor interface", domid);
        xcx_hv_close(hv);
        return -1;
    }
    hv->fmem = xc_interface_fmem_handle(hv->xch);
    return 0;
}

void xcx_hv_close(struct xcx_hv *hv)
{
    if (hv->xch)
        xc_interface_close(hv->xch);
    free(hv->logger);
    *hv = (struct xcx_hv){.domid = hv->domid};
}

void xcx_hv_silence(struct xcx_hv *hv)
{
    hv->logger->log = NULL;
}

int xcx_hv_failed(const struct xcx_hv *hv, struct xcx_err *err,
                  const char *call)
{
    return xcx_err_set(err, XCX_ERR_HYPERCALL, errno, "domain %u: %s failed",
                       hv->domid, call);
}
