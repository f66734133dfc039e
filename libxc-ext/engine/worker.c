/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hv/map.h"
#include "hv/map_write.h"

#define CONTENTS_BYTES ((size_t)XCX_WORKER_MAX_PAGES * XCX_FRAME_BYTES)

enum command {
    COMMAND_MAP = 'M',
    COMMAND_WRITE = 'W',
    COMMAND_OPEN = 'O',
    COMMAND_FILL = 'F',
    COMMAND_QUIT = 'Q',
};

/* ---- the worker's side -------------------------------------------------- */

struct child {
    struct xcx_hv hv;
    struct xcx_worker_area *area;
    int stream_fd;
    struct xcx_out out; /* on it, once something is to be written */
    bool out_is_ready;
    const uint8_t *pages;    /* the batch mapped last */
    const uint8_t *contents; /* shared with the parent */
    uint8_t *guest;          /* the batch opened last; NULL: not all there */
    struct iovec iov[XCX_WORKER_MAX_PAGES];
};

static void child_map(struct child *child)
{
    struct xcx_worker_area *area = child->area;

    child->pages =
        xcx_map(&child->hv, area->frames, area->nr_pages, area->errors);
    area->map_errno = child->pages ? 0 : errno;
}

/* Neighbours share an iovec; the mapping is as long as the batch. */
static int gather(struct child *child)
{
    const struct xcx_worker_area *area = child->area;
    int nr_iov = 0;
    bool joins = false;

    for (uint32_t i = 0; i < area->nr_pages; i++) {
        const uint8_t *page = child->pages + (size_t)i * XCX_FRAME_BYTES;

        if (area->skip[i]) {
            joins = false;
            continue;
        }
        if (joins)
            child->iov[nr_iov - 1].iov_len += XCX_FRAME_BYTES;
        else
            child->iov[nr_iov++] = (struct iovec){.iov_base = (void *)page,
                                                  .iov_len = XCX_FRAME_BYTES};
        joins = true;
    }
    return nr_iov;
}

static void child_write(struct child *child)
{
    int nr_iov = gather(child);

    if (!child->out_is_ready &&
        xcx_out_init(&child->out, child->stream_fd, XCX_CANCEL_NONE,
                     &child->area->err))
        return;
    child->out_is_ready = true;
    child->out.stall_ns = child->area->stall_ns;
    if (nr_iov)
        xcx_out_writev(&child->out, child->iov, nr_iov, &child->area->err);
}

static void child_open(struct child *child)
{
    struct xcx_worker_area *area = child->area;

    child->guest = xcx_map_writable(&child->hv, area->frames, area->nr_pages,
                                    area->errors);
    area->map_errno = child->guest ? 0 : errno;
    for (uint32_t i = 0; child->guest && i < area->nr_pages; i++)
        if (area->errors[i])
            child->guest = NULL;
}

static void child_fill(struct child *child)
{
    if (child->guest)
        memcpy(child->guest, child->contents,
               (size_t)child->area->nr_pages * XCX_FRAME_BYTES);
}

static void obey(struct child *child, char command)
{
    child->area->err = XCX_ERR_INIT;
    if (command == COMMAND_MAP)
        child_map(child);
    else if (command == COMMAND_OPEN)
        child_open(child);
    else if (command == COMMAND_FILL)
        child_fill(child);
    else
        child_write(child);
}

static void __attribute__((noreturn)) child_main(struct child *child, int sock)
{
    char command;

    while (read(sock, &command, 1) == 1 && command != COMMAND_QUIT) {
        obey(child, command);
        if (write(sock, &command, 1) != 1)
            break;
    }
    _exit(0);
}

static void __attribute__((noreturn))
child_start(const struct xcx_hv *hv, const struct xcx_worker *worker, int sock,
            int stream_fd, pid_t parent)
{
    /* On the worker's own copy of the stack and the heap. */
    struct child child = {.hv = *hv,
                          .area = worker->area,
                          .contents = worker->contents,
                          .stream_fd = stream_fd};

    xcx_hv_silence(&child.hv);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it was gone before the line above */
    child_main(&child, sock);
}

/* ---- the parent's side -------------------------------------------------- */

static void *shared(size_t bytes, struct xcx_err *err)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory != MAP_FAILED)
        return memory;
    xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                "memory shared with a worker process");
    return NULL;
}

