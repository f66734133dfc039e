/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_receiver.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROC_TEXT_BYTES 4096

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int start(struct xl_receiver *receiver, bool debug, bool monitor,
                 const char *const *env, struct xcx_err *err)
{
    const char *argv[8] = {"xl", "migrate-receive", "-p"};
    struct spawn_order order = {
        .argv = argv,
        .env = env,
        .fds = {receiver->data_fd, -1, -1},
        .own_session = true, /* a Ctrl-C must not kill it half-way */
    };
    int nr_args = 3, out[2] = {-1, -1}, said[2] = {-1, -1};
    int rc = -1;
    bool ok;

    if (debug)
        argv[nr_args++] = "-d";
    if (!monitor)
        argv[nr_args++] = "-e";
    ok = !pipe2(out, O_CLOEXEC) && !pipe2(said, O_CLOEXEC);
    receiver->out_fd = out[0];
    receiver->err_fd = said[0];
    if (!ok) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "xl migrate-receive");
        goto out;
    }
    if (lines_init(&receiver->said, said[0], XL_RECEIVER_LINE_BYTES - 1, true,
                   err))
        goto out;
    order.fds[1] = out[1];
    order.fds[2] = said[1];
    rc = spawn_start(&receiver->child, &order, err);
out:
    close_fd(&out[1]);
    close_fd(&said[1]);
    return rc;
}

int xl_receiver_start(struct xl_receiver *receiver, int data_fd, bool debug,
                      bool monitor, const char *const *env, struct xcx_err *err)
{
    *receiver = XL_RECEIVER_INIT;
    receiver->data_fd = data_fd;
    receiver->answers = XL_ANSWERS_INIT;
    if (!start(receiver, debug, monitor, env, err))
        return 0;
    xl_receiver_done(receiver);
    return -1;
}

/* ---- what it says ------------------------------------------------------- */

void xl_receiver_poll(const struct xl_receiver *receiver,
                      struct pollfd fds[XL_RECEIVER_NR_POLLFDS])
{
    bool ended = receiver->child.ended;

    fds[0] = (struct pollfd){.fd = receiver->out_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = receiver->said.fd, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = ended ? -1 : receiver->child.pid_fd,
                             .events = POLLIN};
}

static bool is_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    return fd >= 0 && poll(&readable, 1, 0) > 0;
}

/* Reads on even if the answers are garbled: xl must not wait for room. */
static void take_answers(struct xl_receiver *receiver)
{
    char bytes[256];

    while (is_readable(receiver->out_fd)) {
        ssize_t nr_bytes = read(receiver->out_fd, bytes, sizeof(bytes));

        if (nr_bytes < 0 && errno == EINTR)
            continue;
        if (nr_bytes <= 0)
            close_fd(&receiver->out_fd);
        else if (!xcx_err_is_set(&receiver->garbled))
            xl_answers_feed(&receiver->answers, bytes, (size_t)nr_bytes,
                            &receiver->garbled);
    }
}

/* The first error is the cause of those behind it. */
static void take_line(struct xl_receiver *receiver, char *line,
                      const struct xcx_log *log)
{
    bool is_error;

    lines_make_plain(line);
    is_error = strcasestr(line, "error") != NULL;
    if (!*line)
        return;
    if (!strcasestr(receiver->last, "error"))
        snprintf(receiver->last, sizeof(receiver->last), "%s", line);
    xcx_log(log, is_error ? XCX_LOG_ERROR : XCX_LOG_INFO, "%s", line);
}

static void take_lines(struct xl_receiver *receiver, const struct xcx_log *log)
{
    struct lines *said = &receiver->said;
    struct xcx_err unread = XCX_ERR_INIT;
    char *line;
    size_t nr_bytes;

    while (is_readable(said->fd)) {
        if (lines_fill(said, &unread))
            said->ended = true;
        while (lines_next(said, &line, &nr_bytes, &unread) == 1)
            take_line(receiver, line, log);
        if (said->ended)
            said->fd = -1;
    }
}

void xl_receiver_step(struct xl_receiver *receiver, const struct xcx_log *log)
{
    /* First, so that all it ever said is in the pipes by now. */
    spawn_wait(&receiver->child, 0);
    take_answers(receiver);
    take_lines(receiver, log);
}

bool xl_receiver_has_copy(const struct xl_receiver *receiver)
{
    return spawn_exit_status(&receiver->child) == 0 &&
           receiver->answers.heard == XL_ANSWER_STARTED &&
           !xcx_err_is_set(&receiver->garbled);
}

int xl_receiver_why(const struct xl_receiver *receiver, struct xcx_err *err)
{
    char status[64];

    if (xcx_err_is_set(&receiver->garbled))
        return xcx_err_set(err, XCX_ERR_PEER, 0, "%s", receiver->garbled.msg);
    spawn_status_text(&receiver->child, status, sizeof(status));
    if (receiver->answers.heard >= XL_ANSWER_CODE)
        snprintf(status, sizeof(status), "reports failure, code %d",
                 receiver->answers.code);
    return xcx_err_set(err, XCX_ERR_PEER, 0, "xl migrate-receive: %s%s%s",
                       status, *receiver->last ? ": " : "", receiver->last);
}

