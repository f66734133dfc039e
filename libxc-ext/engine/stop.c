/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/stop.h"

#include "base/clock.h"

/* The guest writes so much in this time that another live round is due. */
#define LONG_PREPARATION_NS (20 * XCX_NS_PER_MS)

/* Rounds at most because ballooning made all that was sent doubtful. */
#define MAX_AGAIN 8

static int pass_on(struct xcx_err *err, const struct xcx_err *why)
{
    if (err && !xcx_err_is_set(err))
        *err = *why;
    return -1;
}

int xcx_stop_throttle(struct xcx_rounds *rounds, bool *ret_again,
                      struct xcx_err *err)
{
    unsigned percent = rounds->decision.cap_percent;
    struct xcx_err why = XCX_ERR_INIT;

    *ret_again = true;
    if (xcx_unwind_do_throttle(rounds->unwind, percent, rounds->nr_vcpus,
                               &why) == 0) {
        rounds->stats->throttle_percent_min = percent;
        return 0;
    }
    /* As hv/sched.h says, of a scheduler that has no caps. */
    if (why.kind != XCX_ERR_GUEST || rounds->unwind->throttled)
        return pass_on(err, &why);
    xcx_policy_set_no_caps(&rounds->policy, &rounds->decision);
    *ret_again = false;
    return 0;
}

static int refuse_ballooning(const struct xcx_rounds *rounds,
                             struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u gives memory back and takes it again too "
                       "fast to be followed: leave its memory target as it is "
                       "while it is moved, or allow more downtime with "
                       "on_slow",
                       rounds->memory->guest->hv->domid);
}

/*
 * *ret_again: the caller took so long that another live round is due. Asked
 * only once: a caller that is always slow must not keep the guest from moving.
 */
static int prepare_caller(struct xcx_rounds *rounds, bool *ret_again,
                          struct xcx_err *err)
{
    const struct xcx_save_ops *ops = rounds->ops;
    uint64_t start_ns = xcx_clock_ns(), took_ns;

    *ret_again = false;
    if (!ops->prepare_suspend)
        return 0;
    if (ops->prepare_suspend(ops->opaque, err))
        return -1;
    took_ns = xcx_clock_ns() - start_ns;
    rounds->stats->prepare_ns += took_ns;
    if (took_ns < LONG_PREPARATION_NS || rounds->has_prepared || rounds->cut)
        return 0;
    rounds->has_prepared = *ret_again = true;
    return 0;
}

int xcx_stop_prepare(struct xcx_rounds *rounds, bool *ret_again,
                     struct xcx_err *err)
{
    struct xcx_memory *memory = rounds->memory;

    if (xcx_memory_follow_balloon(memory, XCX_FOLLOW_LAST, err))
        return -1;
    *ret_again = memory->sends_again && !rounds->cut;
    if (*ret_again && rounds->nr_again++ >= MAX_AGAIN) {
        if (!xcx_policy_stops_anyway(&rounds->policy))
            return refuse_ballooning(rounds, err);
        *ret_again = false;
    }
    if (!*ret_again && prepare_caller(rounds, ret_again, err))
        return -1;
    rounds->stats->stop_reason = rounds->decision.reason;
    rounds->stats->predicted_blackout_ns =
        rounds->decision.predicted_blackout_ns;
    return 0;
}
