/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport_ssh: a command on another host, its standard input and output in
 * our hands. As xl does it: a shell runs "exec SSH HOST COMMAND"; with an
 * empty SSH, HOST itself is the command. Either is told the other one by
 * XL_MIGRATE_RUN in its environment.
 *
 *   to_fd ──▶ ssh's stdin      from_fd ◀── ssh's stdout
 *                              said    ◀── ssh's stderr, and the command's
 *
 * ssh asks for passphrases at the terminal by itself. Its standard error is
 * read here, so that it does not tear a progress line apart: whoever waits
 * for it polls said.fd, too, and calls transport_ssh_hear().
 *
 * Threads: one at a time for a transport.
 */
#ifndef XL_MIGRATE_TRANSPORT_SSH_H
#define XL_MIGRATE_TRANSPORT_SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/lines.h"
#include "log_limit.h"
#include "common/spawn.h"
#include "xcext.h"

/* A shell's exit status for a command that it does not find. */
#define TRANSPORT_SSH_NOT_FOUND  127
#define TRANSPORT_SSH_LINE_BYTES 512

struct transport_ssh {
    struct spawned child;
    int to_fd;                           /* blocking; owned; -1 once closed */
    int from_fd;                         /* blocking; owned; -1 once closed */
    int err_fd;                          /* owned */
    struct lines said;                   /* of err_fd */
    char last[TRANSPORT_SSH_LINE_BYTES]; /* the last line said; plain ASCII */
    struct log_limit limit;              /* of what was said */
};

#define TRANSPORT_SSH_INIT                                                     \
    ((struct transport_ssh){.child = SPAWNED_INIT,                             \
                            .to_fd = -1,                                       \
                            .from_fd = -1,                                     \
                            .err_fd = -1,                                      \
                            .said = LINES_INIT})

/*
 * If ssh is OpenSSH's by its name, the same with options that make it end once
 * the other host has been silent for timeout_s, and not connect for longer;
 * they come last, so that those in ssh count. Another command as it is, and
 * one that names a host itself, behind which they would not be ssh's.
 */
void transport_ssh_command(const char *ssh, unsigned timeout_s, char *ret,
                           size_t bytes);

/*
 * ssh: the command ("ssh"), or "". remote: a line for the shell there. The
 * connection itself may still fail. Errors: RESOURCE, USAGE.
 */
int transport_ssh_start(struct transport_ssh *transport, const char *ssh,
                        const char *host, const char *remote,
                        struct xcx_err *err);

/*
 * Reads standard error, after said.fd was readable: each line goes
 * to log (NULL: nowhere), as many as log_limit.h lets pass, and the last one
 * into last.
 */
void transport_ssh_hear(struct transport_ssh *transport,
                        const struct xcx_log *log);

/*
 * Returns the bytes written to to_fd that have not left this host, as far as
 * known: the pipe's bytes, and those of ssh's own TCP sockets (not of a
 * connection that it shares with another ssh). Opens files of /proc: for now
 * and then.
 */
uint64_t transport_ssh_queued_bytes(const struct transport_ssh *transport);

/* No more input for the command. Idempotent. */
void transport_ssh_close_input(struct transport_ssh *transport);

/*
 * Waits for its end, hearing what it says (its standard output is the
 * caller's to read). true: ended; child has the status.
 */
bool transport_ssh_wait(struct transport_ssh *transport, uint64_t deadline_ns,
                        const struct xcx_log *log);

/*
 * Why it ended, for an error's message: "exit status 255: ssh: connect to
 * host ...". Of one that has ended.
 */
void transport_ssh_why(const struct transport_ssh *transport, char *ret,
                       size_t bytes);

/* Closes all; one that still runs is killed after grace_ms. Idempotent. */
void transport_ssh_done(struct transport_ssh *transport, uint64_t grace_ms);

#endif
