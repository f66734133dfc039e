/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net: sends a numbered datagram every NET_INTERVAL_MS to an echo server and
 * keeps account of the answers (nettrack.h). IPv4 and UDP, numeric addresses.
 *
 * Threads: one of its own. net_get_counts by any, the rest by main.
 */
#ifndef WITNESS_NET_H
#define WITNESS_NET_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"
#include "nettrack.h"

#define NET_INTERVAL_MS 10

struct net_counts {
    /* The gaps but the peer's include the one that lasts now. */
    struct nettrack_counts track;
    uint64_t socket_errors; /* sends and receives that failed */
};

struct net {
    /* set by net_start */
    int fd;
    pthread_t thread;
    bool started;

    /* atomic: written by main, read by the thread */
    bool stop;

    /* under lock; the thread writes */
    pthread_mutex_t lock;
    struct nettrack track;
    uint64_t socket_errors;
};

/* "192.0.2.1:7777". Errors: USAGE. */
int net_parse_address(const char *text, struct sockaddr_in *ret_address,
                      struct xcx_err *err);

/* net: zeroed. Errors: USAGE for the address, RESOURCE. */
int net_start(struct net *net, const char *peer, struct xcx_err *err);

/* Idempotent; takes a zeroed net. */
void net_stop(struct net *net);

void net_get_counts(struct net *net, struct net_counts *ret_counts);

#endif
