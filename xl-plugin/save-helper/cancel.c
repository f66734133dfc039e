/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cancel.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum source {
    SOURCE_SIGNAL,
    SOURCE_PARENT,
};

static int watch(const struct cancel *cancel, int fd, uint32_t events,
                 enum source source)
{
    struct epoll_event event = {.events = events, .data.u32 = source};

    return epoll_ctl(cancel->fd, EPOLL_CTL_ADD, fd, &event);
}

int cancel_init(struct cancel *cancel, int parent_fd, struct xcx_err *err)
{
    sigset_t signals;

    *cancel = CANCEL_INIT;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    cancel->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    cancel->fd = epoll_create1(EPOLL_CLOEXEC);
    if (cancel->signal_fd < 0 || cancel->fd < 0 ||
        watch(cancel, cancel->signal_fd, EPOLLIN, SOURCE_SIGNAL) < 0)
        goto failed;
    /* No events asked for: a hang-up is told all the same. EPERM: a file. */
    if (watch(cancel, parent_fd, 0, SOURCE_PARENT) < 0 && errno != EPERM)
        goto failed;
    return 0;

failed:
    xcx_err_set(err, XCX_ERR_RESOURCE, errno, "watching for a stop");
    cancel_done(cancel);
    return -1;
}

const char *cancel_reason(const struct cancel *cancel)
{
    struct epoll_event event;

    if (epoll_wait(cancel->fd, &event, 1, 0) != 1)
        return NULL;
    return event.data.u32 == SOURCE_SIGNAL ? "stopped by a signal"
                                           : "libxl is gone";
}

void cancel_done(struct cancel *cancel)
{
    if (cancel->signal_fd >= 0)
        close(cancel->signal_fd);
    if (cancel->fd >= 0)
        close(cancel->fd);
    *cancel = CANCEL_INIT;
}
