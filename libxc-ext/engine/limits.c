/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/limits.h"

#include "stream/format.h"

/* With a bandwidth limit: a batch is worth this much time at most. */
#define BATCHES_PER_S 20
#define MIN_BATCH     16

void xcx_limits_ask(struct xcx_limits *limits)
{
    if (limits->ops->limits)
        limits->ops->limits(limits->ops->opaque, &limits->now);
}

unsigned xcx_limits_max_batch(const struct xcx_limits *limits)
{
    uint64_t limit = limits->now.bandwidth_bytes_per_s;
    uint64_t max_batch = limit / BATCHES_PER_S / XCX_PAGE_BYTES;

    if (!limit || max_batch > XCX_PAGE_BATCH_MAX)
        return XCX_PAGE_BATCH_MAX;
    return max_batch < MIN_BATCH ? MIN_BATCH : (unsigned)max_batch;
}

void xcx_limits_fill(const struct xcx_limits *limits, struct xcx_bucket *bucket)
{
    uint64_t limit = limits->now.bandwidth_bytes_per_s;

    xcx_bucket_init(bucket, limit, limit / BATCHES_PER_S);
}

bool xcx_limits_follow(struct xcx_limits *limits, struct xcx_bucket *bucket)
{
    xcx_limits_ask(limits);
    if (bucket->bytes_per_s == limits->now.bandwidth_bytes_per_s)
        return false;
    xcx_limits_fill(limits, bucket);
    return true;
}
