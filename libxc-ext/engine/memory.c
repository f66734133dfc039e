/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/memory.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "hv/domain.h"

_Static_assert(XCX_CHUNK_PFNS <= XCX_TYPES_MAX_BATCH, "one query a chunk");

/* Looking at the page count: this often, and for 5 % of the time at most. */
#define WATCH_INTERVAL_NS XCX_NS_PER_MS
#define WATCH_SHARE       20
/* Looks further apart than this miss a page that goes and comes back. */
#define BLIND_NS (8 * WATCH_INTERVAL_NS)

/* Asking for the type of every page: a fifth of the time at most. */
#define RECHECK_SHARE 4

/*
 * Chunks without pages are asked for only so far: this many pfns, and as many
 * times the guest's pages. That is any p2m but one that the guest has stretched
 * by a page far up: of a p2m of 2^32 pfns it would take hours.
 */
#define HOLES_PFNS  (UINT64_C(1) << 20)
#define HOLES_TIMES 4

/* A number of pages without a limit; half, so that it can be added to. */
#define ANY_NUMBER (UINT64_MAX / 2)

static uint64_t nr_chunks(const struct xcx_memory *memory)
{
    return (memory->guest->nr_pfns + XCX_CHUNK_PFNS - 1) / XCX_CHUNK_PFNS;
}

static unsigned chunk_pfns(const struct xcx_memory *memory, uint64_t chunk)
{
    uint64_t left = memory->guest->nr_pfns - chunk * XCX_CHUNK_PFNS;

    return left < XCX_CHUNK_PFNS ? (unsigned)left : XCX_CHUNK_PFNS;
}

/* Workers need no bitmaps: without them a fork copies next to nothing. */
static int new_bitmap(struct xcx_bitmap *map, uint64_t nr_bits,
                      struct xcx_err *err)
{
    if (xcx_bitmap_init(map, nr_bits, err))
        return -1;
    if (map->mapped_bytes)
        madvise(map->words, map->mapped_bytes, MADV_DONTFORK);
    return 0;
}

int xcx_memory_init(struct xcx_memory *memory, struct xcx_guest *guest,
                    struct xcx_types *types, struct xcx_err *err)
{
    uint64_t nr_pfns = guest->nr_pfns;
    struct xcx_domain_info info;

    *memory = (struct xcx_memory){
        .guest = guest, .types = types, .cancel = XCX_CANCEL_NONE};
    if (new_bitmap(&memory->populated, nr_pfns, err) ||
        new_bitmap(&memory->todo, nr_pfns, err) ||
        new_bitmap(&memory->hot, nr_pfns, err) ||
        new_bitmap(&memory->last, nr_pfns, err))
        return -1;
    memory->top_chunk = nr_chunks(memory);
    if (xcx_domain_get_info(guest->hv, &info, err))
        return -1;
    memory->nr_watched = info.nr_pages;
    memory->again_chunk = UINT64_MAX;
    memory->stops_early =
        !guest->ops->types_change && xcx_domain_nr_on_demand(guest->hv) == 0;
    return 0;
}

void xcx_memory_done(struct xcx_memory *memory)
{
    xcx_bitmap_done(&memory->populated);
    xcx_bitmap_done(&memory->todo);
    xcx_bitmap_done(&memory->hot);
    xcx_bitmap_done(&memory->last);
}

static int grow_bitmap(struct xcx_bitmap *map, uint64_t nr_bits,
                       struct xcx_err *err)
{
    struct xcx_bitmap larger = {0};

    if (new_bitmap(&larger, nr_bits, err))
        return -1;
    xcx_bitmap_or(&larger, map);
    xcx_bitmap_done(map);
    *map = larger;
    return 0;
}

int xcx_memory_grow(struct xcx_memory *memory, struct xcx_err *err)
{
    uint64_t nr_pfns = memory->guest->nr_pfns;
    bool all_known = xcx_memory_is_known(memory);

    if (nr_pfns <= memory->populated.nr_bits)
        return 0;
    if (grow_bitmap(&memory->populated, nr_pfns, err) ||
        grow_bitmap(&memory->todo, nr_pfns, err) ||
        grow_bitmap(&memory->hot, nr_pfns, err) ||
        grow_bitmap(&memory->last, nr_pfns, err))
        return -1;
    /* A search that is over stays so; one that goes on takes them in. */
    memory->top_chunk = nr_chunks(memory);
    if (all_known)
        memory->next_chunk = memory->top_chunk;
    return 0;
}

