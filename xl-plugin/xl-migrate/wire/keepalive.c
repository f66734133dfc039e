/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keepalive.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NS_PER_MS       UINT64_C(1000000)
#define TIMES_A_PROMISE 4
/*
 * With so much unread a pipe of 64 KiB may have no room for more: the peer may
 * be alive, and this process have been busy for long. It is given longer then,
 * but not for ever: what came before the link died stays there, too.
 */
#define MANY_BYTES    32768
#define MANY_PROMISES 3

/* The state of the connection at the last look. */
struct heard {
    uint64_t read_ns;
    int unread_bytes;
    uint64_t silent_ns; /* since then, by the waits in between */
};

/* Bytes that the other thread has not read yet count as news, too. */
static bool has_news(const struct keepalive *keepalive, struct heard *heard)
{
    uint64_t read_ns = channel_heard_ns(keepalive->channel);
    int unread_bytes = 0;
    bool news;

    (void)ioctl(keepalive->channel->in.fd, FIONREAD, &unread_bytes);
    news = read_ns != heard->read_ns || unread_bytes != heard->unread_bytes;
    heard->read_ns = read_ns;
    heard->unread_bytes = unread_bytes;
    return news;
}

static bool is_gone(const struct keepalive *keepalive, struct heard *heard,
                    uint64_t waited_ns)
{
    uint64_t promise_ns = channel_promise_ns(keepalive->channel);

    if (has_news(keepalive, heard))
        heard->silent_ns = 0;
    else
        heard->silent_ns += waited_ns;
    if (heard->unread_bytes > MANY_BYTES)
        promise_ns *= MANY_PROMISES;
    return promise_ns && heard->silent_ns >= promise_ns;
}

/* The shorter one of the two promises: one is kept, the other looked at. */
static int next_wait_ms(const struct keepalive *keepalive)
{
    uint64_t own_ns = keepalive->within_s * 1000 * NS_PER_MS;
    uint64_t promise_ns = channel_promise_ns(keepalive->channel);

    if (!promise_ns || promise_ns > own_ns)
        promise_ns = own_ns;
    return (int)(promise_ns / TIMES_A_PROMISE / NS_PER_MS);
}

static void *run(void *opaque)
{
    const struct keepalive *keepalive = opaque;
    struct pollfd stop = {.fd = keepalive->stop_fd, .events = POLLIN};
    struct heard heard = {.read_ns = 0};
    int wait_ms = 0;

    do {
        channel_promise(keepalive->channel, keepalive->within_s);
        if (keepalive->gone &&
            is_gone(keepalive, &heard, (uint64_t)wait_ms * NS_PER_MS))
            keepalive->gone(keepalive->opaque);
        wait_ms = next_wait_ms(keepalive);
    } while (poll(&stop, 1, wait_ms) == 0);
    return NULL;
}

/* No signal is this thread's. */
static int start_thread(struct keepalive *keepalive)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&keepalive->thread, NULL, run, keepalive);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int keepalive_start(struct keepalive *keepalive, struct channel *channel,
                    unsigned within_s, void (*gone)(void *opaque), void *opaque,
                    struct xcx_err *err)
{
    int os_errno;

    *keepalive = (struct keepalive){
        .stop_fd = eventfd(0, EFD_CLOEXEC),
        .channel = channel,
        .within_s = within_s,
        .gone = gone,
        .opaque = opaque,
    };
    os_errno = keepalive->stop_fd < 0 ? errno : start_thread(keepalive);
    keepalive->runs = os_errno == 0;
    if (keepalive->runs)
        return 0;
    keepalive_stop(keepalive);
    return xcx_err_set(err, XCX_ERR_RESOURCE, os_errno, "a thread");
}

void keepalive_stop(struct keepalive *keepalive)
{
    if (keepalive->runs) {
        (void)!write(keepalive->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
        pthread_join(keepalive->thread, NULL);
    }
    if (keepalive->stop_fd >= 0)
        close(keepalive->stop_fd);
    *keepalive = KEEPALIVE_INIT;
}
