/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest may stop at any moment once it was asked, and then only somebody
 * who knows of it resumes it. So a cancel takes the request back where that is
 * possible, and else does not end the waiting: a guest that stops when nobody
 * waits any more stays so.
 */
#include "suspend.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xenstore.h>

#include "common/saver.h"
#include "common/deadline.h"

#define NS_PER_MS        UINT64_C(1000000)

#define PATH_BYTES       80
#define REQUEST          "suspend"
#define MAX_COMMIT_TRIES 100

enum { FD_EVTCHN, FD_XENSTORE, FD_CANCEL, NR_FDS };

struct wait {
    struct suspend *suspend;
    uint64_t deadline_ns;
    bool taken;     /* xenstore: the guest has taken the request */
    bool never;     /* it does not stop any more, but by itself */
    bool cancelled; /* too late to take the request back */
};

const char *suspend_method_name(enum suspend_method method)
{
    static const char *const names[] = {
        [SUSPEND_EVTCHN] = "event channel",
        [SUSPEND_XENSTORE] = "xenstore",
        [SUSPEND_BY_XEN] = "Xen alone",
    };

    return names[method];
}

/* ---- before ------------------------------------------------------------- */

/* Binds the channel if the guest offers one; where it does is no secret. */
static int bind_channel(struct suspend *suspend, struct xcx_err *err)
{
    char path[PATH_BYTES];
    unsigned nr_bytes, port;
    char *text, *rest;

    snprintf(path, sizeof(path),
             "/local/domain/%" PRIu32 "/device/suspend/event-channel",
             suspend->domid);
    text = xs_read(suspend->xs, XBT_NULL, path, &nr_bytes);
    if (!text)
        return 0;
    port = (unsigned)strtoul(text, &rest, 10);
    if (rest == text || *rest) {
        free(text);
        return 0;
    }
    free(text);
    suspend->method = SUSPEND_EVTCHN;
    return xcx_suspender_bind(suspend->xen, port, err);
}

int suspend_prepare(struct suspend *suspend, const struct domain *domain,
                    unsigned timeout_s, struct xcx_err *err)
{
    int cancel_fd = suspend->cancel_fd;

    *suspend = (struct suspend){.domid = domain->domid,
                                .kind = domain->kind,
                                .method = SUSPEND_XENSTORE,
                                .cancel_fd = cancel_fd};
    suspend->timeout_ns =
        (timeout_s ? timeout_s : SUSPEND_TIMEOUT_S) * NS_PER_S;
    if (domain->stubdom_domid)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %" PRIu32 ": its device model runs in a "
                           "stub domain, which cannot be moved",
                           domain->domid);
    if (xcx_suspender_open(domain->domid, NULL, &suspend->xen, err) < 0)
        return -1;
    suspend->xs = xs_open(0);
    if (!suspend->xs)
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "xenstored does not answer");
    if (!suspend->xs || bind_channel(suspend, err) < 0) {
        suspend_done(suspend);
        return -1;
    }
    return 0;
}

void suspend_done(struct suspend *suspend)
{
    if (suspend->xs)
        xs_close(suspend->xs);
    xcx_suspender_close(suspend->xen);
    suspend->xs = NULL;
    suspend->xen = NULL;
}

/* ---- the request in xenstore -------------------------------------------- */

static void request_path(const struct suspend *suspend, char ret[PATH_BYTES])
{
    snprintf(ret, PATH_BYTES, "/local/domain/%" PRIu32 "/control/shutdown",
             suspend->domid);
}

static int xenstore_failed(const struct suspend *suspend, const char *what,
                           struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                       "domain %" PRIu32 ": xenstore: %s", suspend->domid,
                       what);
}

/* *ret_text: malloc'ed, or NULL for a node that is not there. */
static int read_request(struct suspend *suspend, xs_transaction_t t,
                        char **ret_text, struct xcx_err *err)
{
    char path[PATH_BYTES];
    unsigned nr_bytes;

    request_path(suspend, path);
    *ret_text = xs_read(suspend->xs, t, path, &nr_bytes);
    return !*ret_text && errno != ENOENT
               ? xenstore_failed(suspend, "reading control/shutdown", err)
               : 0;
}

