/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote_shell.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/deadline.h"

#define MARK     "xl-migrate-command-ended "
#define GRACE_MS 2000

int remote_shell_start(struct remote_shell *shell, const char *ssh,
                       const char *host, const struct xcx_log *log,
                       struct xcx_err *err)
{
    shell->transport = TRANSPORT_SSH_INIT;
    shell->lines = LINES_INIT;
    shell->host = host;
    shell->log = log;
    shell->cancel_fd = -1;
    shell->nr_asked = 0;
    if (transport_ssh_start(&shell->transport, ssh, host, "sh", err) ||
        lines_init(&shell->lines, shell->transport.from_fd, 4096, true, err)) {
        remote_shell_done(shell);
        return -1;
    }
    return 0;
}

void remote_shell_done(struct remote_shell *shell)
{
    lines_done(&shell->lines);
    transport_ssh_done(&shell->transport, GRACE_MS);
}

static int lost(struct remote_shell *shell, struct xcx_err *err)
{
    char why[TRANSPORT_SSH_LINE_BYTES + 64];

    transport_ssh_close_input(&shell->transport);
    if (!transport_ssh_wait(&shell->transport, deadline_in_ms(GRACE_MS),
                            shell->log))
        return xcx_err_set(err, XCX_ERR_IO, EPIPE, "%.60s", shell->host);
    transport_ssh_why(&shell->transport, why, sizeof(why));
    return xcx_err_set(err, XCX_ERR_IO, 0, "%.60s: %.180s", shell->host, why);
}

/* A command is far shorter than a pipe is long: this does not block. */
static int ask(struct remote_shell *shell, const char *command,
               struct xcx_err *err)
{
    char text[4096];
    int nr_bytes = snprintf(text, sizeof(text),
                            "(%s) </dev/null 2>&1; echo " MARK "%u $?\n",
                            command, ++shell->nr_asked);

    if (nr_bytes >= (int)sizeof(text))
        return xcx_err_set(err, XCX_ERR_BUG, 0, "too long for a command");
    if (write(shell->transport.to_fd, text, (size_t)nr_bytes) != nr_bytes)
        return lost(shell, err);
    return 0;
}

static int wait_for_lines(struct remote_shell *shell, uint64_t deadline_ns,
                          struct xcx_err *err)
{
    struct transport_ssh *transport = &shell->transport;
    struct pollfd fds[] = {
        {.fd = shell->lines.fd, .events = POLLIN},
        {.fd = transport->said.ended ? -1 : transport->said.fd,
         .events = POLLIN},
        {.fd = shell->cancel_fd, .events = POLLIN},
    };
    int left_ms = deadline_left_ms(deadline_ns);

    if (left_ms == 0)
        return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT, "%.60s: no answer",
                           shell->host);
    if (poll(fds, 3, left_ms) < 0 && errno != EINTR)
        return xcx_err_set(err, XCX_ERR_IO, errno, "poll");
    if (fds[2].revents)
        return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "cancelled");
    if (fds[1].revents)
        transport_ssh_hear(transport, shell->log);
    return fds[0].revents ? lines_fill(&shell->lines, err) : 0;
}

/* Adds a line to the answer, unless there is no room: then none follows. */
static void keep_line(struct remote_shell *shell, const char *line,
                      size_t nr_bytes)
{
    if (shell->is_cut ||
        shell->used_bytes + nr_bytes + 2 > sizeof(shell->answer)) {
        shell->is_cut = true;
        return;
    }
    memcpy(shell->answer + shell->used_bytes, line, nr_bytes);
    shell->used_bytes += nr_bytes;
    shell->answer[shell->used_bytes++] = '\n';
    shell->answer[shell->used_bytes] = 0;
}

static void forget_answer(struct remote_shell *shell)
{
    shell->answer[0] = 0;
    shell->used_bytes = 0;
    shell->is_cut = false;
}

static int end_answer(struct remote_shell *shell, struct xcx_err *err)
{
    if (!shell->is_cut)
        return 0;
    forget_answer(shell);
    return xcx_err_set(err, XCX_ERR_PEER, 0,
                       "%.60s: an answer of more than %d bytes", shell->host,
                       REMOTE_SHELL_ANSWER_BYTES);
}

/* The mark of the command asked last: then status is set. */
static bool take_mark(struct remote_shell *shell, const char *line)
{
    unsigned number;
    int status;

    if (sscanf(line + strlen(MARK), "%u %d", &number, &status) != 2 ||
        number != shell->nr_asked)
        return false;
    shell->status = status;
    return true;
}

int remote_shell_run(struct remote_shell *shell, const char *command,
                     uint64_t deadline_ns, struct xcx_err *err)
{
    size_t nr_bytes;
    char *line;

    if (ask(shell, command, err))
        return -1;
    forget_answer(shell);
    for (;;) {
        int rc = lines_next(&shell->lines, &line, &nr_bytes, err);

        if (rc < 0)
            return -1;
        if (rc == 0 && shell->lines.ended)
            return lost(shell, err);
        if (rc == 0) {
            if (wait_for_lines(shell, deadline_ns, err))
                return -1;
            continue;
        }
        if (!strncmp(line, MARK, strlen(MARK))) {
            if (take_mark(shell, line))
                return end_answer(shell, err);
            /* All until now was said of an earlier command. */
            forget_answer(shell);
            continue;
        }
        keep_line(shell, line, nr_bytes);
    }
}
