/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unwind: notes what was done to a domain, and undoes it: the only place where
 * that happens, on every path, success included.
 *
 *   done                          undone by
 *   lock taken                    released, last of all
 *   device model's log-dirty on   off
 *   Xen's log-dirty on            off, if it is still ours (canary.h)
 *   scheduler cap lowered         set back
 *
 * Each do_ function notes what it did only once it has succeeded (the cap and
 * the lock's note before: a crash in between must be seen). What cannot be
 * undone after some tries is named, in the log and in the error.
 */
#ifndef XCX_ENGINE_UNWIND_H
#define XCX_ENGINE_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/canary.h"
#include "hv/hv.h"
#include "hv/lock.h"
#include "xcext.h"

struct xcx_unwind {
    const struct xcx_hv *hv;
    const struct xcx_save_ops *ops;
    struct xcx_lock lock;
    bool qemu_log_dirty;
    bool log_dirty;
    struct xcx_canary *canary; /* NULL: none; of a record that is on */
    bool throttled;
    uint32_t cap; /* the original one */
};

void xcx_unwind_init(struct xcx_unwind *unwind, const struct xcx_hv *hv,
                     const struct xcx_save_ops *ops);

int xcx_unwind_do_lock(struct xcx_unwind *unwind, const char *lock_dir,
                       struct xcx_err *err);
int xcx_unwind_do_qemu_log_dirty(struct xcx_unwind *unwind,
                                 struct xcx_err *err);

/*
 * Under the lock: switches off the log-dirty mode that a holder which died has
 * left on. Its cap has been put back by taking the lock. HYPERCALL.
 */
int xcx_unwind_do_leftover(struct xcx_unwind *unwind, struct xcx_err *err);

/*
 * Switches Xen's log-dirty on. One that is on already is another program's,
 * and GUEST, but for a leftover of ours. *ret_unsupported instead of an error
 * where the hypervisor has none for this domain.
 */
int xcx_unwind_do_log_dirty(struct xcx_unwind *unwind, bool *ret_unsupported,
                            struct xcx_err *err);

/*
 * percent of nr_vcpus CPUs. May be called again to go lower. GUEST, with the
 * throttle noted as done, for a guest that has ended meanwhile.
 */
int xcx_unwind_do_throttle(struct xcx_unwind *unwind, unsigned percent,
                           unsigned nr_vcpus, struct xcx_err *err);

/*
 * Sets the cap back, if there was a throttle; idempotent. One that cannot be
 * set back is told as in xcx_unwind_all(), and not tried again.
 */
void xcx_unwind_undo_throttle(struct xcx_unwind *unwind, struct xcx_err *err);

/*
 * Undoes all. Idempotent. If err holds an error, what cannot be undone is
 * added to its message; if it holds none, it stays so (the stream is whole)
 * and the log alone tells.
 */
void xcx_unwind_all(struct xcx_unwind *unwind, struct xcx_err *err);

#endif
