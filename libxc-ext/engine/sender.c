/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/sender.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hv/map.h"

_Static_assert(XCX_WORKER_MAX_PAGES == XCX_PAGE_BATCH_MAX,
               "a ticket's pages fit a worker's area");

/*
 * The first batches are cut to this size while it is not known whether
 * workers pay: where they do, the direct way is several times as slow.
 */
#define PROBE_PFNS 128

/* The caller is asked for other limits as often as this, and more. */
#define PACE_MS 200

/* In a list of types: leave the pfn out of the record. */
#define TYPE_LEFT_OUT 0xff

static bool is_page_table(const struct xcx_sender *sender, uint8_t type)
{
    return sender->guest->ops->types_change && xcx_page_type_has_data(type) &&
           (type & ~XCX_PAGE_PIN) != XCX_PAGE_NOTAB;
}

/* ---- what both ways share ----------------------------------------------- */

/*
 * Sleeps as long as the bandwidth limit wants before so many pages, or until
 * there is another limit.
 */
static int pace(struct xcx_sender *sender, uint64_t nr_pages,
                struct xcx_err *err)
{
    uint64_t now_ns = xcx_clock_ns();
    uint64_t until_ns =
        now_ns +
        xcx_bucket_take(&sender->bucket, nr_pages * XCX_PAGE_BYTES, now_ns);

    while (now_ns < until_ns) {
        struct pollfd pollfd = {.fd = sender->cancel.fd, .events = POLLIN};
        uint64_t left_ms = (until_ns - now_ns) / XCX_NS_PER_MS + 1;

        poll(&pollfd, 1, left_ms > PACE_MS ? PACE_MS : (int)left_ms);
        if (xcx_cancel_check(sender->cancel, err))
            return -1;
        if (sender->limits &&
            xcx_limits_follow(sender->limits, &sender->bucket))
            break;
        now_ns = xcx_clock_ns();
    }
    return xcx_cancel_check(sender->cancel, err);
}

/* The page is not there (any more): what goes into the record instead. */
static uint8_t page_is_gone(struct xcx_sender *sender, uint64_t pfn,
                            uint8_t type)
{
    xcx_bitmap_clear(sender->populated, pfn);
    if (sender->guest->ops->types_change)
        return type;
    return TYPE_LEFT_OUT;
}

static int defer(struct xcx_sender *sender, uint64_t pfn, int os_errno,
                 struct xcx_err *err)
{
    if (sender->final)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, os_errno,
                           "domain %u: cannot map pfn %#llx",
                           sender->guest->hv->domid, (unsigned long long)pfn);
    xcx_bitmap_set(sender->todo, pfn);
    sender->nr_deferred++;
    return 0;
}

/* Types of pages that could not be mapped, into sender->answers. */
static int ask_again(struct xcx_sender *sender, const uint64_t *pfns,
                     unsigned nr_pfns, struct xcx_err *err)
{
    for (unsigned i = 0; i < nr_pfns; i++)
        sender->asked[i] = sender->guest->ops->frame(sender->guest, pfns[i]);
    return xcx_types_query(sender->types, sender->asked, nr_pfns,
                           sender->answers, err);
}

static int map_failed(const struct xcx_sender *sender,
                      const struct xcx_page_set *set, int os_errno,
                      struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_HYPERCALL, os_errno,
                       "domain %u: cannot map pfns %#llx to %#llx",
                       sender->guest->hv->domid,
                       (unsigned long long)set->pfns[0],
                       (unsigned long long)set->pfns[set->nr_pfns - 1]);
}

/* ---- the direct way ----------------------------------------------------- */

static int add_direct(struct xcx_sender *sender, uint64_t pfn, uint8_t type,
                      const uint8_t *page, unsigned index, struct xcx_err *err)
{
    const struct xcx_guest_ops *ops = sender->guest->ops;
    uint8_t *copy;
    enum xcx_normalised result;

    if (is_page_table(sender, type)) {
        copy = sender->normalised + (size_t)index * XCX_PAGE_BYTES;
        if (ops->normalise(sender->guest, type & ~XCX_PAGE_PIN, pfn, page, copy,
                           sender->final, &result, err))
            return -1;
        if (result == XCX_RACED)
            return defer(sender, pfn, 0, err);
        page = copy;
    }
    xcx_page_batch_add(&sender->batch, pfn, type, page);
    sender->nr_sent++;
    return 0;
}

/* One page of a direct batch that could not be mapped. */
static int direct_failed(struct xcx_sender *sender, uint64_t pfn, int os_errno,
                         struct xcx_err *err)
{
    uint8_t type;

