/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sender: takes batches of pfns with their types, and gets the pages into the
 * stream, in the order given, by workers that map ahead:
 *
 *   send(batch 3)   [1: writing] [2: mapped] [3: mapping]
 *
 * What needs the parent's own hands goes the direct way, mapped here: a PV
 * guest's page tables (to normalise them), a page whose map failed once, and
 * everything while there are no workers. With by_gain there are none until
 * they are known to pay (engine/gain.h), and a batch of a few pages that has
 * nothing before it goes the direct way too.
 *
 * A page that cannot be sent now stays in todo (it is deferred); with the
 * guest suspended that is an error instead. A page that turns out not to be
 * there is cleared in populated; a PV receiver is told (type XTAB).
 *
 * Threads: the engine's one. Nothing is allocated after init.
 */
#ifndef XCX_ENGINE_SENDER_H
#define XCX_ENGINE_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h"
#include "xcext/log.h"
#include "engine/gain.h"
#include "engine/limits.h"
#include "engine/pool.h"
#include "guest/guest.h"
#include "hv/types.h"
#include "io/bucket.h"
#include "io/io.h"
#include "stream/writer.h"

struct xcx_page_set {
    unsigned nr_pfns;
    uint64_t pfns[XCX_PAGE_BATCH_MAX];
    uint8_t types[XCX_PAGE_BATCH_MAX];
};

/* A batch on its way through a worker. */
struct xcx_ticket {
    bool writing; /* else mapping */
    struct xcx_page_set set;
    uint16_t entry[XCX_PAGE_BATCH_MAX]; /* of each mapped page, in set */
    struct xcx_page_set retry;          /* to be tried the direct way */
};

struct xcx_sender {
    /* Given at init. */
    struct xcx_guest *guest;
    struct xcx_types *types;
    struct xcx_writer *writer;
    struct xcx_cancel cancel;
    struct xcx_bitmap *populated;
    struct xcx_bitmap *todo;
    const struct xcx_log *log; /* NULL: nobody */
    bool by_gain;              /* workers only when they pay */
    struct xcx_limits *limits; /* NULL: the bucket stays as it is */
    uint64_t stall_ns;         /* for what workers write; as the writer's own */
    /* Set by the caller between rounds. */
    bool final; /* the guest is suspended */
    struct xcx_bucket bucket;
    /* Counted for the caller, who resets them. */
    uint64_t nr_sent;
    uint64_t nr_deferred;
    uint64_t nr_no_data;

    struct xcx_gain gain;
    int out_fd;
    unsigned nr_workers; /* to be forked when they pay */
    struct xcx_pool pool;
    struct xcx_ticket *tickets; /* one for each worker */
    unsigned oldest;
    unsigned nr_in_flight;

    /* For the direct way and for asking again. */
    struct xcx_page_set direct;
    struct xcx_page_batch batch;
    uint8_t *normalised; /* XCX_PAGE_BATCH_MAX pages; PV only */
    uint64_t frames[XCX_PAGE_BATCH_MAX];
    int errors[XCX_PAGE_BATCH_MAX];
    uint64_t asked[XCX_PAGE_BATCH_MAX];
    uint8_t answers[XCX_PAGE_BATCH_MAX];
};

/*
 * For nr_workers (0: none) that write to out_fd; forks them now, or when they
 * pay (failing to do so then costs speed only, and is logged). The other fields
 * of the first group are set by the caller before. Errors: RESOURCE; done() is
 * due.
 */
int xcx_sender_init(struct xcx_sender *sender, int out_fd, unsigned nr_workers,
                    struct xcx_err *err);
void xcx_sender_done(struct xcx_sender *sender); /* idempotent */

/*
 * At most XCX_PAGE_BATCH_MAX pfns, none of them twice. Blocks while too much
 * is in flight and while the bandwidth limit demands it.
 */
int xcx_sender_send(struct xcx_sender *sender, const uint64_t *pfns,
                    const uint8_t *types, unsigned nr_pfns,
                    struct xcx_err *err);

/*
 * With nothing in flight, before the guest is suspended: lets all workers go
 * that have mapped anything, and waits for it, since that takes as long as
 * unmapping. There are new ones if some nr_pfns are expected to need them.
 * Errors: RESOURCE.
 */
int xcx_sender_settle(struct xcx_sender *sender, uint64_t nr_pfns,
                      struct xcx_err *err);

/* About how long it would take now. */
uint64_t xcx_sender_settle_ns(const struct xcx_sender *sender);

/* Until all is in the stream. Before any other record, and each round's end. */
int xcx_sender_drain(struct xcx_sender *sender, struct xcx_err *err);

#endif
