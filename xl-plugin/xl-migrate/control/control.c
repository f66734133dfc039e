/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/directory.h"
#include "control_address.h"
#include "common/json.h"
#include "xl-migrate/wire/message.h"

#define LISTENER CONTROL_MAX_CLIENTS /* as data of an event */

/* ---- answers ------------------------------------------------------------ */

/* A forked worker may hold the fd, too: closing it is not enough. */
static void drop(const struct control *control, struct control_client *client)
{
    if (client->fd < 0)
        return;
    epoll_ctl(control->fd, EPOLL_CTL_DEL, client->fd, NULL);
    shutdown(client->fd, SHUT_RDWR);
    close(client->fd);
    client->fd = -1;
}

/* Whole or not at all: who does not read is let go. */
static void put(const struct control *control, struct control_client *client,
                struct json *json)
{
    struct xcx_err err = XCX_ERR_INIT;
    const char *text;
    size_t nr_bytes;
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    json_close_map(json);
    if (json_get(json, &text, &nr_bytes, &err) < 0) {
        drop(control, client);
        return;
    }
    parts[0] = (struct iovec){(char *)text, nr_bytes};
    parts[1] = (struct iovec){"\n", 1};
    if (sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) !=
        (ssize_t)nr_bytes + 1)
        drop(control, client);
}

static void answer(struct control *control, struct control_client *client,
                   const struct xcx_err *outcome, bool with_status)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct status status;
    struct json json = {.gen = NULL};
    const char *type = with_status ? "status" : "ok";
    bool failed = xcx_err_is_set(outcome);

    if (message_begin(&json, failed ? "error" : type, &err) < 0) {
        drop(control, client);
        return;
    }
    if (failed) {
        json_text(&json, "text", outcome->msg);
    } else if (with_status) {
        status_init(&status);
        control->ops->status(control->ops->opaque, &status);
        status.domid = control->domid;
        status.has_limits = true;
        status.limits = control->limits;
        status_put(&status, &json);
    }
    put(control, client, &json);
    json_done(&json);
}

/* ---- requests ----------------------------------------------------------- */

static int tune(struct control *control, const struct message *message,
                struct xcx_err *err)
{
    const struct control_ops *ops = control->ops;
    struct xcx_policy_limits limits = control->limits;
    unsigned nr;

    if (status_take_limits(message->root, &limits, &nr, err) < 0)
        return -1;
    if (nr == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "nothing to change is named");
    if (ops->tune && ops->tune(ops->opaque, &limits, err) < 0)
        return -1;
    control->limits = limits;
    return 0;
}

static void take_line(struct control *control, struct control_client *client,
                      size_t nr_bytes)
{
    struct xcx_err outcome = XCX_ERR_INIT;
    struct message message = MESSAGE_INIT;
    bool is_status = false;

    client->heard = ++control->nr_heard;
    client->line[nr_bytes] = 0;
    if (message_parse(client->line, nr_bytes, &message, &outcome) == 0) {
        is_status = strcmp(message.type, "status") == 0;
        if (strcmp(message.type, "cancel") == 0)
            control->ops->cancel(control->ops->opaque, &outcome);
        else if (strcmp(message.type, "tune") == 0)
            tune(control, &message, &outcome);
        else if (!is_status)
            xcx_err_set(&outcome, XCX_ERR_PEER, 0, "unknown request \"%.32s\"",
                        message.type);
    }
    answer(control, client, &outcome, is_status);
    message_done(&message);
}

/* Lines out of what came; a rest stays. */
static void take_lines(struct control *control, struct control_client *client)
{
    char *end;

    while (client->fd >= 0 &&
           (end = memchr(client->line, '\n', client->used_bytes))) {
        size_t nr_bytes = (size_t)(end - client->line);

        take_line(control, client, nr_bytes);
        client->used_bytes -= nr_bytes + 1;
        memmove(client->line, end + 1, client->used_bytes);
    }
    if (client->used_bytes == sizeof(client->line))
        drop(control, client);
}

static void serve_client(struct control *control, struct control_client *client)
{
    ssize_t n;

    if (client->fd < 0)
        return;
    n = recv(client->fd, client->line + client->used_bytes,
             sizeof(client->line) - client->used_bytes, MSG_DONTWAIT);
    if (n > 0) {
        client->used_bytes += (size_t)n;
        take_lines(control, client);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop(control, client);
    }
}

