/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receive.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "xl-migrate/facts/facts.h"
#include "xl-migrate/facts/facts_gather.h"

#define NS_PER_MS UINT64_C(1000000)
/* How often within its promise the source is seen not to have kept it. */
#define WAITS_A_PROMISE 8

enum {
    ON_IN,
    ON_OUT,
    ON_SIGNAL,
    ON_VISIT,
    ON_XL,
    NR_POLLFDS = ON_XL + XL_RECEIVER_NR_POLLFDS
};

static const char *const level_names[] = {
    [XCX_LOG_DEBUG] = "debug",
    [XCX_LOG_INFO] = "info",
    [XCX_LOG_WARN] = "warn",
    [XCX_LOG_ERROR] = "error",
};

/* Dropped while the source does not read: the handover must not wait. */
static void log_to_source(void *opaque, enum xcx_log_level level,
                          const char *line)
{
    struct receive *receive = opaque;
    struct xcx_err untold = XCX_ERR_INIT;
    struct json json;
    char plain[512];

    if (receive->over || (unsigned)level < receive->config->log_level ||
        message_begin(&json, "log", &untold))
        return;
    snprintf(plain, sizeof(plain), "%s", line);
    lines_make_plain(plain);
    json_text(&json, "level", level_names[level]);
    json_text(&json, "text", plain);
    channel_offer(&receive->channel, &json, &untold);
    json_done(&json);
}

int receive_need_host(struct receive *receive, struct xcx_err *err)
{
    if (receive->host_is_open)
        return 0;
    if (host_open(&receive->host, &receive->log, err))
        return -1;
    receive->host_is_open = true;
    receive->target = (struct target_domain){.host = &receive->host,
                                             .journal = &receive->journal};
    return 0;
}

int receive_say(struct receive *receive, const char *type, struct xcx_err *err)
{
    struct json json;
    int rc;

    if (message_begin(&json, type, err))
        return -1;
    rc = channel_send(&receive->channel, &json, deadline_in_ms(RECEIVE_SEND_MS),
                      err);
    json_done(&json);
    return rc;
}

static int say_hello(struct receive *receive, struct xcx_err *err)
{
    struct host host = {.ctx = NULL};
    struct json json;
    int rc;

    if (host_identify(&host, err) || message_begin(&json, "hello", err))
        return -1;
    json_count(&json, "protocol", CHANNEL_PROTOCOL);
    json_text(&json, "version", receive->version);
    json_text(&json, "host", host.name);
    json_text(&json, "boot", host.boot);
    json_open_array(&json, "capabilities");
    json_text(&json, NULL, "data-ssh");
    json_close_array(&json);
    rc = channel_send(&receive->channel, &json, deadline_in_ms(RECEIVE_SEND_MS),
                      err);
    json_done(&json);
    return rc;
}

/* ---- what the source says ----------------------------------------------- */

static int say_facts(struct receive *receive, const struct facts_host *facts,
                     struct xcx_err *err)
{
    struct json json;
    int rc;

    if (message_begin(&json, "facts", err))
        return -1;
    facts_host_put(&json, "facts", facts);
    rc = channel_send(&receive->channel, &json, deadline_in_ms(RECEIVE_SEND_MS),
                      err);
    json_done(&json);
    return rc;
}

static int tell_facts(struct receive *receive, const struct message *message,
                      struct xcx_err *err)
{
    struct facts_query *query = malloc(sizeof(*query));
    struct facts_host *facts = malloc(sizeof(*facts));
    int rc = -1;

    if (receive->nr_facts++ >= RECEIVE_MAX_FACTS)
        xcx_err_set(err, XCX_ERR_PEER, 0,
                    "facts: more than %u questions on one connection",
                    RECEIVE_MAX_FACTS);
    else if (!query || !facts)
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "facts");
    else if (!facts_query_get(message_value(message, "guest"), query, err) &&
             !receive_need_host(receive, err) &&
             !facts_host_gather(&receive->host, query, receive->version, facts,
                                err))
        rc = say_facts(receive, facts, err);
    free(query);
    free(facts);
    return rc;
}

static int take_error(struct receive *receive, const struct message *message,
                      struct xcx_err *err)
{
    return channel_take_error(&receive->channel, message, NULL, err);
}

/* The requests, and the code of a refusal of each. */
static const struct {
    const char *type;
    int (*take)(struct receive *receive, const struct message *message,
                struct xcx_err *err);
    const char *code;
} takers[] = {
    {"facts", tell_facts, "facts"},
    {"begin", receive_begin, "begin"},
    {"xenstore", receive_key, "xenstore"},
    {"word", receive_word, "word"},
    {"reattach", receive_reattach, "reattach"},
    {"error", take_error, "error"},
};

