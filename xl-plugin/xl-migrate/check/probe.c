/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shell has taken the whole line before it says that it has begun: only
 * then bytes follow, so that none of them is taken for a command.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/deadline.h"
#include "common/lines.h"
#include "xl-migrate/wire/transport_ssh.h"

#define ANSWER_NS    (60 * NS_PER_S)
#define GRACE_MS     1000
#define BUFFER_BYTES (256U << 10)
#define LINE_BYTES   256
#define MAX_LINES    64 /* that a login may print before */

#define HELLO        "xl-migrate-probe"
#define BEGIN        "xl-migrate-probe-begins"

struct probing {
    const struct probe_link_params *params;
    struct transport_ssh transport;
    struct lines lines;
    uint64_t answer_ns;
    struct probe_link link;
};

static int cancelled(struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_CANCELLED, 0,
                       "probing the link was cancelled");
}

static int lost(struct probing *probing, struct xcx_err *err)
{
    char why[TRANSPORT_SSH_LINE_BYTES + 64] = "no answer";

    if (transport_ssh_wait(&probing->transport, deadline_in_ms(GRACE_MS),
                           probing->params->log))
        transport_ssh_why(&probing->transport, why, sizeof(why));
    return xcx_err_set(err, XCX_ERR_PEER, 0, "%.60s: probing the link: %.150s",
                       probing->params->host, why);
}

/* ---- lines -------------------------------------------------------------- */

static int say(struct probing *probing, const char *line, struct xcx_err *err)
{
    size_t nr_bytes = strlen(line);

    if (write(probing->transport.to_fd, line, nr_bytes) == (ssize_t)nr_bytes)
        return 0;
    return lost(probing, err);
}

static int wait_for_more(struct probing *probing, uint64_t deadline_ns,
                         struct xcx_err *err)
{
    struct transport_ssh *transport = &probing->transport;
    struct pollfd fds[] = {
        {.fd = probing->lines.fd, .events = POLLIN},
        {.fd = transport->said.fd, .events = POLLIN},
        {.fd = probing->params->cancel_fd, .events = POLLIN},
    };
    int left_ms = deadline_left_ms(deadline_ns);

    if (left_ms == 0)
        return lost(probing, err);
    if (poll(fds, 3, left_ms) < 0)
        return errno == EINTR
                   ? 0
                   : xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
    if (fds[2].revents)
        return cancelled(err);
    if (fds[1].revents)
        transport_ssh_hear(transport, probing->params->log);
    return fds[0].revents ? lines_fill(&probing->lines, err) : 0;
}

static int hear(struct probing *probing, const char *wanted,
                struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_now_ns() + probing->answer_ns;

    for (unsigned nr_lines = 0; nr_lines < MAX_LINES;) {
        char *line;
        size_t nr_bytes;
        int rc = lines_next(&probing->lines, &line, &nr_bytes, err);

        if (rc < 0)
            return -1;
        if (rc == 1 && strcmp(line, wanted) == 0)
            return 0;
        if (rc == 1)
            nr_lines++;
        else if (probing->lines.ended)
            return lost(probing, err);
        else if (wait_for_more(probing, deadline_ns, err))
            return -1;
    }
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "%.60s: probing the link: its shell answers nonsense",
                       probing->params->host);
}

static int connect_to(struct probing *probing, struct xcx_err *err)
{
    const struct probe_link_params *params = probing->params;
    uint64_t start_ns = deadline_now_ns();
    int flags;

    if (transport_ssh_start(&probing->transport, params->ssh, params->host,
                            "sh", err) ||
        lines_init(&probing->lines, probing->transport.from_fd, LINE_BYTES,
                   true, err) ||
        say(probing, "echo " HELLO "\n", err) || hear(probing, HELLO, err))
        return -1;
    probing->link.connect_ns = deadline_now_ns() - start_ns;
    start_ns = deadline_now_ns();
    if (say(probing, "echo " BEGIN "; exec cat >/dev/null\n", err) ||
        hear(probing, BEGIN, err))
        return -1;
    probing->link.round_trip_ns = deadline_now_ns() - start_ns;
    /* A pipe of our own: nobody else's flag. */
    flags = fcntl(probing->transport.to_fd, F_GETFL);
    if (flags < 0 ||
        fcntl(probing->transport.to_fd, F_SETFL, flags | O_NONBLOCK))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "fcntl");
    return 0;
}

/* ---- bytes -------------------------------------------------------------- */

/* Nothing that a compressing ssh could make less of. */
static void fill(uint64_t *words, size_t nr_words)
{
    uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

    for (size_t i = 0; i < nr_words; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = x;
    }
}

