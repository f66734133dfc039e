/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qmp.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS       UINT64_C(1000000)
#define NS_PER_S        UINT64_C(1000000000)
#define TRY_AGAIN_MS    20
#define READ_ROOM_BYTES 4096
#define TEXT_BYTES      160

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int timed_out(struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_PEER, ETIMEDOUT, "no answer in time");
}

/* ---- lock --------------------------------------------------------------- */

/* Sleeps: flock() and a full backlog offer nothing to poll for. */
static int pause_or_give_up(const struct qmp *qmp, struct xcx_err *err)
{
    struct timespec pause = {.tv_nsec = TRY_AGAIN_MS * (long)NS_PER_MS};

    if (now_ns() >= qmp->deadline_ns)
        return timed_out(err);
    nanosleep(&pause, NULL);
    return 0;
}

static int lock_fd(struct qmp *qmp, int fd, struct xcx_err *err)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s",
                               qmp->lock_path);
        if (pause_or_give_up(qmp, err) < 0)
            return xcx_err_prefix(err, "%s", qmp->lock_path);
    }
    return 0;
}

/* The last holder may have removed the file while we waited for it. */
static bool still_has_its_name(const struct qmp *qmp, int fd)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && stat(qmp->lock_path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int take_lock(struct qmp *qmp, struct xcx_err *err)
{
    for (;;) {
        int fd = open(qmp->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s",
                               qmp->lock_path);
        if (lock_fd(qmp, fd, err) < 0) {
            close(fd);
            return -1;
        }
        if (still_has_its_name(qmp, fd)) {
            qmp->lock_fd = fd;
            return 0;
        }
        close(fd);
    }
}

/* Removed while it is held, so that nobody removes another's. */
static void give_lock_back(struct qmp *qmp)
{
    if (qmp->lock_fd < 0)
        return;
    unlink(qmp->lock_path);
    close(qmp->lock_fd);
    qmp->lock_fd = -1;
}

/* ---- bytes -------------------------------------------------------------- */

static int wait_for(const struct qmp *qmp, short events, struct xcx_err *err)
{
    struct pollfd fd = {qmp->fd, events, 0};
    uint64_t now = now_ns();
    uint64_t left_ns = qmp->deadline_ns > now ? qmp->deadline_ns - now : 0;
    int nr = poll(&fd, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));

    if (nr < 0 && errno != EINTR)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
    return nr == 0 ? timed_out(err) : 0;
}

static ssize_t send_some(const struct qmp *qmp, const char *bytes,
                         size_t nr_bytes, int send_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = ""};
    struct iovec iov = {.iov_base = (char *)bytes, .iov_len = nr_bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (send_fd >= 0) {
        struct cmsghdr *header;

        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        header = CMSG_FIRSTHDR(&msg);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &send_fd, sizeof(send_fd));
    }
    return sendmsg(qmp->fd, &msg, MSG_NOSIGNAL);
}

/* The fd goes with the first bytes. */
static int send_all(const struct qmp *qmp, const char *bytes, size_t nr_bytes,
                    int send_fd, struct xcx_err *err)
{
    while (nr_bytes) {
        ssize_t n = send_some(qmp, bytes, nr_bytes, send_fd);

        if (n > 0) {
            bytes += n;
            nr_bytes -= (size_t)n;
            send_fd = -1;
        } else if (n < 0 && errno == EAGAIN) {
            if (wait_for(qmp, POLLOUT, err) < 0)
                return -1;
        } else if (n < 0 && errno != EINTR) {
            return xcx_err_set(err, XCX_ERR_IO, errno, "sending");
        }
    }
    return 0;
}

static int make_room(struct qmp *qmp, struct xcx_err *err)
{
    size_t room = qmp->buf_room ? qmp->buf_room : READ_ROOM_BYTES;
    char *buf;

    if (qmp->buf_bytes >= QMP_MAX_LINE_BYTES)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a message of more than %u bytes",
                           QMP_MAX_LINE_BYTES);
    if (qmp->buf && qmp->buf_bytes < qmp->buf_room)
        return 0;
    if (qmp->buf)
        room *= 2;
    buf = realloc(qmp->buf, room);
    if (!buf)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "an answer");
    qmp->buf = buf;
    qmp->buf_room = room;
    return 0;
}

