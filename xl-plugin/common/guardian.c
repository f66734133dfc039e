/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#include "qemu_log_dirty.h"
#include "saver.h"

#define NAME          "xl-guardian"

#define CLEAN         'c'
#define PIPE_FD       3
#define PARENT_FD     4 /* a pidfd; may not be there */
#define FIRST_FREE_FD 5

#define RELEASE       "@releaseDomain"
#define CMDLINE_BYTES 4096
#define NS_PER_S      UINT64_C(1000000000)

/* The guardian waits so long for another helper, not for all of its life. */
#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

/* poll() can wait for neither the end of another process nor a lock. */
#define LOOK_AGAIN_MS 20

struct charge {
    pid_t parent;
    uint32_t domid;
    const char *lock_dir;
    struct xs_handle *xs; /* NULL: a reboot is not noticed */
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void log_to_syslog(void *opaque, enum xcx_log_level level,
                          const char *line)
{
    (void)opaque;
    if (level >= XCX_LOG_WARN)
        syslog(LOG_WARNING, "%s", line);
}

static const struct xcx_log to_syslog = {.emit = log_to_syslog};

/* ---- the guardian's own process ----------------------------------------- */

/*
 * A program that looks for a helper, or kills one by name, must not find this
 * process. The
 * words of a command line lie behind each other in memory, which is this
 * process's own since the fork.
 */
static void change_name(void)
{
    char *words = program_invocation_name;
    char seen[CMDLINE_BYTES];
    ssize_t nr_bytes;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

    prctl(PR_SET_NAME, NAME);
    if (fd < 0)
        return;
    nr_bytes = read(fd, seen, sizeof(seen));
    close(fd);
    if (nr_bytes <= 0 || nr_bytes == CMDLINE_BYTES ||
        memcmp(words, seen, (size_t)nr_bytes) != 0)
        return;
    memset(words, 0, (size_t)nr_bytes);
    snprintf(words, (size_t)nr_bytes, "%s", NAME);
}

static void ignore_signals(void)
{
    static const int ignored[] = {SIGTERM, SIGINT,  SIGHUP, SIGQUIT,
                                  SIGPIPE, SIGUSR1, SIGUSR2};
    sigset_t set;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The parent is offered to the OOM killer; then the guardian is needed. */
static void be_no_oom_victim(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)!write(fd, "0", 1);
    close(fd);
}

/* An fd that stayed open here would keep xl or the other host waiting. */
static int keep_only(int pipe_fd, int parent_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0)
        return -1;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (dup2(null_fd, fd) < 0)
            return -1;
    /* Out of each other's way first. */
    pipe_fd = fcntl(pipe_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (parent_fd >= 0)
        parent_fd = fcntl(parent_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (pipe_fd < 0 || dup3(pipe_fd, PIPE_FD, O_CLOEXEC) < 0)
        return -1;
    close(PARENT_FD);
    if (parent_fd >= 0 && dup3(parent_fd, PARENT_FD, O_CLOEXEC) < 0)
        return -1;
    return close_range(FIRST_FREE_FD, ~0U, 0);
}

static struct xs_handle *watch_releases(void)
{
    struct xs_handle *xs = xs_open(0);

    if (xs && !xs_watch(xs, RELEASE, RELEASE)) {
        xs_close(xs);
        return NULL;
    }
    return xs;
}

/* ---- what it does ------------------------------------------------------- */

static void lift_cap(const struct charge *charge)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (xcx_lift_cap(charge->domid, charge->lock_dir, charge->parent,
                     &to_syslog, &err) < 0)
        syslog(LOG_WARNING, "domain %u: %s", charge->domid, err.msg);
}

/* Any domain of this host has ended, in some way. */
static void take_release(const struct charge *charge)
{
    enum xcx_run_state state;
    unsigned reason;
    char **event;

    while ((event = xs_check_watch(charge->xs)) != NULL)
        free(event);
    if (xcx_run_state(charge->domid, &state, &reason, NULL) == 0 &&
        state == XCX_SHUT_DOWN)
        lift_cap(charge);
}

/* QEMU of an HVM guest would go on marking pages, to no use, for good. */
static int end_qemu_log_dirty(void *opaque, bool on, struct xcx_err *err)
{
    const struct charge *charge = opaque;
    const struct qemu_socket socket = {.xs = charge->xs,
                                       .domid = charge->domid};

    (void)on;
    return charge->xs ? qemu_log_dirty_end(&socket, err) : 0;
}

static int try_settle(struct charge *charge, struct xcx_err *err)
{
    const struct xcx_save_ops ops = {
        .opaque = charge,
        .log = log_to_syslog,
        .switch_qemu_logdirty = end_qemu_log_dirty,
    };

    if (saver_refuse(SAVER_PROC, charge->domid, err) < 0)
        return -1;
    return xcx_settle_with(charge->domid, charge->lock_dir, &ops, err);
}

/*
 * Workers of the parent's die a little later than the parent, hold its lock,
 * and look like another helper. Whoever else holds the lock has put all back.
 */
static void settle(struct charge *charge)
{
    uint64_t until_ns = now_ns() + PATIENCE_NS;
    struct xcx_err err;

    alarm(GUARDIAN_LIMIT_S);
    lift_cap(charge);
    for (;;) {
        err = XCX_ERR_INIT;
        if (try_settle(charge, &err) == 0)
            return;
        if (err.kind != XCX_ERR_GUEST || now_ns() >= until_ns)
            break;
        poll(NULL, 0, LOOK_AGAIN_MS);
    }
    syslog(LOG_WARNING,
           "domain %u: what a save that was killed has left is not undone: %s",
           charge->domid, err.msg);
}

/* Whether the parent has said that all is clean; blocks not. */
static bool is_clean(void)
{
    char byte;

    return read(PIPE_FD, &byte, 1) == 1 && byte == CLEAN;
}

static void guard(struct charge *charge)
{
    struct pollfd pollfds[] = {
        {.fd = PIPE_FD, .events = POLLIN},
        {.fd = PARENT_FD, .events = POLLIN},
        {.fd = -1, .events = POLLIN},
    };

    if (fcntl(PARENT_FD, F_GETFD) < 0)
        pollfds[1].fd = -1;
    charge->xs = watch_releases();
    if (charge->xs)
        pollfds[2].fd = xs_fileno(charge->xs);
    for (;;) {
        if (poll(pollfds, 3, -1) < 0 && errno != EINTR)
            return;
        if (pollfds[0].revents || pollfds[1].revents)
            break;
        if (pollfds[2].revents & POLLIN)
            take_release(charge);
        else if (pollfds[2].revents)
            pollfds[2].fd = -1; /* xenstored is gone */
    }
    if (!is_clean())
        settle(charge);
}

static void run(struct charge *charge, int pipe_fd, int parent_fd)
{
    setsid();
    ignore_signals();
    change_name();
    be_no_oom_victim();
    if (keep_only(pipe_fd, parent_fd) < 0)
        _exit(1);
    openlog(NAME, LOG_PID, LOG_DAEMON);
    guard(charge);
    _exit(0);
}

/* ---- the parent's side -------------------------------------------------- */

int guardian_start(struct guardian *guardian, uint32_t domid,
                   const char *lock_dir, struct xcx_err *err)
{
    struct charge charge = {
        .parent = getpid(), .domid = domid, .lock_dir = lock_dir};
    int fds[2], parent_fd;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "no guardian for domain %u", domid);
    /* Without it the end of the pipe tells, once the last worker is gone. */
    parent_fd = (int)syscall(SYS_pidfd_open, charge.parent, 0);
    pid = fork();
    if (pid == 0) {
        close(fds[1]);
        run(&charge, fds[0], parent_fd);
    }
    if (pid < 0)
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "no guardian for domain %u",
                    domid);
    close(fds[0]);
    if (parent_fd >= 0)
        close(parent_fd);
    if (pid < 0) {
        close(fds[1]);
        return -1;
    }
    guardian->fd = fds[1];
    return 0;
}

void guardian_end(struct guardian *guardian)
{
    static const char word = CLEAN;

    if (guardian->fd < 0)
        return;
    /* One byte into an empty pipe: only a guardian that is gone refuses it. */
    (void)!write(guardian->fd, &word, 1);
    close(guardian->fd);
    guardian->fd = -1;
}
