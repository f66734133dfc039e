/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spawn: starting a program and waiting for it, by a pidfd. The child has
 * the three fds it is given and no other; no signal is blocked or ignored in
 * it, except as asked for. No other child of this process is ever reaped.
 *
 * Threads: any.
 */
#ifndef XL_MIGRATE_SPAWN_H
#define XL_MIGRATE_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xcext.h"

struct spawn_order {
    const char *const *argv; /* argv[0] is looked up in PATH */
    const char *const *env;  /* NAME=VALUE, added or replaced; or NULL */
    int fds[3];              /* its 0, 1 and 2; the caller's; -1: /dev/null */
    bool ignore_terminal;    /* SIGINT, SIGQUIT, SIGHUP: Ctrl-C is ours */
    bool own_session;        /* no terminal at all */
};

struct spawned {
    pid_t pid;  /* 0: none */
    int pid_fd; /* readable once it has ended; owned */
    bool ended; /* and reaped */
    int status; /* then, as of waitpid() */
};

#define SPAWNED_INIT ((struct spawned){.pid_fd = -1})

/*
 * Errors: USAGE for a program that cannot be executed ("cannot run xl"),
 * RESOURCE. Nothing is left behind.
 */
int spawn_start(struct spawned *spawned, const struct spawn_order *order,
                struct xcx_err *err);

/* Reaps it. true: it has ended. */
bool spawn_wait(struct spawned *spawned, uint64_t deadline_ns);

/* Only to a child not reaped yet; harmless else. */
void spawn_signal(const struct spawned *spawned, int signal_number);

/* SIGTERM, after grace_ms SIGKILL, and reaps it. Idempotent. */
void spawn_kill(struct spawned *spawned, uint64_t grace_ms);

/* Closes the pidfd of one that has ended; one that has not is let go. */
void spawn_done(struct spawned *spawned);

/* "exit status 1", "killed by signal 9", "still running". */
void spawn_status_text(const struct spawned *spawned, char *ret, size_t bytes);

/* Returns the exit status, 128 + N for signal N; -1 while it runs. */
int spawn_exit_status(const struct spawned *spawned);

#endif