    if (ask_again(sender, &pfn, 1, err))
        return -1;
    if (xcx_page_type_has_data(sender->answers[0]))
        return defer(sender, pfn, os_errno, err);
    type = page_is_gone(sender, pfn, sender->answers[0]);
    if (type != TYPE_LEFT_OUT)
        xcx_page_batch_add(&sender->batch, pfn, type, NULL);
    sender->nr_no_data++;
    return 0;
}

static int add_set(struct xcx_sender *sender, const struct xcx_page_set *set,
                   const uint8_t *pages, struct xcx_err *err)
{
    unsigned mapped = 0;

    for (unsigned i = 0; i < set->nr_pfns; i++) {
        const uint8_t *page = pages + (size_t)mapped * XCX_PAGE_BYTES;
        int rc;

        if (!xcx_page_type_has_data(set->types[i])) {
            xcx_page_batch_add(&sender->batch, set->pfns[i], set->types[i],
                               NULL);
            sender->nr_no_data++;
            continue;
        }
        if (sender->errors[mapped])
            rc = direct_failed(sender, set->pfns[i], sender->errors[mapped],
                               err);
        else
            rc = add_direct(sender, set->pfns[i], set->types[i], page, mapped,
                            err);
        if (rc)
            return -1;
        mapped++;
    }
    return 0;
}

static int write_direct(struct xcx_sender *sender,
                        const struct xcx_page_set *set, const uint8_t *pages,
                        struct xcx_err *err)
{
    if (add_set(sender, set, pages, err) ||
        pace(sender, sender->batch.nr_pages, err))
        return -1;
    return xcx_writer_page_data(sender->writer, &sender->batch, err);
}

/* Nothing of a worker may be being written. */
static int send_direct(struct xcx_sender *sender,
                       const struct xcx_page_set *set, struct xcx_err *err)
{
    const struct xcx_hv *hv = sender->guest->hv;
    uint64_t start_ns = xcx_clock_ns(), mapped_ns, written_ns, end_ns;
    unsigned nr_mapped = 0;
    uint8_t *pages = NULL;
    int rc;

    for (unsigned i = 0; i < set->nr_pfns; i++)
        if (xcx_page_type_has_data(set->types[i]))
            sender->frames[nr_mapped++] =
                sender->guest->ops->frame(sender->guest, set->pfns[i]);
    if (nr_mapped) {
        pages = xcx_map(hv, sender->frames, nr_mapped, sender->errors);
        if (!pages)
            return map_failed(sender, set, errno, err);
    }
    mapped_ns = xcx_clock_ns();
    rc = write_direct(sender, set, pages, err);
    written_ns = xcx_clock_ns();
    xcx_unmap(hv, pages, nr_mapped);
    end_ns = xcx_clock_ns();
    xcx_gain_note(&sender->gain, nr_mapped,
                  mapped_ns - start_ns + end_ns - written_ns,
                  written_ns - mapped_ns);
    return rc;
}

/* ---- the way through the workers ---------------------------------------- */

static struct xcx_worker *worker_of(struct xcx_sender *sender,
                                    const struct xcx_ticket *ticket)
{
    return &sender->pool.workers[ticket - sender->tickets];
}

/*
 * Looks at the pages that the worker could not map: gone, or to be tried
 * again. Neither is to be written by the worker.
 */
static int sort_out_failed(struct xcx_sender *sender, struct xcx_ticket *ticket,
                           struct xcx_worker_area *area, struct xcx_err *err)
{
    unsigned nr_failed = 0;

    for (unsigned i = 0; i < area->nr_pages; i++) {
        area->skip[i] = area->errors[i] != 0;
        if (area->skip[i])
            sender->frames[nr_failed++] = ticket->set.pfns[ticket->entry[i]];
    }
    if (!nr_failed)
        return 0;
    if (ask_again(sender, sender->frames, nr_failed, err))
        return -1;
    for (unsigned i = 0, failed = 0; i < area->nr_pages; i++) {
        unsigned entry = ticket->entry[i];
        uint8_t answer;

        if (!area->skip[i])
            continue;
        answer = sender->answers[failed++];
        if (xcx_page_type_has_data(answer)) {
            ticket->retry.pfns[ticket->retry.nr_pfns++] =
                ticket->set.pfns[entry];
            ticket->set.types[entry] = TYPE_LEFT_OUT;
            continue;
        }
        ticket->set.types[entry] =
            page_is_gone(sender, ticket->set.pfns[entry], answer);
        sender->nr_no_data++;
    }
    return 0;
}

/* Once more, with what their type is now. */
static int send_retries(struct xcx_sender *sender, struct xcx_page_set *retry,
                        struct xcx_err *err)
{
    if (!retry->nr_pfns)
        return 0;
    if (ask_again(sender, retry->pfns, retry->nr_pfns, err))
        return -1;
    for (unsigned i = 0; i < retry->nr_pfns; i++)
        retry->types[i] = xcx_page_type_has_data(sender->answers[i])
                              ? sender->answers[i]
                              : XCX_PAGE_NOTAB; /* its map will fail */
    return send_direct(sender, retry, err);
}