bool xcx_memory_is_known(const struct xcx_memory *memory)
{
    return memory->next_chunk >= memory->top_chunk;
}

static void found(struct xcx_memory *memory, uint64_t pfn)
{
    if (xcx_bitmap_test(&memory->populated, pfn))
        return;
    xcx_bitmap_set(&memory->populated, pfn);
    xcx_bitmap_set(&memory->todo, pfn);
    memory->nr_found++;
}

static int ask_chunk(struct xcx_memory *memory, uint64_t chunk,
                     struct xcx_err *err)
{
    uint64_t first = chunk * XCX_CHUNK_PFNS;
    unsigned nr_pfns = chunk_pfns(memory, chunk);
    uint8_t types[XCX_CHUNK_PFNS];

    if (xcx_cancel_check(memory->cancel, err) ||
        xcx_types_query_range(memory->types, first, nr_pfns, types, err))
        return -1;
    for (unsigned i = 0; i < nr_pfns; i++)
        if (xcx_page_type_has_data(types[i]))
            found(memory, first + i);
    return 0;
}

/* Only holes are looked at: a p2m without any costs nothing to go through. */
static void read_chunk(struct xcx_memory *memory, uint64_t chunk)
{
    const struct xcx_guest *guest = memory->guest;
    uint64_t pfn = chunk * XCX_CHUNK_PFNS;
    uint64_t end = pfn + chunk_pfns(memory, chunk);

    for (pfn = xcx_bitmap_next_clear(&memory->populated, pfn); pfn < end;
         pfn = xcx_bitmap_next_clear(&memory->populated, pfn + 1))
        if (guest->ops->frame(guest, pfn) != XCX_NO_FRAME)
            found(memory, pfn);
}

enum which_chunks {
    FULL,  /* with pages: has one of them gone? */
    MIXED, /* with pages and holes: most likely where one has come */
    EMPTY,
};

static bool is_of(const struct xcx_memory *memory, uint64_t chunk,
                  enum which_chunks which)
{
    unsigned nr_pfns = chunk_pfns(memory, chunk);
    uint64_t nr = xcx_bitmap_count_range(&memory->populated,
                                         chunk * XCX_CHUNK_PFNS, nr_pfns);

    switch (which) {
    case FULL:
        return nr != 0;
    case MIXED:
        return nr != 0 && nr != nr_pfns;
    case EMPTY:
        return nr == 0;
    }
    return false;
}

void xcx_memory_doubt(struct xcx_memory *memory, bool have_gone)
{
    memory->is_in_doubt = memory->has_ballooned = true;
    memory->have_gone |= have_gone;
}

static void again_from(struct xcx_memory *memory, uint64_t chunk)
{
    if (chunk < memory->again_chunk)
        memory->again_chunk = chunk;
}

/*
 * Takes note of a page count; a change makes all that is known doubtful. More
 * pages: what the search has found since the last look may be new, and if
 * pages have gone before and it is not known which, any may be back. A change
 * that is seen late, on a busy machine, may hide pages that went and came back.
 */
static void see_count(struct xcx_memory *memory, uint64_t nr_pages)
{
    uint64_t now_ns = xcx_clock_ns();

    if (nr_pages != memory->nr_watched) {
        xcx_memory_doubt(memory, nr_pages < memory->nr_watched);
        if (now_ns - memory->seen_ns > BLIND_NS)
            again_from(memory, 0);
    }
    memory->seen_ns = now_ns;
    if (nr_pages > memory->nr_watched) {
        again_from(memory, memory->seen_chunk);
        if (memory->have_gone)
            again_from(memory, 0);
        else if (memory->is_rechecking)
            again_from(memory, memory->recheck_chunk);
    }
    memory->nr_watched = nr_pages;
    memory->seen_chunk =
        xcx_memory_is_known(memory) ? UINT64_MAX : memory->next_chunk;
}

