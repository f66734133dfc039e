/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits: the caller's limits for the policy and the bandwidth, which it may
 * change while a save runs.
 *
 *   ops->limits ◀── xcx_limits_ask() ──▶ now ──▶ policy, bucket, batch size
 *
 * The caller is asked after each batch, at each look at the dirty pages, and
 * while a bandwidth limit makes the sender sleep. Earlier decisions stay: a
 * guest is not unthrottled, and a suspended one does not run again.
 *
 * Threads: the engine's one.
 */
#ifndef XCX_ENGINE_LIMITS_H
#define XCX_ENGINE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "io/bucket.h"
#include "xcext.h"

struct xcx_limits {
    const struct xcx_save_ops *ops; /* the caller's */
    struct xcx_policy_limits now;
};

/* Asks the caller, if he wants to be asked; into now. */
void xcx_limits_ask(struct xcx_limits *limits);

/*
 * Pages after which a batch is full, so that the bandwidth limit is kept
 * evenly. The first sending of memory goes on to the end of a superpage.
 */
unsigned xcx_limits_max_batch(const struct xcx_limits *limits);

/* A full bucket for what is now the bandwidth limit. */
void xcx_limits_fill(const struct xcx_limits *limits,
                     struct xcx_bucket *bucket);

/*
 * Asks, and gives the bucket the rate that came of it. True: it is another
 * one, and what was owed at the old rate is forgiven.
 */
bool xcx_limits_follow(struct xcx_limits *limits, struct xcx_bucket *bucket);

#endif
