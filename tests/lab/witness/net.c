/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "mix.h"
#include "spec.h"
#include "thread.h"

int net_parse_address(const char *text, struct sockaddr_in *ret_address,
                      struct xcx_err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN] = "";
    uint64_t port;

    if (colon && (size_t)(colon - text) < sizeof(host))
        memcpy(host, text, colon - text);
    if (!colon || inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "'%s' is not ADDRESS:PORT of IPv4", text);
    if (spec_parse_number("port", colon + 1, 0, 65535, &port, err))
        return -1;
    address.sin_port = htons(port);
    *ret_address = address;
    return 0;
}

static void count_socket_error(struct net *net)
{
    pthread_mutex_lock(&net->lock);
    net->socket_errors++;
    pthread_mutex_unlock(&net->lock);
}

static void send_one(struct net *net)
{
    uint64_t words[NETTRACK_WORDS];

    pthread_mutex_lock(&net->lock);
    nettrack_judge(&net->track, clock_mono_ns());
    nettrack_send(&net->track, clock_mono_ns(), words);
    if (send(net->fd, words, sizeof(words), MSG_DONTWAIT) != sizeof(words)) {
        nettrack_unsend(&net->track);
        net->socket_errors++;
    }
    pthread_mutex_unlock(&net->lock);
}

static void receive_all(struct net *net)
{
    /* One byte more than a datagram has, so that a longer one shows. */
    char data[NETTRACK_BYTES + 1];

    for (;;) {
        ssize_t got_bytes = recv(net->fd, data, sizeof(data), MSG_DONTWAIT);

        if (got_bytes < 0) {
            if (errno != EAGAIN)
                count_socket_error(net);
            return;
        }
        pthread_mutex_lock(&net->lock);
        nettrack_receive(&net->track, clock_mono_ns(), clock_ns(CLOCK_REALTIME),
                         data, got_bytes);
        pthread_mutex_unlock(&net->lock);
    }
}

static void *net_main(void *arg)
{
    struct net *net = arg;
    int64_t next_ns = clock_mono_ns();

    while (!__atomic_load_n(&net->stop, __ATOMIC_RELAXED)) {
        struct pollfd pollfd = {.fd = net->fd, .events = POLLIN};
        int64_t wait_ns = next_ns - clock_mono_ns();

        if (wait_ns > 0) {
            /* Rounded up, so that the last part of a ms is slept as well. */
            if (poll(&pollfd, 1, (int)(wait_ns / NS_PER_MS) + 1) > 0)
                receive_all(net);
            continue;
        }
        send_one(net);
        next_ns = clock_mono_ns() + NET_INTERVAL_MS * NS_PER_MS;
    }
    return NULL;
}

int net_start(struct net *net, const char *peer, struct xcx_err *err)
{
    struct sockaddr_in address;

    if (net_parse_address(peer, &address, err))
        return -1;
    net->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (net->fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "socket");
    if (connect(net->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "no way to %s", peer);
        close(net->fd);
        return -1;
    }
    nettrack_init(&net->track, mix64(clock_ns(CLOCK_REALTIME) + getpid()));
    pthread_mutex_init(&net->lock, NULL);
    if (thread_start(&net->thread, "net", net_main, net, err)) {
        close(net->fd);
        return -1;
    }
    net->started = true;
    return 0;
}

void net_stop(struct net *net)
{
    if (!net->started)
        return;
    __atomic_store_n(&net->stop, true, __ATOMIC_RELAXED);
    pthread_join(net->thread, NULL);
    pthread_mutex_destroy(&net->lock);
    close(net->fd);
    net->started = false;
}

static void extend_to_now(int64_t *longest_ns, int64_t last_ns, int64_t now_ns)
{
    if (last_ns && now_ns - last_ns > *longest_ns)
        *longest_ns = now_ns - last_ns;
}

void net_get_counts(struct net *net, struct net_counts *ret_counts)
{
    struct nettrack_counts *track = &ret_counts->track;

    pthread_mutex_lock(&net->lock);
    nettrack_judge(&net->track, clock_mono_ns());
    *track = net->track.counts;
    ret_counts->socket_errors = net->socket_errors;
    pthread_mutex_unlock(&net->lock);
    extend_to_now(&track->longest_gap_ns, track->last_reply_ns,
                  clock_mono_ns());
    extend_to_now(&track->longest_gap_real_ns, track->last_reply_real_ns,
                  clock_ns(CLOCK_REALTIME));
}
