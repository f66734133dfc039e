/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rendezvous: how the processes of one case at a target find each other: a
 * unix socket RUN_DIR/ID.data, of this user only, as long as `xl-migrate
 * receive` works on the case. RUN_DIR "": RENDEZVOUS_DIR, for all of them.
 *
 *   receive --data ID ── its stdin, by SCM_RIGHTS ──▶ receive
 *                     ◀── "taken"; later its end: you may go
 *   xl's restore helper ── "built N": about to fill domain N ──▶ receive
 *                     ◀── "taken", once it is written down; or its end: no
 *   receive           ── "yield": the case is mine now ──▶ receive
 *                     ◀── its end: the lock is free
 *   recover           ── "yield if your source is lost" ──▶ receive
 *                     ◀── "no", or its end as above
 *
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_RENDEZVOUS_H
#define XL_MIGRATE_RENDEZVOUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "xcext.h"

#define RENDEZVOUS_DIR        "/run/xl-migrate"
#define RENDEZVOUS_PATH_BYTES 108 /* as in sockaddr_un */
/* How long a visitor waits to be heard; the owner may be busy with a hook. */
#define RENDEZVOUS_TAKEN_MS 120000

struct rendezvous {
    int fd; /* listening, non-blocking; -1: closed */
    char path[RENDEZVOUS_PATH_BYTES];
};

#define RENDEZVOUS_INIT ((struct rendezvous){.fd = -1})

enum rendezvous_visit {
    RENDEZVOUS_NOBODY, /* or one that says nothing of sense: sent away */
    RENDEZVOUS_DATA,
    RENDEZVOUS_BUILT,
    RENDEZVOUS_YIELD,
    RENDEZVOUS_YIELD_IF_LOST,
};

/* A visitor; the caller closes its fds: fd once the visitor may go. */
struct rendezvous_visitor {
    int fd;
    int data_fd;    /* of DATA, else -1 */
    pid_t pid;      /* who came; while it waits, nobody else has the number */
    uint32_t domid; /* of BUILT */
};

/* ---- the side that owns the case ---------------------------------------- */

/* Makes the directory if need be. Errors: RESOURCE, USAGE (too long a path). */
int rendezvous_open(struct rendezvous *rendezvous, const char *run_dir,
                    const char *id, struct xcx_err *err);
void rendezvous_close(struct rendezvous *rendezvous); /* idempotent */

/* When fd is readable. Waits for a second at most. */
enum rendezvous_visit rendezvous_take(struct rendezvous *rendezvous,
                                      struct rendezvous_visitor *ret);

/* To a visitor of DATA or BUILT: taken. */
void rendezvous_accept(int fd);

/* To one that asks for the case: the source is there. */
void rendezvous_refuse(int fd);

/* ---- visitors ----------------------------------------------------------- */

/*
 * Hands data_fd over, within RENDEZVOUS_TAKEN_MS, and waits until it is no
 * longer needed, as long as the process that has the case lives. Errors:
 * USAGE, nobody waits for data of this case; RESOURCE.
 */
int rendezvous_bring_data(const char *run_dir, const char *id, int data_fd,
                          struct xcx_err *err);

/*
 * The restore helper's: its xl has made this domain. socket: the path, as the
 * owner has it. 0 once that is written down, within RENDEZVOUS_TAKEN_MS.
 * Errors: USAGE, it must not be filled, or the owner is gone; RESOURCE.
 */
int rendezvous_announce_built(const char *socket, uint32_t domid,
                              struct xcx_err *err);

/*
 * Asks whoever has the case for it, as after a lost connection, and waits for
 * it. Errors: USAGE, nobody has it; IO with ETIMEDOUT, naming the process.
 */
int rendezvous_ask_yield(const char *run_dir, const char *id,
                         uint64_t deadline_ns, struct xcx_err *err);

/*
 * Asks as above, but only if the source is not heard any more; IO without an
 * errno: it is heard.
 */
int rendezvous_ask_if_lost(const char *run_dir, const char *id,
                           uint64_t deadline_ns, struct xcx_err *err);

#endif
