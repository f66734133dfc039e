/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A target with the plugin: one connection for words, one for the data. */
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "xl-migrate/wire/channel.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/wire/keepalive.h"
#include "xl-migrate/wire/log_limit.h"
#include "peer_compose.h"
#include "peer_parse.h"
#include "xl-migrate/wire/transport_ssh.h"

#define ANSWER_MS  30000
#define WRITE_MS   30000
#define GRACE_MS   2000
#define HOST_BYTES 256

enum { FD_IN, FD_OUT, FD_SAID, FD_DATA_SAID, FD_GONE, FD_CANCEL, NR_FDS };

struct peer_plugin {
    struct peer peer;
    const struct peer_address *address;
    struct transport_ssh control, data;
    struct channel channel;
    struct keepalive keepalive;
    struct log_limit log_limit; /* of its messages */
    int gone_fd;                /* readable: silent for too long; owned */
    int cancel_fd;              /* that ends a wait; -1: none does (any more) */
    struct peer_message first;  /* heard while reattaching */
    bool has_first;
};

static struct peer_plugin *plugin_of(struct peer *peer)
{
    return (struct peer_plugin *)peer;
}

/* ---- messages ------------------------------------------------------------ */

static bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

/*
 * In a thread of its own. Nobody waits for it any more, neither for words nor
 * to be rid of data, whether its connections' processes end all of it or not.
 */
static void end_connections(void *opaque)
{
    const struct peer_plugin *plugin = opaque;

    eventfd_write(plugin->gone_fd, 1);
    spawn_signal(&plugin->data.child, SIGKILL);
    spawn_signal(&plugin->control.child, SIGKILL);
    if (plugin->address->gone)
        plugin->address->gone(plugin->address->opaque);
}

/* The control connection has ended: why, in the words of who knows best. */
static int lost(struct peer_plugin *plugin, struct xcx_err *err)
{
    char why[TRANSPORT_SSH_LINE_BYTES + 64];

    if (is_readable(plugin->gone_fd))
        return xcx_err_set(
            err, XCX_ERR_IO, 0, "%.60s: no sign of life for %u s",
            plugin->address->host,
            (unsigned)(channel_promise_ns(&plugin->channel) / 1000000000));
    /* The number may be another file's soon, and the thread still runs. */
    channel_end_output(&plugin->channel);
    transport_ssh_close_input(&plugin->control);
    if (!transport_ssh_wait(&plugin->control, deadline_in_ms(GRACE_MS),
                            plugin->address->log))
        return xcx_err_set(err, XCX_ERR_IO, EPIPE, "%.60s",
                           plugin->address->host);
    transport_ssh_why(&plugin->control, why, sizeof(why));
    return xcx_err_set(err, XCX_ERR_IO, 0, "%.60s: %.180s",
                       plugin->address->host, why);
}

static void poll_all(struct peer_plugin *plugin, uint64_t deadline_ns)
{
    const struct xcx_log *log = plugin->address->log;
    const struct channel *channel = &plugin->channel;
    struct pollfd fds[NR_FDS] = {
        [FD_IN] = {.fd = channel->in.fd, .events = POLLIN},
        [FD_OUT] = {.fd = channel->out_bytes ? channel->out_fd : -1,
                    .events = POLLOUT},
        [FD_SAID] = {.fd = plugin->control.said.fd, .events = POLLIN},
        [FD_DATA_SAID] = {.fd = plugin->data.said.fd, .events = POLLIN},
        [FD_GONE] = {.fd = plugin->gone_fd, .events = POLLIN},
        [FD_CANCEL] = {.fd = plugin->cancel_fd, .events = POLLIN},
    };

    if (poll(fds, NR_FDS, deadline_left_ms(deadline_ns)) <= 0)
        return;
    if (fds[FD_SAID].revents)
        transport_ssh_hear(&plugin->control, log);
    if (fds[FD_DATA_SAID].revents)
        transport_ssh_hear(&plugin->data, log);
}

/* Writes the rest; messages that the target sent before it went are read. */
static int write_rest(struct peer_plugin *plugin, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!plugin->channel.out_bytes || !channel_flush(&plugin->channel, &why) ||
        why.kind == XCX_ERR_PEER)
        return 0;
    return xcx_err_set(err, XCX_ERR_IO, 0, "%s", why.msg);
}

