/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place: gets memory for the pages of a stream, and the pages into it.
 *
 *   begin(list)  ─▶ populate what has no memory yet
 *   receive()    ─▶ map, and read the contents straight into the guest;
 *                   or, where mapping is what takes the time, leave both to
 *                   workers and read on (engine/filler.h, engine/gain.h);
 *                   after VERIFY: into a buffer, and compare.
 *                   The page tables among them are localised on the way
 *
 * Superpages (HVM). When a record names most of an empty, aligned range of
 * 2 MiB, and no page of it as a hole, the range gets its memory in one piece;
 * the guest's TLB is served better, and Xen too. What of it no record has
 * named in the end is given back, and earlier when memory runs short:
 *
 *   populated   ████████████████      the stream has named it, or
 *   spare            ██    █          it is only there with its neighbours
 *
 * Never more than the domain may own: what is left of that is counted here,
 * so that a stream that wants more is refused before Xen is asked. The memory
 * for tables of ours has its own bound (footprint.h); a page that the stream
 * names but that needs no memory in the guest takes none in them.
 *
 * Threads: one. Errors: STREAM, RESOURCE, HYPERCALL, IO, CANCELLED.
 */
#ifndef XCX_ENGINE_PLACE_H
#define XCX_ENGINE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h"
#include "xcext/log.h"
#include "engine/filler.h"
#include "engine/footprint.h"
#include "engine/gain.h"
#include "guest/incoming.h"
#include "xcext.h"
#include "stream/record.h"

struct xcx_place {
    /* Given at init. */
    struct xcx_incoming *guest;
    const struct xcx_log *log;
    struct xcx_restore_stats *stats;
    int in_fd;
    uint64_t stall_ns; /* for the contents of a record; 0: no limit */
    struct xcx_cancel cancel;
    unsigned nr_workers; /* 0: none */
    bool by_gain;        /* workers only when they pay */
    /* Set by the caller for each record. */
    struct xcx_record_id record;

    struct xcx_bitmap populated;
    struct xcx_bitmap spare;
    uint64_t nr_spare;
    uint64_t nr_left; /* pages that the domain may still get */
    struct xcx_footprint footprint;
    struct xcx_gain gain;
    struct xcx_filler filler;
    const struct xcx_page_list *list; /* being received */
    bool verify;
    uint8_t *buffer; /* for one record's contents; NULL until VERIFY */
    uint64_t wanted[XCX_PAGE_BATCH_MAX];  /* scratch */
    uint64_t pfns[XCX_PAGE_BATCH_MAX];    /* of the list's, with contents */
    uint64_t frames[XCX_PAGE_BATCH_MAX];  /* of those */
    uint64_t extents[XCX_PAGE_BATCH_MAX]; /* for Xen, which writes them */
    int errors[XCX_PAGE_BATCH_MAX];
};

/*
 * For a guest that is set up; the fields of the first group are set by the
 * caller before. Workers that cannot be had cost speed only, and are logged.
 * place_done() is due after a failure, too.
 */
int xcx_place_init(struct xcx_place *place, struct xcx_err *err);

/* Ends workers, unmaps and frees. Idempotent; fine on a zeroed struct. */
void xcx_place_done(struct xcx_place *place);

/* The list (valid until the record's end) of a record whose contents come. */
int xcx_place_begin(struct xcx_place *place, const struct xcx_page_list *list,
                    struct xcx_err *err);

/*
 * Reads the contents of the list from in_fd. *ret_bytes less than
 * list->data_bytes: the input has ended. An error may be of an earlier record:
 * then filler.has_failed_late.
 */
int xcx_place_receive(struct xcx_place *place, uint32_t *ret_bytes,
                      struct xcx_err *err);

/* From now on contents are compared, and each difference is logged. */
int xcx_place_verify(struct xcx_place *place, struct xcx_err *err);

/* Memory without contents for those of the pfns that have none. */
int xcx_place_populate(struct xcx_place *place, const uint64_t *pfns,
                       unsigned nr_pfns, struct xcx_err *err);

/*
 * No more contents will come: waits for what is in flight (an error is of an
 * earlier record), ends the workers, gives spare pages back. If Xen does not
 * take them, a warning says so: the guest does not notice.
 */
int xcx_place_finish(struct xcx_place *place, struct xcx_err *err);

#endif
