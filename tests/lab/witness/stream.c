/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "mix.h"
#include "net.h"
#include "thread.h"

#define CONNECT_S     2
#define BUFFER_BYTES  4096
#define WORD_BYTES    8
#define BITS_PER_BYTE 8

uint8_t stream_byte(uint64_t place)
{
    return (uint8_t)(mix64(place / WORD_BYTES + 1) >>
                     place % WORD_BYTES * BITS_PER_BYTE);
}

void stream_take(struct stream_counts *counts, const uint8_t *data,
                 size_t data_bytes)
{
    for (size_t i = 0; i < data_bytes; i++)
        counts->wrong_bytes += data[i] != stream_byte(counts->received_bytes++);
}

static bool is_stopped(struct stream *stream)
{
    return __atomic_load_n(&stream->stop, __ATOMIC_RELAXED);
}

/* -1: not yet. */
static int try_connect(const struct stream *stream)
{
    const struct timeval limit = {.tv_sec = CONNECT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connect(fd, (const struct sockaddr *)&stream->peer,
                sizeof(stream->peer)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* false: the connection is over. What has no room is sent the next time. */
static bool send_chunk(struct stream *stream, int fd)
{
    uint8_t data[STREAM_CHUNK_BYTES];
    ssize_t n;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = stream_byte(stream->counts.sent_bytes + i);
    pthread_mutex_lock(&stream->lock);
    n = send(fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        stream->counts.sent_bytes += (size_t)n;
    pthread_mutex_unlock(&stream->lock);
    return n > 0 || errno == EAGAIN || errno == EINTR;
}

static bool receive_some(struct stream *stream, int fd)
{
    uint8_t data[BUFFER_BYTES];
    ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    pthread_mutex_lock(&stream->lock);
    stream_take(&stream->counts, data, (size_t)n);
    pthread_mutex_unlock(&stream->lock);
    return n > 0;
}

static void carry(struct stream *stream, int fd)
{
    int64_t next_ns = clock_mono_ns();
    bool open = true;

    while (open && !is_stopped(stream)) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        int64_t wait_ns = next_ns - clock_mono_ns();

        if (wait_ns > 0) {
            if (poll(&pollfd, 1, (int)(wait_ns / NS_PER_MS) + 1) > 0)
                open = receive_some(stream, fd);
            continue;
        }
        open = send_chunk(stream, fd);
        next_ns = clock_mono_ns() + STREAM_INTERVAL_MS * NS_PER_MS;
    }
    if (open)
        return;
    pthread_mutex_lock(&stream->lock);
    stream->counts.broken = true;
    pthread_mutex_unlock(&stream->lock);
}

static void *stream_main(void *arg)
{
    struct stream *stream = arg;
    int fd = try_connect(stream);

    while (fd < 0 && !is_stopped(stream)) {
        clock_sleep_ns(STREAM_INTERVAL_MS * NS_PER_MS);
        fd = try_connect(stream);
    }
    if (fd < 0)
        return NULL;
    pthread_mutex_lock(&stream->lock);
    stream->counts.connected = true;
    pthread_mutex_unlock(&stream->lock);
    carry(stream, fd);
    close(fd);
    return NULL;
}

int stream_start(struct stream *stream, const char *peer, struct xcx_err *err)
{
    if (net_parse_address(peer, &stream->peer, err))
        return -1;
    pthread_mutex_init(&stream->lock, NULL);
    if (thread_start(&stream->thread, "stream", stream_main, stream, err)) {
        pthread_mutex_destroy(&stream->lock);
        return -1;
    }
    stream->started = true;
    return 0;
}

void stream_stop(struct stream *stream)
{
    if (!stream->started)
        return;
    __atomic_store_n(&stream->stop, true, __ATOMIC_RELAXED);
    pthread_join(stream->thread, NULL);
    pthread_mutex_destroy(&stream->lock);
    stream->started = false;
}

void stream_get_counts(struct stream *stream, struct stream_counts *ret_counts)
{
    pthread_mutex_lock(&stream->lock);
    *ret_counts = stream->counts;
    pthread_mutex_unlock(&stream->lock);
}
