/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plain: a remote shell without ssh, for `xl migrate -s plain`. ssh between
 * emulated hosts carries a few MB/s, as each of its bytes is encrypted by
 * emulated instructions; what moves guests to and fro a hundred times need
 * not wait for that.
 *
 *   plain HOST COMMAND...   on the source: its stdin and stdout are those of
 *        │                  COMMAND on HOST
 *        │ command, NUL, then stdin ──▶   ◀── stdout
 *   plain --serve LOG       on the target: a shell for each connection, its
 *                           stderr at the end of LOG
 *
 * No trust is asked for: inside the lab only, whose wire leads nowhere.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT              "7009"
#define COMMAND_MAX_BYTES 4096
#define BUFFER_BYTES      (256 * 1024)

static int fail(const char *what)
{
    fprintf(stderr, "plain: %s: %s\n", what, strerror(errno));
    return -1;
}

static bool write_all(int fd, const char *bytes, size_t nr_bytes)
{
    while (nr_bytes) {
        ssize_t n = write(fd, bytes, nr_bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        nr_bytes -= (size_t)n;
    }
    return true;
}

/* ---- the target ---------------------------------------------------------- */

static bool read_command(int fd, char *ret)
{
    for (size_t i = 0; i < COMMAND_MAX_BYTES; i++) {
        if (read(fd, &ret[i], 1) != 1)
            return false;
        if (!ret[i])
            return true;
    }
    return false;
}

/* In a child of its own. */
static int serve_one(int fd, const char *log)
{
    char command[COMMAND_MAX_BYTES];
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (log_fd < 0 || !read_command(fd, command))
        return fail("no command");
    if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0)
        return fail("dup2");
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    return fail("sh");
}

static int listen_here(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(PORT)),
        .sin_addr.s_addr = htonl(INADDR_ANY),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 4) < 0)
        return fail("port " PORT);
    return fd;
}

/* Ready once it is in the background. */
static int serve(const char *log)
{
    int listen_fd = listen_here();

    if (listen_fd < 0 || daemon(0, 0) < 0)
        return 1;
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0 && fork() == 0) {
            signal(SIGCHLD, SIG_DFL);
            _exit(serve_one(fd, log) < 0);
        }
        close(fd);
    }
}

/* ---- the source -----------------------------------------------------------
 */

/* Ends once the other host is gone, as ssh does if told so; but later. */
static void notice_silence(int fd)
{
    int yes = 1, every_s = 4, times = 3, syns = 3;
    unsigned silent_ms = 15000;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &every_s, sizeof(every_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms,
               sizeof(silent_ms));
}

static int connect_to(const char *host)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int fd = -1;

    if (getaddrinfo(host, PORT, &hints, &found) != 0)
        return fail(host);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    notice_silence(fd);
    if (connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
        fail(host);
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* What is there, once; false at its end. */
static bool carry(int from_fd, int to_fd)
{
    static char buffer[BUFFER_BYTES];
    ssize_t n = read(from_fd, buffer, sizeof(buffer));

    if (n < 0)
        return errno == EINTR;
    return n > 0 && write_all(to_fd, buffer, (size_t)n);
}

/* Until the command has closed its output. */
static void carry_both(int fd)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = fd, .events = POLLIN}};

    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents && !carry(fd, STDOUT_FILENO))
            return;
        if (fds[0].revents && !carry(STDIN_FILENO, fd)) {
            shutdown(fd, SHUT_WR);
            fds[0].fd = -1;
        }
    }
}

static int run_there(const char *host, int nr_words, char *const *words)
{
    char command[COMMAND_MAX_BYTES] = "";
    size_t used = 0;
    int fd;

    for (int i = 0; i < nr_words; i++) {
        int n = snprintf(command + used, sizeof(command) - used, "%s%s",
                         i ? " " : "", words[i]);

        if (n < 0 || (size_t)n >= sizeof(command) - used) {
            fprintf(stderr, "plain: the command is too long\n");
            return 1;
        }
        used += (size_t)n;
    }
    fd = connect_to(host);
    if (fd < 0)
        return 255;
    if (!write_all(fd, command, used + 1))
        return fail(host) < 0;
    carry_both(fd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        return serve(argv[2]);
    if (argc < 3) {
        fprintf(stderr, "usage: plain HOST COMMAND... | plain --serve LOG\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    return run_there(argv[1], argc - 2, argv + 2);
}
