/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle: the unwinding of a save whose process is gone. */
#include "engine/unwind.h"

int xcx_settle(uint32_t domid, const char *lock_dir, const struct xcx_log *log,
               struct xcx_err *err)
{
    struct xcx_save_ops ops = {.log = log ? log->emit : NULL,
                               .opaque = log ? log->opaque : NULL};
    struct xcx_unwind unwind;
    struct xcx_hv hv;
    int rc;

    if (xcx_hv_open(&hv, domid, NULL, NULL, err))
        return -1;
    xcx_unwind_init(&unwind, &hv, &ops);
    rc = xcx_unwind_do_lock(&unwind, lock_dir, err);
    if (rc == 0)
        rc = xcx_unwind_do_leftover(&unwind, err);
    xcx_unwind_all(&unwind, err);
    xcx_hv_close(&hv);
    return rc;
}
