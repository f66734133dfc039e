/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport_ssh.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_PIPE_BYTES (1 << 20)
/* Unanswered ones that end it, one interval after the last. */
#define ALIVE_COUNT 3
/* The blanks between words of sh. */
#define BLANKS " \t\n"
#define HOST_LETTERS                                                           \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:%@[]-"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Ends before one of them, or with ssh; word: as sh reads it, unquoted. */
static const char *take_word(const char *ssh, char *word)
{
    char quote = 0;

    for (; *ssh && (quote || !strchr(BLANKS, *ssh)); ssh++) {
        if (*ssh == '\\' && quote != '\'' && ssh[1] &&
            (!quote || strchr("$`\"\\", ssh[1])))
            *word++ = *++ssh;
        else if (quote ? *ssh == quote : *ssh == '\'' || *ssh == '"')
            quote = quote ? 0 : *ssh;
        else
            *word++ = *ssh;
    }
    *word = 0;
    return ssh;
}

static bool is_openssh(const char *program)
{
    size_t nr_bytes = strlen(program);

    return nr_bytes >= 3 && !strcmp(program + nr_bytes - 3, "ssh") &&
           (nr_bytes == 3 || program[nr_bytes - 4] == '/');
}

/* Whether this word is of ssh's options, whose value is the next one. */
static bool wants_value(const char *word)
{
    size_t at = strcspn(word, "BbcDEeFIiJLlmOoPpQRSWw");

    return *word == '-' && word[at] && !word[at + 1];
}

/*
 * OpenSSH, and neither a host nor a command to run there: what comes behind
 * that is not for ssh. word: room for all of ssh.
 */
static bool takes_options(const char *ssh, char *word)
{
    bool is_value = false;

    ssh = take_word(ssh, word);
    if (!is_openssh(word))
        return false;
    while (*(ssh += strspn(ssh, BLANKS))) {
        ssh = take_word(ssh, word);
        if (!is_value && *word != '-')
            return false;
        is_value = !is_value && wants_value(word);
    }
    return true;
}

void transport_ssh_command(const char *ssh, unsigned timeout_s, char *ret,
                           size_t bytes)
{
    unsigned interval_s = timeout_s / (ALIVE_COUNT + 1);

    if (strlen(ssh) >= bytes || !takes_options(ssh, ret) ||
        snprintf(ret, bytes,
                 "%s -o ServerAliveInterval=%u -o ServerAliveCountMax=%d "
                 "-o ConnectTimeout=%u",
                 ssh, interval_s ? interval_s : 1, ALIVE_COUNT,
                 timeout_s) >= (int)bytes)
        snprintf(ret, bytes, "%s", ssh);
}

/* *ours gets one end of a new pipe, *theirs the other. */
static int make_pipe(int *reading, int *writing, struct xcx_err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "pipe");
    *reading = fds[0];
    *writing = fds[1];
    return 0;
}

static int start(struct transport_ssh *transport, const char *const *argv,
                 const char *const *env, struct xcx_err *err)
{
    struct spawn_order order = {
        .argv = argv,
        .env = env,
        .fds = {-1, -1, -1},
        .ignore_terminal = true,
    };
    int rc = -1;

    if (make_pipe(&order.fds[0], &transport->to_fd, err) ||
        make_pipe(&transport->from_fd, &order.fds[1], err) ||
        make_pipe(&transport->err_fd, &order.fds[2], err) ||
        lines_init(&transport->said, transport->err_fd,
                   TRANSPORT_SSH_LINE_BYTES - 1, true, err))
        goto out;
    /* Only speed hangs on it. */
    (void)fcntl(transport->to_fd, F_SETPIPE_SZ, INPUT_PIPE_BYTES);
    rc = spawn_start(&transport->child, &order, err);
out:
    for (int i = 0; i < 3; i++)
        close_fd(&order.fds[i]);
    return rc;
}

/*
 * The host goes into a line for sh, and to a program that may take it for an
 * option; it can come from a journal or from another program.
 */
static int check_host(const char *host, struct xcx_err *err)
{
    char plain[64];

    if (*host && *host != '-' && !host[strspn(host, HOST_LETTERS)])
        return 0;
    snprintf(plain, sizeof(plain), "%s", host);
    lines_make_plain(plain);
    return xcx_err_set(err, XCX_ERR_USAGE, 0,
                       "\"%s\" is no HOST: use letters, digits and any of "
                       "._:%%@[]- after the first",
                       plain);
}

int transport_ssh_start(struct transport_ssh *transport, const char *ssh,
                        const char *host, const char *remote,
                        struct xcx_err *err)
{
    char *line = NULL, *told = NULL;
    int rc = -1;