static void drop_oldest(struct xcx_sender *sender)
{
    sender->oldest = (sender->oldest + 1) % sender->pool.nr_workers;
    sender->nr_in_flight--;
}

static int finish_write(struct xcx_sender *sender, struct xcx_ticket *ticket,
                        struct xcx_err *err)
{
    if (ticket->writing) {
        if (xcx_worker_wait(worker_of(sender, ticket), sender->cancel, err))
            return -1;
        xcx_writer_page_data_done(sender->writer);
        ticket->writing = false;
    }
    drop_oldest(sender);
    return send_retries(sender, &ticket->retry, err);
}

/* The record's head goes out; the worker is told to let the pages follow. */
static int start_write(struct xcx_sender *sender, struct xcx_ticket *ticket,
                       struct xcx_err *err)
{
    struct xcx_worker *worker = worker_of(sender, ticket);
    uint64_t data_bytes;

    if (xcx_worker_wait(worker, sender->cancel, err))
        return -1;
    if (worker->area->map_errno)
        return map_failed(sender, &ticket->set, worker->area->map_errno, err);
    if (sort_out_failed(sender, ticket, worker->area, err))
        return -1;
    for (unsigned i = 0; i < ticket->set.nr_pfns; i++)
        if (ticket->set.types[i] != TYPE_LEFT_OUT)
            xcx_page_batch_add(&sender->batch, ticket->set.pfns[i],
                               ticket->set.types[i], NULL);
    if (!sender->batch.nr_pfns)
        return finish_write(sender, ticket, err);
    sender->nr_sent += sender->batch.nr_pages;
    if (pace(sender, sender->batch.nr_pages, err) ||
        xcx_writer_page_head(sender->writer, &sender->batch, &data_bytes, err))
        return -1;
    ticket->writing = true;
    worker->area->stall_ns = sender->stall_ns;
    return xcx_worker_write(worker, err);
}

/* Takes the oldest ticket one step further. */
static int advance(struct xcx_sender *sender, struct xcx_err *err)
{
    struct xcx_ticket *ticket = &sender->tickets[sender->oldest];

    if (ticket->writing)
        return finish_write(sender, ticket, err);
    return start_write(sender, ticket, err);
}

/* Steps that need no waiting, so that the stream does not stand still. */
static int advance_ready(struct xcx_sender *sender, struct xcx_err *err)
{
    while (sender->nr_in_flight &&
           xcx_worker_has_answered(&sender->pool.workers[sender->oldest]))
        if (advance(sender, err))
            return -1;
    return 0;
}

/* Until nothing is half written, so that the parent may write. */
static int finish_writing(struct xcx_sender *sender, struct xcx_err *err)
{
    if (sender->nr_in_flight && sender->tickets[sender->oldest].writing)
        return advance(sender, err);
    return 0;
}

/* A free worker with the batch's frames in its area; those without data do
 * not go there. */
static int launch(struct xcx_sender *sender, struct xcx_ticket *ticket,
                  struct xcx_err *err)
{
    struct xcx_worker *worker = worker_of(sender, ticket);
    struct xcx_worker_area *area = worker->area;

    if (xcx_pool_ready(&sender->pool, (unsigned)(ticket - sender->tickets),
                       err))
        return -1;
    area->nr_pages = 0;
    for (unsigned i = 0; i < ticket->set.nr_pfns; i++) {
        if (!xcx_page_type_has_data(ticket->set.types[i])) {
            sender->nr_no_data++;
            continue;
        }
        ticket->entry[area->nr_pages] = (uint16_t)i;
        area->frames[area->nr_pages++] =
            sender->guest->ops->frame(sender->guest, ticket->set.pfns[i]);
    }
    sender->nr_in_flight++;
    return xcx_worker_map(worker, err);
}

/* ---- public ------------------------------------------------------------- */

int xcx_sender_init(struct xcx_sender *sender, int out_fd, unsigned nr_workers,
                    struct xcx_err *err)
{
    const struct xcx_hv *hv = sender->guest->hv;

    sender->out_fd = out_fd;
    sender->nr_workers = nr_workers;
    sender->tickets =
        calloc(nr_workers ? nr_workers : 1, sizeof(*sender->tickets));
    if (sender->guest->ops->types_change)
        sender->normalised =
            malloc((size_t)XCX_PAGE_BATCH_MAX * XCX_PAGE_BYTES);
    if (!sender->tickets ||
        (sender->guest->ops->types_change && !sender->normalised))
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: buffers for pages", hv->domid);
    return xcx_pool_init(&sender->pool, hv, out_fd,
                         sender->by_gain ? 0 : nr_workers, err);
}

