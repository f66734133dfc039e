/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "echo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "line.h"
#include "net.h"

static int open_socket(const struct echo_options *options, int *ret_fd,
                       struct xcx_err *err)
{
    char bind_to[64];
    struct sockaddr_in address;
    int fd;

    snprintf(bind_to, sizeof(bind_to), "%s:%s", options->bind, options->port);
    if (net_parse_address(bind_to, &address, err))
        return -1;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "socket");
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        xcx_err_set(err, XCX_ERR_IO, errno, "bind to %s", bind_to);
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
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

int echo_run(const struct echo_options *options, struct xcx_err *err)
{
    char data[NETTRACK_BYTES + 1];
    int fd = -1;

    if (open_socket(options, &fd, err))
        return -1;
    if (say_ready(fd, err)) {
        close(fd);
        return -1;
    }
    for (uint64_t count = 1;;) {
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof(from);
        ssize_t got_bytes = recvfrom(fd, data, sizeof(data), 0,
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
            sendto(fd, data, got_bytes, MSG_DONTWAIT, (struct sockaddr *)&from,
                   from_bytes);
    }
}
