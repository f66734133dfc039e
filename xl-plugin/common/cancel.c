/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cancel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum source {
    SOURCE_SIGNAL,
    SOURCE_HANG_UP,
    SOURCE_REQUEST,
};

static int watch(const struct cancel *cancel, int fd, uint32_t events,
                 enum source source)
{
    struct epoll_event event = {.events = events, .data.u32 = source};

    return epoll_ctl(cancel->fd, EPOLL_CTL_ADD, fd, &event);
}

static int open_fds(struct cancel *cancel, const sigset_t *signals)
{
    cancel->signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    cancel->request_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cancel->fd = epoll_create1(EPOLL_CLOEXEC);
    if (cancel->signal_fd < 0 || cancel->request_fd < 0 || cancel->fd < 0)
        return -1;
    if (watch(cancel, cancel->signal_fd, EPOLLIN, SOURCE_SIGNAL) < 0)
        return -1;
    return watch(cancel, cancel->request_fd, EPOLLIN, SOURCE_REQUEST);
}

int cancel_init(struct cancel *cancel, int hang_up_fd,
                const char *hang_up_reason, struct xcx_err *err)
{
    sigset_t signals;

    *cancel = CANCEL_INIT;
    cancel->hang_up_reason = hang_up_reason;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (open_fds(cancel, &signals) < 0)
        goto failed;
    /* No events asked for: a hang-up is told all the same. EPERM: a file. */
    if (hang_up_fd >= 0 && watch(cancel, hang_up_fd, 0, SOURCE_HANG_UP) < 0 &&
        errno != EPERM)
        goto failed;
    return 0;

failed:
    xcx_err_set(err, XCX_ERR_RESOURCE, errno, "watching for a stop");
    cancel_done(cancel);
    return -1;
}

void cancel_request(const struct cancel *cancel)
{
    eventfd_write(cancel->request_fd, 1);
}

const char *cancel_reason(const struct cancel *cancel)
{
    struct epoll_event event;

    if (epoll_wait(cancel->fd, &event, 1, 0) != 1)
        return NULL;
    switch ((enum source)event.data.u32) {
    case SOURCE_SIGNAL:
        return "stopped by a signal";
    case SOURCE_HANG_UP:
        return cancel->hang_up_reason;
    case SOURCE_REQUEST:
        break;
    }
    return "stopped on request";
}

bool cancel_by_signal(const struct cancel *cancel)
{
    struct pollfd signals = {.fd = cancel->signal_fd, .events = POLLIN};

    return poll(&signals, 1, 0) > 0;
}

void cancel_done(struct cancel *cancel)
{
    if (cancel->signal_fd >= 0)
        close(cancel->signal_fd);
    if (cancel->request_fd >= 0)
        close(cancel->request_fd);
    if (cancel->fd >= 0)
        close(cancel->fd);
    *cancel = CANCEL_INIT;
}