/* The guest takes it by writing anything else; a node that is gone is taken. */
static int request_is_taken(struct suspend *suspend, xs_transaction_t t,
                            bool *ret_taken, struct xcx_err *err)
{
    char *text;

    if (read_request(suspend, t, &text, err) < 0)
        return -1;
    *ret_taken = !text || strcmp(text, REQUEST) != 0;
    free(text);
    return 0;
}

static int write_request(struct suspend *suspend, xs_transaction_t t,
                         const char *text, struct xcx_err *err)
{
    char path[PATH_BYTES];

    request_path(suspend, path);
    if (!xs_write(suspend->xs, t, path, text, (unsigned)strlen(text)))
        return xenstore_failed(suspend, "writing control/shutdown", err);
    return 0;
}

static int end_transaction(struct suspend *suspend, xs_transaction_t t,
                           struct xcx_err *err)
{
    if (xs_transaction_end(suspend->xs, t, false))
        return 0;
    return errno == EAGAIN
               ? -1
               : xenstore_failed(suspend, "ending a transaction", err);
}

/*
 * Tries once, in a transaction. *ret_taken: the guest was faster. -1 with an
 * empty err: the transaction met another one.
 */
typedef int try_fn(struct suspend *suspend, bool *ret_taken,
                   struct xcx_err *err);

static int try_take_back(struct suspend *suspend, bool *ret_taken,
                         struct xcx_err *err)
{
    xs_transaction_t t = xs_transaction_start(suspend->xs);

    if (t == XBT_NULL)
        return xenstore_failed(suspend, "starting a transaction", err);
    if (request_is_taken(suspend, t, ret_taken, err) < 0 || *ret_taken ||
        write_request(suspend, t, "", err) < 0) {
        xs_transaction_end(suspend->xs, t, true);
        return xcx_err_is_set(err) ? -1 : 0;
    }
    return end_transaction(suspend, t, err);
}

static int try_often(struct suspend *suspend, try_fn *try, const char *what,
                     bool *ret_taken, struct xcx_err *err)
{
    for (unsigned i = 0; i < MAX_COMMIT_TRIES; i++) {
        if (try(suspend, ret_taken, err) == 0)
            return 0;
        if (xcx_err_is_set(err))
            return -1;
    }
    return xcx_err_set(err, XCX_ERR_RESOURCE, EAGAIN,
                       "domain %" PRIu32 ": control/shutdown cannot be %s",
                       suspend->domid, what);
}

static int take_back(struct suspend *suspend, bool *ret_taken,
                     struct xcx_err *err)
{
    return try_often(suspend, try_take_back, "taken back", ret_taken, err);
}

/* Anything else the guest may have left there: it is no toolstack's request. */
static int refuse_request(const struct suspend *suspend, const char *text,
                          struct xcx_err *err)
{
    static const struct {
        const char *request, *what;
    } known[] = {
        {REQUEST, "suspend"}, {"poweroff", "power off"}, {"halt", "halt"},
        {"reboot", "reboot"}, {"crash", "crash"},
    };

    for (size_t i = 0; text && i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(text, known[i].request))
            return xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "domain %" PRIu32 " was asked to %s by another "
                               "program; if none is at work on it, empty "
                               "/local/domain/%" PRIu32 "/control/shutdown in "
                               "xenstore",
                               suspend->domid, known[i].what, suspend->domid);
    }
    return 0;
}

/* In a transaction, so that nobody's request is overwritten. */
static int try_ask(struct suspend *suspend, bool *ret_taken,
                   struct xcx_err *err)
{
    xs_transaction_t t = xs_transaction_start(suspend->xs);
    char *text = NULL;
    int rc;

    *ret_taken = false;
    if (t == XBT_NULL)
        return xenstore_failed(suspend, "starting a transaction", err);
    rc = read_request(suspend, t, &text, err) ||
                 refuse_request(suspend, text, err) ||
                 write_request(suspend, t, REQUEST, err)
             ? -1
             : 0;
    free(text);
    if (!rc)
        return end_transaction(suspend, t, err);
    xs_transaction_end(suspend->xs, t, true);
    return -1;
}

