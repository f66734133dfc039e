/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/unwind.h"

#include <stdio.h>
#include <string.h>

#include "engine/alive.h"
#include "hv/logdirty.h"
#include "hv/sched.h"

#define UNDO_TRIES 3

void xcx_unwind_init(struct xcx_unwind *unwind, const struct xcx_hv *hv,
                     const struct xcx_save_ops *ops)
{
    *unwind = (struct xcx_unwind){.hv = hv, .ops = ops, .lock = XCX_LOCK_INIT};
}

/*
 * The last holder of the lock may have died with the guest throttled. Only the
 * very cap that it had set is replaced: any other is an administrator's, or
 * another domain's.
 */
static void undo_leftover_cap(struct xcx_unwind *unwind)
{
    const struct xcx_log log = {.emit = unwind->ops->log,
                                .opaque = unwind->ops->opaque};
    struct xcx_lock *lock = &unwind->lock;
    struct xcx_err why = XCX_ERR_INIT;
    const struct xcx_lock noted = *lock;
    uint32_t cap;

    if (!lock->has_cap)
        return;
    if (xcx_sched_cap_get(unwind->hv, &cap, &why) ||
        (xcx_lock_has_set(&noted, cap) &&
         xcx_sched_cap_set(unwind->hv, lock->cap, &why)) ||
        xcx_lock_forget_cap(lock, &why))
        xcx_log(&log, XCX_LOG_WARN,
                "domain %u: a save that died has left its scheduler cap at "
                "%u, it was %u: %s",
                unwind->hv->domid, lock->cap_set, lock->cap, why.msg);
    else if (xcx_lock_has_set(&noted, cap))
        xcx_log(&log, XCX_LOG_WARN,
                "domain %u: a save that died had set its scheduler cap to %u; "
                "it is back at %u",
                unwind->hv->domid, cap, lock->cap);
}

int xcx_unwind_do_lock(struct xcx_unwind *unwind, const char *lock_dir,
                       struct xcx_err *err)
{
    if (xcx_lock_take(&unwind->lock, lock_dir, unwind->hv->domid, err))
        return -1;
    undo_leftover_cap(unwind);
    return 0;
}

int xcx_unwind_do_leftover(struct xcx_unwind *unwind, struct xcx_err *err)
{
    if (!unwind->lock.leftover)
        return 0;
    if (xcx_logdirty_off(unwind->hv, err) ||
        xcx_lock_note(&unwind->lock, false, err))
        return -1;
    unwind->lock.leftover = false;
    return 0;
}

int xcx_unwind_do_qemu_log_dirty(struct xcx_unwind *unwind, struct xcx_err *err)
{
    const struct xcx_save_ops *ops = unwind->ops;

    if (!ops->switch_qemu_logdirty)
        return 0;
    if (ops->switch_qemu_logdirty(ops->opaque, true, err))
        return xcx_err_prefix(err, "domain %u: device model's log-dirty",
                              unwind->hv->domid);
    unwind->qemu_log_dirty = true;
    return 0;
}

/*
 * Log-dirty is on already. Whose is it, and may it be taken? Before Xen 4.17 a
 * device model that follows its video memory had it on, too; since then only
 * a save or a migration has.
 */
static int take_over(struct xcx_unwind *unwind, struct xcx_err *err)
{
    enum xcx_logdirty_on answer;

    if (!unwind->lock.leftover)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u: log-dirty mode is in use by another "
                           "program (is it being saved or migrated already?)",
                           unwind->hv->domid);
    if (xcx_logdirty_off(unwind->hv, err) ||
        xcx_logdirty_on(unwind->hv, &answer, err))
        return -1;
    if (answer != XCX_LOGDIRTY_ON)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u: Xen refuses log-dirty mode (a device "
                           "passed through shares its page tables?)",
                           unwind->hv->domid);
    return 0;
}

int xcx_unwind_do_log_dirty(struct xcx_unwind *unwind, bool *ret_unsupported,
                            struct xcx_err *err)
{
    enum xcx_logdirty_on answer;

    *ret_unsupported = false;
    if (xcx_logdirty_on(unwind->hv, &answer, err))
        return -1;
    if (answer == XCX_LOGDIRTY_UNSUPPORTED) {
        *ret_unsupported = true;
        return 0;
    }
    if (answer == XCX_LOGDIRTY_IN_USE && take_over(unwind, err))
        return -1;
    unwind->log_dirty = true;
    return xcx_lock_note(&unwind->lock, true, err);
}

