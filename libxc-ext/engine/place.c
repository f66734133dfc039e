/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hv/map.h"
#include "hv/map_write.h"
#include "hv/populate.h"

/* Out of 512: with fewer, too many pages would be given back again. */
#define SUPERPAGE_MIN_PFNS 384

/*
 * Pages mapped at once while it is not known whether workers pay: where they
 * do, any other way is several times as slow.
 */
#define PROBE_PAGES 128u

/* Each warning is one line in xl's log; a broken verify has thousands. */
#define MAX_WARNINGS 16

static bool takes_memory(unsigned type)
{
    return type != XCX_PAGE_XTAB && type != XCX_PAGE_BROKEN;
}

static void start_workers(struct xcx_place *place)
{
    const struct xcx_incoming *guest = place->guest;
    struct xcx_err why = XCX_ERR_INIT;

    if (!place->nr_workers || xcx_filler_is_ready(&place->filler))
        return;
    if (!xcx_filler_init(&place->filler, guest->hv, place->cancel,
                         guest->max_nr_pfns, place->nr_workers, &why))
        return;
    xcx_filler_done(&place->filler);
    place->nr_workers = 0;
    xcx_log(place->log, XCX_LOG_WARN, "going on without workers: %s", why.msg);
}

int xcx_place_init(struct xcx_place *place, struct xcx_err *err)
{
    struct xcx_incoming *guest = place->guest;
    const struct xcx_domain_info *info = &guest->info;

    place->nr_left = info->max_pages > info->nr_pages_own
                         ? info->max_pages - info->nr_pages_own
                         : 0;
    if (xcx_footprint_init(&place->footprint, info->hvm, guest->max_nr_pfns,
                           info->max_pages, err) ||
        xcx_bitmap_init(&place->populated, guest->max_nr_pfns, err) ||
        xcx_bitmap_init(&place->spare, guest->max_nr_pfns, err))
        return -1;
    if (!place->by_gain)
        start_workers(place);
    return 0;
}

void xcx_place_done(struct xcx_place *place)
{
    xcx_filler_done(&place->filler);
    xcx_bitmap_done(&place->populated);
    xcx_bitmap_done(&place->spare);
    xcx_footprint_done(&place->footprint);
    free(place->buffer);
    place->buffer = NULL;
}

/* ---- memory ------------------------------------------------------------- */

/* Spare pages up to XCX_PAGE_BATCH_MAX at a time. */
static int give_back_spare(struct xcx_place *place, struct xcx_err *err)
{
    uint64_t pfn = 0;

    while (place->nr_spare) {
        unsigned nr = 0;

        /* Stops at the last: the rest of the bitmap is not to be read. */
        while (nr < XCX_PAGE_BATCH_MAX && nr < place->nr_spare) {
            pfn = xcx_bitmap_next_set(&place->spare, pfn);
            if (pfn >= place->spare.nr_bits)
                return xcx_err_set(err, XCX_ERR_BUG, 0,
                                   "spare pages miscounted");
            xcx_bitmap_clear(&place->spare, pfn);
            xcx_bitmap_clear(&place->populated, pfn);
            place->extents[nr++] = pfn;
        }
        if (xcx_give_back(place->guest->hv, place->extents, nr, err))
            return -1;
        place->nr_spare -= nr;
        place->nr_left += nr;
        place->stats->nr_pfns_given_back += nr;
    }
    return 0;
}

static int too_much(struct xcx_place *place, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_STREAM, 0,
                       "more memory than domain %u may have, which is %" PRIu64
                       " pages",
                       place->guest->hv->domid, place->guest->info.max_pages);
}

static int populate_some(struct xcx_place *place, unsigned first, unsigned nr,
                         unsigned *ret_nr_done, struct xcx_err *err)
{
    struct xcx_incoming *guest = place->guest;

    memcpy(place->extents, &place->wanted[first], nr * sizeof(uint64_t));
    if (xcx_populate(guest->hv, place->extents, nr, 0, ret_nr_done, err))
        return -1;
    for (unsigned i = 0; i < *ret_nr_done; i++)
        guest->ops->set_frame(guest, place->wanted[first + i],
                              place->extents[i]);
    place->nr_left -= *ret_nr_done;
    place->stats->nr_pfns_populated += *ret_nr_done;
    return 0;
}

/* wanted[first] to wanted[first + nr - 1] by single pages. */
static int populate_pages(struct xcx_place *place, unsigned first, unsigned nr,
                          struct xcx_err *err)
{
    const struct xcx_hv *hv = place->guest->hv;
    unsigned nr_done;

