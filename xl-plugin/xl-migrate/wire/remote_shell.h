/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_shell: a shell on a target without the plugin, kept open, so that
 * a command costs one round trip and no new connection:
 *
 *   "(COMMAND) </dev/null 2>&1; echo MARK N STATUS\n" ──▶ ssh HOST sh
 *                   lines, then "MARK N STATUS"       ◀──
 *
 * N counts the commands: the answer of one that was not waited for is not
 * taken for that of the next. What it answers is bounded, and so is the time
 * that it takes.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_REMOTE_SHELL_H
#define XL_MIGRATE_REMOTE_SHELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/lines.h"
#include "transport_ssh.h"
#include "xcext.h"

#define REMOTE_SHELL_ANSWER_BYTES 65536

struct remote_shell {
    struct transport_ssh transport;
    struct lines lines;
    const char *host; /* the caller's; for messages */
    const struct xcx_log *log;
    int cancel_fd; /* readable: a run fails with CANCELLED; -1: none */
    unsigned nr_asked;
    char answer[REMOTE_SHELL_ANSWER_BYTES]; /* of the last command */
    size_t used_bytes;                      /* of it */
    bool is_cut;                            /* there was more */
    int status;                             /* its exit status */
};

/* Errors: RESOURCE, USAGE. Whether it is there shows with the first command. */
int remote_shell_start(struct remote_shell *shell, const char *ssh,
                       const char *host, const struct xcx_log *log,
                       struct xcx_err *err);

/*
 * Runs it and waits for its end: answer and status are set. Errors: PEER for
 * an answer that is too long, since a part is not taken for the whole; IO, the
 * connection is lost and the shell of no more use, or (ETIMEDOUT) silent until
 * the deadline; then the next command waits for this one's end.
 */
int remote_shell_run(struct remote_shell *shell, const char *command,
                     uint64_t deadline_ns, struct xcx_err *err);

/* Idempotent; a started one, or a zeroed and then started one that failed. */
void remote_shell_done(struct remote_shell *shell);

#endif