#define NR_TAKERS (sizeof(takers) / sizeof(takers[0]))

static int take_message(struct receive *receive, const struct message *message,
                        const char **ret_code, struct xcx_err *err)
{
    *ret_code = "protocol";
    for (size_t i = 0; i < NR_TAKERS; i++) {
        if (strcmp(takers[i].type, message->type) != 0)
            continue;
        if (!takers[i].take(receive, message, err))
            return 0;
        *ret_code = takers[i].code;
        if (receive->no_such_case)
            *ret_code = "no-such-case";
        return -1;
    }
    return channel_unexpected(&receive->channel, message, err);
}

static int take_messages(struct receive *receive, const char **ret_code,
                         struct xcx_err *err)
{
    struct message message;
    int rc = 0;

    while (!receive->over &&
           (rc = channel_next(&receive->channel, &message, err)) == 1) {
        rc = take_message(receive, &message, ret_code, err);
        message_done(&message);
        if (rc)
            return -1;
    }
    return rc < 0 ? -1 : 0;
}

/* ---- who visits --------------------------------------------------------- */

static int take_data(struct receive *receive,
                     const struct rendezvous_visitor *visitor,
                     struct xcx_err *err)
{
    if (receive->xl.child.pid || receive->journal.entry) {
        close(visitor->fd);
        close(visitor->data_fd);
        return 0;
    }
    receive->data_visit_fd = visitor->fd;
    rendezvous_accept(visitor->fd);
    return receive_data(receive, visitor->data_fd, err);
}

static int take_visit(struct receive *receive, struct xcx_err *err)
{
    struct rendezvous_visitor visitor;

    switch (rendezvous_take(&receive->rendezvous, &visitor)) {
    case RENDEZVOUS_YIELD_IF_LOST:
        if (channel_is_heard(&receive->channel)) {
            rendezvous_refuse(visitor.fd);
            close(visitor.fd);
            return 0;
        }
        /* fall through */
    case RENDEZVOUS_YIELD:
        receive->yield_visit_fd = visitor.fd;
        receive->over = true;
        return 0;
    case RENDEZVOUS_BUILT:
        if (receive_claim(receive, &visitor))
            rendezvous_accept(visitor.fd);
        close(visitor.fd);
        return 0;
    case RENDEZVOUS_DATA:
        return take_data(receive, &visitor, err);
    default:
        return 0;
    }
}

static int take_xl(struct receive *receive, struct xcx_err *err)
{
    if (!receive->building)
        return 0;
    xl_receiver_step(&receive->xl, &receive->log);
    return receive->xl.child.ended ? receive_built(receive, err) : 0;
}

/* ---- the loop ----------------------------------------------------------- */

static void fill_pollfds(const struct receive *receive,
                         struct pollfd fds[NR_POLLFDS])
{
    const struct channel *channel = &receive->channel;

    fds[ON_IN] = (struct pollfd){.fd = channel->in.fd, .events = POLLIN};
    /* Without events, too: it tells that nobody reads any more. */
    fds[ON_OUT] = (struct pollfd){
        .fd = channel->out_fd,
        .events = channel->out_bytes ? POLLOUT : 0,
    };
    fds[ON_SIGNAL] =
        (struct pollfd){.fd = receive->signal_fd, .events = POLLIN};
    fds[ON_VISIT] =
        (struct pollfd){.fd = receive->rendezvous.fd, .events = POLLIN};
    for (int i = ON_XL; i < NR_POLLFDS; i++)
        fds[i] = (struct pollfd){.fd = -1};
    if (receive->building)
        xl_receiver_poll(&receive->xl, &fds[ON_XL]);
}

static int take_input(struct receive *receive, const char **ret_code,
                      struct xcx_err *err)
{
    if (channel_fill(&receive->channel, err) ||
        take_messages(receive, ret_code, err))
        return -1;
    if (receive->channel.in.ended)
        receive->over = true;
    return 0;
}

/* A source that has a case here and has promised nothing is held to our own. */
static uint64_t limit_ns(const struct receive *receive)
{
    uint64_t promise_ns = channel_promise_ns(&receive->channel);

    if (promise_ns || !receive->has_case)
        return promise_ns;
    return receive->config->peer_timeout_s * NS_PER_S;
}

/* Loses a source that said no goodbye: its host or the link is down. */
static void lose_source(struct receive *receive)
{
    xcx_err_set(&receive->why, XCX_ERR_PEER, 0,
                "no sign of life from the source for %u s",
                (unsigned)(limit_ns(receive) / NS_PER_S));
    receive->over = true;
}