/*
 * 1 and a message; 0: the deadline has passed. IO: the connection is lost.
 * *last, false at first: the deadline has passed and what there was by then has
 * been read. Of that all is given out, and nothing more is read, so that one
 * that says ever more holds nobody who asks again and again.
 */
static int next_message(struct peer_plugin *plugin, uint64_t deadline_ns,
                        bool *last, struct message *ret, struct xcx_err *err)
{
    struct channel *channel = &plugin->channel;

    for (;;) {
        int rc = channel_next(channel, ret, err);

        if (rc)
            return rc;
        /* A process that was not ended may hold the pipe. */
        if (channel->in.ended || is_readable(plugin->gone_fd))
            return lost(plugin, err);
        if (is_readable(plugin->cancel_fd))
            return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
        if (*last)
            return 0;
        poll_all(plugin, deadline_ns);
        *last = deadline_left_ms(deadline_ns) == 0;
        if (is_readable(channel->in.fd) ? channel_fill(channel, err)
                                        : write_rest(plugin, err))
            return -1;
    }
}

/* Waits for a message; silence is an error. what: the request. */
static int await_message(struct peer_plugin *plugin, uint64_t deadline_ns,
                         bool *last, const char *what, struct message *ret,
                         struct xcx_err *err)
{
    int rc = next_message(plugin, deadline_ns, last, ret, err);

    if (rc)
        return rc > 0 ? 0 : -1;
    return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT, "%.60s: no answer to %s",
                       plugin->address->host, what);
}

/* *ret_gone instead of an error: nobody will read it. */
static int write_message(struct peer_plugin *plugin, struct json *json,
                         bool *ret_gone, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    int rc =
        channel_send(&plugin->channel, json, deadline_in_ms(WRITE_MS), &why);

    json_done(json);
    *ret_gone = rc && (why.kind == XCX_ERR_PEER || why.os_errno == EPIPE);
    if (!rc || *ret_gone)
        return 0;
    return xcx_err_set(err, XCX_ERR_IO, 0, "%s", why.msg);
}

static int send_message(struct peer_plugin *plugin, struct json *json,
                        struct xcx_err *err)
{
    bool gone;

    if (write_message(plugin, json, &gone, err))
        return -1;
    return gone ? lost(plugin, err) : 0;
}

/* Asks and waits for the answer; the error says why a target went. */
static int ask(struct peer_plugin *plugin, struct json *json,
               struct xcx_err *err)
{
    bool gone;

    return write_message(plugin, json, &gone, err);
}

static bool admits_log(struct peer_plugin *plugin)
{
    return log_limit_admits(&plugin->log_limit, plugin->address->log);
}

/* A log line over the limit is of no interest. */
static int take(struct peer_plugin *plugin, const struct message *message,
                struct peer_message *ret, struct xcx_err *err)
{
    if (peer_parse(&plugin->channel, plugin->address->host, message,
                   &plugin->peer.times, ret, err))
        return -1;
    if (ret->news == PEER_LOG && !admits_log(plugin))
        ret->news = PEER_NOTHING;
    return 0;
}

static int plugin_hear(struct peer *peer, uint64_t deadline_ns,
                       struct peer_message *ret, struct xcx_err *err)
{
    struct peer_plugin *plugin = plugin_of(peer);
    struct message message = MESSAGE_INIT;
    bool last = false;
    int rc;

    if (plugin->has_first) {
        *ret = plugin->first;
        plugin->has_first = false;
        return 0;
    }
    do {
        *ret = (struct peer_message){.news = PEER_NOTHING};
        rc = next_message(plugin, deadline_ns, &last, &message, err);
        if (rc <= 0)
            return rc;
        rc = take(plugin, &message, ret, err);
        message_done(&message);
    } while (!rc && ret->news == PEER_NOTHING);
    return rc;
}

/* Whether the target has promised to be heard again. */
static bool plugin_is_watched(struct peer *peer)
{
    return channel_promise_ns(&plugin_of(peer)->channel) != 0;
}

/* ---- what is asked of it ------------------------------------------------- */

static int plugin_say(struct peer *peer, enum handover_word word,
                      struct xcx_err *err)
{
    struct json json;

    if (message_begin(&json, "word", err))
        return -1;
    json_text(&json, "word", handover_word_name(word));
    json_bool(&json, "decided", peer->is_decided);
    if (word == HANDOVER_SAY_GO)
        peer->times.go_ns = deadline_now_ns();
    return send_message(plugin_of(peer), &json, err);
}

