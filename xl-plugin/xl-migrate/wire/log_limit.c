/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log_limit.h"

#include <inttypes.h>

#include "common/deadline.h"

/* A new time begins for the lines. */
static void begin(struct log_limit *limit, uint64_t now_ns,
                  const struct xcx_log *log)
{
    if (limit->nr_dropped)
        xcx_log(log, XCX_LOG_WARN,
                "%" PRIu64 " lines of the other host were left out",
                limit->nr_dropped);
    *limit = (struct log_limit){.since_ns = now_ns};
}

bool log_limit_admits(struct log_limit *limit, const struct xcx_log *log)
{
    uint64_t now_ns = deadline_now_ns();

    if (!limit->since_ns || now_ns - limit->since_ns >= LOG_LIMIT_S * NS_PER_S)
        begin(limit, now_ns, log);
    if (limit->nr_passed < LOG_LIMIT_LINES) {
        limit->nr_passed++;
        return true;
    }
    if (!limit->nr_dropped++)
        xcx_log(log, XCX_LOG_WARN,
                "the other host logs more than %d lines in %d s: the rest of "
                "them is left out",
                LOG_LIMIT_LINES, LOG_LIMIT_S);
    return false;
}
