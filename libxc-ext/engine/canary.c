/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/canary.h"

#define PEEK_TRIES 3

static int set_lost(struct xcx_canary *canary, struct xcx_err *err)
{
    canary->is_lost = true;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u: another program has switched off or read "
                       "its log-dirty record (is it being saved or migrated?): "
                       "try again once that has ended",
                       canary->hv->domid);
}

/* The pages to be marked may have moved, so the guest is asked each time. */
static int mark_pages(struct xcx_canary *canary, struct xcx_err *err)
{
    struct xcx_guest *guest = canary->guest;

    canary->is_set = false;
    if (!canary->marker)
        return 0;
    if (guest->ops->types_change)
        canary->nr_pages = guest->ops->marks(guest, canary->pages);
    for (unsigned i = 0; i < canary->nr_pages; i++)
        if (xcx_marker_mark(canary->marker, &canary->pages[i], err))
            return -1;
    canary->is_set = true;
    return 0;
}

static bool shows(struct xcx_canary *canary, uint64_t pfn)
{
    const struct xcx_bitmap *bits = xcx_logdirty_bitmap(canary->log);

    return pfn < bits->nr_bits && xcx_bitmap_test(bits, pfn);
}

static bool shows_all(struct xcx_canary *canary)
{
    for (unsigned i = 0; i < canary->nr_pages; i++)
        if (!shows(canary, canary->pages[i].pfn))
            return false;
    return true;
}

static void keep_those_shown(struct xcx_canary *canary)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < canary->nr_pages; i++)
        if (shows(canary, canary->pages[i].pfn))
            canary->pages[nr++] = canary->pages[i];
    canary->nr_pages = nr;
}

int xcx_canary_begin(struct xcx_canary *canary, const struct xcx_hv *hv,
                     struct xcx_guest *guest, struct xcx_logdirty *log,
                     struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    uint64_t nr_dirty;

    *canary = (struct xcx_canary){.hv = hv, .guest = guest, .log = log};
    if (!guest || !guest->ops->marks)
        return 0;
    canary->nr_pages = guest->ops->marks(guest, canary->pages);
    if (canary->nr_pages == 0 ||
        xcx_marker_new(hv, !guest->ops->types_change, &canary->marker, &why))
        return 0;
    if (mark_pages(canary, &why) == 0) {
        if (xcx_logdirty_peek(log, &nr_dirty, err))
            return -1;
        keep_those_shown(canary);
    }
    if (!canary->is_set || canary->nr_pages == 0)
        xcx_canary_done(canary);
    return 0;
}

void xcx_canary_done(struct xcx_canary *canary)
{
    xcx_marker_free(canary->marker);
    canary->marker = NULL;
    canary->nr_pages = 0;
    canary->is_set = false;
}

/*
 * Log-dirty mode must be on already; if it was not, it is now, and the caller
 * has to undo that.
 */
static int ask_by_switching_on(struct xcx_canary *canary, struct xcx_err *err)
{
    enum xcx_logdirty_on answer;

    if (xcx_logdirty_on(canary->hv, &answer, err))
        return -1;
    if (answer == XCX_LOGDIRTY_IN_USE)
        return 0;
    set_lost(canary, err);
    canary->is_lost = false;
    return -1;
}

int xcx_canary_clean(struct xcx_canary *canary, bool final,
                     uint64_t *ret_nr_dirty, struct xcx_err *err)
{
    bool was_set = canary->is_set;

    if (!canary->marker && ask_by_switching_on(canary, err))
        return -1;
    if (xcx_logdirty_clean(canary->log, final, ret_nr_dirty, err))
        return -1;
    canary->is_set = false;
    if (was_set && !shows_all(canary))
        return set_lost(canary, err);
    return mark_pages(canary, err);
}

bool xcx_canary_may_switch_off(struct xcx_canary *canary)
{
    uint64_t nr_dirty;

    if (canary->is_lost)
        return false;
    for (unsigned i = 0; canary->is_set && i < PEEK_TRIES; i++) {
        if (xcx_logdirty_peek(canary->log, &nr_dirty, NULL) == 0)
            return shows_all(canary);
    }
    return true;
}
