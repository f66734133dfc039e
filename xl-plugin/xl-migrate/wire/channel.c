/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "channel.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERROR_TEXT_BYTES 512

int channel_init(struct channel *channel, int in_fd, int out_fd,
                 const char *peer, struct xcx_err *err)
{
    struct stat st;

    *channel = CHANNEL_INIT;
    if (fstat(out_fd, &st))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s", peer);
    channel->out = malloc(CHANNEL_OUT_BYTES);
    if (!channel->out)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "%s", peer);
    channel->peer = peer;
    channel->out_fd = out_fd;
    channel->out_is_socket = S_ISSOCK(st.st_mode);
    if (lines_init(&channel->in, in_fd, CHANNEL_LINE_BYTES, false, err)) {
        channel_done(channel);
        return -1;
    }
    return 0;
}

void channel_done(struct channel *channel)
{
    free(channel->out);
    lines_done(&channel->in);
    *channel = CHANNEL_INIT;
}

/* ---- hearing ------------------------------------------------------------ */

int channel_fill(struct channel *channel, struct xcx_err *err)
{
    const struct lines *in = &channel->in;
    size_t before = in->used_bytes - in->taken_bytes;

    if (lines_fill(&channel->in, err))
        return xcx_err_prefix(err, "%s", channel->peer);
    if (in->used_bytes - in->taken_bytes > before)
        __atomic_store_n(&channel->heard_ns, deadline_now_ns(),
                         __ATOMIC_RELAXED);
    return 0;
}

/* 1: it was no promise. */
static int take_promise(struct channel *channel, const struct message *message,
                        struct xcx_err *err)
{
    uint64_t within_s = 0;

    if (strcmp(message->type, "alive") != 0)
        return 1;
    if (message_count(message, "within_s", 1, CHANNEL_MAX_PROMISE_S, &within_s,
                      err))
        return -1;
    __atomic_store_n(&channel->promise_ns, within_s * NS_PER_S,
                     __ATOMIC_RELAXED);
    return 0;
}

int channel_next(struct channel *channel, struct message *ret,
                 struct xcx_err *err)
{
    char *line;
    size_t nr_bytes;
    int rc;

    while ((rc = lines_next(&channel->in, &line, &nr_bytes, err)) == 1) {
        if (*line != '{' && !channel->begun) {
            if (++channel->nr_skipped <= CHANNEL_SKIPPED_LINES)
                continue;
            lines_make_plain(line);
            return xcx_err_set(err, XCX_ERR_PEER, 0,
                               "%s: says \"%.60s\" instead of a message",
                               channel->peer, line);
        }
        if (message_parse(line, nr_bytes, ret, err))
            return xcx_err_prefix(err, "%s sent", channel->peer);
        channel->begun = true;
        rc = take_promise(channel, ret, err);
        if (rc > 0)
            return 1;
        message_done(ret);
        if (rc)
            break;
    }
    if (rc)
        xcx_err_prefix(err, "%s sent", channel->peer);
    return rc;
}

static int wait_for(struct channel *channel, short in_events,
                    uint64_t deadline_ns, struct xcx_err *err)
{
    struct pollfd fds[] = {
        {.fd = in_events ? channel->in.fd : -1, .events = in_events},
        {.fd = channel->out_bytes ? channel->out_fd : -1, .events = POLLOUT},
    };
    int nr_ready = poll(fds, 2, deadline_left_ms(deadline_ns));

    if (nr_ready < 0 && errno != EINTR)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", channel->peer);
    if (nr_ready == 0)
        return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT, "%s", channel->peer);
    if (nr_ready > 0 && fds[1].revents && channel_flush(channel, err))
        return -1;
    return nr_ready > 0 && fds[0].revents ? channel_fill(channel, err) : 0;
}

int channel_receive(struct channel *channel, uint64_t deadline_ns,
                    struct message *ret, struct xcx_err *err)
{
    for (;;) {
        int rc = channel_next(channel, ret, err);

        if (rc || channel->in.ended)
            return rc;
        if (wait_for(channel, POLLIN, deadline_ns, err))
            return -1;
    }
}

uint64_t channel_heard_ns(const struct channel *channel)
{
    return __atomic_load_n(&channel->heard_ns, __ATOMIC_RELAXED);
}

uint64_t channel_promise_ns(const struct channel *channel)
{
    return __atomic_load_n(&channel->promise_ns, __ATOMIC_RELAXED);
}

uint64_t channel_due_ns(const struct channel *channel)
{
    uint64_t promise_ns = channel_promise_ns(channel);

    return promise_ns ? channel_heard_ns(channel) + promise_ns : DEADLINE_NEVER;
}

bool channel_is_heard(const struct channel *channel)
{
    uint64_t due_ns = channel_due_ns(channel);

    return due_ns == DEADLINE_NEVER ||
           deadline_now_ns() < due_ns - channel_promise_ns(channel) / 2;
}

/* ---- saying ------------------------------------------------------------- */

/*
 * For a blocking pipe: Linux says POLLOUT when a page of it is free, and so
 * much fits without blocking, as there is no other writer.
 */
