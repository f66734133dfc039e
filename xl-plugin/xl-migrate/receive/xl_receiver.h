/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl_receiver: a child `xl migrate-receive -p` at the target, which builds
 * the domain, gives it its name and leaves it paused and monitored.
 *
 *   data_fd ──▶ its stdin          answers ◀── its stdout (xl_answers.h)
 *                                  log     ◀── its stderr, and the helper's
 *
 * How it is stopped: never by a signal to xl, which would leave a half-built
 * copy behind. Its input ends (the far end closes, or shutdown() for a
 * socket), and if that is not enough its save helper is told to stop; libxl
 * then destroys the copy, while what xl still says is read. Only if nothing
 * of that has helped in time is it killed.
 *
 * The monitor and QEMU keep neither pipe: xl is given these three fds only.
 * Its end is told by the pidfd, not by the pipes' end.
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_XL_RECEIVER_H
#define XL_MIGRATE_XL_RECEIVER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/lines.h"
#include "common/spawn.h"
#include "xcext.h"
#include "xl-migrate/format/xl_answers.h"

#define XL_RECEIVER_LINE_BYTES 512
#define XL_RECEIVER_NR_POLLFDS 3

struct xl_receiver {
    struct spawned child;
    int data_fd; /* owned: to end xl's input where it is a socket */
    int out_fd, err_fd;
    struct lines said; /* of err_fd */
    struct xl_answers answers;
    struct xcx_err garbled; /* of what it said instead of an answer */
    char last[XL_RECEIVER_LINE_BYTES]; /* the last error it told of */
};

#define XL_RECEIVER_INIT                                                       \
    ((struct xl_receiver){.child = SPAWNED_INIT,                               \
                          .data_fd = -1,                                       \
                          .out_fd = -1,                                        \
                          .err_fd = -1,                                        \
                          .said = LINES_INIT})

/*
 * Takes data_fd over, also on failure. debug: as of xl migrate --debug;
 * monitor false: xl starts none (-e). env: added to its environment,
 * NAME=VALUE, up to a NULL. Errors: USAGE (no xl), RESOURCE.
 */
int xl_receiver_start(struct xl_receiver *receiver, int data_fd, bool debug,
                      bool monitor, const char *const *env,
                      struct xcx_err *err);

/*
 * Whether this process is a child of the xl. True or false for good only as
 * long as the process cannot end: it waits for an answer, say.
 */
bool xl_receiver_is_parent_of(const struct xl_receiver *receiver, pid_t pid);

/* Returns the fds to wait for; -1 is none. */
void xl_receiver_poll(const struct xl_receiver *receiver,
                      struct pollfd fds[XL_RECEIVER_NR_POLLFDS]);

/*
 * Takes what has come; never blocks. Lines of standard error go to log. Once
 * child.ended is set, all that it said before has been taken.
 */
void xl_receiver_step(struct xl_receiver *receiver, const struct xcx_log *log);

/*
 * Whether data waits for xl to read it, or has ended: whoever writes it is not
 * to blame then for an xl that does nothing.
 */
bool xl_receiver_has_input(const struct xl_receiver *receiver);

/*
 * How many bytes xl and its children, the restore helper above all, have read
 * so far, from whatever file; fewer once a child has ended. False: the kernel
 * does not count that.
 */
bool xl_receiver_read_bytes(const struct xl_receiver *receiver,
                            uint64_t *ret_bytes);

/* Whether xl has ended, and its copy is whole, paused and has its name. */
bool xl_receiver_has_copy(const struct xl_receiver *receiver);

/* Why there is no copy, of one that has ended. Sets err, PEER; -1 always. */
int xl_receiver_why(const struct xl_receiver *receiver, struct xcx_err *err);

/*
 * Makes it give up, or finish if it is that far, and waits for its end for
 * patience_ms three times at most. Afterwards look whether there is a domain.
 * Of one that has ended, or never began: nothing.
 */
void xl_receiver_stop(struct xl_receiver *receiver, uint64_t patience_ms,
                      const struct xcx_log *log);

/* Closes and frees; stops it first if it runs. Idempotent. */
void xl_receiver_done(struct xl_receiver *receiver);

#endif
