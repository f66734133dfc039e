/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe: log-dirty mode for a second, to see how many different pages the
 * guest writes within a time.
 *
 *   lock ─▶ log-dirty on ─▶ CLEAN ─▶ count, count, count … ─▶ CLEAN ─▶ unwind
 *                             0       t/32, t/16 … t
 *
 * The times double, so that the curve shows both a small hot set, which fills
 * up at once, and a large one. Counting pauses the guest for less than a
 * millisecond, switching on and the CLEAN for longer: no oftener than needed.
 *
 * What a device model writes is not counted: its pages are few.
 */
#include "xcext.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "engine/canary.h"
#include "engine/unwind.h"
#include "guest/guest.h"
#include "hv/domain.h"
#include "hv/logdirty.h"

#define DEFAULT_NS   XCX_NS_PER_S
#define NR_HALVINGS  5
#define MIN_FIRST_NS (5 * XCX_NS_PER_MS)

struct probing {
    const struct xcx_probe_params *params;
    struct xcx_hv hv;
    struct xcx_unwind unwind;
    struct xcx_guest *guest; /* NULL: its kind cannot be saved */
    struct xcx_logdirty *log;
    struct xcx_canary canary;
    struct xcx_probe *probe;
};

/* Until then, or somebody cancels. */
static int wait_until(const struct probing *probing, uint64_t then_ns,
                      struct xcx_err *err)
{
    const int *cancel_fd = probing->params->cancel_fd;
    struct pollfd pfd = {.fd = cancel_fd ? *cancel_fd : -1, .events = POLLIN};
    uint64_t now_ns;

    while ((now_ns = xcx_clock_ns()) < then_ns) {
        uint64_t left_ns = then_ns - now_ns;
        struct timespec left = {
            .tv_sec = (time_t)(left_ns / XCX_NS_PER_S),
            .tv_nsec = (long)(left_ns % XCX_NS_PER_S),
        };
        int nr_ready = ppoll(&pfd, 1, &left, NULL);

        if (nr_ready < 0 && errno != EINTR)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "poll");
        if (nr_ready > 0)
            return xcx_err_set(err, XCX_ERR_CANCELLED, 0,
                               "domain %u: probing its memory was cancelled",
                               probing->params->domid);
    }
    return 0;
}

static int count(struct probing *probing, uint64_t start_ns,
                 struct xcx_err *err)
{
    struct xcx_probe *probe = probing->probe;
    uint64_t before_ns = xcx_clock_ns(), after_ns, nr_dirty;

    if (xcx_logdirty_count(&probing->hv, &nr_dirty, err))
        return -1;
    after_ns = xcx_clock_ns();
    if (nr_dirty >= probing->canary.nr_pages)
        nr_dirty -= probing->canary.nr_pages;
    if (probe->nr_samples == 0 || after_ns - before_ns < probe->count_ns)
        probe->count_ns = after_ns - before_ns;
    probe->samples[probe->nr_samples].at_ns = before_ns - start_ns;
    probe->samples[probe->nr_samples].nr_pfns_dirty = nr_dirty;
    probe->nr_samples++;
    return 0;
}

/* Takes the shorter of two: another domain's work may hold up either. */
static int clean(struct probing *probing, struct xcx_err *err)
{
    struct xcx_probe *probe = probing->probe;
    uint64_t start_ns = xcx_clock_ns(), ns, nr_dirty;

    if (xcx_canary_clean(&probing->canary, false, &nr_dirty, err))
        return -1;
    ns = xcx_clock_ns() - start_ns;
    if (probe->clean_ns == 0 || ns < probe->clean_ns)
        probe->clean_ns = ns;
    return 0;
}

static int watch(struct probing *probing, struct xcx_err *err)
{
    uint64_t duration_ns = probing->params->duration_ns;
    uint64_t start_ns, at_ns;

    if (duration_ns == 0)
        duration_ns = DEFAULT_NS;
    if (clean(probing, err))
        return -1;
    start_ns = xcx_clock_ns();

    at_ns = duration_ns >> NR_HALVINGS;
    if (at_ns < MIN_FIRST_NS)
        at_ns = MIN_FIRST_NS;
    for (;;) {
        if (at_ns > duration_ns)
            at_ns = duration_ns;
        if (wait_until(probing, start_ns + at_ns, err) ||
            count(probing, start_ns, err))
            return -1;
        if (at_ns >= duration_ns)
            return clean(probing, err);
        at_ns *= 2;
    }
}

/* A kind of guest that cannot be saved can be probed, with less certainty. */
static void open_guest(struct probing *probing,
                       const struct xcx_domain_info *info)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (xcx_guest_new(&probing->hv, info, &probing->guest, &why) ||
        !probing->guest->ops->setup(probing->guest, &why))
        return;
    probing->guest->ops->done(probing->guest);
    probing->guest = NULL;
}

static int begin_log(struct probing *probing, struct xcx_err *err)
{
    if (xcx_logdirty_new(&probing->hv, probing->probe->nr_pfns_p2m,
                         &probing->log, err) ||
        xcx_canary_begin(&probing->canary, &probing->hv, probing->guest,
                         probing->log, err))
        return -1;
    probing->unwind.canary = &probing->canary;
    return 0;
}

static void close_all(struct probing *probing, struct xcx_err *err)
{
    xcx_unwind_all(&probing->unwind, err);
    xcx_canary_done(&probing->canary);
    xcx_logdirty_free(probing->log);
    if (probing->guest)
        probing->guest->ops->done(probing->guest);
    xcx_hv_close(&probing->hv);
}

static int probe(struct probing *probing, struct xcx_err *err)
{
    const struct xcx_probe_params *params = probing->params;
    struct xcx_domain_info info;
    bool unsupported;

    if (xcx_hv_open(&probing->hv, params->domid, NULL, NULL, err) ||
        xcx_domain_get_info(&probing->hv, &info, err) ||
        xcx_unwind_do_lock(&probing->unwind, params->lock_dir, err))
        return -1;
    open_guest(probing, &info);
    if (xcx_domain_p2m_size(&probing->hv, &probing->probe->nr_pfns_p2m, err) ||
        xcx_unwind_do_log_dirty(&probing->unwind, &unsupported, err))
        return -1;
    probing->probe->unsupported = unsupported;
    if (unsupported)
        return 0;
    probing->probe->nr_pages = info.nr_pages;
    if (begin_log(probing, err))
        return -1;
    return watch(probing, err);
}

int xcx_probe(const struct xcx_probe_params *params,
              struct xcx_probe *ret_probe, struct xcx_err *err)
{
    const struct xcx_save_ops ops = {
        .opaque = params->opaque,
        .log = params->log,
    };
    struct xcx_probe found = {0};
    struct probing probing = {.params = params, .probe = &found};
    int rc;

    if (params->duration_ns > 60 * XCX_NS_PER_S)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "a probe of more than a minute");
    probing.hv.domid = params->domid;
    xcx_unwind_init(&probing.unwind, &probing.hv, &ops);
    rc = probe(&probing, err);
    close_all(&probing, err);
    if (rc == 0)
        *ret_probe = found;
    return rc;
}