void xcx_sender_done(struct xcx_sender *sender)
{
    xcx_pool_done(&sender->pool);
    free(sender->tickets);
    free(sender->normalised);
    sender->tickets = NULL;
    sender->normalised = NULL;
    sender->nr_in_flight = 0;
}

/* As soon as it is known that they pay. */
static void start_workers(struct xcx_sender *sender)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!sender->by_gain || !sender->nr_workers || sender->pool.nr_workers ||
        !xcx_gain_pays(&sender->gain))
        return;
    if (!xcx_pool_init(&sender->pool, sender->guest->hv, sender->out_fd,
                       sender->nr_workers, &why))
        return;
    xcx_pool_done(&sender->pool);
    sender->nr_workers = 0;
    xcx_log(sender->log, XCX_LOG_WARN, "going on without workers: %s", why.msg);
}

static bool is_probing(const struct xcx_sender *sender)
{
    return sender->by_gain && sender->nr_workers && !sender->pool.nr_workers &&
           sender->gain.nr_samples < XCX_GAIN_IN_A_ROW;
}

/* A worker must have a page to map: a batch may all be ballooned out. */
static bool has_work(const struct xcx_sender *sender, const uint8_t *types,
                     unsigned nr_pfns)
{
    for (unsigned i = 0; i < nr_pfns; i++)
        if (xcx_page_type_has_data(types[i]) &&
            !is_page_table(sender, types[i]))
            return true;
    return false;
}

/* Page tables, or all of it, to the direct set, the rest to the ticket. */
static void split(struct xcx_sender *sender, struct xcx_ticket *ticket,
                  const uint64_t *pfns, const uint8_t *types, unsigned nr_pfns)
{
    bool all_direct = !sender->pool.nr_workers ||
                      !has_work(sender, types, nr_pfns) ||
                      (sender->by_gain && !sender->nr_in_flight &&
                       xcx_gain_is_too_few(&sender->gain, nr_pfns));

    ticket->set.nr_pfns = ticket->retry.nr_pfns = sender->direct.nr_pfns = 0;
    for (unsigned i = 0; i < nr_pfns; i++) {
        struct xcx_page_set *set = &ticket->set;

        if (all_direct || is_page_table(sender, types[i]))
            set = &sender->direct;
        set->pfns[set->nr_pfns] = pfns[i];
        set->types[set->nr_pfns++] = types[i];
    }
}

static int send_some(struct xcx_sender *sender, const uint64_t *pfns,
                     const uint8_t *types, unsigned nr_pfns,
                     struct xcx_err *err)
{
    unsigned nr_workers = sender->pool.nr_workers, turn = 0;
    struct xcx_ticket *ticket;

    while (nr_workers && sender->nr_in_flight == nr_workers)
        if (advance(sender, err))
            return -1;
    if (nr_workers)
        turn = (sender->oldest + sender->nr_in_flight) % nr_workers;
    ticket = &sender->tickets[turn];
    split(sender, ticket, pfns, types, nr_pfns);
    if (ticket->set.nr_pfns && launch(sender, ticket, err))
        return -1;
    if (sender->direct.nr_pfns) {
        if (finish_writing(sender, err) ||
            send_direct(sender, &sender->direct, err))
            return -1;
    }
    return advance_ready(sender, err);
}

int xcx_sender_send(struct xcx_sender *sender, const uint64_t *pfns,
                    const uint8_t *types, unsigned nr_pfns, struct xcx_err *err)
{
    unsigned done = 0;

    while (done < nr_pfns) {
        unsigned nr = nr_pfns - done;

        if (nr > PROBE_PFNS && is_probing(sender))
            nr = PROBE_PFNS;
        if (send_some(sender, pfns + done, types + done, nr, err))
            return -1;
        start_workers(sender);
        done += nr;
    }
    return 0;
}

int xcx_sender_settle(struct xcx_sender *sender, uint64_t nr_pfns,
                      struct xcx_err *err)
{
    if (!sender->by_gain || !xcx_gain_is_too_few(&sender->gain, nr_pfns))
        return xcx_pool_renew(&sender->pool, err);
    xcx_pool_rest(&sender->pool);
    return 0;
}

/* Workers end in parallel, and each takes half the time of unmapping. */
uint64_t xcx_sender_settle_ns(const struct xcx_sender *sender)
{
    uint64_t nr_pages = 0;

    for (unsigned i = 0; i < sender->pool.nr_workers; i++)
        if (sender->pool.workers[i].nr_pages_mapped > nr_pages)
            nr_pages = sender->pool.workers[i].nr_pages_mapped;
    return xcx_gain_map_ns(&sender->gain, nr_pages) / 2;
}

int xcx_sender_drain(struct xcx_sender *sender, struct xcx_err *err)
{
    while (sender->nr_in_flight)
        if (advance(sender, err))
            return -1;
    return 0;
}
