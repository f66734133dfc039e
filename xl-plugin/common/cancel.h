/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cancel: a single fd that becomes readable, and stays so, when the save is to
 * stop.
 *
 *   SIGTERM, SIGINT, SIGHUP ──▶ signalfd ──┐
 *   the other end of a given fd closed ────┼──▶ epoll fd: cancel.fd
 *   cancel_request() ─────────▶ eventfd  ──┘
 *
 * The signals are blocked from cancel_init() on and never read, so none is
 * lost between a look and a wait, and no call is cut short by one. SIGTERM is
 * libxl's way to abort; the others come from a terminal, whose Ctrl-C ends
 * xl, too, and must not end us with log-dirty still on.
 *
 * Used from one thread. Children inherit the blocked signals: who starts
 * another program unblocks them in the child.
 */
#ifndef COMMON_CANCEL_H
#define COMMON_CANCEL_H

#include "xcext.h"

struct cancel {
    int fd; /* for xcx_save_params.cancel_fd */
    int signal_fd;
    int request_fd;
    const char *hang_up_reason;
};

#define CANCEL_INIT                                                            \
    ((struct cancel){.fd = -1, .signal_fd = -1, .request_fd = -1})

/*
 * hang_up_fd is the caller's, -1 for none; one that cannot hang up is not
 * watched. hang_up_reason: static text, what its hanging up means.
 */
int cancel_init(struct cancel *cancel, int hang_up_fd,
                const char *hang_up_reason, struct xcx_err *err);

/* From within the process: somebody asked for it by other means. */
void cancel_request(const struct cancel *cancel);

/* Static text, or NULL while there is no reason to stop. */
const char *cancel_reason(const struct cancel *cancel);

/* Whether a signal is among the reasons. */
bool cancel_by_signal(const struct cancel *cancel);

/* Closes the fds; signals stay blocked. Takes CANCEL_INIT, and twice. */
void cancel_done(struct cancel *cancel);

#endif
