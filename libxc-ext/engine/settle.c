/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle: the unwinding of a save whose process is gone. */
#include <sys/types.h>

#include "engine/unwind.h"
#include "hv/sched.h"

int xcx_settle_with(uint32_t domid, const char *lock_dir,
                    const struct xcx_save_ops *ops, struct xcx_err *err)
{
    struct xcx_unwind unwind;
    struct xcx_hv hv;
    int rc;

    if (xcx_hv_open(&hv, domid, NULL, NULL, err))
        return -1;
    xcx_unwind_init(&unwind, &hv, ops);
    rc = xcx_unwind_do_lock(&unwind, lock_dir, err);
    /* QEMU's mode may have been on before the lock's file said anything. */
    unwind.qemu_log_dirty = rc == 0 && ops->switch_qemu_logdirty;
    if (rc == 0)
        rc = xcx_unwind_do_leftover(&unwind, err);
    xcx_unwind_all(&unwind, err);
    xcx_hv_close(&hv);
    return rc;
}

int xcx_settle(uint32_t domid, const char *lock_dir, const struct xcx_log *log,
               struct xcx_err *err)
{
    const struct xcx_save_ops ops = {.log = log ? log->emit : NULL,
                                     .opaque = log ? log->opaque : NULL};

    return xcx_settle_with(domid, lock_dir, &ops, err);
}

int xcx_lift_cap(uint32_t domid, const char *lock_dir, pid_t holder,
                 const struct xcx_log *log, struct xcx_err *err)
{
    struct xcx_hv hv = {.xch = NULL};
    struct xcx_lock noted;
    uint32_t cap;
    int rc = -1;

    if (xcx_lock_peek(&noted, lock_dir, domid, err))
        return -1;
    if (!noted.has_cap || noted.holder != (long)holder)
        return 0;
    if (xcx_hv_open(&hv, domid, NULL, NULL, err) == 0 &&
        xcx_sched_cap_get(&hv, &cap, err) == 0)
        rc = xcx_lock_has_set(&noted, cap)
                 ? xcx_sched_cap_set(&hv, noted.cap, err)
                 : 0;
    xcx_hv_close(&hv);
    if (rc == 0 && xcx_lock_has_set(&noted, cap))
        xcx_log(log, XCX_LOG_WARN,
                "domain %u: its scheduler cap was %u for a save; it is back "
                "at %u",
                domid, cap, noted.cap);
    return rc;
}
