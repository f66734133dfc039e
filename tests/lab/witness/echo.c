/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "line.h"
#include "net.h"
#include "thread.h"

#define PIECE_BYTES 4096

struct echo {
    const struct echo_options *options;
    int fd;        /* for datagrams */
    int listen_fd; /* for connections */
};

struct connection {
    const struct echo_options *options;
    int fd;
};

static int open_socket(int type, struct sockaddr_in *address,
                       struct xcx_err *err)
{
    socklen_t address_bytes = sizeof(*address);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), yes = 1;

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "socket");
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 ||
        (type == SOCK_STREAM && listen(fd, 8) < 0)) {
        xcx_err_set(err, XCX_ERR_IO, errno, "bind to port %u",
                    (unsigned)ntohs(address->sin_port));
        close(fd);
        return -1;
    }
    getsockname(fd, (struct sockaddr *)address, &address_bytes);
    return fd;
}

/* Both of one port, which the first chooses if none was given. */
static int open_sockets(struct echo *echo, struct xcx_err *err)
{
    char bind_to[64];
    struct sockaddr_in address;

    snprintf(bind_to, sizeof(bind_to), "%s:%s", echo->options->bind,
             echo->options->port);
    if (net_parse_address(bind_to, &address, err))
        return -1;
    echo->fd = open_socket(SOCK_DGRAM, &address, err);
    if (echo->fd < 0)
        return -1;
    echo->listen_fd = open_socket(SOCK_STREAM, &address, err);
    if (echo->listen_fd >= 0)
        return 0;
    close(echo->fd);
    return -1;
}

static int say_ready(int fd, struct xcx_err *err)
{
    struct sockaddr_in address = {0};
    socklen_t address_bytes = sizeof(address);
    struct json json;

    getsockname(fd, (struct sockaddr *)&address, &address_bytes);
    json_begin(&json);
    json_bool(&json, "ready", true);
    json_u64(&json, "port", ntohs(address.sin_port));
    return line_send(STDOUT_FILENO, json_end(&json), err);
}

static bool is_each(uint64_t count, uint64_t each)
{
    return each && count % each == 0;
}

/* ---- connections -------------------------------------------------------- */

static bool send_all(int fd, const uint8_t *data, size_t data_bytes)
{
    while (data_bytes) {
        ssize_t n = send(fd, data, data_bytes, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        data_bytes -= (size_t)n;
    }
    return true;
}

/* One piece, and what is to happen to its first byte. */
static bool send_piece(const struct connection *connection, uint64_t count,
                       uint8_t *data, size_t data_bytes)
{
    const struct echo_options *options = connection->options;
    size_t dropped_bytes = is_each(count, options->drop_each);

    if (is_each(count, options->garble_each))
        data[0] ^= 1;
    if (is_each(count, options->twice_each) &&
        !send_all(connection->fd, data, 1))
        return false;
    return send_all(connection->fd, data + dropped_bytes,
                    data_bytes - dropped_bytes);
}

static void *connection_main(void *arg)
{
    struct connection connection = *(struct connection *)arg;
    uint8_t data[PIECE_BYTES];
    ssize_t n;

    free(arg);
    for (uint64_t count = 1; (n = read(connection.fd, data, sizeof(data))) > 0;
         count++) {
        if (!send_piece(&connection, count, data, (size_t)n))
            break;
    }
    close(connection.fd);
    return NULL;
}

/* What cannot be served is hung up: the witness sees it. */
static void serve_connection(const struct echo *echo, int fd)
{
    struct xcx_err untold = XCX_ERR_INIT;
    struct connection *connection = malloc(sizeof(*connection));
    pthread_t thread;

    if (connection) {
        *connection = (struct connection){echo->options, fd};
        if (thread_start(&thread, "connection", connection_main, connection,
                         &untold) == 0) {
            pthread_detach(thread);
            return;
        }
    }
    free(connection);
    close(fd);
}

static void *listen_main(void *arg)
{
    const struct echo *echo = arg;

    for (;;) {
        int fd = accept4(echo->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0)
            serve_connection(echo, fd);
    }
    return NULL;
}

/* ---- datagrams ---------------------------------------------------------- */

static void serve_datagrams(const struct echo *echo)
{
    const struct echo_options *options = echo->options;
    char data[NETTRACK_BYTES + 1];

    for (uint64_t count = 1;;) {
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof(from);
        ssize_t got_bytes = recvfrom(echo->fd, data, sizeof(data), 0,
                                     (struct sockaddr *)&from, &from_bytes);
        int copies = is_each(count, options->twice_each) ? 2 : 1;

        if (got_bytes < 0 || !nettrack_is_whole(data, got_bytes))
            continue;
        if (is_each(count, options->drop_each))
            copies = 0;
        nettrack_answer(data, clock_mono_ns());
        if (is_each(count, options->garble_each))
            data[NETTRACK_BYTES / 2] ^= 1;
        count++;
        /* A reply that cannot be sent is one lost: the witness counts it. */
        while (copies-- > 0)
            sendto(echo->fd, data, got_bytes, MSG_DONTWAIT,
                   (struct sockaddr *)&from, from_bytes);
    }
}

int echo_run(const struct echo_options *options, struct xcx_err *err)
{
    struct echo echo = {.options = options};
    pthread_t thread;

    if (open_sockets(&echo, err))
        return -1;
    if (thread_start(&thread, "listen", listen_main, &echo, err) == 0 &&
        say_ready(echo.fd, err) == 0)
        serve_datagrams(&echo);
    return -1;
}