static ssize_t write_some(struct channel *channel)
{
    struct pollfd room = {.fd = channel->out_fd, .events = POLLOUT};
    size_t nr_bytes = channel->out_bytes;

    if (channel->out_fd < 0) {
        errno = EPIPE;
        return -1;
    }
    if (channel->out_is_socket)
        return send(channel->out_fd, channel->out, nr_bytes,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    if (poll(&room, 1, 0) <= 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(channel->out_fd, channel->out,
                 nr_bytes < PIPE_BUF ? nr_bytes : PIPE_BUF);
}

static int flush(struct channel *channel, struct xcx_err *err)
{
    while (channel->out_bytes) {
        ssize_t nr_bytes = write_some(channel);

        if (nr_bytes < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (nr_bytes < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            channel->out_bytes = 0; /* nobody will ever read it */
            return xcx_err_set(err, XCX_ERR_PEER, errno, "%s: gone",
                               channel->peer);
        }
        if (nr_bytes < 0)
            return xcx_err_set(err, XCX_ERR_IO, errno, "%s", channel->peer);
        channel->out_bytes -= (size_t)nr_bytes;
        memmove(channel->out, channel->out + nr_bytes, channel->out_bytes);
    }
    return 0;
}

int channel_flush(struct channel *channel, struct xcx_err *err)
{
    int rc;

    pthread_mutex_lock(&channel->out_lock);
    rc = flush(channel, err);
    pthread_mutex_unlock(&channel->out_lock);
    return rc;
}

void channel_end_output(struct channel *channel)
{
    pthread_mutex_lock(&channel->out_lock);
    channel->out_fd = -1;
    channel->out_bytes = 0;
    pthread_mutex_unlock(&channel->out_lock);
}

static int put_text(struct channel *channel, const char *text, size_t nr_bytes,
                    struct xcx_err *err)
{
    if (nr_bytes + 1 > CHANNEL_LINE_BYTES)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%s: a message of %zu bytes is too long to send",
                           channel->peer, nr_bytes);
    if (nr_bytes + 1 > CHANNEL_OUT_BYTES - channel->out_bytes)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "%s: does not read what it is sent", channel->peer);
    memcpy(channel->out + channel->out_bytes, text, nr_bytes);
    channel->out[channel->out_bytes + nr_bytes] = '\n';
    channel->out_bytes += nr_bytes + 1;
    return flush(channel, err);
}

int channel_put(struct channel *channel, struct json *json, struct xcx_err *err)
{
    const char *text;
    size_t nr_bytes;
    int rc;

    json_close_map(json);
    if (json_get(json, &text, &nr_bytes, err))
        return xcx_err_prefix(err, "%s", channel->peer);
    pthread_mutex_lock(&channel->out_lock);
    rc = put_text(channel, text, nr_bytes, err);
    pthread_mutex_unlock(&channel->out_lock);
    return rc;
}

void channel_promise(struct channel *channel, unsigned within_s)
{
    char text[64];
    int nr_bytes = snprintf(text, sizeof(text),
                            "{\"type\":\"alive\",\"within_s\":%u}", within_s);

    pthread_mutex_lock(&channel->out_lock);
    /* The other thread may be busy for longer than was promised. */
    if (channel->out_bytes)
        flush(channel, NULL);
    /* A peer that is gone is noticed by the wait for its answer. */
    if (!channel->out_bytes)
        put_text(channel, text, (size_t)nr_bytes, NULL);
    pthread_mutex_unlock(&channel->out_lock);
}

int channel_offer(struct channel *channel, struct json *json,
                  struct xcx_err *err)
{
    if (channel->out_bytes && channel_flush(channel, err))
        return -1;
    return channel->out_bytes ? 0 : channel_put(channel, json, err);
}

int channel_send(struct channel *channel, struct json *json,
                 uint64_t deadline_ns, struct xcx_err *err)
{
    if (channel_put(channel, json, err))
        return -1;
    while (channel->out_bytes) {
        if (wait_for(channel, 0, deadline_ns, err))
            return -1;
    }
    return 0;
}

int channel_send_error(struct channel *channel, const char *code,
                       const char *text, uint64_t deadline_ns,
                       struct xcx_err *err)
{
    struct json json;
    char plain[ERROR_TEXT_BYTES];
    int rc = -1;

    snprintf(plain, sizeof(plain), "%s", text);
    lines_make_plain(plain);
    if (message_begin(&json, "error", err))
        return -1;
    json_text(&json, "code", code);
    json_text(&json, "text", plain);
    rc = channel_send(channel, &json, deadline_ns, err);
    json_done(&json);
    return rc;
}

int channel_take_error(const struct channel *channel,
                       const struct message *message, const char **ret_code,
                       struct xcx_err *err)
{
    struct xcx_err unfit = XCX_ERR_INIT;
    const char *code = "", *text = "";
    char plain[ERROR_TEXT_BYTES];

    message_text(message, "code", 0, 64, &code, &unfit);
    message_text(message, "text", 0, sizeof(plain) - 1, &text, &unfit);
    snprintf(plain, sizeof(plain), "%s", *text ? text : code);
    lines_make_plain(plain);
    if (ret_code)
        *ret_code = code;
    return xcx_err_set(err, XCX_ERR_PEER, 0, "%s: %s", channel->peer,
                       *plain ? plain : "failed, and does not say why");
}

int channel_unexpected(const struct channel *channel,
                       const struct message *message, struct xcx_err *err)
{
    char plain[64];

    snprintf(plain, sizeof(plain), "%s", message->type);
    lines_make_plain(plain);
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "%s sent a message of type \"%s\", which is not "
                       "expected here",
                       channel->peer, plain);
}