    if (!nr)
        return 0;
    if (place->nr_left < nr && give_back_spare(place, err))
        return -1;
    if (place->nr_left < nr)
        return too_much(place, err);
    if (populate_some(place, first, nr, &nr_done, err))
        return -1;
    /* The host may be short of memory before the domain is at its limit. */
    if (nr_done != nr && place->nr_spare) {
        if (give_back_spare(place, err))
            return -1;
        return populate_pages(place, first + nr_done, nr - nr_done, err);
    }
    if (nr_done != nr)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: Xen gave %u of %u pages, from pfn "
                           "%#" PRIx64 " on none",
                           hv->domid, nr_done, nr,
                           place->wanted[first + nr_done]);
    return 0;
}

static uint64_t range_of(uint64_t pfn)
{
    return pfn & ~(uint64_t)(XCX_SUPERPAGE_PFNS - 1);
}

/* Whether the list says of a page of the range that it is not there. */
static bool names_hole(const struct xcx_page_list *list, uint64_t range)
{
    for (uint32_t i = 0; list && i < list->nr_pfns; i++)
        if (range_of(list->pfns[i]) == range && !takes_memory(list->types[i]))
            return true;
    return false;
}

/* Notes the pages of a populated range that the stream has not named. */
static void note_spare(struct xcx_place *place, uint64_t range, unsigned first,
                       unsigned nr)
{
    xcx_bitmap_set_range(&place->populated, range, XCX_SUPERPAGE_PFNS);
    xcx_bitmap_set_range(&place->spare, range, XCX_SUPERPAGE_PFNS);
    for (unsigned i = first; i < first + nr; i++)
        xcx_bitmap_clear(&place->spare, place->wanted[i]);
    place->nr_spare += XCX_SUPERPAGE_PFNS - nr;
}

/* Whether nr wanted pages of one range, whose bits are set, deserve one. */
static bool wants_superpage(const struct xcx_place *place,
                            const struct xcx_page_list *list, uint64_t range,
                            unsigned nr)
{
    const struct xcx_incoming *guest = place->guest;

    return guest->info.hvm && nr >= SUPERPAGE_MIN_PFNS &&
           place->nr_left >= XCX_SUPERPAGE_PFNS &&
           range + XCX_SUPERPAGE_PFNS <= guest->nr_pfns &&
           xcx_bitmap_count_range(&place->populated, range,
                                  XCX_SUPERPAGE_PFNS) == nr &&
           !names_hole(list, range);
}

/* *ret_done: they have their memory; else single pages have to do. */
static int populate_range(struct xcx_place *place,
                          const struct xcx_page_list *list, unsigned first,
                          unsigned nr, bool *ret_done, struct xcx_err *err)
{
    uint64_t range = range_of(place->wanted[first]), extent = range;
    unsigned nr_done = 0;

    *ret_done = false;
    if (!wants_superpage(place, list, range, nr))
        return 0;
    if (xcx_populate(place->guest->hv, &extent, 1, XCX_SUPERPAGE_ORDER,
                     &nr_done, err))
        return -1;
    if (!nr_done)
        return 0; /* Xen's free memory is in smaller pieces */
    *ret_done = true;
    note_spare(place, range, first, nr);
    place->nr_left -= XCX_SUPERPAGE_PFNS;
    place->stats->nr_superpages++;
    place->stats->nr_pfns_populated += XCX_SUPERPAGE_PFNS;
    return 0;
}

/* wanted[], whose bits are set; pages of one range mostly are neighbours. */
static int populate_wanted(struct xcx_place *place,
                           const struct xcx_page_list *list, unsigned nr_wanted,
                           struct xcx_err *err)
{
    unsigned from = 0, first = 0;

    while (first < nr_wanted) {
        uint64_t range = range_of(place->wanted[first]);
        unsigned nr = 1;
        bool done;

        while (first + nr < nr_wanted &&
               range_of(place->wanted[first + nr]) == range)
            nr++;
        if (populate_range(place, list, first, nr, &done, err))
            return -1;
        if (done) {
            if (populate_pages(place, from, first - from, err))
                return -1;
            from = first + nr;
        }
        first += nr;
    }
    return populate_pages(place, from, nr_wanted - from, err);
}

/* The pfn is wanted; into wanted[] if it has to be populated for that. */
static int want(struct xcx_place *place, uint64_t pfn, unsigned *nr_wanted,
                struct xcx_err *err)
{
    if (!xcx_bitmap_test(&place->populated, pfn)) {
        if (xcx_footprint_add(&place->footprint, pfn, err))
            return -1;
        xcx_bitmap_set(&place->populated, pfn);
        place->wanted[(*nr_wanted)++] = pfn;
    } else if (xcx_bitmap_test(&place->spare, pfn)) {
        xcx_bitmap_clear(&place->spare, pfn);
        place->nr_spare--;
    }
    return 0;
}