static int plugin_put_entry(struct peer *peer,
                            const struct xenstore_entry *entry,
                            struct xcx_err *err)
{
    struct json json;

    return peer_compose_entry(entry, &json, err)
               ? -1
               : send_message(plugin_of(peer), &json, err);
}

/*
 * Until a message of that type; what it logs meanwhile is logged, and gives it
 * no more time.
 */
static int await_type(struct peer_plugin *plugin, const char *type,
                      const char *what, struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_in_ms(ANSWER_MS);
    bool last = false;

    for (;;) {
        struct message message = MESSAGE_INIT;
        struct peer_message unused;
        bool found;
        int rc;

        if (await_message(plugin, deadline_ns, &last, what, &message, err))
            return -1;
        found = !strcmp(message.type, type);
        plugin->peer.refused = !strcmp(message.type, "error");
        rc = found ? 0 : take(plugin, &message, &unused, err);
        message_done(&message);
        if (rc || found)
            return rc;
        if (unused.news == PEER_LOG)
            xcx_log(plugin->address->log, unused.level, "%s", unused.text);
        else if (unused.news == PEER_WORD)
            return xcx_err_set(err, XCX_ERR_PEER, 0, "%.60s says %s: %.150s",
                               plugin->address->host,
                               handover_word_name(unused.word), unused.text);
    }
}

static int plugin_begin(struct peer *peer, const struct peer_begin *begin,
                        int *ret_data_fd, struct xcx_err *err)
{
    struct peer_plugin *plugin = plugin_of(peer);
    const struct peer_address *address = plugin->address;
    char remote[64 + JOURNAL_ID_BYTES];
    struct json json;
    int rc = peer_compose_begin(begin, &json, err);

    if (!rc)
        rc = ask(plugin, &json, err) ||
             await_type(plugin, "listening", "\"begin\"", err);
    /* From here on what was begun is to be ended by words. */
    plugin->cancel_fd = -1;
    if (rc)
        return -1;
    snprintf(remote, sizeof(remote), "xl-migrate receive --data %s",
             begin->about->id);
    if (transport_ssh_start(&plugin->data, address->ssh, address->host, remote,
                            err))
        return -1;
    *ret_data_fd = plugin->data.to_fd;
    return 0;
}

static int take_reattached(struct peer_plugin *plugin,
                           const struct message *message, bool *ret_known,
                           struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    const char *code = "";

    *ret_known = true;
    if (strcmp(message->type, "error") != 0) {
        plugin->has_first = true;
        return take(plugin, message, &plugin->first, err);
    }
    channel_take_error(&plugin->channel, message, &code, &why);
    *ret_known = strcmp(code, "no-such-case") != 0;
    return *ret_known ? xcx_err_set(err, XCX_ERR_IO, 0, "%s", why.msg) : 0;
}

/* An answer; what it logs before is none, and is logged. */
static int await_reattached(struct peer_plugin *plugin, struct message *ret,
                            struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_in_ms(CHANNEL_REATTACH_MS);
    bool last = false;

    for (;;) {
        struct peer_message told;
        int rc;

        if (await_message(plugin, deadline_ns, &last, "\"reattach\"", ret, err))
            return -1;
        if (strcmp(ret->type, "log") != 0)
            return 0;
        rc = take(plugin, ret, &told, err);
        message_done(ret);
        if (rc)
            return -1;
        if (told.news == PEER_LOG)
            xcx_log(plugin->address->log, told.level, "%s", told.text);
    }
}

static int plugin_reattach(struct peer *peer, const struct journal_case *about,
                           bool *ret_known, struct xcx_err *err)
{
    struct peer_plugin *plugin = plugin_of(peer);
    struct message message = MESSAGE_INIT;
    struct json json;
    int rc;

    if (message_begin(&json, "reattach", err))
        return -1;
    json_text(&json, "id", about->id);
    if (ask(plugin, &json, err) || await_reattached(plugin, &message, err))
        return -1;
    rc = take_reattached(plugin, &message, ret_known, err);
    message_done(&message);
    return rc;
}

static uint64_t plugin_queued_bytes(struct peer *peer)
{
    return transport_ssh_queued_bytes(&plugin_of(peer)->data);
}

static void plugin_end_data(struct peer *peer)
{
    transport_ssh_close_input(&plugin_of(peer)->data);
}

