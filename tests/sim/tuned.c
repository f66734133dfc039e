/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linked into the save helper in front of xcx_save(): changes the limits while
 * the save runs, from the third time it is asked on. TUNE in the environment
 * says which: "bandwidth" (no limit any more), "on_slow" (stop).
 */
#include "xcext.h"

#include <stdlib.h>
#include <string.h>

#define ASKED_BEFORE 2

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
    if (!what || nr_asked++ < ASKED_BEFORE)
        return;
    if (strcmp(what, "bandwidth") == 0)
        limits->bandwidth_bytes_per_s = 0;
    if (strcmp(what, "on_slow") == 0)
        limits->on_slow = XCX_ON_SLOW_STOP;
}

int __wrap_xcx_save(const struct xcx_save_params *params,
                    const struct xcx_save_ops *ops,
                    struct xcx_save_stats *ret_stats, struct xcx_err *err)
{
    struct xcx_save_ops tuned = *ops;

    tuned.limits = tune;
    return __real_xcx_save(params, &tuned, ret_stats, err);
}