int xcx_place_populate(struct xcx_place *place, const uint64_t *pfns,
                       unsigned nr_pfns, struct xcx_err *err)
{
    unsigned nr_wanted = 0;

    if (nr_pfns > XCX_PAGE_BATCH_MAX)
        return xcx_err_set(err, XCX_ERR_BUG, 0, "%u pfns at once", nr_pfns);
    for (unsigned i = 0; i < nr_pfns; i++)
        if (want(place, pfns[i], &nr_wanted, err))
            return -1;
    return populate_wanted(place, NULL, nr_wanted, err);
}

/* A look at a table's untouched page can cost a page, too. */
static bool is_populated(const struct xcx_place *place, uint64_t pfn)
{
    return xcx_footprint_reaches(&place->footprint, pfn) &&
           xcx_bitmap_test(&place->populated, pfn);
}

int xcx_place_begin(struct xcx_place *place, const struct xcx_page_list *list,
                    struct xcx_err *err)
{
    struct xcx_incoming *guest = place->guest;
    unsigned nr_wanted = 0;

    for (uint32_t i = 0; i < list->nr_pfns; i++)
        if (list->pfns[i] >= guest->nr_pfns)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "pfn %#" PRIx64 " (entry %" PRIu32
                               ") is beyond the guest's %#" PRIx64,
                               list->pfns[i], i, guest->nr_pfns);
    place->list = list;
    if (place->verify)
        return 0;
    for (uint32_t i = 0; i < list->nr_pfns; i++)
        if (takes_memory(list->types[i]) &&
            want(place, list->pfns[i], &nr_wanted, err))
            return -1;
    if (populate_wanted(place, list, nr_wanted, err))
        return -1;
    /* A hole that was never a page would cost the tables memory for nothing. */
    for (uint32_t i = 0; i < list->nr_pfns; i++)
        if (is_populated(place, list->pfns[i]))
            guest->ops->set_type(guest, list->pfns[i], list->types[i]);
    return 0;
}

/* ---- contents ----------------------------------------------------------- */

/* The pages that have contents, in the record's order. */
static void look_up_pages(struct xcx_place *place)
{
    const struct xcx_page_list *list = place->list;
    const struct xcx_incoming *guest = place->guest;
    uint32_t nr = 0;

    for (uint32_t i = 0; i < list->nr_pfns; i++) {
        if (!xcx_page_type_has_data(list->types[i]))
            continue;
        place->pfns[nr] = list->pfns[i];
        place->frames[nr++] = guest->ops->frame(guest, list->pfns[i]);
    }
}

static int read_contents(const struct xcx_place *place, void *to,
                         uint32_t nr_pages, size_t *ret_bytes,
                         struct xcx_err *err)
{
    return xcx_io_read(place->in_fd, to, (size_t)nr_pages * XCX_PAGE_BYTES,
                       xcx_io_deadline_ns(place->stall_ns), place->cancel,
                       ret_bytes, err);
}

/* The contents of the list's pages from first on have come to pages. */
static int localise(struct xcx_place *place, uint32_t first, uint32_t nr_pages,
                    uint8_t *pages, struct xcx_err *err)
{
    struct xcx_incoming *guest = place->guest;

    if (!guest->ops->localise)
        return 0;
    return guest->ops->localise(guest, place->pfns + first, nr_pages, pages,
                                err);
}

static int receive_by_worker(struct xcx_place *place, size_t *ret_bytes,
                             struct xcx_err *err)
{
    uint32_t nr_pages = place->list->nr_pages;
    uint8_t *contents;

    if (xcx_filler_begin(&place->filler, place->record, place->pfns,
                         place->frames, nr_pages, &contents, err) ||
        read_contents(place, contents, nr_pages, ret_bytes, err))
        return -1;
    if (*ret_bytes != place->list->data_bytes)
        return 0; /* the input has ended: nobody will need them */
    if (localise(place, 0, nr_pages, contents, err))
        return -1;
    return xcx_filler_fill(&place->filler, err);
}

/* nr_pages of the list, from first on. */
static int receive_some(struct xcx_place *place, uint32_t first,
                        uint32_t nr_pages, size_t *ret_bytes,
                        struct xcx_err *err)
{
    const struct xcx_hv *hv = place->guest->hv;
    uint64_t start_ns = xcx_clock_ns(), mapped_ns, read_ns;
    void *pages;
    int rc;

    pages =
        xcx_map_writable(hv, place->frames + first, nr_pages, place->errors);
    rc = xcx_filler_check_map(hv, place->pfns + first, nr_pages,
                              pages ? 0 : errno, place->errors, err);
    mapped_ns = xcx_clock_ns();
    if (!rc)
        rc = read_contents(place, pages, nr_pages, ret_bytes, err);
    if (!rc && *ret_bytes == (size_t)nr_pages * XCX_PAGE_BYTES)
        rc = localise(place, first, nr_pages, pages, err);
    read_ns = xcx_clock_ns();
    xcx_unmap(hv, pages, nr_pages);
    xcx_gain_note(&place->gain, nr_pages,
                  mapped_ns - start_ns + xcx_clock_ns() - read_ns,
                  read_ns - mapped_ns);
    return rc;
}