    *transport = TRANSPORT_SSH_INIT;
    /* Without a program the host is a command itself, as it is to xl. */
    if (*ssh && check_host(host, err))
        return -1;
    if ((*ssh ? asprintf(&line, "exec %s '%s' %s", ssh, host, remote)
              : asprintf(&line, "%s", host)) < 0 ||
        asprintf(&told, "XL_MIGRATE_RUN=%s", remote) < 0) {
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "%s", host);
        goto out;
    }
    rc = start(transport, (const char *const[]){"sh", "-c", line, NULL},
               (const char *const[]){told, NULL}, err);
    if (rc)
        transport_ssh_done(transport, 0);
out:
    free(line);
    free(told);
    return rc;
}

static void note(struct transport_ssh *transport, char *line,
                 const struct xcx_log *log)
{
    lines_make_plain(line);
    if (!*line)
        return;
    snprintf(transport->last, sizeof(transport->last), "%s", line);
    if (log_limit_admits(&transport->limit, log))
        xcx_log(log, XCX_LOG_INFO, "%s", line);
}

void transport_ssh_hear(struct transport_ssh *transport,
                        const struct xcx_log *log)
{
    struct lines *said = &transport->said;
    struct xcx_err unread = XCX_ERR_INIT;
    char *line;
    size_t nr_bytes;

    if (said->fd < 0)
        return;
    if (lines_fill(said, &unread))
        said->ended = true;
    while (lines_next(said, &line, &nr_bytes, &unread) == 1)
        note(transport, line, log);
    if (said->ended)
        said->fd = -1;
}

static bool is_tcp(int fd)
{
    int protocol = 0;
    socklen_t nr_bytes = sizeof(protocol);

    return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &nr_bytes) &&
           protocol == IPPROTO_TCP;
}

/* Reads the queue of another process's fd; only a TCP socket has one. */
static uint64_t socket_queue_bytes(int pid_fd, int their_fd)
{
    int fd = pidfd_getfd(pid_fd, their_fd, 0);
    int nr_bytes = 0;

    if (fd < 0)
        return 0;
    if (!is_tcp(fd) || ioctl(fd, SIOCOUTQ, &nr_bytes) || nr_bytes < 0)
        nr_bytes = 0;
    close(fd);
    return (uint64_t)nr_bytes;
}

uint64_t transport_ssh_queued_bytes(const struct transport_ssh *transport)
{
    char path[32];
    struct dirent *entry;
    uint64_t queued_bytes = 0;
    int in_pipe = 0;
    DIR *fds;

    if (transport->to_fd < 0 || transport->child.ended)
        return 0;
    if (!ioctl(transport->to_fd, FIONREAD, &in_pipe) && in_pipe > 0)
        queued_bytes = (uint64_t)in_pipe;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)transport->child.pid);
    fds = opendir(path);
    while (fds && (entry = readdir(fds))) {
        if (isdigit((unsigned char)entry->d_name[0]))
            queued_bytes += socket_queue_bytes(transport->child.pid_fd,
                                               atoi(entry->d_name));
    }
    if (fds)
        closedir(fds);
    return queued_bytes;
}

void transport_ssh_close_input(struct transport_ssh *transport)
{
    close_fd(&transport->to_fd);
}

/* Reads what was written before the end; others may keep the pipe open. */
static void hear_the_rest(struct transport_ssh *transport,
                          const struct xcx_log *log)
{
    struct pollfd more = {.fd = transport->said.fd, .events = POLLIN};

    while (more.fd >= 0 && poll(&more, 1, 0) > 0) {
        transport_ssh_hear(transport, log);
        more.fd = transport->said.fd;
    }
}

bool transport_ssh_wait(struct transport_ssh *transport, uint64_t deadline_ns,
                        const struct xcx_log *log)
{
    while (!spawn_wait(&transport->child, 0)) {
        struct pollfd fds[] = {
            {.fd = transport->said.fd, .events = POLLIN},
            {.fd = transport->child.pid_fd, .events = POLLIN},
        };

        if (!deadline_left_ms(deadline_ns))
            return false;
        if (poll(fds, 2, deadline_left_ms(deadline_ns)) > 0 && fds[0].revents)
            transport_ssh_hear(transport, log);
    }
    hear_the_rest(transport, log);
    return true;
}

void transport_ssh_why(const struct transport_ssh *transport, char *ret,
                       size_t bytes)
{
    char status[64];

    spawn_status_text(&transport->child, status, sizeof(status));
    snprintf(ret, bytes, "%s%s%s", status, *transport->last ? ": " : "",
             transport->last);
}

void transport_ssh_done(struct transport_ssh *transport, uint64_t grace_ms)
{
    transport_ssh_close_input(transport);
    spawn_kill(&transport->child, grace_ms);
    spawn_done(&transport->child);
    close_fd(&transport->from_fd);
    close_fd(&transport->err_fd);
    lines_done(&transport->said);
}
