/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenstore.h>

#include "guest_log.h"

/* Should xenstored not tell us. */
#define LOOK_MS 1000

const char *guest_end_text(enum guest_end end)
{
    static const char *const texts[] = {
        [GUEST_GOES_ON] = "goes on",
        [GUEST_POWERED_OFF] = "powered off",
        [GUEST_REBOOTED] = "rebooted",
        [GUEST_CRASHED] = "crashed",
        [GUEST_DESTROYED] = "was destroyed",
        [GUEST_TAKEN] = "was suspended and destroyed by another program",
    };

    return texts[end];
}

static enum guest_end end_of(enum xcx_run_state state, unsigned reason)
{
    if (state == XCX_RUNS || state == XCX_SUSPENDED)
        return GUEST_GOES_ON;
    return reason == XCX_NO_REASON ? GUEST_DESTROYED
                                   : guest_end_of_reason(reason);
}

/* Looks once; a look that fails is repeated later. */
static enum guest_end look(struct guest_watch *watch)
{
    struct xcx_err unasked = XCX_ERR_INIT;
    enum guest_end end = GUEST_GOES_ON;
    enum xcx_run_state state;
    unsigned reason;

    if (!xcx_run_state(watch->domid, &state, &reason, &unasked))
        end = end_of(state, reason);
    __atomic_store_n(&watch->end, end, __ATOMIC_RELEASE);
    return end;
}

/* False: xenstored will not tell us any more. */
static bool take_events(struct xs_handle *xs)
{
    char **event;

    while ((event = xs_check_watch(xs)))
        free(event);
    return errno == EAGAIN;
}

static void *run(void *opaque)
{
    struct guest_watch *watch = opaque;
    struct pollfd fds[] = {
        {.fd = watch->stop_fd, .events = POLLIN},
        {.fd = watch->xs ? xs_fileno(watch->xs) : -1, .events = POLLIN},
    };

    while (look(watch) == GUEST_GOES_ON) {
        poll(fds, 2, LOOK_MS);
        if (fds[0].revents)
            return NULL;
        if (fds[1].revents && !take_events(watch->xs))
            fds[1].fd = -1;
    }
    watch->ended(watch->opaque);
    return NULL;
}

/* No signal is for this thread, nor for libxenstore's. */
static int start_thread(struct guest_watch *watch)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    watch->xs = xs_open(0);
    if (watch->xs && !xs_watch(watch->xs, "@releaseDomain", "ended")) {
        xs_close(watch->xs);
        watch->xs = NULL;
    }
    rc = pthread_create(&watch->thread, NULL, run, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void done(struct guest_watch *watch)
{
    if (watch->xs)
        xs_close(watch->xs);
    watch->xs = NULL;
    if (watch->stop_fd >= 0)
        close(watch->stop_fd);
    watch->stop_fd = -1;
}

int guest_watch_start(struct guest_watch *watch, uint32_t domid,
                      void (*ended)(void *opaque), void *opaque,
                      struct xcx_err *err)
{
    int os_errno;

    *watch = (struct guest_watch){
        .stop_fd = eventfd(0, EFD_CLOEXEC),
        .domid = domid,
        .ended = ended,
        .opaque = opaque,
    };
    os_errno = watch->stop_fd < 0 ? errno : start_thread(watch);
    watch->runs = os_errno == 0;
    if (watch->runs)
        return 0;
    done(watch);
    return xcx_err_set(err, XCX_ERR_RESOURCE, os_errno, "a thread");
}

enum guest_end guest_watch_stop(struct guest_watch *watch)
{
    if (watch->runs) {
        eventfd_write(watch->stop_fd, 1);
        pthread_join(watch->thread, NULL);
        watch->runs = false;
        if (watch->end == GUEST_GOES_ON)
            look(watch);
    }
    done(watch);
    return watch->end;
}
