/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer: the other host as the source of a case sees it, with the plugin or
 * without:
 *
 *   send, recover ──▶ peer ──┬─ peer_plugin: words are messages to receive
 *                            └─ peer_stock: words are commands of xl, run
 *                               there, and looks at xl list
 *
 * Order: open, then begin or reattach once a connection, then words; what
 * belongs into the guest's xenstore before GO is said. An error of kind IO
 * means that the connection is gone: close it, or reattach on a new one. PEER:
 * it answered no, or nonsense. Everything it says is bounded.
 *
 * Blocking: each call up to its time limit. Threads: one at a time.
 */
#ifndef XL_MIGRATE_PEER_H
#define XL_MIGRATE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "xl-migrate/handover/handover.h"
#include "xl-migrate/handover/journal.h"
#include "xcext.h"
#include "xl-migrate/domain/xenstore.h"

#define PEER_TEXT_BYTES 512

struct peer;

/* How a migration is to be received. Texts are the caller's. */
struct peer_begin {
    const struct journal_case *about; /* stay_paused: leave it so at the end */
    const char *source;               /* this host's name */
    bool debug;                       /* xl migrate-receive -d */
    bool monitor;                     /* xl watches it there */
    /* The announcements to the target's network, as QEMU's parameters. */
    unsigned long announce_rounds, announce_initial_ms, announce_step_ms;
    unsigned long announce_max_ms;
};

enum peer_news {
    PEER_NOTHING, /* until the deadline */
    PEER_WORD,
    PEER_SETTLED, /* it acted on the last word and has forgotten the case */
    PEER_LOG,     /* text, for people */
};

struct peer_message {
    enum peer_news news;
    enum handover_word word; /* of PEER_WORD */
    enum xcx_log_level level;
    char text[PEER_TEXT_BYTES]; /* one line; of FAILED: why */
};

struct peer_ops {
    /*
     * Data written to *ret_data_fd builds the copy; blocking, the peer's.
     * Failed, and peer->refused: the target knows nothing of the case.
     */
    int (*begin)(struct peer *peer, const struct peer_begin *begin,
                 int *ret_data_fd, struct xcx_err *err);
    /*
     * A case begun on an earlier connection. *ret_known: false if the target
     * knows nothing of it (any more).
     */
    int (*reattach)(struct peer *peer, const struct journal_case *about,
                    bool *ret_known, struct xcx_err *err);
    /* A key that the guest finds there; NULL: it cannot. */
    int (*put_entry)(struct peer *peer, const struct xenstore_entry *entry,
                     struct xcx_err *err);
    int (*say)(struct peer *peer, enum handover_word word, struct xcx_err *err);
    /* Until deadline_ns of xcx_clock_ns(), 0: only what is there already. */
    int (*hear)(struct peer *peer, uint64_t deadline_ns,
                struct peer_message *ret, struct xcx_err *err);
    /*
     * Whether hear() itself fails once the peer is gone, so that a word may
     * take as long as it likes. Optional: it does not.
     */
    bool (*is_watched)(struct peer *peer);
    /* The bytes of the data that have not left this host, as far as known. */
    uint64_t (*queued_bytes)(struct peer *peer);
    /* All is written: the data's end. Then begin's fd is no more. Optional. */
    void (*end_data)(struct peer *peer);
    /*
     * The data will never be whole: ends their connection at once, whatever is
     * still under way in it, so that the target gives up its half copy. Words
     * can still be said and heard. Without effect before begin and after
     * end_data; begin's fd is no more.
     */
    void (*drop_data)(struct peer *peer);
    /* Frees the peer. What was not said is not said. */
    void (*close)(struct peer *peer);
};

/* When (CLOCK_MONOTONIC of this host); 0: not by this connection. */
struct peer_times {
    uint64_t ready_ns;   /* READY was heard */
    uint64_t go_ns;      /* GO was said */
    uint64_t started_ns; /* the guest began to run there, as far as is known */
    uint64_t prepare_ns; /* how long: from the copy's being whole to READY */
};

/* The first member of each kind of peer. */
struct peer {
    const struct peer_ops *ops;
    bool plugin;  /* it has the plugin */
    bool refused; /* it answered begin with no */
    /*
     * The caller's, before it says ABORT: its last entry is final, so that the
     * target need not remember what it answers.
     */
    bool is_decided;
    struct peer_times times;
};

/*
 * Two hosts, two clocks: when the guest began to run there, by the clock here.
 *
 *   here   ─GO─────────────────STARTING─▶   go_ns, heard_ns: by this clock
 *   there     └─start─▶ runs ─┘             start_ns, answer_ns: from GO's
 *                                           arrival, by the other one
 *
 * What the words were under way is taken to be as long there as back. Never
 * before go_ns nor after heard_ns, whatever the other end says.
 */
uint64_t peer_started_ns(uint64_t go_ns, uint64_t heard_ns, uint64_t start_ns,
                         uint64_t answer_ns);

enum peer_kind { PEER_FIND_OUT, PEER_PLUGIN, PEER_STOCK };

struct peer_address {
    const char *host;
    const char *ssh; /* as xl's -s; "": host is itself a command */
    enum peer_kind kind;
    unsigned timeout_s;        /* how long it may be silent; 1 or more */
    bool again;                /* nobody has to type a passphrase any more */
    const struct xcx_log *log; /* what ssh and the target say; or NULL */
    /* Readable: opening and begin fail with CANCELLED. NULL: they cannot. */
    const int *cancel_fd;
    /*
     * In another thread, again and again: it is silent for longer than it has
     * promised. Whoever writes data must not wait any more then: whatever is
     * between here and ssh may hold the pipe. Optional.
     */
    void (*gone)(void *opaque);
    void *opaque; /* given back as is */
};

/*
 * How long its hello may take: a passphrase the first time, later only what a
 * busy host needs for a login, however soon its silence counts.
 */
uint64_t peer_hello_ms(const struct peer_address *address);

/*
 * Connects. PEER_FIND_OUT: a target whose shell does not know xl-migrate is a
 * stock one. The address must outlive the peer. Errors: IO, it cannot be
 * reached, or does not answer; PEER: its hello is none; RESOURCE. *ret is the
 * caller's to close.
 */
int peer_open(const struct peer_address *address, struct peer **ret,
              struct xcx_err *err);

/* Opens a plugin target; *ret_absent, no error: there is no xl-migrate. */
int peer_plugin_open(const struct peer_address *address, struct peer **ret,
                     bool *ret_absent, struct xcx_err *err);
int peer_stock_open(const struct peer_address *address, struct peer **ret,
                    struct xcx_err *err);

/* Idempotent; NULL: nothing. */
static inline void peer_close(struct peer **peer)
{
    if (*peer)
        (*peer)->ops->close(*peer);
    *peer = NULL;
}

#endif
