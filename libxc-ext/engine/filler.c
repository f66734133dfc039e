/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/filler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * The last workers' exits are waited for while the guest stands still, and
 * take some 4 us a page in a PV Dom0; a fork costs as much as 150 pages.
 */
#define WORKER_LIFE_PAGES (2 * XCX_WORKER_MAX_PAGES)

int xcx_filler_init(struct xcx_filler *filler, const struct xcx_hv *hv,
                    struct xcx_cancel cancel, uint64_t nr_pfns,
                    unsigned nr_workers, struct xcx_err *err)
{
    *filler = (struct xcx_filler){.hv = hv, .cancel = cancel};
    filler->fills = calloc(nr_workers, sizeof(*filler->fills));
    if (!filler->fills)
        return xcx_err_no_memory(err, ENOMEM, "domain %u: lists for workers",
                                 hv->domid);
    if (xcx_bitmap_init(&filler->in_flight, nr_pfns, err) ||
        xcx_pool_init(&filler->pool, hv, -1, nr_workers, err))
        return -1;
    filler->pool.life_pages = WORKER_LIFE_PAGES;
    return 0;
}

void xcx_filler_done(struct xcx_filler *filler)
{
    xcx_pool_done(&filler->pool);
    xcx_bitmap_done(&filler->in_flight);
    free(filler->fills);
    filler->fills = NULL;
    filler->nr_in_flight = 0;
}

int xcx_filler_check_map(const struct xcx_hv *hv, const uint64_t *pfns,
                         unsigned nr_pages, int map_errno, const int *errors,
                         struct xcx_err *err)
{
    for (unsigned i = 0; i < nr_pages; i++)
        if (map_errno || errors[i])
            return xcx_err_set(
                err, XCX_ERR_HYPERCALL, map_errno ? map_errno : errors[i],
                "domain %u: cannot map pfn %#" PRIx64, hv->domid, pfns[i]);
    return 0;
}

/* Two answers: to open() and to fill(). */
static int wait_for_worker(struct xcx_filler *filler, unsigned turn,
                           struct xcx_err *err)
{
    const struct xcx_fill *fill = &filler->fills[turn];
    struct xcx_worker *worker = &filler->pool.workers[turn];

    if (xcx_worker_wait(worker, filler->cancel, err) ||
        xcx_worker_wait(worker, filler->cancel, err))
        return -1;
    return xcx_filler_check_map(filler->hv, fill->pfns, fill->nr_pages,
                                worker->area->map_errno, worker->area->errors,
                                err);
}

static int finish_oldest(struct xcx_filler *filler, struct xcx_err *err)
{
    const struct xcx_fill *fill = &filler->fills[filler->oldest];

    if (wait_for_worker(filler, filler->oldest, err)) {
        filler->has_failed_late = true;
        filler->failed = fill->record;
        return -1;
    }
    for (unsigned i = 0; i < fill->nr_pages; i++)
        xcx_bitmap_clear(&filler->in_flight, fill->pfns[i]);
    filler->oldest = (filler->oldest + 1) % filler->pool.nr_workers;
    filler->nr_in_flight--;
    return 0;
}

int xcx_filler_drain(struct xcx_filler *filler, struct xcx_err *err)
{
    while (filler->nr_in_flight)
        if (finish_oldest(filler, err))
            return -1;
    return 0;
}

int xcx_filler_wait_for(struct xcx_filler *filler, const uint64_t *pfns,
                        unsigned nr_pages, struct xcx_err *err)
{
    for (unsigned i = 0; filler->nr_in_flight && i < nr_pages; i++)
        while (xcx_bitmap_test(&filler->in_flight, pfns[i]))
            if (finish_oldest(filler, err))
                return -1;
    return 0;
}

static unsigned next_turn(const struct xcx_filler *filler)
{
    return (filler->oldest + filler->nr_in_flight) % filler->pool.nr_workers;
}

int xcx_filler_begin(struct xcx_filler *filler, struct xcx_record_id record,
                     const uint64_t *pfns, const uint64_t *frames,
                     unsigned nr_pages, uint8_t **ret_contents,
                     struct xcx_err *err)
{
    unsigned turn;
    struct xcx_fill *fill;
    struct xcx_worker *worker;

    if (xcx_filler_wait_for(filler, pfns, nr_pages, err))
        return -1;
    if (filler->nr_in_flight == filler->pool.nr_workers &&
        finish_oldest(filler, err))
        return -1;
    turn = next_turn(filler);
    if (xcx_pool_ready(&filler->pool, turn, err))
        return -1;
    fill = &filler->fills[turn];
    fill->record = record;
    fill->nr_pages = nr_pages;
    memcpy(fill->pfns, pfns, nr_pages * sizeof(*pfns));
    worker = &filler->pool.workers[turn];
    worker->area->nr_pages = nr_pages;
    memcpy(worker->area->frames, frames, nr_pages * sizeof(*frames));
    *ret_contents = worker->contents;
    return xcx_worker_open(worker, err);
}

int xcx_filler_fill(struct xcx_filler *filler, struct xcx_err *err)
{
    unsigned turn = next_turn(filler);
    const struct xcx_fill *fill = &filler->fills[turn];

    for (unsigned i = 0; i < fill->nr_pages; i++)
        xcx_bitmap_set(&filler->in_flight, fill->pfns[i]);
    filler->nr_in_flight++;
    return xcx_worker_fill(&filler->pool.workers[turn], err);
}
