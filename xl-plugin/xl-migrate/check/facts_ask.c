/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts_ask.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "xl-migrate/wire/channel.h"
#include "xl-migrate/wire/transport_ssh.h"

#define GRACE_MS     1000
#define SLICE_MS     200 /* of waiting, between looks for a cancel */
#define REMOTE_BYTES 512
#define MAX_MESSAGES 64 /* of other types, before the answer */

static uint64_t deadline_of(const struct facts_ask_params *params)
{
    return deadline_now_ns() +
           (params->timeout_ns ? params->timeout_ns : FACTS_ASK_NS);
}

/* The target has closed its end, or says nothing. */
static int lost(const struct facts_ask_params *params,
                struct transport_ssh *transport, struct xcx_err *err)
{
    char why[TRANSPORT_SSH_LINE_BYTES + 64];

    if (!transport_ssh_wait(transport, deadline_in_ms(GRACE_MS), params->log))
        return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT, "%.60s: no answer",
                           params->host);
    transport_ssh_why(transport, why, sizeof(why));
    return xcx_err_set(err, XCX_ERR_IO, 0, "%.60s: %.180s", params->host, why);
}

static int cancelled(const struct facts_ask_params *params, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "asking %.60s was cancelled",
                       params->host);
}

static bool is_cancelled(const struct facts_ask_params *params)
{
    struct pollfd fd = {.fd = params->cancel_fd ? *params->cancel_fd : -1,
                        .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

/* ---- the plugin --------------------------------------------------------- */

/* As channel_receive(), a slice of time after the other. */
static int receive(const struct facts_ask_params *params,
                   struct channel *channel, uint64_t deadline_ns,
                   struct message *ret, struct xcx_err *err)
{
    for (;;) {
        uint64_t slice_ns = deadline_in_ms(SLICE_MS);
        struct xcx_err why = XCX_ERR_INIT;
        bool is_last = slice_ns >= deadline_ns;
        int rc = channel_receive(channel, is_last ? deadline_ns : slice_ns, ret,
                                 &why);

        if (rc < 0 && (is_last || why.os_errno != ETIMEDOUT))
            *err = why;
        if (rc >= 0 || xcx_err_is_set(err))
            return rc;
        if (is_cancelled(params))
            return cancelled(params, err);
    }
}

/* The next message of the type; others are left unheard. */
static int await(const struct facts_ask_params *params, struct channel *channel,
                 const char *type, uint64_t deadline_ns, bool *ret_ended,
                 struct message *ret, struct xcx_err *err)
{
    for (unsigned i = 0; i < MAX_MESSAGES; i++) {
        int rc = receive(params, channel, deadline_ns, ret, err);

        *ret_ended = rc == 0;
        if (rc < 1)
            return rc;
        if (strcmp(ret->type, type) == 0)
            return 0;
        if (strcmp(ret->type, "error") == 0)
            rc = channel_take_error(channel, ret, NULL, err);
        message_done(ret);
        if (rc < 0)
            return -1;
    }
    return xcx_err_set(err, XCX_ERR_PEER, 0, "%s: talks of other things",
                       channel->peer);
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The target has read its clock between asked_ns and now. */
static void compare_clocks(struct facts_host *host, uint64_t asked_ns,
                           uint64_t resolution_ns)
{
    uint64_t answered_ns = clock_ns();
    uint64_t between_ns = answered_ns - asked_ns;

    if (!host->has_clock)
        return;
    host->clock_ahead_ns = (int64_t)(host->clock_ns + resolution_ns / 2) -
                           (int64_t)(asked_ns + between_ns / 2);
    host->clock_error_ns = between_ns / 2 + resolution_ns / 2;
}

/* The hello: its own version of the protocol. */
static int take_hello(const struct message *hello, unsigned *ret_protocol,
                      struct xcx_err *err)
{
    uint64_t protocol = 0;

    if (message_count(hello, "protocol", 1, UINT32_MAX, &protocol, err))
        return -1;
    *ret_protocol = (unsigned)protocol;
    return 0;
}

static int ask_over(const struct facts_ask_params *params,
                    struct channel *channel, uint64_t deadline_ns,
                    const struct facts_query *query, bool *ret_ended,
                    struct facts_host *ret_host, struct xcx_err *err)
{
    struct message message = MESSAGE_INIT;
    struct json json = {.gen = NULL};
    unsigned protocol = 0;
    uint64_t asked_ns;
    int rc = -1;

    if (await(params, channel, "hello", deadline_ns, ret_ended, &message,
              err) ||
        *ret_ended)
        return -1;
    rc = take_hello(&message, &protocol, err);
    message_done(&message);
    if (rc)
        return -1;
    rc = -1;
    asked_ns = clock_ns();
    if (message_begin(&json, "facts", err) == 0) {
        facts_query_put(&json, "guest", query);
        rc = channel_send(channel, &json, deadline_ns, err);
    }
    json_done(&json);
    if (rc ||
        await(params, channel, "facts", deadline_ns, ret_ended, &message,
              err) ||
        *ret_ended)
        return -1;
    rc = facts_host_get(message_value(&message, "facts"), query, ret_host, err);
    message_done(&message);
    if (rc)
        return xcx_err_prefix(err, "%s", channel->peer);
    ret_host->protocol = protocol;
    compare_clocks(ret_host, asked_ns, 0);
    return 0;
}

static int ask_plugin(const struct facts_ask_params *params,
                      const struct facts_query *query, bool *ret_absent,
                      struct facts_host *ret_host, struct xcx_err *err)
{
    struct transport_ssh transport = TRANSPORT_SSH_INIT;
    struct channel channel = CHANNEL_INIT;
    char remote[REMOTE_BYTES];
    bool ended = false;
    int rc = -1;

    snprintf(remote, sizeof(remote), "%s receive", params->command);
    if (transport_ssh_start(&transport, params->ssh, params->host, remote,
                            err) == 0 &&
        channel_init(&channel, transport.from_fd, transport.to_fd, params->host,
                     err) == 0)
        rc = ask_over(params, &channel, deadline_of(params), query, &ended,
                      ret_host, err);
    if (ended && !xcx_err_is_set(err)) {
        transport_ssh_wait(&transport, deadline_in_ms(GRACE_MS), params->log);
        *ret_absent =
            spawn_exit_status(&transport.child) == TRANSPORT_SSH_NOT_FOUND;
        if (!*ret_absent)
            lost(params, &transport, err);
    }
    channel_done(&channel);
    transport_ssh_done(&transport, GRACE_MS);
    return rc;
}

/* ---- a shell ------------------------------------------------------------ */

/* Writes the command and reads its answer; both may be longer than a pipe. */
static int converse(struct transport_ssh *transport, const char *command,
                    uint64_t deadline_ns, char *answer, size_t *ret_bytes,
                    const struct facts_ask_params *params, struct xcx_err *err)
{
    size_t left = strlen(command), nr_bytes = 0;

    for (;;) {
        struct pollfd fds[] = {
            {.fd = left ? transport->to_fd : -1, .events = POLLOUT},
            {.fd = transport->from_fd, .events = POLLIN},
            {.fd = transport->said.fd, .events = POLLIN},
            {.fd = params->cancel_fd ? *params->cancel_fd : -1,
             .events = POLLIN},
        };
        int left_ms = deadline_left_ms(deadline_ns);
        ssize_t n;

        if (left_ms == 0)
            return lost(params, transport, err);
        if (poll(fds, 4, left_ms) < 0 && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
        if (fds[3].revents)
            return cancelled(params, err);
        if (fds[2].revents)
            transport_ssh_hear(transport, params->log);
        if (fds[0].revents) {
            /* No more than surely fits: the pipe blocks. */
            n = write(transport->to_fd, command,
                      left < PIPE_BUF ? left : PIPE_BUF);
            if (n < 0 && errno == EPIPE)
                left = 0; /* what it said before it ended counts */
            else if (n < 0 && errno != EINTR)
                return lost(params, transport, err);
            command += n > 0 ? n : 0;
            left -= n > 0 ? (size_t)n : 0;
        }
        if (fds[1].revents) {
            n = read(transport->from_fd, answer + nr_bytes,
                     FACTS_ANSWER_BYTES - nr_bytes);
            if (n == 0 ||
                nr_bytes + (size_t)(n > 0 ? n : 0) == FACTS_ANSWER_BYTES)
                break;
            if (n < 0 && errno != EINTR)
                return xcx_err_set(err, XCX_ERR_IO, errno, "%.60s",
                                   params->host);
            nr_bytes += n > 0 ? (size_t)n : 0;
        }
    }
    *ret_bytes = nr_bytes;
    return 0;
}

int facts_ask_stock(const struct facts_ask_params *params,
                    const struct facts_query *query,
                    struct facts_host *ret_host, struct xcx_err *err)
{
    struct transport_ssh transport = TRANSPORT_SSH_INIT;
    char *command = malloc(FACTS_COMMAND_BYTES);
    char *answer = malloc(FACTS_ANSWER_BYTES);
    uint64_t asked_ns = clock_ns();
    size_t nr_bytes = 0;
    int rc = -1;

    if (!command || !answer)
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "facts");
    else if (facts_stock_command(query, command, FACTS_COMMAND_BYTES, err) ==
                 0 &&
             transport_ssh_start(&transport, params->ssh, params->host, "sh",
                                 err) == 0)
        rc = converse(&transport, command, deadline_of(params), answer,
                      &nr_bytes, params, err);
    if (rc == 0 && nr_bytes == 0)
        rc = lost(params, &transport, err);
    if (rc == 0) {
        rc = facts_stock_get(answer, nr_bytes, query, ret_host, err);
        if (rc)
            xcx_err_prefix(err, "%.60s", params->host);
        else
            compare_clocks(ret_host, asked_ns, NS_PER_S);
    }
    transport_ssh_done(&transport, GRACE_MS);
    free(command);
    free(answer);
    return rc;
}

int facts_ask(const struct facts_ask_params *params,
              const struct facts_query *query, struct facts_host *ret_host,
              struct xcx_err *err)
{
    bool absent = false;

    if (!params->stock) {
        if (ask_plugin(params, query, &absent, ret_host, err) == 0)
            return 0;
        if (!absent)
            return -1;
    }
    return facts_ask_stock(params, query, ret_host, err);
}
