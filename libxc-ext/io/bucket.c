/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "io/bucket.h"

#include "base/clock.h"

/* No time here is further away than this, 73 years: sums cannot overflow. */
#define FAR_NS (INT64_MAX / 4)

/* Rounded up, so that the rate is never exceeded. */
static int64_t cost_ns(uint64_t bytes, uint64_t bytes_per_s)
{
    unsigned __int128 ns =
        ((unsigned __int128)bytes * XCX_NS_PER_S + bytes_per_s - 1) /
        bytes_per_s;

    return ns < FAR_NS ? (int64_t)ns : FAR_NS;
}

void xcx_bucket_init(struct xcx_bucket *bucket, uint64_t bytes_per_s,
                     uint64_t burst_bytes)
{
    *bucket = (struct xcx_bucket){.bytes_per_s = bytes_per_s,
                                  .burst_bytes = burst_bytes,
                                  .paid_ns = -FAR_NS};
}

uint64_t xcx_bucket_take(struct xcx_bucket *bucket, uint64_t bytes,
                         uint64_t now_ns)
{
    int64_t now = (int64_t)now_ns, full_ns;

    if (!bucket->bytes_per_s)
        return 0;
    full_ns = now - cost_ns(bucket->burst_bytes, bucket->bytes_per_s);
    if (bucket->paid_ns < full_ns)
        bucket->paid_ns = full_ns;
    if (bucket->paid_ns < now + FAR_NS)
        bucket->paid_ns += cost_ns(bytes, bucket->bytes_per_s);
    return bucket->paid_ns > now ? (uint64_t)(bucket->paid_ns - now) : 0;
}