static int receive_some(struct qmp *qmp, struct xcx_err *err)
{
    ssize_t n;

    if (make_room(qmp, err) < 0 || wait_for(qmp, POLLIN, err) < 0)
        return -1;
    n = read(qmp->fd, qmp->buf + qmp->buf_bytes,
             qmp->buf_room - qmp->buf_bytes);
    if (n == 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "it hung up");
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return xcx_err_set(err, XCX_ERR_IO, errno, "reading");
    if (n > 0)
        qmp->buf_bytes += (size_t)n;
    return 0;
}

/* ---- messages ----------------------------------------------------------- */

/* yajl frees a tree by recursion: so the depth is looked at before it. */
static bool is_too_deep(const char *line)
{
    unsigned depth = 0;
    bool in_string = false;

    for (const char *at = line; *at; at++) {
        if (in_string) {
            if (*at == '\\' && at[1])
                at++;
            else if (*at == '"')
                in_string = false;
        } else if (*at == '"') {
            in_string = true;
        } else if (*at == '{' || *at == '[') {
            if (++depth > QMP_MAX_DEPTH)
                return true;
        } else if ((*at == '}' || *at == ']') && depth) {
            depth--;
        }
    }
    return false;
}

/* The line at the buffer's begin, its end already a NUL. */
static int parse_line(struct qmp *qmp, yajl_val *ret, struct xcx_err *err)
{
    char why[TEXT_BYTES] = "";

    if (is_too_deep(qmp->buf))
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a message of more than %d levels", QMP_MAX_DEPTH);
    *ret = yajl_tree_parse(qmp->buf, why, sizeof(why));
    if (!*ret)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "a message is not JSON");
    if (!YAJL_IS_OBJECT(*ret)) {
        yajl_tree_free(*ret);
        return xcx_err_set(err, XCX_ERR_PEER, 0, "a message is no object");
    }
    return 0;
}

static int next_message(struct qmp *qmp, yajl_val *ret, struct xcx_err *err)
{
    char *end;
    size_t line_bytes;
    int rc;

    while (!qmp->buf_bytes || !(end = memchr(qmp->buf, '\n', qmp->buf_bytes))) {
        if (receive_some(qmp, err) < 0)
            return -1;
    }
    *end = '\0';
    line_bytes = (size_t)(end - qmp->buf) + 1;
    rc = parse_line(qmp, ret, err);
    qmp->buf_bytes -= line_bytes;
    memmove(qmp->buf, qmp->buf + line_bytes, qmp->buf_bytes);
    return rc;
}

static yajl_val get(yajl_val from, const char *key)
{
    const char *path[] = {key, NULL};

    return yajl_tree_get(from, path, yajl_t_any);
}

/* QEMU's words, fit for a terminal. */
static void printable(yajl_val text, char ret[TEXT_BYTES])
{
    const char *from = YAJL_GET_STRING(text);
    size_t i;

    for (i = 0; from && from[i] && i < TEXT_BYTES - 1; i++)
        ret[i] = (char)(isprint((unsigned char)from[i]) ? from[i] : '?');
    ret[i] = '\0';
}

static int refused(yajl_val error, struct xcx_err *err)
{
    char text[TEXT_BYTES];

    printable(get(error, "desc"), text);
    return xcx_err_set(err, XCX_ERR_PEER, 0, "%s",
                       *text ? text : "refused without a reason");
}

/* 1: an answer to the last command, 0: an event, -1. */
static int sort_out(const struct qmp *qmp, yajl_val message,
                    struct xcx_err *err)
{
    yajl_val error = get(message, "error"), id = get(message, "id");

    if (get(message, "event"))
        return 0;
    if (!error && !get(message, "return"))
        return xcx_err_set(err, XCX_ERR_PEER, 0, "a message that is no answer");
    if (!YAJL_IS_INTEGER(id) ||
        YAJL_GET_INTEGER(id) != (long long)qmp->last_id) {
        if (error)
            refused(error, err);
        return xcx_err_set(err, XCX_ERR_PEER, 0, "an answer to something else");
    }
    return error ? refused(error, err) : 1;
}

