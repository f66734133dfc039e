/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory: the pages that the guest has, and those still to be sent.
 *
 * populated   known to be there (asked once; a failed map asks again)
 * todo        to be sent; a bit goes when its page is handed on, and comes
 *             back when the page has to be deferred
 *
 * The p2m of a small HVM guest is nearly all holes: 128 MiB of RAM, and
 * special pages just below 4 GiB. Asking for the type of every pfn would cost
 * more than sending the guest, so the search goes up from pfn 0 in chunks of
 * 1024 and, for each empty chunk it meets, down from the top by one,
 *
 *   0 ──▶ ████████ ──▶ · · · · · · · · · · · · · · ◀── ██ nr_pfns
 *                     next                         top
 *
 * until it has found as many pages as Xen says the guest has. Pages
 * populated on demand make that number useless: then all is asked for.
 *
 * Ballooning. A page that a guest gets is not in the log-dirty record, and
 * writes to it are not until the next CLEAN: so follow_balloon() comes just
 * before one, or with the guest suspended. What it finds is to be sent. A page
 * that goes and comes back within a round would look as if it had stayed: so
 * watch_balloon() looks often, and when pages are missing, notes which.
 *
 * The signs of it: a page count that differs from the last one seen (looked
 * at every millisecond, and after each query while pages are asked for), a page
 * whose map fails, a write to an unknown page. After the first of them, the
 * pages known and the holes among them are asked for once more before the
 * guest is suspended, and the holes again after it. When all known pages are
 * there and the count says no more, none is missing; else the chunks without
 * pages are asked for, too, from pfn 0 on until those missing are found: they
 * come back where RAM was, not in the wide hole above it. How many holes are
 * looked at is limited by the guest's pages: a guest that has put one page near
 * pfn 2^32 and balloons is not moved, rather than suspended for hours.
 *
 * When the count rises before it is known which pages have gone, any page may
 * have been away, written unrecorded: all that cannot be ruled out is sent
 * again, while the guest runs if possible. So is all when a change is seen that
 * may be more than 8 ms old: a busy machine lets no look come in time.
 *
 * What is left: as many pages in as out between two looks, and again so in all
 * other intervals, with none of the other signs; or a page that goes and is
 * back between two looks, and that the guest writes before the next CLEAN and
 * never after it.
 *
 * For PV, the guest's own p2m says all this, and costs nothing to read.
 */
#ifndef XCX_ENGINE_MEMORY_H
#define XCX_ENGINE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitmap.h"
#include "guest/guest.h"
#include "hv/types.h"
#include "io/io.h"

#define XCX_CHUNK_PFNS 1024 /* 4 MiB */

struct xcx_memory {
    struct xcx_guest *guest;
    struct xcx_cancel cancel; /* the caller's; looked at for each chunk */
    struct xcx_types *types;
    struct xcx_bitmap populated;
    struct xcx_bitmap todo;
    struct xcx_bitmap hot;  /* of todo, those that were written twice */
    struct xcx_bitmap last; /* what the last CLEAN gave */
    /* The search. */
    uint64_t next_chunk;
    uint64_t top_chunk; /* from here on all is known */
    uint64_t nr_found;
    bool stops_early;
    bool is_in_doubt;   /* pages have come or gone since all was known */
    bool has_ballooned; /* have ever done so since the search began */
    bool have_gone;     /* some have gone since all known ones were asked for */
    uint64_t seen_chunk;  /* next_chunk when the count was last looked at */
    uint64_t again_chunk; /* what is known from here on is to be sent again */
    bool sends_again;     /* the last follow_balloon() has put it into todo */
    bool is_rechecking;   /* finding out which have gone; has come to ... */
    uint64_t recheck_chunk;
    /* nr_pages of Xen less ours, when they were last made to agree. */
    int64_t page_count_offset;
    uint64_t nr_watched; /* Xen's page count when last looked at */
    uint64_t seen_ns;    /* when that was */
    uint64_t next_watch_ns;
    uint64_t next_recheck_ns;
};

/*
 * For guest->nr_pfns pfns, nothing known, and nobody cancels. Errors: RESOURCE,
 * HYPERCALL.
 */
int xcx_memory_init(struct xcx_memory *memory, struct xcx_guest *guest,
                    struct xcx_types *types, struct xcx_err *err);
void xcx_memory_done(struct xcx_memory *memory); /* idempotent */

/* Room for a p2m that has grown; the new pfns count as holes. */
int xcx_memory_grow(struct xcx_memory *memory, struct xcx_err *err);

/* Whether the search is over. */
bool xcx_memory_is_known(const struct xcx_memory *memory);

/*
 * Searches one chunk more (and perhaps one at the top): what is there gets
 * its bits in populated and todo. *ret_pfn is the chunk's first pfn.
 */
int xcx_memory_search(struct xcx_memory *memory, uint64_t *ret_pfn,
                      struct xcx_err *err);

/* A sign of ballooning that only the caller sees: pages have gone, or come. */
void xcx_memory_doubt(struct xcx_memory *memory, bool have_gone);

enum xcx_follow {
    XCX_FOLLOW_ROUND,     /* a CLEAN comes next, and a live round */
    XCX_FOLLOW_LAST,      /* the guest is to be suspended */
    XCX_FOLLOW_SUSPENDED, /* it is: what is found now is all there is */
};

/*
 * Finds pages that have come since, if there was a sign of it (PV: always),
 * into populated and todo. Blocks: up to 5 us for each pfn that it asks for.
 * Errors: HYPERCALL, CANCELLED; GUEST, pages in too wide a p2m.
 */
int xcx_memory_follow_balloon(struct xcx_memory *memory, enum xcx_follow when,
                              struct xcx_err *err);

/*
 * For each batch of a live round. Cheap when nothing has changed; else up to
 * a fifth of the time goes into finding what has gone.
 */
int xcx_memory_watch_balloon(struct xcx_memory *memory, struct xcx_err *err);

/* Takes the bits of a CLEAN into todo, hot and last. */
void xcx_memory_take_dirty(struct xcx_memory *memory,
                           const struct xcx_bitmap *dirty);

#endif