/* ---- its processes --------------------------------------------------------
 */

static ssize_t read_proc(pid_t pid, const char *name, char text[],
                         size_t room_bytes)
{
    char path[64];
    ssize_t nr_bytes;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    nr_bytes = read(fd, text, room_bytes - 1);
    text[nr_bytes > 0 ? nr_bytes : 0] = 0;
    close(fd);
    return nr_bytes;
}

/* "PID (NAME) STATE PPID …", NAME being any characters. */
static pid_t parent_of(pid_t pid)
{
    char text[PROC_TEXT_BYTES];
    char *behind;
    int parent;

    if (read_proc(pid, "stat", text, sizeof(text)) <= 0)
        return -1;
    behind = strrchr(text, ')');
    return behind && sscanf(behind, ") %*c %d", &parent) == 1 ? parent : -1;
}

bool xl_receiver_is_parent_of(const struct xl_receiver *receiver, pid_t pid)
{
    return receiver->child.pid && !receiver->child.ended && pid > 0 &&
           parent_of(pid) == receiver->child.pid;
}

static bool bytes_read_by(pid_t pid, uint64_t *ret_bytes)
{
    char text[PROC_TEXT_BYTES];

    return read_proc(pid, "io", text, sizeof(text)) > 0 &&
           sscanf(text, "rchar: %" SCNu64, ret_bytes) == 1;
}

static pid_t pid_of_name(const char *name)
{
    return isdigit((unsigned char)name[0]) ? (pid_t)strtol(name, NULL, 10) : 0;
}

bool xl_receiver_read_bytes(const struct xl_receiver *receiver,
                            uint64_t *ret_bytes)
{
    struct dirent *entry;
    DIR *proc;

    if (!bytes_read_by(receiver->child.pid, ret_bytes))
        return false;
    proc = opendir("/proc");
    while (proc && (entry = readdir(proc))) {
        pid_t pid = pid_of_name(entry->d_name);
        uint64_t bytes;

        if (pid > 0 && parent_of(pid) == receiver->child.pid &&
            bytes_read_by(pid, &bytes))
            *ret_bytes += bytes;
    }
    if (proc)
        closedir(proc);
    return true;
}

bool xl_receiver_has_input(const struct xl_receiver *receiver)
{
    return receiver->data_fd < 0 || is_readable(receiver->data_fd);
}

/* ---- stopping it -------------------------------------------------------- */

static bool is_restoring(pid_t pid)
{
    static const char mode[] = "--restore-domain";
    char text[PROC_TEXT_BYTES];
    ssize_t nr_bytes = read_proc(pid, "cmdline", text, sizeof(text));
    size_t program_bytes = nr_bytes > 0 ? strlen(text) + 1 : 0;

    return program_bytes && (size_t)nr_bytes >= program_bytes + sizeof(mode) &&
           !strcmp(text + program_bytes, mode);
}

/* Looked at once more behind the pidfd: a pid may have been used again. */
static void stop_if_helper(pid_t pid, pid_t parent)
{
    int pid_fd = pidfd_open(pid, 0);

    if (pid_fd < 0)
        return;
    if (parent_of(pid) == parent && is_restoring(pid))
        pidfd_send_signal(pid_fd, SIGTERM, NULL, 0);
    close(pid_fd);
}

static void stop_helper(const struct xl_receiver *receiver)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc && (entry = readdir(proc))) {
        pid_t pid = pid_of_name(entry->d_name);

        if (pid > 0 && parent_of(pid) == receiver->child.pid)
            stop_if_helper(pid, receiver->child.pid);
    }
    if (proc)
        closedir(proc);
}

static bool has_ended_within(struct xl_receiver *receiver, uint64_t patience_ms,
                             const struct xcx_log *log)
{
    uint64_t deadline_ns = deadline_in_ms(patience_ms);

    for (;;) {
        struct pollfd fds[XL_RECEIVER_NR_POLLFDS];

        xl_receiver_step(receiver, log);
        if (receiver->child.ended || !deadline_left_ms(deadline_ns))
            return receiver->child.ended;
        xl_receiver_poll(receiver, fds);
        poll(fds, XL_RECEIVER_NR_POLLFDS, deadline_left_ms(deadline_ns));
    }
}

void xl_receiver_stop(struct xl_receiver *receiver, uint64_t patience_ms,
                      const struct xcx_log *log)
{
    if (!receiver->child.pid || receiver->child.ended)
        return;
    shutdown(receiver->data_fd, SHUT_RD); /* a pipe's far end must close */
    if (has_ended_within(receiver, patience_ms, log))
        return;
    stop_helper(receiver);
    if (has_ended_within(receiver, patience_ms, log))
        return;
    xcx_log(log, XCX_LOG_WARN,
            "xl migrate-receive neither ends nor gives up: it is killed");
    spawn_signal(&receiver->child, SIGKILL);
    has_ended_within(receiver, patience_ms, log);
}

void xl_receiver_done(struct xl_receiver *receiver)
{
    xl_receiver_stop(receiver, 1000, NULL);
    spawn_done(&receiver->child);
    close_fd(&receiver->data_fd);
    close_fd(&receiver->out_fd);
    close_fd(&receiver->err_fd);
    lines_done(&receiver->said);
}
