/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bucket: a token bucket that limits a rate in bytes per second.
 *
 * Kept as one time, paid_ns: when all that was taken so far will have been
 * paid for at the given rate. Taking moves it on by bytes / rate. It may lag
 * behind now by burst / rate at most: that lag is the bucket's filling.
 *
 *      now - burst/rate      now         paid_ns
 *   ───────────|──────────────|─────────────|──────▶ time
 *                             |◀── wait ───▶|
 *
 * Pure: the caller asks the clock and does the waiting. One thread.
 */
#ifndef XCX_IO_BUCKET_H
#define XCX_IO_BUCKET_H

#include <stdint.h>

struct xcx_bucket {
    uint64_t bytes_per_s; /* 0: no limit */
    uint64_t burst_bytes;
    int64_t paid_ns; /* of the caller's clock; may lie before its zero */
};

/* A full bucket: burst_bytes may be taken at once. Another rate later: again.
 */
void xcx_bucket_init(struct xcx_bucket *bucket, uint64_t bytes_per_s,
                     uint64_t burst_bytes);

/*
 * Takes bytes, more than the bucket holds if need be. Returns how many ns to
 * wait from now_ns before sending them; 0: go ahead. now_ns never goes back.
 */
uint64_t xcx_bucket_take(struct xcx_bucket *bucket, uint64_t bytes,
                         uint64_t now_ns);

#endif