/* Ends the search if all pages that Xen counts have been found. */
static int look_at_count(struct xcx_memory *memory, struct xcx_err *err)
{
    struct xcx_domain_info info;

    if (xcx_domain_get_info(memory->guest->hv, &info, err))
        return -1;
    see_count(memory, info.nr_pages);
    if (memory->stops_early && memory->nr_found >= info.nr_pages)
        memory->next_chunk = memory->top_chunk;
    if (xcx_memory_is_known(memory) && !memory->is_in_doubt)
        memory->page_count_offset =
            (int64_t)(info.nr_pages - xcx_bitmap_count(&memory->populated));
    return 0;
}

int xcx_memory_search(struct xcx_memory *memory, uint64_t *ret_pfn,
                      struct xcx_err *err)
{
    uint64_t chunk = memory->next_chunk++, before = memory->nr_found;

    *ret_pfn = chunk * XCX_CHUNK_PFNS;
    if (memory->guest->ops->types_change) {
        read_chunk(memory, chunk);
        return 0;
    }
    if (ask_chunk(memory, chunk, err))
        return -1;
    /* Empty: where the guest's pages are, nobody knows; try the top. */
    if (memory->nr_found == before && !xcx_memory_is_known(memory) &&
        memory->stops_early && ask_chunk(memory, --memory->top_chunk, err))
        return -1;
    if (memory->nr_found < memory->nr_watched && !xcx_memory_is_known(memory))
        return 0;
    return look_at_count(memory, err);
}

/* ---- ballooning --------------------------------------------------------- */

/* Clears what is no longer there. */
static int recheck_chunk(struct xcx_memory *memory, uint64_t chunk,
                         struct xcx_err *err)
{
    uint64_t first = chunk * XCX_CHUNK_PFNS;
    unsigned nr_pfns = chunk_pfns(memory, chunk);
    uint8_t types[XCX_CHUNK_PFNS];

    if (xcx_cancel_check(memory->cancel, err) ||
        xcx_types_query_range(memory->types, first, nr_pfns, types, err))
        return -1;
    for (unsigned i = 0; i < nr_pfns; i++) {
        if (xcx_page_type_has_data(types[i]) ||
            !xcx_bitmap_test(&memory->populated, first + i))
            continue;
        xcx_bitmap_clear(&memory->populated, first + i);
        memory->nr_found--;
    }
    return 0;
}

/* *ret_more: how many pages Xen counts beyond what is explained. */
static int count_pages(struct xcx_memory *memory, int64_t *ret_more,
                       struct xcx_err *err)
{
    struct xcx_domain_info info;

    if (xcx_domain_get_info(memory->guest->hv, &info, err))
        return -1;
    *ret_more =
        (int64_t)(info.nr_pages - xcx_bitmap_count(&memory->populated)) -
        memory->page_count_offset;
    see_count(memory, info.nr_pages);
    return 0;
}

static int give_up_holes(const struct xcx_memory *memory, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "pages that the guest got back lie somewhere in %" PRIu64
                       " pfns, too many to look at: try again without "
                       "ballooning",
                       memory->guest->nr_pfns);
}

/*
 * The count is looked at all the while: a change must not go unnoticed. Ends
 * early once so many pages more are known.
 */
static int ask_chunks(struct xcx_memory *memory, enum which_chunks which,
                      uint64_t enough, struct xcx_err *err)
{
    uint64_t nr_before = memory->nr_found, nr_holes = 0;
    struct xcx_domain_info info;

    for (uint64_t chunk = 0; chunk < nr_chunks(memory); chunk++) {
        int rc = 0;

        if (!is_of(memory, chunk, which))
            continue;
        if (which == EMPTY &&
            nr_holes > HOLES_PFNS + HOLES_TIMES * memory->nr_watched)
            return give_up_holes(memory, err);
        nr_holes += XCX_CHUNK_PFNS;
        memory->recheck_chunk = chunk;
        if (which == FULL)
            rc = recheck_chunk(memory, chunk, err);
        else
            rc = ask_chunk(memory, chunk, err);
        if (rc || xcx_domain_get_info(memory->guest->hv, &info, err))
            return -1;
        see_count(memory, info.nr_pages);
        if (memory->nr_found >= nr_before + enough)
            return 0;
    }
    return 0;
}