int xcx_worker_init(struct xcx_worker *worker, bool fills, struct xcx_err *err)
{
    *worker = XCX_WORKER_INIT;
    worker->area = shared(sizeof(*worker->area), err);
    if (worker->area && fills)
        worker->contents = shared(CONTENTS_BYTES, err);
    return worker->area && (!fills || worker->contents) ? 0 : -1;
}

int xcx_worker_start(struct xcx_worker *worker, const struct xcx_hv *hv,
                     int stream_fd, struct xcx_err *err)
{
    int pair[2];
    pid_t parent = getpid(), pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "socket pair for a worker process");
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        child_start(hv, worker, pair[1], stream_fd, parent);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "cannot fork a worker process");
    }
    worker->pid = pid;
    worker->sock = pair[0];
    worker->nr_pages_mapped = 0;
    return 0;
}

/* A dead worker shows as a socket error: MSG_NOSIGNAL keeps it one. */
static int send_command(struct xcx_worker *worker, enum command command,
                        struct xcx_err *err)
{
    char byte = (char)command;

    if (send(worker->sock, &byte, 1, MSG_NOSIGNAL) != 1)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "worker process %d is gone", (int)worker->pid);
    return 0;
}

int xcx_worker_map(struct xcx_worker *worker, struct xcx_err *err)
{
    worker->nr_pages_mapped += worker->area->nr_pages;
    return send_command(worker, COMMAND_MAP, err);
}

int xcx_worker_write(struct xcx_worker *worker, struct xcx_err *err)
{
    return send_command(worker, COMMAND_WRITE, err);
}

int xcx_worker_open(struct xcx_worker *worker, struct xcx_err *err)
{
    worker->nr_pages_mapped += worker->area->nr_pages;
    return send_command(worker, COMMAND_OPEN, err);
}

int xcx_worker_fill(struct xcx_worker *worker, struct xcx_err *err)
{
    return send_command(worker, COMMAND_FILL, err);
}

/* Says how it died; it is a zombie or about to be one. */
static int report_death(struct xcx_worker *worker, struct xcx_err *err)
{
    int status = 0;
    pid_t pid = worker->pid;

    worker->pid = 0;
    if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "worker process %d died by signal %d", (int)pid,
                           WTERMSIG(status));
    if (xcx_err_is_set(&worker->area->err)) {
        *err = xcx_err_is_set(err) ? *err : worker->area->err;
        return -1;
    }
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "worker process %d ended on its own", (int)pid);
}

int xcx_worker_wait(struct xcx_worker *worker, struct xcx_cancel cancel,
                    struct xcx_err *err)
{
    char answer = 0;
    size_t bytes = 0;
    struct xcx_err why = XCX_ERR_INIT;

    /* With a command that it has not read, its end is a reset. */
    if (xcx_io_read(worker->sock, &answer, 1, XCX_NO_DEADLINE, cancel, &bytes,
                    &why) == 0 ||
        why.os_errno == ECONNRESET) {
        if (bytes != 1)
            return report_death(worker, err);
        why = worker->area->err;
    }
    if (!xcx_err_is_set(&why))
        return 0;
    if (!xcx_err_is_set(err))
        *err = why;
    return -1;
}

bool xcx_worker_has_answered(const struct xcx_worker *worker)
{
    struct pollfd pollfd = {.fd = worker->sock, .events = POLLIN};

    return poll(&pollfd, 1, 0) > 0;
}

static void close_sock(struct xcx_worker *worker)
{
    if (worker->sock >= 0)
        close(worker->sock);
    worker->sock = -1;
}

pid_t xcx_worker_retire(struct xcx_worker *worker)
{
    pid_t pid = worker->pid;

    if (pid)
        send_command(worker, COMMAND_QUIT, NULL);
    close_sock(worker);
    worker->pid = 0;
    return pid;
}

void xcx_worker_done(struct xcx_worker *worker)
{
    close_sock(worker);
    if (worker->pid) {
        kill(worker->pid, SIGKILL);
        while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
            ;
        worker->pid = 0;
    }
    if (worker->area)
        munmap(worker->area, sizeof(*worker->area));
    if (worker->contents)
        munmap(worker->contents, CONTENTS_BYTES);
    worker->area = NULL;
    worker->contents = NULL;
}
