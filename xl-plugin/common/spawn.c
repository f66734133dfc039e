/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"

#define KILLED_MS 10000

/* Upwards of the three, so that none is overwritten before it is used. */
static int lift(int fd)
{
    int from = fd >= 0 ? fd : open("/dev/null", O_RDWR | O_CLOEXEC);

    return from < 0 ? -1 : fcntl(from, F_DUPFD_CLOEXEC, 3);
}

static bool place_fds(const int fds[3])
{
    int lifted[3];

    for (int i = 0; i < 3; i++) {
        lifted[i] = lift(fds[i]);
        if (lifted[i] < 0)
            return false;
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(lifted[i], i) < 0)
            return false;
    }
    return true;
}

static void reset_signals(bool ignore_terminal)
{
    static const int of_terminal[] = {SIGINT, SIGQUIT, SIGHUP};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* fails for two, which is fine */
    for (size_t i = 0; ignore_terminal && i < 3; i++)
        signal(of_terminal[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool is_same_name(const char *a, const char *b)
{
    size_t nr_bytes = strcspn(a, "=");

    return !strncmp(a, b, nr_bytes + 1);
}

static bool is_given_anew(const char *variable, const char *const *env)
{
    for (; env && *env; env++) {
        if (is_same_name(variable, *env))
            return true;
    }
    return false;
}

/*
 * Ours, with what is added. Made before the fork: in the child of a process
 * with threads nothing may be allocated, as another thread may have held the
 * lock. The texts are not copied; free() it.
 */
static char **make_environment(const char *const *env)
{
    size_t nr = 0, nr_made = 0;
    char **made;

    for (size_t i = 0; environ[i]; i++)
        nr++;
    for (size_t i = 0; env && env[i]; i++)
        nr++;
    made = calloc(nr + 1, sizeof(*made));
    if (!made)
        return NULL;
    for (size_t i = 0; environ[i]; i++) {
        if (!is_given_anew(environ[i], env))
            made[nr_made++] = environ[i];
    }
    for (size_t i = 0; env && env[i]; i++)
        made[nr_made++] = (char *)env[i];
    return made;
}

static void child(const struct spawn_order *order, char **env, int told_fd)
{
    bool ok = place_fds(order->fds);
    int os_errno;

    /* Fds that another part of the program forgot to mark are closed, too. */
    ok = ok && !close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    reset_signals(order->ignore_terminal);
    if (order->own_session)
        setsid();
    if (ok)
        execvpe(order->argv[0], (char *const *)order->argv, env);
    os_errno = errno;
    if (write(told_fd, &os_errno, sizeof(os_errno)) < 0)
        _exit(126);
    _exit(127);
}

/* The pipe ends with the exec, or says why there was none. */
static int await_exec(struct spawned *spawned, int told_fd, const char *name,
                      struct xcx_err *err)
{
    int os_errno = 0;

    if (read(told_fd, &os_errno, sizeof(os_errno)) <= 0)
        return 0;
    spawn_wait(spawned, DEADLINE_NEVER);
    spawn_done(spawned);
    return xcx_err_set(err, XCX_ERR_USAGE, os_errno, "cannot run %s", name);
}

int spawn_start(struct spawned *spawned, const struct spawn_order *order,
                struct xcx_err *err)
{
    char **env = make_environment(order->env);
    int told[2];
    int rc = -1;

    *spawned = SPAWNED_INIT;
    if (!env || pipe2(told, O_CLOEXEC)) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "cannot run %s",
                    order->argv[0]);
        free(env);
        return -1;
    }
    spawned->pid = fork();
    if (spawned->pid == 0)
        child(order, env, told[1]);
    free(env);
    close(told[1]);
    if (spawned->pid > 0)
        spawned->pid_fd = pidfd_open(spawned->pid, 0);
    if (spawned->pid_fd < 0) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno, "cannot run %s",
                    order->argv[0]);
        if (spawned->pid > 0) {
            kill(spawned->pid, SIGKILL);
            waitpid(spawned->pid, NULL, 0);
        }
        *spawned = SPAWNED_INIT;
    } else {
        rc = await_exec(spawned, told[0], order->argv[0], err);
    }
    close(told[0]);
    return rc;
}

bool spawn_wait(struct spawned *spawned, uint64_t deadline_ns)
{
    while (spawned->pid && !spawned->ended) {
        struct pollfd end = {.fd = spawned->pid_fd, .events = POLLIN};

        if (waitpid(spawned->pid, &spawned->status, WNOHANG) == spawned->pid)
            spawned->ended = true;
        else if (!deadline_left_ms(deadline_ns))
            return false;
        else
            poll(&end, 1, deadline_left_ms(deadline_ns));
    }
    return true;
}

void spawn_signal(const struct spawned *spawned, int signal_number)
{
    if (spawned->pid && !spawned->ended)
        pidfd_send_signal(spawned->pid_fd, signal_number, NULL, 0);
}

void spawn_kill(struct spawned *spawned, uint64_t grace_ms)
{
    spawn_signal(spawned, SIGTERM);
    if (spawn_wait(spawned, deadline_in_ms(grace_ms)))
        return;
    spawn_signal(spawned, SIGKILL);
    /* A process that hangs in the kernel, on a lost disk, is left alone. */
    spawn_wait(spawned, deadline_in_ms(KILLED_MS));
}

void spawn_done(struct spawned *spawned)
{
    if (spawned->pid_fd >= 0)
        close(spawned->pid_fd);
    *spawned = SPAWNED_INIT;
}

void spawn_status_text(const struct spawned *spawned, char *ret, size_t bytes)
{
    if (!spawned->ended)
        snprintf(ret, bytes, "still running");
    else if (WIFSIGNALED(spawned->status))
        snprintf(ret, bytes, "killed by signal %d", WTERMSIG(spawned->status));
    else
        snprintf(ret, bytes, "exit status %d", WEXITSTATUS(spawned->status));
}

int spawn_exit_status(const struct spawned *spawned)
{
    if (!spawned->ended)
        return -1;
    return WIFSIGNALED(spawned->status) ? 128 + WTERMSIG(spawned->status)
                                        : WEXITSTATUS(spawned->status);
}
