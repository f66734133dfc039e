/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rendezvous.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/directory.h"
#include "common/deadline.h"

#define SAY_DATA         'D'
#define SAY_BUILT        'B'
#define SAY_YIELD        'Y'
#define SAY_TAKEN        'T'
#define SAY_IF_LOST      'L'
#define SAY_NO           'N'

#define VISITOR_MS       1000
#define NR_WAITING       8
#define CONTROL_FD_BYTES CMSG_SPACE(sizeof(int))

/* "" keeps records away; without this socket no guest could arrive. */
static const char *folder(const char *run_dir)
{
    return *run_dir ? run_dir : RENDEZVOUS_DIR;
}

static int fill_address(const char *run_dir, const char *id,
                        struct sockaddr_un *ret, struct xcx_err *err)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s.data",
                 folder(run_dir), id) >= (int)sizeof(ret->sun_path))
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "run_dir %.60s: too long for a socket in it",
                           run_dir);
    return 0;
}

static int make_socket(int flags, struct xcx_err *err)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

    if (fd < 0)
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "socket");
    return fd;
}

/* Either side of a connection looks who the other one is. */
static bool is_our_user(int fd, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t nr_bytes = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &nr_bytes) ||
        peer.uid != geteuid())
        return false;
    *ret_pid = peer.pid;
    return true;
}

/* ---- the side that owns the case ---------------------------------------- */

static int listen_at(struct rendezvous *rendezvous,
                     const struct sockaddr_un *address, struct xcx_err *err)
{
    mode_t mask = umask(0177);
    int rc = bind(rendezvous->fd, (const struct sockaddr *)address,
                  sizeof(*address));

    umask(mask);
    if (rc || listen(rendezvous->fd, NR_WAITING))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s",
                           address->sun_path);
    return 0;
}

int rendezvous_open(struct rendezvous *rendezvous, const char *run_dir,
                    const char *id, struct xcx_err *err)
{
    struct sockaddr_un address;

    *rendezvous = RENDEZVOUS_INIT;
    if (fill_address(run_dir, id, &address, err) ||
        directory_make(folder(run_dir), 0755, err))
        return -1;
    rendezvous->fd = make_socket(SOCK_NONBLOCK, err);
    if (rendezvous->fd < 0)
        return -1;
    /* The caller holds the case's lock, so an existing socket is left over. */
    unlink(address.sun_path);
    if (listen_at(rendezvous, &address, err)) {
        rendezvous_close(rendezvous);
        return -1;
    }
    memcpy(rendezvous->path, address.sun_path, sizeof(rendezvous->path));
    return 0;
}

void rendezvous_close(struct rendezvous *rendezvous)
{
    if (rendezvous->fd >= 0)
        close(rendezvous->fd);
    if (*rendezvous->path)
        unlink(rendezvous->path);
    *rendezvous = RENDEZVOUS_INIT;
}

/* A visitor's request, as one packet. */
struct packet {
    char word;
    char unused[3]; /* 0 */
    uint32_t domid; /* of SAY_BUILT, else 0 */
};