/* The source lives, but nothing comes of what it has begun. */
static bool has_no_data_in_time(const struct receive *receive)
{
    return receive->begun && !receive->fed && !receive->journal.entry &&
           deadline_now_ns() >= receive->data_due_ns;
}

static uint64_t longest_wait_ns(const struct receive *receive)
{
    uint64_t promise_ns = limit_ns(receive);

    return promise_ns ? promise_ns / WAITS_A_PROMISE : DEADLINE_NEVER;
}

static int poll_ms(const struct receive *receive)
{
    uint64_t longest_ns = longest_wait_ns(receive);

    if (receive_look_ns(receive) < longest_ns)
        longest_ns = receive_look_ns(receive);
    return longest_ns == DEADLINE_NEVER ? -1 : (int)(longest_ns / NS_PER_MS);
}

/*
 * Only the time spent waiting counts, and no wait as more than it was to be: if
 * this process was busy, or its host stood still, messages sent meanwhile are
 * still to be read.
 */
static bool is_silent(struct receive *receive, bool heard, uint64_t waited_ns)
{
    uint64_t longest_ns = longest_wait_ns(receive);

    if (heard || longest_ns == DEADLINE_NEVER)
        receive->silent_ns = 0;
    else
        receive->silent_ns += waited_ns < longest_ns ? waited_ns : longest_ns;
    return receive->silent_ns && receive->silent_ns >= limit_ns(receive);
}

static int turn(struct receive *receive, const char **ret_code,
                struct xcx_err *err)
{
    uint64_t start_ns = deadline_now_ns();
    struct pollfd fds[NR_POLLFDS];

    fill_pollfds(receive, fds);
    if (poll(fds, NR_POLLFDS, poll_ms(receive)) < 0)
        return errno == EINTR ? 0 : xcx_err_set(err, XCX_ERR_IO, errno, "poll");
    if (is_silent(receive, fds[ON_IN].revents, deadline_now_ns() - start_ns)) {
        lose_source(receive);
        return 0;
    }
    if (has_no_data_in_time(receive))
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "no data of the guest within %u s",
                           (unsigned)(RECEIVE_DATA_NS / NS_PER_S));
    if (fds[ON_SIGNAL].revents || fds[ON_OUT].revents & POLLERR) {
        receive->over = true;
        return 0;
    }
    if (fds[ON_OUT].revents & POLLOUT && channel_flush(&receive->channel, err))
        return -1;
    if (fds[ON_IN].revents && take_input(receive, ret_code, err))
        return -1;
    if (!receive->over && fds[ON_VISIT].revents && take_visit(receive, err))
        return -1;
    if (receive->over)
        return 0;
    return take_xl(receive, err) || receive_watch_building(receive, err) ? -1
                                                                         : 0;
}

static void tell_error(struct receive *receive, const char *code,
                       const struct xcx_err *why)
{
    struct xcx_err untold = XCX_ERR_INIT;

    channel_send_error(&receive->channel, code, why->msg,
                       deadline_in_ms(RECEIVE_SEND_MS), &untold);
}

/* Blocked for good: a signal is the end of the connection, seen by poll(). */
static int make_signal_fd(struct xcx_err *err)
{
    sigset_t signals;
    int fd;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "signals");
    return fd;
}

static int talk(struct receive *receive, struct xcx_err *err)
{
    const char *code = "failed";

    if (say_hello(receive, err) ||
        keepalive_start(&receive->keepalive, &receive->channel,
                        (unsigned)receive->config->peer_timeout_s, NULL, NULL,
                        err))
        return -1;
    while (!receive->over) {
        if (!turn(receive, &code, err))
            continue;
        tell_error(receive, code, err);
        return -1;
    }
    return 0;
}

int receive_run(const struct config *config, const char *version, int in_fd,
                int out_fd, struct xcx_err *err)
{
    struct receive receive = {
        .config = config,
        .version = version,
        .log = {.emit = log_to_source, .opaque = &receive},
        .journal = JOURNAL_INIT,
        .keepalive = KEEPALIVE_INIT,
        .rendezvous = RENDEZVOUS_INIT,
        .data_visit_fd = -1,
        .uuid_lock_fd = -1,
        .yield_visit_fd = -1,
        .xl = XL_RECEIVER_INIT,
    };
    int rc = -1;

    receive.signal_fd = make_signal_fd(err);
    if (receive.signal_fd < 0)
        return -1;
    if (!channel_init(&receive.channel, in_fd, out_fd, "the source", err))
        rc = talk(&receive, err);
    receive_leave(&receive, err);
    keepalive_stop(&receive.keepalive);
    if (receive.host_is_open)
        host_close(&receive.host);
    channel_done(&receive.channel);
    close(receive.signal_fd);
    return rc;
}