int xcx_unwind_do_throttle(struct xcx_unwind *unwind, unsigned percent,
                           unsigned nr_vcpus, struct xcx_err *err)
{
    const struct xcx_save_ops *ops = unwind->ops;
    uint32_t cap = percent * (nr_vcpus ? nr_vcpus : 1);

    if (!unwind->throttled) {
        if (xcx_sched_cap_get(unwind->hv, &unwind->cap, err))
            return -1;
        if (ops->journal_cap &&
            ops->journal_cap(ops->opaque, unwind->cap, false, err))
            return -1;
        unwind->throttled = true;
    }
    if (unwind->cap && cap >= unwind->cap)
        return 0; /* its administrator is stricter already */
    if (xcx_lock_note_cap(&unwind->lock, unwind->cap, cap ? cap : 1, err))
        return -1;
    if (xcx_sched_cap_set(unwind->hv, cap ? cap : 1, err))
        return -1;
    /*
     * xl reads the cap of a domain that has shut down. Whoever notices a
     * shutdown sets it back, and must not have been too early for this one.
     */
    return xcx_alive_check(unwind->hv, err);
}

/* ---- undoing ------------------------------------------------------------ */

/* Sets the error if none is set yet; logs this one otherwise. */
static void complain(struct xcx_unwind *unwind, const struct xcx_err *why,
                     const char *what, struct xcx_err *err)
{
    const struct xcx_log log = {.emit = unwind->ops->log,
                                .opaque = unwind->ops->opaque};
    size_t used;

    if (!xcx_err_is_set(err)) {
        xcx_log(&log, XCX_LOG_ERROR, "domain %u: %s (%s)", unwind->hv->domid,
                what, why->msg);
        return;
    }
    used = strlen(err->msg);
    snprintf(err->msg + used, sizeof(err->msg) - used, "; moreover %s", what);
}

static int undo_log_dirty(struct xcx_unwind *unwind, struct xcx_err *why)
{
    const struct xcx_log log = {.emit = unwind->ops->log,
                                .opaque = unwind->ops->opaque};

    if (unwind->canary && !xcx_canary_may_switch_off(unwind->canary)) {
        xcx_log(&log, XCX_LOG_WARN,
                "domain %u: log-dirty mode is left as it is, since another "
                "program uses it now",
                unwind->hv->domid);
        return 0;
    }
    return xcx_logdirty_off(unwind->hv, why);
}

static int undo_qemu(struct xcx_unwind *unwind, struct xcx_err *why)
{
    return unwind->ops->switch_qemu_logdirty(unwind->ops->opaque, false, why);
}

static int undo_cap(struct xcx_unwind *unwind, struct xcx_err *why)
{
    return xcx_sched_cap_set(unwind->hv, unwind->cap, why);
}

static bool undo(struct xcx_unwind *unwind,
                 int (*step)(struct xcx_unwind *, struct xcx_err *),
                 unsigned max_tries, const char *failed, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    for (unsigned i = 0; i < max_tries; i++) {
        why = XCX_ERR_INIT;
        if (!step(unwind, &why))
            return true;
    }
    complain(unwind, &why, failed, err);
    return false;
}

void xcx_unwind_undo_throttle(struct xcx_unwind *unwind, struct xcx_err *err)
{
    const struct xcx_save_ops *ops = unwind->ops;

    if (unwind->throttled &&
        undo(unwind, undo_cap, UNDO_TRIES,
             "its scheduler cap could not be set back", err)) {
        xcx_lock_forget_cap(&unwind->lock, NULL);
        if (ops->journal_cap)
            ops->journal_cap(ops->opaque, unwind->cap, true, NULL);
    }
    unwind->throttled = false;
}

void xcx_unwind_all(struct xcx_unwind *unwind, struct xcx_err *err)
{
    xcx_unwind_undo_throttle(unwind, err);
    if (unwind->log_dirty &&
        undo(unwind, undo_log_dirty, UNDO_TRIES,
             "log-dirty mode could not be switched off", err))
        xcx_lock_note(&unwind->lock, false, NULL);
    unwind->log_dirty = false;

    /* Once: libxl's answer is final, and it waits for one question. */
    if (unwind->qemu_log_dirty)
        undo(unwind, undo_qemu, 1,
             "the device model's log-dirty mode could not be switched off",
             err);
    unwind->qemu_log_dirty = false;
    xcx_lock_release(&unwind->lock);
}