static bool is_probing(const struct xcx_place *place)
{
    return place->by_gain && place->nr_workers &&
           place->gain.nr_samples < XCX_GAIN_IN_A_ROW;
}

static int receive_here(struct xcx_place *place, size_t *ret_bytes,
                        struct xcx_err *err)
{
    uint32_t nr_pages = place->list->nr_pages, first = 0, nr;
    size_t bytes;

    for (*ret_bytes = 0; first < nr_pages; first += nr) {
        nr = nr_pages - first;
        if (nr > PROBE_PAGES && is_probing(place))
            nr = PROBE_PAGES;
        if (receive_some(place, first, nr, &bytes, err))
            return -1;
        *ret_bytes += bytes;
        if (bytes != (size_t)nr * XCX_PAGE_BYTES)
            break;
    }
    return 0;
}

static int receive(struct xcx_place *place, size_t *ret_bytes,
                   struct xcx_err *err)
{
    uint32_t nr_pages = place->list->nr_pages;

    look_up_pages(place);
    if (place->by_gain && xcx_gain_pays(&place->gain))
        start_workers(place);
    if (xcx_filler_is_ready(&place->filler) &&
        !(place->by_gain && xcx_gain_is_too_few(&place->gain, nr_pages)))
        return receive_by_worker(place, ret_bytes, err);
    if (xcx_filler_wait_for(&place->filler, place->pfns, nr_pages, err))
        return -1;
    return receive_here(place, ret_bytes, err);
}

/* ---- VERIFY ------------------------------------------------------------- */

int xcx_place_verify(struct xcx_place *place, struct xcx_err *err)
{
    place->buffer = malloc((size_t)XCX_PAGE_BATCH_MAX * XCX_PAGE_BYTES);
    if (!place->buffer)
        return xcx_err_no_memory(err, ENOMEM, "buffer for pages to compare");
    place->verify = true;
    return 0;
}

static void compare_page(struct xcx_place *place, uint32_t nth,
                         const void *page)
{
    struct xcx_restore_stats *stats = place->stats;
    const struct xcx_incoming *guest = place->guest;
    uint8_t *sent = place->buffer + (size_t)nth * XCX_PAGE_BYTES;

    if (guest->ops->as_localised)
        guest->ops->as_localised(guest, place->pfns[nth], sent);
    stats->nr_pages_verified++;
    if (page && !memcmp(page, sent, XCX_PAGE_BYTES))
        return;
    if (stats->nr_pages_not_as_sent++ < MAX_WARNINGS)
        xcx_log(place->log, XCX_LOG_WARN,
                "verify: pfn %#" PRIx64 " is not as it was sent%s",
                place->pfns[nth], page ? "" : ": it is not there");
}

static int compare(struct xcx_place *place, size_t *ret_bytes,
                   struct xcx_err *err)
{
    const struct xcx_page_list *list = place->list;
    const uint8_t *pages;

    if (xcx_filler_drain(&place->filler, err) ||
        read_contents(place, place->buffer, list->nr_pages, ret_bytes, err))
        return -1;
    if (*ret_bytes != list->data_bytes)
        return 0;
    look_up_pages(place);
    pages =
        xcx_map(place->guest->hv, place->frames, list->nr_pages, place->errors);
    if (!pages)
        return xcx_filler_check_map(place->guest->hv, place->pfns,
                                    list->nr_pages, errno, NULL, err);
    for (uint32_t i = 0; i < list->nr_pages; i++)
        compare_page(place, i,
                     place->errors[i] ? NULL
                                      : pages + (size_t)i * XCX_PAGE_BYTES);
    xcx_unmap(place->guest->hv, (void *)pages, list->nr_pages);
    return 0;
}

int xcx_place_receive(struct xcx_place *place, uint32_t *ret_bytes,
                      struct xcx_err *err)
{
    size_t bytes = 0;
    int rc;

    if (place->verify)
        rc = compare(place, &bytes, err);
    else
        rc = receive(place, &bytes, err);
    if (rc)
        return -1;
    if (!place->verify)
        place->stats->nr_pages_placed += bytes / XCX_PAGE_BYTES;
    *ret_bytes = (uint32_t)bytes;
    return 0;
}

int xcx_place_finish(struct xcx_place *place, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (xcx_filler_drain(&place->filler, err))
        return -1;
    xcx_filler_done(&place->filler);
    if (give_back_spare(place, &why))
        xcx_log(place->log, XCX_LOG_WARN,
                "the guest keeps %" PRIu64 " pages that it had not at the "
                "source: %s",
                place->nr_spare, why.msg);
    return 0;
}