static int await_answer(struct qmp *qmp, yajl_val *ret_answer,
                        struct xcx_err *err)
{
    for (;;) {
        yajl_val message;
        int sorted;

        if (next_message(qmp, &message, err) < 0)
            return -1;
        sorted = sort_out(qmp, message, err);
        if (sorted > 0 && ret_answer) {
            *ret_answer = message;
            return 0;
        }
        yajl_tree_free(message);
        if (sorted)
            return sorted < 0 ? -1 : 0;
    }
}

static void put_text(yajl_gen gen, const char *text)
{
    yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

void qmp_argument_text(yajl_gen gen, const char *key, const char *value)
{
    put_text(gen, key);
    put_text(gen, value);
}

void qmp_argument_bool(yajl_gen gen, const char *key, bool value)
{
    put_text(gen, key);
    yajl_gen_bool(gen, value);
}

void qmp_argument_count(yajl_gen gen, const char *key, unsigned value)
{
    put_text(gen, key);
    yajl_gen_integer(gen, value);
}

static void compose(yajl_gen gen, const struct qmp_command *command,
                    uint64_t id)
{
    yajl_gen_map_open(gen);
    qmp_argument_text(gen, "execute", command->name);
    if (command->arguments) {
        put_text(gen, "arguments");
        yajl_gen_map_open(gen);
        command->arguments(gen, command->opaque);
        yajl_gen_map_close(gen);
    }
    put_text(gen, "id");
    yajl_gen_integer(gen, (long long)id);
    yajl_gen_map_close(gen);
}

static int send_command(struct qmp *qmp, const struct qmp_command *command,
                        struct xcx_err *err)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t nr_bytes = 0;
    int rc;

    if (!gen)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "a command");
    yajl_gen_config(gen, yajl_gen_beautify, 1);
    compose(gen, command, ++qmp->last_id);
    /* A generator that has failed is not complete: there is no text then. */
    if (yajl_gen_get_buf(gen, &text, &nr_bytes) != yajl_gen_status_ok)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "a command");
    else
        rc = send_all(qmp, (const char *)text, nr_bytes, command->send_fd, err);
    yajl_gen_free(gen);
    return rc;
}

int qmp_run(struct qmp *qmp, const struct qmp_command *command,
            yajl_val *ret_answer, struct xcx_err *err)
{
    if (send_command(qmp, command, err) == 0 &&
        await_answer(qmp, ret_answer, err) == 0)
        return 0;
    return xcx_err_prefix(err, "%s", command->name);
}

/* ---- connection --------------------------------------------------------- */

static int connect_to(struct qmp *qmp, const char *socket_path,
                      struct xcx_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(socket_path) >= sizeof(address.sun_path))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: too long a path",
                           socket_path);
    strcpy(address.sun_path, socket_path);
    qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (qmp->fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "socket");
    while (connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_IO, errno, "%s", socket_path);
        if (pause_or_give_up(qmp, err) < 0)
            return -1;
    }
    return 0;
}

static int greet(struct qmp *qmp, struct xcx_err *err)
{
    static const struct qmp_command capabilities = {.name = "qmp_capabilities",
                                                    .send_fd = -1};
    yajl_val greeting;
    bool is_qemu;

    if (next_message(qmp, &greeting, err) < 0)
        return xcx_err_prefix(err, "greeting");
    is_qemu = get(greeting, "QMP");
    yajl_tree_free(greeting);
    if (!is_qemu)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "greeting: not QMP");
    return qmp_run(qmp, &capabilities, NULL, err);
}

int qmp_open(struct qmp *qmp, const char *socket_path, const char *lock_path,
             unsigned timeout_ms, struct xcx_err *err)
{
    *qmp = QMP_INIT;
    qmp->deadline_ns = now_ns() + timeout_ms * NS_PER_MS;
    if ((size_t)snprintf(qmp->lock_path, sizeof(qmp->lock_path), "%s",
                         lock_path) >= sizeof(qmp->lock_path))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: too long a path",
                           lock_path);
    if (take_lock(qmp, err) == 0 && connect_to(qmp, socket_path, err) == 0 &&
        greet(qmp, err) == 0)
        return 0;
    qmp_close(qmp);
    return -1;
}

void qmp_close(struct qmp *qmp)
{
    if (qmp->fd >= 0)
        close(qmp->fd);
    qmp->fd = -1;
    give_lock_back(qmp);
    free(qmp->buf);
    qmp->buf = NULL;
    qmp->buf_bytes = qmp->buf_room = 0;
}
