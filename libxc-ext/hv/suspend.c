/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/suspend.h"

#include <errno.h>
#include <stdlib.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenguest.h>

#include <xen/hvm/params.h>

#include "hv/hv.h"

struct xcx_suspender {
    struct xcx_hv hv;
    const struct xcx_log *log;
    xenevtchn_handle *evtchn; /* NULL: not bound */
    int port;                 /* ours */
    int lock_fd;
};

static void on_log(void *opaque, const char *line)
{
    const struct xcx_suspender *suspender = opaque;

    xcx_log(suspender->log, XCX_LOG_DEBUG, "%s", line);
}

/* Xen answers EOPNOTSUPP for a domain that never had a vNUMA. */
static int refuse_vnuma(const struct xcx_hv *hv, struct xcx_err *err)
{
    uint32_t nr_vnodes = 0, nr_ranges = 0, nr_vcpus = 0;

    errno = 0;
    if (xc_domain_getvnuma(hv->xch, hv->domid, &nr_vnodes, &nr_ranges,
                           &nr_vcpus, NULL, NULL, NULL) < 0) {
        if (errno == EOPNOTSUPP)
            return 0;
        if (errno != ENOBUFS)
            return xcx_hv_failed(hv, err, "getvnuma");
    }
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u has a vNUMA topology, which a migration "
                       "stream cannot carry",
                       hv->domid);
}

int xcx_suspender_open(uint32_t domid, const struct xcx_log *log,
                       struct xcx_suspender **ret_suspender,
                       struct xcx_err *err)
{
    struct xcx_suspender *suspender = calloc(1, sizeof(*suspender));

    if (!suspender)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "suspending");
    suspender->log = log;
    suspender->lock_fd = -1;
    if (xcx_hv_open(&suspender->hv, domid, on_log, suspender, err) < 0 ||
        refuse_vnuma(&suspender->hv, err) < 0) {
        xcx_suspender_close(suspender);
        return -1;
    }
    *ret_suspender = suspender;
    return 0;
}

void xcx_suspender_close(struct xcx_suspender *suspender)
{
    if (!suspender)
        return;
    if (suspender->evtchn) {
        xc_suspend_evtchn_release(suspender->hv.xch, suspender->evtchn,
                                  suspender->hv.domid, suspender->port,
                                  &suspender->lock_fd);
        xenevtchn_close(suspender->evtchn);
    }
    xcx_hv_close(&suspender->hv);
    free(suspender);
}

int xcx_suspender_bind(struct xcx_suspender *suspender, unsigned port,
                       struct xcx_err *err)
{
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);
    int bound;

    if (!evtchn)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "event channels");
    bound = xc_suspend_evtchn_init_exclusive(suspender->hv.xch, evtchn,
                                             suspender->hv.domid, (int)port,
                                             &suspender->lock_fd);
    if (bound < 0) {
        xcx_err_set(err, XCX_ERR_GUEST, 0,
                    "domain %u: its suspend event channel (port %u) cannot be "
                    "bound; is it being saved or migrated already?",
                    suspender->hv.domid, port);
        xenevtchn_close(evtchn);
        return -1;
    }
    suspender->evtchn = evtchn;
    suspender->port = bound;
    return 0;
}

int xcx_suspender_fd(const struct xcx_suspender *suspender)
{
    return suspender->evtchn ? xenevtchn_fd(suspender->evtchn) : -1;
}

int xcx_suspender_take_event(struct xcx_suspender *suspender,
                             struct xcx_err *err)
{
    int port = xenevtchn_pending(suspender->evtchn);

    if (port < 0 || xenevtchn_unmask(suspender->evtchn, (uint32_t)port) < 0)
        return xcx_hv_failed(&suspender->hv, err, "taking an event");
    return 0;
}

int xcx_suspender_notify(struct xcx_suspender *suspender, struct xcx_err *err)
{
    if (xenevtchn_notify(suspender->evtchn, (uint32_t)suspender->port) < 0)
        return xcx_hv_failed(&suspender->hv, err, "evtchn_send");
    return 0;
}

int xcx_suspender_force(struct xcx_suspender *suspender, struct xcx_err *err)
{
    if (xc_domain_shutdown(suspender->hv.xch, suspender->hv.domid,
                           SHUTDOWN_suspend) < 0)
        return xcx_hv_failed(&suspender->hv, err, "shutdown");
    return 0;
}

int xcx_suspender_hvm_state(struct xcx_suspender *suspender,
                            bool *ret_pv_drivers, bool *ret_sleeps,
                            struct xcx_err *err)
{
    const struct xcx_hv *hv = &suspender->hv;
    uint64_t callback = 0, s_state = 0;

    if (xc_hvm_param_get(hv->xch, hv->domid, HVM_PARAM_CALLBACK_IRQ,
                         &callback) < 0 ||
        xc_hvm_param_get(hv->xch, hv->domid, HVM_PARAM_ACPI_S_STATE, &s_state) <
            0)
        return xcx_hv_failed(hv, err, "HVMOP_get_param");
    *ret_pv_drivers = callback != 0;
    *ret_sleeps = s_state != 0;
    return 0;
}

static int read_state(const struct xcx_hv *hv, enum xcx_run_state *ret_state,
                      unsigned *ret_reason, struct xcx_err *err)
{
    xc_dominfo_t info;
    int nr = xc_domain_getinfo(hv->xch, hv->domid, 1, &info);
    bool is_there = nr == 1 && info.domid == hv->domid;

    if (nr < 0)
        return xcx_hv_failed(hv, err, "getinfo");
    *ret_reason = is_there && info.shutdown ? (unsigned)info.shutdown_reason
                                            : XCX_NO_REASON;
    if (!is_there || info.dying)
        *ret_state = XCX_GONE;
    else if (!info.shutdown)
        *ret_state = XCX_RUNS;
    else if (info.shutdown_reason == SHUTDOWN_suspend)
        *ret_state = XCX_SUSPENDED;
    else
        *ret_state = XCX_SHUT_DOWN;
    return 0;
}

int xcx_suspender_run_state(struct xcx_suspender *suspender,
                            enum xcx_run_state *ret_state, struct xcx_err *err)
{
    unsigned unused;

    return read_state(&suspender->hv, ret_state, &unused, err);
}

int xcx_run_state(uint32_t domid, enum xcx_run_state *ret_state,
                  unsigned *ret_reason, struct xcx_err *err)
{
    struct xcx_hv hv = {.xch = NULL};
    int rc = -1;

    if (!xcx_hv_open(&hv, domid, NULL, NULL, err))
        rc = read_state(&hv, ret_state, ret_reason, err);
    xcx_hv_close(&hv);
    return rc;
}
