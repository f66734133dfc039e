/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filler: gets page contents into the guest by workers (engine/worker.h) that
 * map beside each other, while the stream is read on:
 *
 *   begin(record 3) ─▶ worker C maps        A [filling record 1]
 *   caller reads contents into C's buffer   B [mapping record 2]
 *   fill()          ─▶ C copies them        C [mapping, being read]
 *
 * The list of a record lies behind the contents of the one before, so these
 * have to go somewhere before the next map can begin: into a worker's buffer.
 * Bounded by the workers there are, of XCX_WORKER_MAX_PAGES each.
 *
 * A pfn that comes again while its record is in flight makes begin() wait: the
 * last contents count. What went wrong with a record shows when its worker is
 * waited for, some records later; the error then says which it was.
 *
 * Threads: one. Errors: HYPERCALL, RESOURCE, CANCELLED.
 */
#ifndef XCX_ENGINE_FILLER_H
#define XCX_ENGINE_FILLER_H

#include "base/bitmap.h"
#include "engine/pool.h"

/* A record of the stream, for whom it may concern. */
struct xcx_record_id {
    uint64_t index;
    uint64_t offset;
};

/* The pages of one record, in a worker's hands. */
struct xcx_fill {
    struct xcx_record_id record;
    unsigned nr_pages;
    uint64_t pfns[XCX_WORKER_MAX_PAGES];
};

struct xcx_filler {
    const struct xcx_hv *hv;
    struct xcx_cancel cancel;
    struct xcx_pool pool;
    struct xcx_fill *fills; /* one for each worker */
    unsigned oldest;
    unsigned nr_in_flight;
    struct xcx_bitmap in_flight; /* pfns */
    bool has_failed_late;        /* with a record that is not the current one */
    struct xcx_record_id failed;
};

/* For pfns below nr_pfns. Forks nr_workers; done() is due, come what may. */
int xcx_filler_init(struct xcx_filler *filler, const struct xcx_hv *hv,
                    struct xcx_cancel cancel, uint64_t nr_pfns,
                    unsigned nr_workers, struct xcx_err *err);

/* Ends the workers; what is in flight is lost. Idempotent; fine if zeroed. */
void xcx_filler_done(struct xcx_filler *filler);

static inline bool xcx_filler_is_ready(const struct xcx_filler *filler)
{
    return filler->pool.nr_workers != 0;
}

/*
 * Waits for a worker, and while any of the pfns is in flight; the worker then
 * maps the frames. *ret_contents is where their contents are to be put.
 */
int xcx_filler_begin(struct xcx_filler *filler, struct xcx_record_id record,
                     const uint64_t *pfns, const uint64_t *frames,
                     unsigned nr_pages, uint8_t **ret_contents,
                     struct xcx_err *err);

/* The contents of the record begun last are all there. */
int xcx_filler_fill(struct xcx_filler *filler, struct xcx_err *err);

/* Waits until none of the pfns is in flight; or nothing at all. */
int xcx_filler_wait_for(struct xcx_filler *filler, const uint64_t *pfns,
                        unsigned nr_pages, struct xcx_err *err);
int xcx_filler_drain(struct xcx_filler *filler, struct xcx_err *err);

/* Judges the errors of a mapping: 0, or HYPERCALL naming the first bad page. */
int xcx_filler_check_map(const struct xcx_hv *hv, const uint64_t *pfns,
                         unsigned nr_pages, int map_errno, const int *errors,
                         struct xcx_err *err);

#endif