/* ---- asking ------------------------------------------------------------- */

static int choose_method(struct suspend *suspend, struct xcx_err *err)
{
    bool pv_drivers = true, sleeps = false;

    if (suspend->kind != DOMAIN_PV &&
        xcx_suspender_hvm_state(suspend->xen, &pv_drivers, &sleeps, err) < 0)
        return -1;
    if (suspend->method == SUSPEND_EVTCHN && !sleeps)
        return 0;
    suspend->method = suspend->kind == DOMAIN_HVM && (!pv_drivers || sleeps)
                          ? SUSPEND_BY_XEN
                          : SUSPEND_XENSTORE;
    return 0;
}

static int watch(struct suspend *suspend, struct xcx_err *err)
{
    char path[PATH_BYTES];

    request_path(suspend, path);
    if (!xs_watch(suspend->xs, "@releaseDomain", "released") ||
        (suspend->method == SUSPEND_XENSTORE &&
         !xs_watch(suspend->xs, path, "request")))
        return xenstore_failed(suspend, "watching", err);
    return 0;
}

static int ask(struct suspend *suspend, struct xcx_err *err)
{
    bool unused;

    switch (suspend->method) {
    case SUSPEND_EVTCHN:
        return xcx_suspender_notify(suspend->xen, err);
    case SUSPEND_BY_XEN:
        return xcx_suspender_force(suspend->xen, err);
    default:
        return try_often(suspend, try_ask, "written", &unused, err);
    }
}

/* ---- waiting ------------------------------------------------------------ */

/* 1: it has stopped, 0: not yet, -1: it never will. */
static int look(struct wait *wait, struct xcx_err *err)
{
    struct suspend *suspend = wait->suspend;
    enum xcx_run_state state;

    if (xcx_suspender_run_state(suspend->xen, &state, err) < 0)
        return -1;
    switch (state) {
    case XCX_SUSPENDED:
        return 1;
    case XCX_SHUT_DOWN:
        wait->never = true;
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %" PRIu32 " shut down instead of "
                           "suspending",
                           suspend->domid);
    case XCX_GONE:
        wait->never = true;
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %" PRIu32 " was destroyed while it was to "
                           "suspend",
                           suspend->domid);
    default:
        return 0;
    }
}

/* A guest that took the request has as long again to stop. */
static int look_at_request(struct wait *wait, struct xcx_err *err)
{
    if (wait->suspend->method != SUSPEND_XENSTORE || wait->taken)
        return 0;
    if (request_is_taken(wait->suspend, XBT_NULL, &wait->taken, err) < 0)
        return -1;
    if (wait->taken)
        wait->deadline_ns = deadline_now_ns() + wait->suspend->timeout_ns;
    return 0;
}

static int timed_out(const struct wait *wait, struct xcx_err *err)
{
    const struct suspend *suspend = wait->suspend;

    if (wait->cancelled)
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0,
                           "cancelled while domain %" PRIu32 " was to "
                           "suspend; it may still do so",
                           suspend->domid);
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %" PRIu32 " did not suspend within %" PRIu64
                       " s of being asked by %s; it may still do so",
                       suspend->domid, suspend->timeout_ns / NS_PER_S,
                       suspend_method_name(suspend->method));
}

/*
 * The time is over, or somebody cancels. Takes the request back where that is
 * possible; 0: go on waiting.
 */
static int give_up(struct wait *wait, bool cancel, struct xcx_err *err)
{
    struct suspend *suspend = wait->suspend;

    if (suspend->method == SUSPEND_XENSTORE && !wait->taken) {
        if (take_back(suspend, &wait->taken, err) < 0)
            return -1;
        wait->never = !wait->taken;
        if (!wait->taken && cancel)
            return xcx_err_set(err, XCX_ERR_CANCELLED, 0,
                               "cancelled before domain %" PRIu32 " suspended",
                               suspend->domid);
        if (!wait->taken)
            return xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "domain %" PRIu32 " did not take the request "
                               "to suspend within %" PRIu64 " s",
                               suspend->domid, suspend->timeout_ns / NS_PER_S);
        wait->deadline_ns = deadline_now_ns() + suspend->timeout_ns;
    } else if (!cancel) {
        return timed_out(wait, err);
    }
    wait->cancelled |= cancel;
    return 0;
}

