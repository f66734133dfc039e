/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONTEXT "xl-save-helper"

int parent_move_pipes(struct parent *parent, struct xcx_err *err)
{
    int in_fd = fcntl(parent->in_fd, F_DUPFD_CLOEXEC, 3);
    int out_fd = fcntl(parent->out_fd, F_DUPFD_CLOEXEC, 3);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (in_fd < 0 || out_fd < 0 || null_fd < 0 ||
        dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "moving the pipes");
    close(null_fd);
    parent->in_fd = in_fd;
    parent->out_fd = out_fd;
    return 0;
}

int parent_take_fds(int io_fd, int back_fd, struct xcx_err *err)
{
    if (fcntl(io_fd, F_SETFD, FD_CLOEXEC) < 0)
        return xcx_err_set(err, XCX_ERR_USAGE, errno, "IO_FD %d", io_fd);
    if (back_fd > STDERR_FILENO && back_fd != io_fd)
        close(back_fd);
    return 0;
}

/*
 * False once libxl was silent for too long. A message is one that a pipe with
 * any room takes at once.
 */
static bool wait_for(const struct parent *parent, int fd, short events)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    int nr;

    do
        nr = poll(&pollfd, 1,
                  parent->limit_ms ? parent->limit_ms : PARENT_LIMIT_MS);
    while (nr < 0 && errno == EINTR);
    return nr != 0;
}

/*
 * The argument what names the question in the error. It is part of the message
 * from the start, not a prefix put on later, as err may hold another error.
 */
static int gone(struct parent *parent, int os_errno, const char *what,
                const char *how, struct xcx_err *err)
{
    parent->gone = true;
    return xcx_err_set(err, XCX_ERR_PEER, os_errno, "%s: %s", what, how);
}

static int send_message(struct parent *parent, const struct message *message,
                        const char *what, struct xcx_err *err)
{
    size_t sent = 0;

    if (parent->gone)
        return gone(parent, 0, what, "libxl is gone", err);
    while (sent < message->nr_bytes) {
        ssize_t n;

        if (!wait_for(parent, parent->out_fd, POLLOUT))
            return gone(parent, ETIMEDOUT, what, "libxl reads no messages",
                        err);
        n = write(parent->out_fd, message->bytes + sent,
                  message->nr_bytes - sent);
        if (n > 0)
            sent += (size_t)n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            return gone(parent, n ? errno : 0, what, "writing to libxl", err);
    }
    return 0;
}

static int receive_answer(struct parent *parent, const char *what,
                          int *ret_answer, struct xcx_err *err)
{
    int answer = 0;
    size_t received = 0;

    while (received < sizeof(answer)) {
        ssize_t n;

        if (!wait_for(parent, parent->in_fd, POLLIN))
            return gone(parent, ETIMEDOUT, what, "libxl does not answer", err);
        n = read(parent->in_fd, (char *)&answer + received,
                 sizeof(answer) - received);
        if (n > 0)
            received += (size_t)n;
        else if (n == 0)
            return gone(parent, 0, what, "libxl has closed its pipe unanswered",
                        err);
        else if (errno != EINTR && errno != EAGAIN)
            return gone(parent, errno, what, "reading libxl's answer", err);
    }
    *ret_answer = answer;
    return 0;
}

static int ask(struct parent *parent, const struct message *message,
               const char *what, int *ret_answer, struct xcx_err *err)
{
    if (send_message(parent, message, what, err) < 0)
        return -1;
    return receive_answer(parent, what, ret_answer, err);
}

static void log_to_stderr(int errnoval, const char *line)
{
    if (errnoval >= 0)
        fprintf(stderr, CONTEXT ": %s: %s\n", line, strerror(errnoval));
    else
        fprintf(stderr, CONTEXT ": %s\n", line);
}

void parent_log(struct parent *parent, enum message_level level, int errnoval,
                const char *line)
{
    struct message message;

    message_log(&message, level, errnoval, CONTEXT, line);
    if (send_message(parent, &message, "", NULL) < 0 &&
        level >= MESSAGE_LEVEL_WARN)
        log_to_stderr(errnoval, line);
}

void parent_progress(struct parent *parent, const char *what, uint64_t done,
                     uint64_t total)
{
    uint64_t percent = 0;
    struct message message;

    if (total != 0)
        percent = (uint64_t)((unsigned __int128)done * 100 / total);
    if (percent == parent->last_percent &&
        strncmp(what, parent->last_what, sizeof(parent->last_what) - 1) == 0)
        return;
    parent->last_percent = percent;
    snprintf(parent->last_what, sizeof(parent->last_what), "%s", what);
    message_progress(&message, CONTEXT, what, done, total);
    send_message(parent, &message, "", NULL);
}

int parent_suspend(struct parent *parent, struct xcx_err *err)
{
    struct message message;
    int answer;

    message_suspend(&message);
    if (ask(parent, &message, "suspend", &answer, err) < 0)
        return -1;
    if (answer != 1)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "libxl could not suspend the guest");
    return 0;
}

int parent_switch_qemu_logdirty(struct parent *parent, uint32_t domid, bool on,
                                struct xcx_err *err)
{
    struct message message;
    int answer;

    message_switch_qemu_logdirty(&message, domid, on);
    if (ask(parent, &message,
            on ? "device model's log-dirty on" : "device model's log-dirty off",
            &answer, err) < 0)
        return -1;
    if (answer != 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "libxl could not switch the device model's "
                           "log-dirty %s",
                           on ? "on" : "off");
    return 0;
}

int parent_static_data_done(struct parent *parent, unsigned missing,
                            struct xcx_err *err)
{
    struct message message;
    int answer;

    message_static_data_done(&message, missing);
    if (ask(parent, &message, "static data done", &answer, err) < 0)
        return -1;
    if (answer != 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "libxl could not build the domain from the static "
                           "data");
    return 0;
}

int parent_restore_results(struct parent *parent, uint64_t store_frame,
                           uint64_t console_frame, struct xcx_err *err)
{
    struct message message;

    message_restore_results(&message, store_frame, console_frame);
    return send_message(parent, &message, "restore results", err);
}

int parent_complete(struct parent *parent, int retval, int errnoval,
                    struct xcx_err *err)
{
    struct message message;
    int answer;

    message_complete(&message, retval, errnoval);
    return ask(parent, &message, "complete", &answer, err);
}