/* How long to wait so that the limit is kept, in ms. */
static int ahead_ms(const struct probing *probing, uint64_t start_ns)
{
    uint64_t limit = probing->params->limit_bytes_per_s;
    double due_ns, ahead_ns;

    if (limit == 0)
        return 0;
    due_ns = (double)probing->link.bytes * (double)NS_PER_S / (double)limit;
    ahead_ns = due_ns - (double)(deadline_now_ns() - start_ns);
    if (ahead_ns <= 0)
        return 0;
    return ahead_ns > 1e9 ? 1000 : (int)(ahead_ns / 1e6) + 1;
}

/* Waits for room, or for the limit, and writes what fits. */
static int push(struct probing *probing, const void *buffer, int pause_ms,
                struct xcx_err *err)
{
    struct pollfd fds[] = {
        {.fd = pause_ms ? -1 : probing->transport.to_fd, .events = POLLOUT},
        {.fd = probing->params->cancel_fd, .events = POLLIN},
        {.fd = probing->transport.said.fd, .events = POLLIN},
    };
    ssize_t n;

    if (poll(fds, 3, pause_ms ? pause_ms : 100) < 0 && errno != EINTR)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
    if (fds[1].revents)
        return cancelled(err);
    if (fds[2].revents)
        transport_ssh_hear(&probing->transport, probing->params->log);
    if (!fds[0].revents)
        return 0;
    n = write(probing->transport.to_fd, buffer, BUFFER_BYTES);
    if (n > 0)
        probing->link.bytes += (uint64_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        return lost(probing, err);
    return 0;
}

/* Until the command there has seen the end of it. */
static int wait_for_end(struct probing *probing, struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_now_ns() + probing->answer_ns;

    transport_ssh_close_input(&probing->transport);
    while (!probing->lines.ended) {
        char *line;
        size_t nr_bytes;

        if (wait_for_more(probing, deadline_ns, err))
            return -1;
        while (lines_next(&probing->lines, &line, &nr_bytes, err) == 1)
            ;
        if (xcx_err_is_set(err))
            return -1;
    }
    if (!transport_ssh_wait(&probing->transport, deadline_ns,
                            probing->params->log) ||
        spawn_exit_status(&probing->transport.child) != 0)
        return lost(probing, err);
    return 0;
}

/* A moment of the sending. */
struct mark {
    uint64_t at_ns, bytes;
};

static double rate_between(const struct mark *from, const struct mark *to)
{
    return to->at_ns > from->at_ns
               ? (double)(to->bytes - from->bytes) * (double)NS_PER_S /
                     (double)(to->at_ns - from->at_ns)
               : 0;
}

/*
 * In the first half the buffers on the way are filled, and behind the last
 * byte the command there ends: the second half, with neither, says most. It is
 * kept between the rates that the others give, which are too high and too low.
 */
static uint64_t rate_of(const struct mark *start, const struct mark *half,
                        const struct mark *sent, const struct mark *end)
{
    double rate = rate_between(half, sent);
    double most = rate_between(start, sent), least = rate_between(start, end);

    if (rate > most)
        rate = most;
    return (uint64_t)(rate < least ? least : rate);
}

static struct mark mark_of(const struct probing *probing)
{
    return (struct mark){deadline_now_ns(), probing->link.bytes};
}

static int measure(struct probing *probing, const void *buffer,
                   struct xcx_err *err)
{
    uint64_t duration_ns = probing->params->duration_ns;
    struct mark start = mark_of(probing), half = start, sent, end;

    if (duration_ns == 0)
        duration_ns = NS_PER_S;
    do {
        if (push(probing, buffer, ahead_ms(probing, start.at_ns), err))
            return -1;
        sent = mark_of(probing);
        if (half.at_ns == start.at_ns &&
            sent.at_ns - start.at_ns >= duration_ns / 2)
            half = sent;
    } while (sent.at_ns - start.at_ns < duration_ns);
    if (wait_for_end(probing, err))
        return -1;
    end = mark_of(probing);
    if (end.at_ns - start.at_ns > 2 * probing->link.round_trip_ns)
        end.at_ns -= probing->link.round_trip_ns; /* the end's own way */
    probing->link.bytes_per_s = rate_of(&start, &half, &sent, &end);
    if (probing->link.bytes_per_s == 0)
        return lost(probing, err);
    return 0;
}

int probe_link(const struct probe_link_params *params,
               struct probe_link *ret_link, struct xcx_err *err)
{
    struct probing probing = {
        .params = params,
        .transport = TRANSPORT_SSH_INIT,
        .lines = LINES_INIT,
        .answer_ns = params->answer_ns ? params->answer_ns : ANSWER_NS,
    };
    uint64_t *buffer = malloc(BUFFER_BYTES);
    int rc = -1;

    if (!buffer)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "buffer");
    fill(buffer, BUFFER_BYTES / sizeof(*buffer));
    if (connect_to(&probing, err) == 0)
        rc = measure(&probing, buffer, err);
    lines_done(&probing.lines);
    transport_ssh_done(&probing.transport, GRACE_MS);
    free(buffer);
    if (rc == 0)
        *ret_link = probing.link;
    return rc;
}
