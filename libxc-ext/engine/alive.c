/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/alive.h"

#include <stdio.h>

#include "base/clock.h"
#include "hv/domain.h"

#define INTERVAL_NS (UINT64_C(100) * XCX_NS_PER_MS)

/* By Xen's SHUTDOWN_*. */
static const char *const ends[] = {
    "has powered off",
    "has rebooted",
    "was suspended by another program",
    "has crashed",
    "was stopped by its watchdog",
    "has reset itself",
};

#define NR_ENDS (sizeof(ends) / sizeof(ends[0]))

static int has_ended(const struct xcx_hv *hv, const char *how,
                     struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "domain %u %s while its memory was copied", hv->domid,
                       how);
}

int xcx_alive_check(const struct xcx_hv *hv, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct xcx_domain_info info;
    char reason[64];

    if (xcx_domain_get_info(hv, &info, &why)) {
        if (why.kind == XCX_ERR_GUEST)
            return has_ended(hv, "was destroyed", err);
        if (err && !xcx_err_is_set(err))
            *err = why;
        return -1;
    }
    if (info.shutdown && info.shutdown_reason < NR_ENDS)
        return has_ended(hv, ends[info.shutdown_reason], err);
    if (info.shutdown) {
        snprintf(reason, sizeof(reason), "has shut down for reason %u",
                 info.shutdown_reason);
        return has_ended(hv, reason, err);
    }
    return info.dying ? has_ended(hv, "was destroyed", err) : 0;
}

int xcx_alive_watch(struct xcx_alive *alive, const struct xcx_hv *hv,
                    struct xcx_err *err)
{
    uint64_t now_ns = xcx_clock_ns();

    if (now_ns < alive->next_ns)
        return 0;
    alive->next_ns = now_ns + INTERVAL_NS;
    return xcx_alive_check(hv, err);
}
