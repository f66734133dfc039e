/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_session: the state of send while it runs, and what it does in passing
 * whenever the engine calls back: progress, the record on disk, the control
 * socket, and hearing the target, so that it never waits to be read.
 *
 * Threads: one; but address.gone() is called in the keepalive's, and touches
 * nothing but cancel and copying, which is atomic for its sake.
 */
#ifndef XL_MIGRATE_SEND_SESSION_H
#define XL_MIGRATE_SEND_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cancel.h"
#include "common/config.h"
#include "common/record.h"
#include "xl-migrate/control/control.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/check/forecast.h"
#include "xl-migrate/domain/guest_watch.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/handover/journal.h"
#include "xl-migrate/peer/peer.h"
#include "xl-migrate/control/progress.h"
#include "xl-migrate/control/report.h"
#include "send.h"
#include "send_hold.h"
#include "send_same.h"
#include "send_stream.h"
#include "xl-migrate/recover/source_domain.h"

struct send_session {
    const struct send_options *options;
    struct config config;
    struct xcx_log log; /* to the user */
    struct progress progress;
    struct cancel cancel;
    struct host host;
    struct domain domain;
    bool unsettled;        /* an earlier case of it is, at this end */
    bool hooked;           /* hooks have run, and want to hear of a failure */
    char *config_json;     /* owned */
    struct send_same same; /* as the guest was then */
    struct send_hold hold; /* nobody changes it, from the last look on */
    int lock_fd;           /* the domain's */
    struct journal journal;
    struct source_domain source;
    char ssh[2 * CONFIG_TEXT_BYTES];
    struct peer_address address;
    struct peer *peer;   /* owned */
    bool begun;          /* the target was asked to, and did not say no */
    struct xcx_err told; /* why the target gave up, as it said itself */
    uint64_t heard_ns;   /* when it was last listened to */
    struct control control;
    struct control_ops control_ops;
    struct xcx_save_params params;
    struct send_stream stream;
    bool stop_asked;          /* through the control socket */
    bool copying;             /* atomic: data is being written */
    struct guest_watch watch; /* until it stands still */
    enum guest_end guest_end; /* as seen by then */
    struct record record;
    uint64_t recorded_ns;
    bool record_failed; /* warned already */
    uint64_t start_ns, ready_ns, starting_ns;
    uint64_t looked_after_ns;  /* until then one that stops late is resumed */
    struct forecast_move move; /* of a link that was probed */
    uint64_t link_bytes_per_s; /* as probed; 0: it was not */
    bool was_limited;          /* its bandwidth, at any time */
    struct report report;
};

/* Zeroes it, and opens what cannot fail for the case's sake. */
int send_session_init(struct send_session *session,
                      const struct send_options *options,
                      const struct config *config, struct xcx_err *err);

/* Idempotent. */
void send_session_done(struct send_session *session);

/* To be served from now on: status, cancel and tune; a record of it. */
void send_session_open_control(struct send_session *session);

/* Closes the record; outcome: how the save ended. */
void send_session_end_record(struct send_session *session,
                             const struct xcx_err *outcome);

/*
 * From now on, a guest that was asked to suspend and given up on is resumed if
 * it does so after all: nothing else would ever do that.
 */
void send_session_look_after(struct send_session *session);

/*
 * From here on the guest's own end, and its destruction by others, cancel the
 * move; end_watch: not any more, and how it has ended is in guest_end.
 */
void send_session_watch_guest(struct send_session *session);
void send_session_end_watch(struct send_session *session);

/* While copying is true, a target that goes silent ends the save. */
void send_session_set_copying(struct send_session *session, bool copying);

/* For send_stream; opaque is the session. */
extern const struct xcx_save_ops send_session_ops;

/*
 * why it failed, in the words of who knows best: the target's, if it gave up,
 * for which it is listened to once more; the user's.
 */
void send_session_explain(struct send_session *session, struct xcx_err *why);

/* Takes a message that the target sends in passing; also settle_ops.told. */
void send_session_told(void *opaque, const struct peer_message *message);

#endif
