/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linked into the save helper in front of xcx_save(): changes the limits while
 * the save runs, from the third time it is asked on. TUNE in the environment
 * says which: "bandwidth" (no limit any more), "on_slow" (stop). With
 * "slow_flush" the limits stay, and preparing to suspend takes 300 ms at first.
 * Fails a save that has not been asked to drain once a live round, or whose
 * last live round came before that preparation.
 */
#include "xcext.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ASKED_BEFORE  2
#define SLOW_FLUSH_NS 300000000

int __real_xcx_save(const struct xcx_save_params *params,
                    const struct xcx_save_ops *ops,
                    struct xcx_save_stats *ret_stats, struct xcx_err *err);
int __wrap_xcx_save(const struct xcx_save_params *params,
                    const struct xcx_save_ops *ops,
                    struct xcx_save_stats *ret_stats, struct xcx_err *err);

static void tune(void *opaque, struct xcx_policy_limits *limits)
{
    static unsigned nr_asked;
    const char *what = getenv("TUNE");

    (void)opaque;
    if (!what || strcmp(what, "slow_flush") == 0 || nr_asked++ < ASKED_BEFORE)
        return;
    if (strcmp(what, "bandwidth") == 0)
        limits->bandwidth_bytes_per_s = 0;
    if (strcmp(what, "on_slow") == 0)
        limits->on_slow = XCX_ON_SLOW_STOP;
}

static unsigned nr_drained;
static unsigned nr_prepared;
static unsigned nr_drained_when_prepared; /* at first */

static void drain(void *opaque)
{
    (void)opaque;
    nr_drained++;
}

static int prepare_suspend(void *opaque, struct xcx_err *err)
{
    static const struct timespec slow = {.tv_nsec = SLOW_FLUSH_NS};
    const char *what = getenv("TUNE");

    (void)opaque;
    (void)err;
    if (nr_prepared++ == 0) {
        nr_drained_when_prepared = nr_drained;
        if (what && strcmp(what, "slow_flush") == 0)
            nanosleep(&slow, NULL);
    }
    return 0;
}

static bool prepared_as_promised(const struct xcx_save_stats *stats)
{
    const char *what = getenv("TUNE");

    if (what && strcmp(what, "slow_flush") == 0)
        return nr_prepared == 2 && nr_drained > nr_drained_when_prepared &&
               stats->prepare_ns >= SLOW_FLUSH_NS;
    return nr_prepared == 1;
}

static unsigned count_live_rounds(const struct xcx_save_stats *stats)
{
    unsigned nr_live = 0;

    for (unsigned i = 0; i < stats->nr_rounds; i++)
        nr_live += !stats->round[i].final;
    return nr_live;
}

int __wrap_xcx_save(const struct xcx_save_params *params,
                    const struct xcx_save_ops *ops,
                    struct xcx_save_stats *ret_stats, struct xcx_err *err)
{
    struct xcx_save_ops tuned = *ops;
    struct xcx_save_stats stats;

    tuned.limits = tune;
    tuned.drain = drain;
    tuned.prepare_suspend = prepare_suspend;
    if (__real_xcx_save(params, &tuned, &stats, err))
        return -1;
    if (ret_stats)
        *ret_stats = stats;
    if (!prepared_as_promised(&stats))
        return xcx_err_set(err, XCX_ERR_BUG, 0,
                           "prepared %u times, at first after %u of %u rounds",
                           nr_prepared, nr_drained_when_prepared, nr_drained);
    if (nr_drained == count_live_rounds(&stats))
        return 0;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "drained %u times in %u rounds",
                       nr_drained, stats.nr_rounds);
}
