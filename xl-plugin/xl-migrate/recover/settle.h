/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle: the source's talk with its target, from any entry of the journal to
 * the end of the case; send after the stream, send after a failure and recover
 * all come here.
 *
 *   first event ──▶ handover_run ──▶ word said ──▶ hear ──▶ its event ─┐
 *                     ▲                             │  settled: remove  │
 *                     └─────────────────────────────┼───────────────────┘
 *                        reattach, pauses growing ◀─┘ connection lost
 *
 * The connection may break at any point and as often as it likes: a word is
 * said again on each new one. After reconnect_ns without one the case is left
 * to recover, with the journal in place. So it is when a second one in a row
 * brings no word for answer_ns or watched_ns, hurry_ns after somebody has begun
 * to wait for the end, and when an act still fails after
 * reconnect_ns.
 *
 * After GO a target without the plugin cannot be asked back: when another
 * program has ended or taken the source's copy by then, nothing more is said
 * to such a target, and the case is left to people.
 *
 * Blocking. Threads: one at a time.
 */
#ifndef XL_MIGRATE_SETTLE_H
#define XL_MIGRATE_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/peer/peer.h"
#include "xcext.h"

struct settle_ops {
    void *opaque; /* given back as is */
    /*
     * As in handover_seam: the source's domain. After a resume that failed it
     * is tried again while the target gives up.
     */
    int (*look)(void *opaque, enum handover_copy *ret_copy, uint32_t *ret_domid,
                struct xcx_err *err);
    int (*act)(void *opaque, enum handover_act act, struct xcx_err *err);
    /* A target that was lost, or that there is none of yet. */
    int (*connect)(void *opaque, struct peer **ret, struct xcx_err *err);
    /*
     * GO is about to be said again on a new connection: what it needs to know
     * before. Optional; it fails only where the target cannot be told, which
     * counts as another loss of the connection.
     */
    int (*let_go)(void *opaque, struct peer *peer, struct xcx_err *err);
    /* Not a word: log. Optional. */
    void (*told)(void *opaque, const struct peer_message *message);
    /* A step was made; for the report's times. Optional. */
    void (*reached)(void *opaque, enum handover_entry entry);
    /*
     * READY was heard, and the source has the copy: may it be let go? It fails
     * with the reason why not, and the guest stays here. Optional.
     */
    int (*may_go)(void *opaque, struct xcx_err *err);
    /* Why the last look found the copy to be another program's. Optional. */
    const char *(*seen)(void *opaque);
    /* Optional; true: the user wants it back, as long as that is possible. */
    bool (*cancelled)(void *opaque);
    /* Optional; true: somebody waits for the end, see hurry_ns. */
    bool (*hurried)(void *opaque);
    /*
     * Optional; true: the guest was asked to stop, and may do so though nobody
     * waits for it any more. As long as that is so, one that is the source's
     * for good is looked after, and resumed once if it stops. Without it a
     * guest that another process may have asked (SUSPENDING) and left running
     * is looked after while all this goes on.
     */
    bool (*may_stop_late)(void *opaque);
};

struct settle_params {
    struct journal *journal; /* open, the source's */
    const struct settle_ops *ops;
    struct peer **peer; /* *peer NULL: not connected; replaced as needed */
    enum handover_event first;
    bool begun;            /* the target was asked to begin, as far as known */
    uint64_t reconnect_ns; /* without a connection, at most */
    uint64_t answer_ns;    /* connected, not watched, without a word, at most */
    uint64_t watched_ns;   /* the same, watched: it lives, but may hang */
    /* From the start to READY, at most: the guest stands. 0: no limit. */
    uint64_t blackout_ns;
    uint64_t withdrawn_ns; /* watched, once it is taken back; 0: watched_ns */
    uint64_t hurry_ns;     /* hurried: all that is still to come, at most */
};

struct settle_result {
    enum handover_entry entry;
    enum handover_copy copy;
    enum handover_place place;
    bool settled; /* at both ends; the journal is gone */
    /* Why not, or why the target would not have it. */
    struct xcx_err why;
};

/*
 * 0 with *ret filled whenever the journal was true to its word, settled or
 * not; -1 for a contradiction or a disk: nothing more may be done without a
 * look by people. The journal is closed only if settled.
 */
int settle(const struct settle_params *params, struct settle_result *ret,
           struct xcx_err *err);

#endif