static int wait_some(struct wait *wait, bool *ret_cancel, struct xcx_err *err)
{
    struct suspend *suspend = wait->suspend;
    uint64_t now = deadline_now_ns();
    uint64_t left_ns = wait->deadline_ns > now ? wait->deadline_ns - now : 0;
    struct pollfd fds[NR_FDS] = {
        [FD_EVTCHN] = {xcx_suspender_fd(suspend->xen), POLLIN, 0},
        [FD_XENSTORE] = {xs_fileno(suspend->xs), POLLIN, 0},
        [FD_CANCEL] = {wait->cancelled ? -1 : suspend->cancel_fd, POLLIN, 0},
    };
    char **event;

    if (poll(fds, NR_FDS, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS)) < 0)
        return errno == EINTR
                   ? 0
                   : xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
    *ret_cancel = fds[FD_CANCEL].revents;
    if (fds[FD_XENSTORE].revents) {
        while ((event = xs_check_watch(suspend->xs)))
            free(event);
    }
    if (fds[FD_EVTCHN].revents)
        return xcx_suspender_take_event(suspend->xen, err);
    return 0;
}

static int refuse_another_s(struct suspend *suspend, const char *how,
                            struct xcx_err *err)
{
    suspend->by_another = true;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %" PRIu32 " %s: another program saves or moves "
                       "it",
                       suspend->domid, how);
}

/*
 * The guest takes a request before it stops for it. One that stops with ours
 * in its place has done so for another's, and would stop once more for ours as
 * soon as it is resumed.
 */
static int check_taken(struct wait *wait, struct xcx_err *err)
{
    struct suspend *suspend = wait->suspend;

    if (suspend->method == SUSPEND_XENSTORE && !wait->taken) {
        if (take_back(suspend, &wait->taken, err) < 0)
            return -1;
        if (!wait->taken) {
            wait->never = true;
            return refuse_another_s(suspend,
                                    "has suspended without taking the request "
                                    "of this migration",
                                    err);
        }
    }
    /* A program that asked in the same moment has a save helper by now. */
    if (saver_refuse(SAVER_PROC, suspend->domid, err) < 0) {
        wait->never = true;
        suspend->by_another = true;
        return -1;
    }
    suspend->suspended = true;
    return 0;
}

/* Before anything is asked of it. */
static int look_first(struct wait *wait, struct xcx_err *err)
{
    int stopped = look(wait, err);

    if (stopped > 0)
        return refuse_another_s(wait->suspend, "is suspended already", err);
    return stopped < 0 ? -1
                       : saver_refuse(SAVER_PROC, wait->suspend->domid, err);
}

static int wait_for_guest(struct wait *wait, struct xcx_err *err)
{
    bool cancel = false;
    int stopped;

    while ((stopped = look(wait, err)) == 0) {
        if (look_at_request(wait, err) < 0)
            return -1;
        if ((cancel || deadline_now_ns() >= wait->deadline_ns) &&
            give_up(wait, cancel, err) < 0)
            return -1;
        cancel = false;
        if (wait_some(wait, &cancel, err) < 0)
            return -1;
    }
    if (stopped > 0 && check_taken(wait, err) < 0)
        return -1;
    if (stopped > 0 && wait->cancelled)
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0,
                           "cancelled while domain %" PRIu32 " suspended",
                           wait->suspend->domid);
    return stopped < 0 ? -1 : 0;
}

int suspend_guest(struct suspend *suspend, struct xcx_err *err)
{
    struct wait wait = {.suspend = suspend};

    if (choose_method(suspend, err) < 0 || watch(suspend, err) < 0 ||
        look_first(&wait, err) < 0 || ask(suspend, err) < 0)
        return -1;
    wait.deadline_ns = deadline_now_ns() + suspend->timeout_ns;
    if (!wait_for_guest(&wait, err))
        return 0;
    suspend->may_stop_late = !suspend->suspended && !wait.never;
    return -1;
}
