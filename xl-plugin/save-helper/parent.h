/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parent: the talk with libxl over the helper's stdin and stdout.
 *
 *   helper ── message, one write() ──▶ out_fd      libxl
 *          ◀── native int, for some ── in_fd
 *
 * Who asks waits for the answer: libxl answers every question it has taken,
 * within limits of its own (60 s for a guest to suspend), and an answer left
 * behind would be taken for that of the next question. So waiting is not cut
 * short by a signal; it ends when libxl's end of the pipe is closed, or when
 * libxl is silent for PARENT_LIMIT_MS, as an xl that was stopped by Ctrl-Z is.
 * After such an end, or when a write has failed, the parent is gone:
 * everything further fails at once with kind PEER, and log lines go to stderr.
 *
 * Used from one thread. SIGPIPE must be ignored.
 */
#ifndef SAVE_HELPER_PARENT_H
#define SAVE_HELPER_PARENT_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext.h"
#include "message.h"

#define PARENT_LIMIT_MS 600000

struct parent {
    int in_fd;    /* the caller's */
    int out_fd;   /* the caller's */
    int limit_ms; /* for each answer and message; 0: PARENT_LIMIT_MS */
    bool gone;
    /* The progress sent last, so that only news are sent. */
    char last_what[64];
    uint64_t last_percent;
};

/*
 * Takes the two pipes out of the way of the standard fds: what a library
 * prints on stdout must not reach libxl, and nothing that is executed may
 * inherit them. Kind RESOURCE.
 */
int parent_move_pipes(struct parent *parent, struct xcx_err *err);

/*
 * Marks IO_FD, which libxl hands over without CLOEXEC, and closes BACK_FD,
 * for which a plain stream has no use. Kind USAGE for an IO_FD that is not
 * open.
 */
int parent_take_fds(int io_fd, int back_fd, struct xcx_err *err);

/* errnoval as in message_log(). The line has no newline. Never fails. */
void parent_log(struct parent *parent, enum message_level level, int errnoval,
                const char *line);

/* Sends a progress message when the text or the percentage has changed. */
void parent_progress(struct parent *parent, const char *what, uint64_t done,
                     uint64_t total);

/* Each: 0 when libxl says it succeeded. Kind PEER, or GUEST for suspend. */
int parent_suspend(struct parent *parent, struct xcx_err *err);
int parent_switch_qemu_logdirty(struct parent *parent, uint32_t domid, bool on,
                                struct xcx_err *err);
int parent_static_data_done(struct parent *parent, unsigned missing,
                            struct xcx_err *err);
/* Not answered; 0 when it was sent. */
int parent_restore_results(struct parent *parent, uint64_t store_frame,
                           uint64_t console_frame, struct xcx_err *err);
int parent_complete(struct parent *parent, int retval, int errnoval,
                    struct xcx_err *err);

#endif
