/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cancel: one fd that becomes readable, and stays so, when the save shall
 * stop.
 *
 *   SIGTERM, SIGINT, SIGHUP ──▶ signalfd ──┐
 *                                          ├──▶ epoll fd: cancel.fd
 *   libxl's end of our stdin closed (HUP) ─┘
 *
 * The signals are blocked from cancel_init() on and never read, so none is
 * lost between a look and a wait, and no call is cut short by one. SIGTERM is
 * libxl's way to abort; the others come from a terminal, whose Ctrl-C ends
 * xl, too, and must not end us with log-dirty still on.
 *
 * Used from one thread. Children inherit the blocked signals.
 */
#ifndef SAVE_HELPER_CANCEL_H
#define SAVE_HELPER_CANCEL_H

#include "xcext.h"

struct cancel {
    int fd; /* for xcx_save_params.cancel_fd */
    int signal_fd;
};

#define CANCEL_INIT ((struct cancel){.fd = -1, .signal_fd = -1})

/* parent_fd is the caller's; one that cannot hang up is not watched. */
int cancel_init(struct cancel *cancel, int parent_fd, struct xcx_err *err);

/* Static text, or NULL while there is no reason to stop. */
const char *cancel_reason(const struct cancel *cancel);

/* Closes the fds; signals stay blocked. Takes CANCEL_INIT, and twice. */
void cancel_done(struct cancel *cancel);

#endif