/* A packet, and with it an fd, or -1. NUL: nothing of sense. */
static char hear(struct rendezvous_visitor *visitor)
{
    struct packet packet = {.word = 0};
    union {
        char bytes[CONTROL_FD_BYTES];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct cmsghdr *header;

    if (recvmsg(visitor->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 1)
        return 0;
    header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET &&
        header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&visitor->data_fd, CMSG_DATA(header), sizeof(int));
    visitor->domid = packet.domid;
    return packet.word;
}

static enum rendezvous_visit visit_of(char word,
                                      const struct rendezvous_visitor *visitor)
{
    switch (word) {
    case SAY_DATA:
        return visitor->data_fd >= 0 ? RENDEZVOUS_DATA : RENDEZVOUS_NOBODY;
    case SAY_BUILT:
        return visitor->domid ? RENDEZVOUS_BUILT : RENDEZVOUS_NOBODY;
    case SAY_YIELD:
        return RENDEZVOUS_YIELD;
    case SAY_IF_LOST:
        return RENDEZVOUS_YIELD_IF_LOST;
    default:
        return RENDEZVOUS_NOBODY;
    }
}

enum rendezvous_visit rendezvous_take(struct rendezvous *rendezvous,
                                      struct rendezvous_visitor *ret)
{
    struct rendezvous_visitor visitor = {
        .fd = accept4(rendezvous->fd, NULL, NULL, SOCK_CLOEXEC),
        .data_fd = -1,
    };
    struct pollfd said = {.fd = visitor.fd, .events = POLLIN};
    enum rendezvous_visit visit = RENDEZVOUS_NOBODY;

    if (visitor.fd < 0)
        return RENDEZVOUS_NOBODY;
    if (is_our_user(visitor.fd, &visitor.pid) && poll(&said, 1, VISITOR_MS) > 0)
        visit = visit_of(hear(&visitor), &visitor);
    if (visit != RENDEZVOUS_DATA && visitor.data_fd >= 0)
        close(visitor.data_fd);
    if (visit == RENDEZVOUS_NOBODY)
        close(visitor.fd);
    else
        *ret = visitor;
    return visit;
}

/* Answers a visitor, unless it is gone by now. */
static void answer(int fd, char word)
{
    (void)!send(fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void rendezvous_accept(int fd)
{
    answer(fd, SAY_TAKEN);
}

void rendezvous_refuse(int fd)
{
    answer(fd, SAY_NO);
}

/* ---- visitors ----------------------------------------------------------- */

static int connect_to(const struct sockaddr_un *address, struct xcx_err *err)
{
    int fd = make_socket(0, err);
    pid_t unused;

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
        xcx_err_set(err,
                    errno == ENOENT || errno == ECONNREFUSED ? XCX_ERR_USAGE
                                                             : XCX_ERR_RESOURCE,
                    errno, "%s", address->sun_path);
    else if (!is_our_user(fd, &unused))
        xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                    "%s: another user's process listens there",
                    address->sun_path);
    else
        return fd;
    close(fd);
    return -1;
}

static int visit(const char *run_dir, const char *id, struct xcx_err *err)
{
    struct sockaddr_un address;

    return fill_address(run_dir, id, &address, err) ? -1
                                                    : connect_to(&address, err);
}

static int say(int fd, struct packet packet, int data_fd, struct xcx_err *err)
{
    union {
        char bytes[CONTROL_FD_BYTES];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec iov = {.iov_base = &packet, .iov_len = sizeof(packet)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *header;

    if (data_fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &data_fd, sizeof(int));
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != sizeof(packet))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "the process that has the case");
    return 0;
}

static bool is_accepted(int fd)
{
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    char word;

    return poll(&answered, 1, RENDEZVOUS_TAKEN_MS) > 0 &&
           recv(fd, &word, 1, MSG_DONTWAIT) == 1 && word == SAY_TAKEN;
}

int rendezvous_bring_data(const char *run_dir, const char *id, int data_fd,
                          struct xcx_err *err)
{
    int fd = visit(run_dir, id, err);
    char word;
    int rc = -1;

    if (fd < 0)
        return xcx_err_prefix(err, "case %s waits for no data", id);
    if (say(fd, (struct packet){.word = SAY_DATA}, data_fd, err))
        goto out;
    if (!is_accepted(fd)) {
        xcx_err_set(err, XCX_ERR_USAGE, 0, "case %s waits for no data", id);
        goto out;
    }
    while (recv(fd, &word, 1, 0) > 0)
        continue;
    rc = 0;
out:
    close(fd);
    return rc;
}

int rendezvous_announce_built(const char *socket, uint32_t domid,
                              struct xcx_err *err)
{
    const struct packet packet = {.word = SAY_BUILT, .domid = domid};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, rc = -1;

    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket) >=
        (int)sizeof(address.sun_path))
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%.60s: too long for a socket", socket);
    fd = connect_to(&address, err);
    if (fd < 0)
        return -1;
    if (say(fd, packet, -1, err))
        goto out;
    if (is_accepted(fd))
        rc = 0;
    else
        xcx_err_set(err, XCX_ERR_USAGE, 0,
                    "domain %u: xl-migrate receive does not accept it",
                    (unsigned)domid);
out:
    close(fd);
    return rc;
}

static int does_not_yield(int fd, const char *id, struct xcx_err *err)
{
    struct ucred owner = {.pid = 0};
    socklen_t nr_bytes = sizeof(owner);

    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &nr_bytes);
    return xcx_err_set(err, XCX_ERR_IO, ETIMEDOUT,
                       "case %s: process %d works on it, and does not let go",
                       id, (int)owner.pid);
}

static int ask(const char *run_dir, const char *id, char how,
               uint64_t deadline_ns, struct xcx_err *err)
{
    int fd = visit(run_dir, id, err);
    struct pollfd end = {.fd = fd, .events = POLLIN};
    char word = 0;
    int rc = -1;

    if (fd < 0)
        return -1;
    if (!say(fd, (struct packet){.word = how}, -1, err)) {
        if (poll(&end, 1, deadline_left_ms(deadline_ns)) <= 0)
            does_not_yield(fd, id, err);
        else if (recv(fd, &word, 1, MSG_DONTWAIT) > 0)
            xcx_err_set(err, XCX_ERR_IO, 0,
                        "case %s: it goes on; its source was heard just now",
                        id);
        else
            rc = 0;
    }
    close(fd);
    return rc;
}

int rendezvous_ask_yield(const char *run_dir, const char *id,
                         uint64_t deadline_ns, struct xcx_err *err)
{
    return ask(run_dir, id, SAY_YIELD, deadline_ns, err);
}

int rendezvous_ask_if_lost(const char *run_dir, const char *id,
                           uint64_t deadline_ns, struct xcx_err *err)
{
    return ask(run_dir, id, SAY_IF_LOST, deadline_ns, err);
}