/* ---- who may ask -------------------------------------------------------- */

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static int watch(const struct control *control, int fd, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    return epoll_ctl(control->fd, EPOLL_CTL_ADD, fd, &event);
}

/* A free place, or that of the one that was silent longest. */
static uint32_t find_place(struct control *control)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        if (control->clients[i].fd < 0)
            return i;
        if (control->clients[i].heard < control->clients[found].heard)
            found = i;
    }
    drop(control, &control->clients[found]);
    return found;
}

static void accept_client(struct control *control)
{
    int fd =
        accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    uint32_t place;

    if (fd < 0)
        return;
    if (!is_trusted(fd)) {
        close(fd);
        return;
    }
    place = find_place(control);
    control->clients[place].fd = fd;
    control->clients[place].used_bytes = 0;
    control->clients[place].heard = ++control->nr_heard;
    if (watch(control, fd, place) < 0)
        drop(control, &control->clients[place]);
}

/* ---- public ------------------------------------------------------------- */

void control_serve(struct control *control)
{
    struct epoll_event events[CONTROL_MAX_CLIENTS + 1];
    bool is_asked = false;
    int nr;

    if (control->fd < 0)
        return;
    nr = epoll_wait(control->fd, events, CONTROL_MAX_CLIENTS + 1, 0);
    for (int i = 0; i < nr; i++) {
        if (events[i].data.u32 == LISTENER)
            is_asked = true;
        else
            serve_client(control, &control->clients[events[i].data.u32]);
    }
    /* Last, since it may give a client's place to another. */
    if (is_asked)
        accept_client(control);
}

/* Removes the socket of a dead process, and leaves that of a living one. */
static int remove_stale(const struct control *control,
                        const struct sockaddr_un *address, struct xcx_err *err)
{
    char name[CONTROL_NAME_BYTES];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool lives;

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "control socket");
    lives =
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
        errno == EAGAIN;
    close(fd);
    if (lives)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "domain %u is being moved by another process",
                           control->domid);
    control_name(control->domid, name);
    unlinkat(control->dir_fd, name, 0);
    return 0;
}

static int listen_at(struct control *control, const char *run_dir,
                     struct xcx_err *err)
{
    struct sockaddr_un address;
    mode_t old_mask;
    int r;

    control->dir_fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    control->listen_fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    control->fd = epoll_create1(EPOLL_CLOEXEC);
    if (control->dir_fd < 0 || control->listen_fd < 0 || control->fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", run_dir);
    control_address(control->dir_fd, control->domid, &address);
    if (remove_stale(control, &address, err) < 0)
        return -1;
    old_mask = umask(0177);
    r = bind(control->listen_fd, (struct sockaddr *)&address, sizeof(address));
    umask(old_mask);
    if (r < 0 || listen(control->listen_fd, CONTROL_MAX_CLIENTS) < 0 ||
        watch(control, control->listen_fd, LISTENER) < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno,
                           "%s: control socket of domain %u", run_dir,
                           control->domid);
    return 0;
}

int control_open(struct control *control, const char *run_dir, uint32_t domid,
                 const struct xcx_policy_limits *limits,
                 const struct control_ops *ops, struct xcx_err *err)
{
    *control = CONTROL_INIT;
    control->domid = domid;
    control->limits = *limits;
    control->ops = ops;
    for (unsigned i = 0; i < CONTROL_MAX_CLIENTS; i++)
        control->clients[i].fd = -1;
    if (!run_dir[0])
        return 0;
    if (directory_make(run_dir, 0755, err) < 0)
        return -1;
    if (listen_at(control, run_dir, err) == 0)
        return 0;
    /* A socket that lies there is not this process's. */
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    control->listen_fd = -1;
    control_close(control);
    return -1;
}

void control_close(struct control *control)
{
    char name[CONTROL_NAME_BYTES];

    for (unsigned i = 0; control->fd >= 0 && i < CONTROL_MAX_CLIENTS; i++)
        drop(control, &control->clients[i]);
    if (control->listen_fd >= 0) {
        control_name(control->domid, name);
        unlinkat(control->dir_fd, name, 0);
        close(control->listen_fd);
    }
    if (control->dir_fd >= 0)
        close(control->dir_fd);
    if (control->fd >= 0)
        close(control->fd);
    control->fd = control->dir_fd = control->listen_fd = -1;
}