/* ssh may hold megabytes that the link takes minutes for. */
static void plugin_drop_data(struct peer *peer)
{
    struct transport_ssh *data = &plugin_of(peer)->data;

    if (data->to_fd < 0)
        return;
    spawn_signal(&data->child, SIGKILL);
    transport_ssh_close_input(data);
}

static void plugin_close(struct peer *peer)
{
    struct peer_plugin *plugin = plugin_of(peer);

    keepalive_stop(&plugin->keepalive);
    channel_done(&plugin->channel);
    transport_ssh_done(&plugin->data, GRACE_MS);
    transport_ssh_done(&plugin->control, GRACE_MS);
    if (plugin->gone_fd >= 0)
        close(plugin->gone_fd);
    free(plugin);
}

static const struct peer_ops plugin_ops = {
    .begin = plugin_begin,
    .reattach = plugin_reattach,
    .put_entry = plugin_put_entry,
    .say = plugin_say,
    .hear = plugin_hear,
    .is_watched = plugin_is_watched,
    .queued_bytes = plugin_queued_bytes,
    .end_data = plugin_end_data,
    .drop_data = plugin_drop_data,
    .close = plugin_close,
};

/* ---- connecting ---------------------------------------------------------- */

static int check_hello(struct peer_plugin *plugin,
                       const struct message *message, struct xcx_err *err)
{
    char host[HOST_BYTES], version[64];
    uint64_t protocol = 0;

    if (!strcmp(message->type, "error"))
        return channel_take_error(&plugin->channel, message, NULL, err);
    if (strcmp(message->type, "hello") != 0)
        return channel_unexpected(&plugin->channel, message, err);
    if (message_count(message, "protocol", 1, UINT32_MAX, &protocol, err) ||
        message_copy(message, "host", 0, host, sizeof(host), err) ||
        message_copy(message, "version", 0, version, sizeof(version), err))
        return -1;
    if (protocol != CHANNEL_PROTOCOL)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "%.60s speaks protocol %u of xl-migrate, this "
                           "host %u: install the same release on both",
                           plugin->address->host, (unsigned)protocol,
                           CHANNEL_PROTOCOL);
    return 0;
}

static int greet(struct peer_plugin *plugin, bool *ret_absent,
                 struct xcx_err *err)
{
    struct message message = MESSAGE_INIT;
    struct xcx_err why = XCX_ERR_INIT;
    bool last = false;
    int rc =
        await_message(plugin, deadline_in_ms(peer_hello_ms(plugin->address)),
                      &last, "a connection", &message, &why);

    if (rc) {
        *ret_absent = plugin->control.child.ended &&
                      spawn_exit_status(&plugin->control.child) ==
                          TRANSPORT_SSH_NOT_FOUND;
        return *ret_absent ? 0 : xcx_err_set(err, why.kind, 0, "%s", why.msg);
    }
    rc = check_hello(plugin, &message, err);
    message_done(&message);
    return rc;
}

int peer_plugin_open(const struct peer_address *address, struct peer **ret,
                     bool *ret_absent, struct xcx_err *err)
{
    struct peer_plugin *plugin = calloc(1, sizeof(*plugin));

    *ret_absent = false;
    if (!plugin)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "connection");
    plugin->peer = (struct peer){.ops = &plugin_ops, .plugin = true};
    plugin->address = address;
    plugin->cancel_fd = address->cancel_fd ? *address->cancel_fd : -1;
    plugin->control = plugin->data = TRANSPORT_SSH_INIT;
    plugin->channel = CHANNEL_INIT;
    plugin->keepalive = KEEPALIVE_INIT;
    plugin->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if ((plugin->gone_fd < 0 &&
         xcx_err_set(err, XCX_ERR_RESOURCE, errno, "connection")) ||
        transport_ssh_start(&plugin->control, address->ssh, address->host,
                            "xl-migrate receive", err) ||
        channel_init(&plugin->channel, plugin->control.from_fd,
                     plugin->control.to_fd, address->host, err) ||
        greet(plugin, ret_absent, err) ||
        (!*ret_absent &&
         keepalive_start(&plugin->keepalive, &plugin->channel,
                         address->timeout_s, end_connections, plugin, err))) {
        plugin_close(&plugin->peer);
        return -1;
    }
    if (*ret_absent)
        plugin_close(&plugin->peer);
    else
        *ret = &plugin->peer;
    return 0;
}
