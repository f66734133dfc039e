/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock: the one owner of a domain's log-dirty record.
 *
 * The lock is a flock on DIR/xl-migrate.DOMID.lock, which stays behind empty
 * when it is released. While held it contains one line,
 *
 *     PID WHAT[ cap ORIGINAL SET BEFORE]\n  WHAT: "idle" or "log-dirty"
 *
 * so that a refusal can name the holder, and so that whoever gets the lock
 * after its holder died knows that log-dirty was left on, and which scheduler
 * cap had been replaced by which: it has SET, or BEFORE if the holder died
 * between writing this and lowering the cap again. The lock ends with the last
 * process that has the fd: forked workers hold it too while they live.
 * Only its owner can open the file, and so only its owner can hold the lock.
 */
#ifndef XCX_HV_LOCK_H
#define XCX_HV_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"

#define XCX_LOCK_DEFAULT_DIR "/run/xen"

struct xcx_lock {
    int fd; /* -1: not held */
    uint32_t domid;
    bool log_dirty; /* what the file says now */
    bool leftover;  /* the holder before died with log-dirty on */
    /* The throttle that the file tells of; after take(): a dead holder's. */
    bool has_cap;
    long holder;         /* who has written it; 0: nobody */
    uint32_t cap;        /* the original one */
    uint32_t cap_set;    /* the one in its place */
    uint32_t cap_before; /* the one in its place before; none: cap_set */
};

#define XCX_LOCK_INIT ((struct xcx_lock){.fd = -1})

/*
 * Takes the lock or fails at once. dir NULL: the default. Errors: RESOURCE,
 * also for something in its place that is not a plain file of this user's;
 * GUEST when it is held, with the holder's pid in the message.
 */
int xcx_lock_take(struct xcx_lock *lock, const char *dir, uint32_t domid,
                  struct xcx_err *err);

/*
 * Reads what the file says of a throttle, and by whom, without the lock; a
 * file that is not there says nothing. *lock is not held then. Kind RESOURCE.
 */
int xcx_lock_peek(struct xcx_lock *lock, const char *dir, uint32_t domid,
                  struct xcx_err *err);

/* Notes in the file that log-dirty is on, or off again. */
int xcx_lock_note(struct xcx_lock *lock, bool log_dirty, struct xcx_err *err);

/* The file says of a throttle that it has set this cap. */
static inline bool xcx_lock_has_set(const struct xcx_lock *lock, uint32_t cap)
{
    return lock->has_cap && (cap == lock->cap_set || cap == lock->cap_before);
}

/* Notes a throttle, before it is done, and that it has been undone. */
int xcx_lock_note_cap(struct xcx_lock *lock, uint32_t cap, uint32_t cap_set,
                      struct xcx_err *err);
int xcx_lock_forget_cap(struct xcx_lock *lock, struct xcx_err *err);

/*
 * Idempotent. A note that log-dirty or a cap is on stays, for the next holder:
 * that is what undoing it having failed looks like.
 */
void xcx_lock_release(struct xcx_lock *lock);

#endif
