/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * receive: the target's end of a case, as `xl-migrate receive` works on it:
 * one process a connection from the source, one case a process.
 *
 *   source ◀── channel (standard input and output) ──▶ receive.c: the loop
 *   receive --data ── rendezvous: the data's fd ─────▶   │ receive_case.c
 *   restore_helper ── rendezvous: its domain ────────▶   │ receive_copy.c
 *   xl migrate-receive -p ◀── xl_receiver ───────────────┘ receive_keys.c
 *
 * An xl that reads nothing for build_timeout_s although data waits for it is
 * stopped, and the case given up: receive_copy.c looks at it now and then.
 *
 * The connection's end, a source that is silent for longer than it has
 * promised (keepalive.h), a signal, and another process that asks for the case
 * are all the same: before READY the case is given up, as the source still
 * has its copy; from READY on the copy is left as it is, for whoever comes
 * next with the journal.
 *
 * Everything here is for cmd_receive.c and the files receive*.c only.
 * Threads: one.
 */
#ifndef XL_MIGRATE_RECEIVE_H
#define XL_MIGRATE_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "xl-migrate/domain/announce.h"
#include "xl-migrate/wire/channel.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/control/hooks.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/wire/keepalive.h"
#include "xl-migrate/handover/journal.h"
#include "xl-migrate/wire/rendezvous.h"
#include "xl-migrate/recover/target_domain.h"
#include "xcext.h"
#include "xl-migrate/domain/xenstore.h"
#include "xl_receiver.h"

/* How long the source may take to read an answer. */
#define RECEIVE_SEND_MS 30000
/*
 * How long the data's connection may take to come: somebody may have to type a
 * passphrase for it at the source.
 */
#define RECEIVE_DATA_NS (600 * NS_PER_S)
/* Three times, for an xl that has to give up. */
#define RECEIVE_STOP_MS 10000
_Static_assert(3 * RECEIVE_STOP_MS < CHANNEL_YIELD_MS, "see channel.h");

/* A check asks once; who asks on and on wants to look around. */
#define RECEIVE_MAX_FACTS 8

struct receive {
    const struct config *config;
    const char *version;
    struct xcx_log log; /* to the source, as far as it listens */
    struct channel channel;
    struct keepalive keepalive;
    int signal_fd;
    bool over;          /* the loop ends */
    uint64_t silent_ns; /* waited for the source since it was heard */
    struct {
        uint64_t whole_ns; /* xl has ended */
        uint64_t go_ns;    /* GO was heard, in READY */
        uint64_t start_ns; /* the guest was let run */
    } times;               /* by CLOCK_MONOTONIC; 0: not yet */
    unsigned nr_facts;     /* that were asked for */
    struct host host;
    bool host_is_open;
    /* The case; its journal is open from begin or reattach to the end. */
    bool has_case;
    bool no_such_case; /* the one that was asked for has no journal here */
    bool settled;
    bool begun; /* by this process, not by one before it */
    bool fed;   /* data came: xl was started */
    uint64_t data_due_ns;
    struct journal journal;
    int uuid_lock_fd; /* as long as a copy may be made, or may yet run */
    struct rendezvous rendezvous;
    int data_visit_fd;  /* its process waits for our word to go */
    int yield_visit_fd; /* who asked for the case; waits for our end */
    struct xl_receiver xl;
    bool building; /* xl runs */
    struct {
        uint64_t looked_ns;
        uint64_t read_bytes; /* by xl then */
        uint64_t still_ns;   /* for so long xl reads nothing of what waits */
    } progress;
    struct target_domain target;
    struct xcx_err why;        /* it was given up, or could not be started */
    struct xenstore_tree keys; /* yet to be written */
    /* As the source wants it. */
    bool debug, pause, monitor;
    struct announce announce;
};

/* ---- receive.c ---------------------------------------------------------- */

/*
 * Speaks with the source over the two fds until it is over. Errors: of the
 * connection, or what the source did wrong; it has been told then.
 */
int receive_run(const struct config *config, const char *version, int in_fd,
                int out_fd, struct xcx_err *err);

/* Opens the host at the first use. RESOURCE. */
int receive_need_host(struct receive *receive, struct xcx_err *err);

/* The case makes no copy and lets none run any more. Idempotent. */
void receive_unlock_uuid(struct receive *receive);

/* A message of this type without anything else in it. */
int receive_say(struct receive *receive, const char *type, struct xcx_err *err);

/* ---- receive_step.c: steps of the handover, and hooks -------------------- */

/* handover_run() on the case's journal and copy; words go to the source. */
int receive_step(struct receive *receive, enum handover_event event,
                 struct handover_outcome *ret, struct xcx_err *err);

/* why: of HOOKS_FAILED, else NULL. Errors: as of hooks_run(). */
int receive_run_hooks(struct receive *receive, enum hooks_phase phase,
                      const char *why, struct xcx_err *err);

/* Runs hooks that cannot change anything any more: a failure is a warning. */
void receive_run_late_hooks(struct receive *receive, enum hooks_phase phase,
                            const char *why);

/* ---- receive_case.c: what the source asks for --------------------------- */

int receive_begin(struct receive *receive, const struct message *message,
                  struct xcx_err *err);
int receive_reattach(struct receive *receive, const struct message *message,
                     struct xcx_err *err);
int receive_word(struct receive *receive, const struct message *message,
                 struct xcx_err *err);

/* The connection is gone: see above. why: may be empty. */
void receive_leave(struct receive *receive, const struct xcx_err *why);

/* ---- receive_copy.c: the copy, from the first byte to READY -------------- */

/* Takes data_fd over: xl begins to build. */
int receive_data(struct receive *receive, int data_fd, struct xcx_err *err);

/*
 * The helper of an xl is about to fill its domain. True: the xl is ours, the
 * domain is the case's guest, and the journal says so.
 */
bool receive_claim(struct receive *receive,
                   const struct rendezvous_visitor *visitor);

/*
 * Looks at the xl that builds, as often as receive_look_ns() says, and gives
 * the case up if it has read nothing for build_timeout_s.
 */
int receive_watch_building(struct receive *receive, struct xcx_err *err);
uint64_t receive_look_ns(const struct receive *receive);

/* xl has ended: READY, or ABORTED. */
int receive_built(struct receive *receive, struct xcx_err *err);

/* GUEST: another domain of this host has the guest's UUID. */
int receive_check_alone(struct receive *receive, struct xcx_err *err);

/* The data's process may go. */
void receive_end_data(struct receive *receive);

/* xl gives up what it has built so far, or is killed. Idempotent. */
void receive_stop_building(struct receive *receive);

/* The case is given up; why is kept if it is the first reason. */
int receive_give_up(struct receive *receive, const struct xcx_err *why,
                    struct xcx_err *err);

/* ---- receive_keys.c: the guest's own xenstore keys ---------------------- */

/* Takes one; it is written with receive_keys_write(). */
int receive_key(struct receive *receive, const struct message *message,
                struct xcx_err *err);

/* Into the home of the domain, none left to be written afterwards. */
int receive_keys_write(struct receive *receive, struct xcx_err *err);

#endif