/* Finds which of the known pages the guest has no longer. */
static int find_gone(struct xcx_memory *memory, struct xcx_err *err)
{
    int rc;

    memory->is_rechecking = memory->have_gone;
    memory->have_gone = false;
    rc = ask_chunks(memory, FULL, ANY_NUMBER, err);
    memory->is_rechecking = false;
    return rc;
}

int xcx_memory_watch_balloon(struct xcx_memory *memory, struct xcx_err *err)
{
    uint64_t start_ns = xcx_clock_ns(), end_ns;
    struct xcx_domain_info info;

    if (memory->guest->ops->types_change || start_ns < memory->next_watch_ns)
        return 0;
    if (xcx_domain_get_info(memory->guest->hv, &info, err))
        return -1;
    see_count(memory, info.nr_pages);
    end_ns = xcx_clock_ns();
    memory->next_watch_ns =
        end_ns + WATCH_INTERVAL_NS + WATCH_SHARE * (end_ns - start_ns);
    if (!memory->have_gone || end_ns < memory->next_recheck_ns)
        return 0;
    start_ns = end_ns;
    if (find_gone(memory, err))
        return -1;
    end_ns = xcx_clock_ns();
    memory->next_recheck_ns = end_ns + RECHECK_SHARE * (end_ns - start_ns);
    return 0;
}

/*
 * Pages that came while the search went on, and that it found, or that were
 * away for a while: writes to them were not recorded, so they are sent again,
 * and with them all that cannot be told from them.
 */
static void send_again(struct xcx_memory *memory)
{
    uint64_t first = memory->again_chunk;

    memory->again_chunk = UINT64_MAX;
    memory->sends_again = first < nr_chunks(memory);
    if (!memory->sends_again)
        return;
    for (uint64_t i = first * (XCX_CHUNK_PFNS / 64);
         i < xcx_bitmap_nr_words(memory->populated.nr_bits); i++)
        memory->todo.words[i] |= memory->populated.words[i];
}

static int look_again(struct xcx_memory *memory, enum xcx_follow when,
                      struct xcx_err *err)
{
    int64_t more;

    if (count_pages(memory, &more, err))
        return -1;
    if (!more && !memory->is_in_doubt &&
        (when == XCX_FOLLOW_ROUND || !memory->has_ballooned))
        return 0;
    /* From here on, what comes or goes brings the doubt back. */
    memory->is_in_doubt = false;
    if ((when != XCX_FOLLOW_SUSPENDED || memory->have_gone) &&
        find_gone(memory, err))
        return -1;
    if (ask_chunks(memory, MIXED, ANY_NUMBER, err) ||
        count_pages(memory, &more, err))
        return -1;
    /* All that is known is there, and there is no more: nothing is missing. */
    if (more <= 0)
        return 0;
    /* From below: RAM is there, and what it was given back it mostly gets. */
    if (ask_chunks(memory, EMPTY, (uint64_t)more, err) ||
        count_pages(memory, &more, err))
        return -1;
    if (!memory->is_in_doubt)
        memory->page_count_offset += more; /* that has other reasons */
    return 0;
}

int xcx_memory_follow_balloon(struct xcx_memory *memory, enum xcx_follow when,
                              struct xcx_err *err)
{
    if (!xcx_memory_is_known(memory))
        return 0;
    if (memory->guest->ops->types_change) {
        for (uint64_t chunk = 0; chunk < nr_chunks(memory); chunk++)
            read_chunk(memory, chunk);
        return 0;
    }
    if (look_again(memory, when, err))
        return -1;
    send_again(memory);
    return 0;
}

void xcx_memory_take_dirty(struct xcx_memory *memory,
                           const struct xcx_bitmap *dirty)
{
    uint64_t nr_words = xcx_bitmap_nr_words(dirty->nr_bits);

    /* Untouched memory stays so: a bitmap of a terabyte is nearly empty. */
    for (uint64_t i = 0; i < nr_words; i++) {
        uint64_t now = dirty->words[i];

        if (now & memory->last.words[i] || memory->hot.words[i])
            memory->hot.words[i] = now & memory->last.words[i];
        if (memory->last.words[i] != now)
            memory->last.words[i] = now;
        if (now)
            memory->todo.words[i] |= now;
    }
}
