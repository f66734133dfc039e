/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is undone, and what is said when it cannot be. */
#include "engine/unwind.h"

#include "engine/alive.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/logdirty.h"
#include "hv/sched.h"
#include "unit/scratch.h"

/* ---- the made-up hypervisor and caller ---------------------------------- */

static struct {
    bool log_dirty, qemu_log_dirty, no_shadow, has_ended;
    unsigned nr_off_failures, nr_cap_failures, nr_qemu_failures;
    uint32_t cap;
    uint32_t journalled;
    bool journal_undone;
    char logged[512];
} xen;

static bool fails(unsigned *nr_left)
{
    if (!*nr_left)
        return false;
    --*nr_left;
    return true;
}

int xcx_logdirty_on(const struct xcx_hv *hv, enum xcx_logdirty_on *ret_answer,
                    struct xcx_err *err)
{
    (void)hv;
    (void)err;
    *ret_answer = xen.no_shadow   ? XCX_LOGDIRTY_UNSUPPORTED
                  : xen.log_dirty ? XCX_LOGDIRTY_IN_USE
                                  : XCX_LOGDIRTY_ON;
    xen.log_dirty = !xen.no_shadow;
    return 0;
}

int xcx_logdirty_off(const struct xcx_hv *hv, struct xcx_err *err)
{
    (void)hv;
    if (fails(&xen.nr_off_failures))
        return xcx_err_set(err, XCX_ERR_HYPERCALL, EIO, "off failed");
    xen.log_dirty = false;
    return 0;
}

bool xcx_canary_may_switch_off(struct xcx_canary *canary)
{
    return !canary->is_lost;
}

int xcx_sched_cap_get(const struct xcx_hv *hv, uint32_t *ret_cap,
                      struct xcx_err *err)
{
    (void)hv;
    (void)err;
    *ret_cap = xen.cap;
    return 0;
}

int xcx_sched_cap_set(const struct xcx_hv *hv, uint32_t cap,
                      struct xcx_err *err)
{
    (void)hv;
    if (fails(&xen.nr_cap_failures))
        return xcx_err_set(err, XCX_ERR_HYPERCALL, EIO, "cap failed");
    xen.cap = cap;
    return 0;
}

int xcx_alive_check(const struct xcx_hv *hv, struct xcx_err *err)
{
    (void)hv;
    if (xen.has_ended)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "has rebooted");
    return 0;
}

static int switch_qemu(void *opaque, bool on, struct xcx_err *err)
{
    (void)opaque;
    if (!on && fails(&xen.nr_qemu_failures))
        return xcx_err_set(err, XCX_ERR_PEER, 0, "qemu said no");
    xen.qemu_log_dirty = on;
    return 0;
}

static int journal_cap(void *opaque, uint32_t cap, bool undone,
                       struct xcx_err *err)
{
    (void)opaque;
    (void)err;
    xen.journalled = cap;
    xen.journal_undone = undone;
    return 0;
}

static void take_log(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque;
    if (level == XCX_LOG_ERROR)
        snprintf(xen.logged, sizeof(xen.logged), "%s", line);
}

static const struct xcx_save_ops ops = {
    .switch_qemu_logdirty = switch_qemu,
    .journal_cap = journal_cap,
    .log = take_log,
};

/* ---- fixture ------------------------------------------------------------ */

static struct xcx_hv hv = {.domid = 7};
static struct xcx_unwind unwind;

static int set_up(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    memset(&xen, 0, sizeof(xen));
    xcx_unwind_init(&unwind, &hv, &ops);
    return xcx_unwind_do_lock(&unwind, scratch_dir, &err);
}

static int tear_down(void **state)
{
    (void)state;
    xcx_unwind_all(&unwind, NULL);
    return 0;
}

static void do_all(void)
{
    struct xcx_err err = XCX_ERR_INIT;
    bool unsupported = true;

    assert_int_equal(xcx_unwind_do_qemu_log_dirty(&unwind, &err), 0);
    assert_int_equal(xcx_unwind_do_log_dirty(&unwind, &unsupported, &err), 0);
    assert_false(unsupported);
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 60, 2, &err), 0);
    assert_int_equal(xen.cap, 120);
    assert_int_equal(xen.journalled, 300);
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 30, 2, &err), 0);
    assert_int_equal(xen.cap, 60);
}

/* ---- tests -------------------------------------------------------------- */

static void test_all_undone_once(void **state)
{
    (void)state;
    xen.cap = 300;
    do_all();
    xcx_unwind_all(&unwind, NULL);
    assert_false(xen.log_dirty);
    assert_false(xen.qemu_log_dirty);
    assert_int_equal(xen.cap, 300);
    assert_int_equal(xen.journalled, 300);
    assert_true(xen.journal_undone);
    assert_string_equal(xen.logged, "");
    xen.cap = 5;
    xcx_unwind_all(&unwind, NULL);
    assert_int_equal(xen.cap, 5);
}

/* Each fails once, or for good; with an error before it, or without. */
static void test_failing_undo_is_named(void **state)
{
    static const struct {
        unsigned *nr_failures;
        unsigned nr;
        const char *said; /* NULL: the next try did it */
    } cases[] = {
        {&xen.nr_off_failures, 1, NULL},
        {&xen.nr_off_failures, 99, "log-dirty mode could not be switched off"},
        {&xen.nr_cap_failures, 2, NULL},
        {&xen.nr_cap_failures, 99, "its scheduler cap could not be set back"},
        {&xen.nr_qemu_failures, 1,
         "the device model's log-dirty mode could not be switched off"},
    };

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        bool has_error = i % 2, left_on;
        const char *said = cases[i / 2].said;

        set_up(state);
        xen.cap = 300;
        do_all();
        *cases[i / 2].nr_failures = cases[i / 2].nr;
        if (has_error)
            xcx_err_set(&err, XCX_ERR_IO, 0, "the link is gone");
        xcx_unwind_all(&unwind, &err);

        assert_int_equal(err.kind, has_error ? XCX_ERR_IO : XCX_OK);
        if (!said)
            assert_string_equal(err.msg, has_error ? "the link is gone" : "");
        else if (has_error)
            assert_non_null(strstr(err.msg, said));
        else
            assert_non_null(strstr(xen.logged, said));
        left_on = said && cases[i / 2].nr_failures == &xen.nr_off_failures;
        assert_true(xen.log_dirty == left_on);
        /* So that the next holder knows. */
        set_up(state);
        assert_true(unwind.lock.leftover == left_on);
        xcx_lock_note(&unwind.lock, false, NULL);
        xcx_unwind_all(&unwind, NULL);
    }
}

static void test_somebody_elses_log_dirty(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    bool unsupported;

    (void)state;
    xen.log_dirty = true;
    assert_int_equal(xcx_unwind_do_log_dirty(&unwind, &unsupported, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_non_null(strstr(err.msg, "in use by another program"));
    xcx_unwind_all(&unwind, &err);
    assert_true(xen.log_dirty); /* not ours: not touched */

    /* A dead one's of ours may be taken. */
    err = XCX_ERR_INIT;
    assert_int_equal(set_up(state), 0);
    unwind.lock.leftover = true;
    xen.log_dirty = true;
    assert_int_equal(xcx_unwind_do_log_dirty(&unwind, &unsupported, &err), 0);
    unwind.lock.leftover = false;
}

/* Taken over by another program while we used it: it is not ours to undo. */
static void test_log_dirty_that_another_uses_now_stays_on(void **state)
{
    struct xcx_canary canary = {.is_lost = true};
    struct xcx_err err = XCX_ERR_INIT;
    bool unsupported;

    assert_int_equal(xcx_unwind_do_log_dirty(&unwind, &unsupported, &err), 0);
    unwind.canary = &canary;
    xcx_unwind_all(&unwind, &err);
    assert_true(xen.log_dirty);
    assert_int_equal(set_up(state), 0);
    assert_false(unwind.lock.leftover);
}

static void test_unsupported(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    bool unsupported = false;

    (void)state;
    xen.no_shadow = true;
    assert_int_equal(xcx_unwind_do_log_dirty(&unwind, &unsupported, &err), 0);
    assert_true(unsupported);
    assert_false(unwind.log_dirty);
}

/* An administrator's cap that is lower is left alone. */
static void test_cap_is_never_raised(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.cap = 50;
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 60, 1, &err), 0);
    assert_int_equal(xen.cap, 50);
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 20, 1, &err), 0);
    assert_int_equal(xen.cap, 20);
    xcx_unwind_all(&unwind, NULL);
    assert_int_equal(xen.cap, 50);
}

/* Before it is suspended; what an administrator sets afterwards stays. */
static void test_throttle_ends_early(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.cap = 50;
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 20, 1, &err), 0);
    xcx_unwind_undo_throttle(&unwind, &err);
    assert_int_equal(xen.cap, 50);
    xen.cap = 70;
    xcx_unwind_undo_throttle(&unwind, &err);
    xcx_unwind_all(&unwind, &err);
    assert_int_equal(xen.cap, 70);
    assert_false(xcx_err_is_set(&err));
}

/* Killed while the guest was throttled: the next one sets the cap back. */
/* xl must not read the cap of a guest that reboots just then. */
static void test_cap_of_a_guest_that_ends(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.cap = 50;
    xen.has_ended = true;
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 20, 1, &err), -1);
    assert_true(unwind.throttled);
    assert_string_equal(err.msg, "has rebooted");
    xcx_unwind_all(&unwind, &err);
    assert_int_equal(xen.cap, 50);
    assert_false(unwind.lock.has_cap);
}

/* It died between writing down the next cap and setting it. */
static void test_cap_between_two_steps(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.cap = 300;
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 60, 1, &err), 0);
    assert_int_equal(xcx_unwind_do_throttle(&unwind, 20, 1, &err), 0);
    close(unwind.lock.fd);
    xen.cap = 60;
    xcx_unwind_init(&unwind, &hv, &ops);
    assert_int_equal(xcx_unwind_do_lock(&unwind, scratch_dir, &err), 0);
    assert_int_equal(xen.cap, 300);
}

static void test_cap_of_a_dead_holder(void **state)
{
    static const struct {
        uint32_t cap_now, want;
    } cases[] = {{60, 300}, {250, 250}, {0, 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(set_up(state), 0);
        xen.cap = 300;
        do_all();
        close(unwind.lock.fd);
        xen.cap = cases[i].cap_now;
        for (unsigned once_more = 0; once_more < 2; once_more++) {
            xcx_unwind_init(&unwind, &hv, &ops);
            assert_int_equal(xcx_unwind_do_lock(&unwind, scratch_dir, &err), 0);
            assert_int_equal(xen.cap, cases[i].want);
            assert_false(unwind.lock.has_cap);
            assert_true(unwind.lock.leftover == !once_more);
            assert_int_equal(xcx_unwind_do_leftover(&unwind, &err), 0);
            assert_false(xen.log_dirty);
            assert_false(unwind.lock.leftover);
            xcx_unwind_all(&unwind, NULL);
        }
    }
}

/* What is still on is told to the next holder again. */
static void test_leftover_that_stays_on(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(set_up(state), 0);
    xen.cap = 300;
    do_all();
    close(unwind.lock.fd);
    assert_int_equal(set_up(state), 0);
    xen.log_dirty = true;
    xen.nr_off_failures = 1;
    assert_int_equal(xcx_unwind_do_leftover(&unwind, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_non_null(strstr(err.msg, "off failed"));
    xcx_unwind_all(&unwind, &err);
    assert_int_equal(set_up(state), 0);
    assert_true(unwind.lock.leftover);
    assert_int_equal(xcx_unwind_do_leftover(&unwind, NULL), 0);
    xcx_unwind_all(&unwind, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_undone_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_failing_undo_is_named, NULL,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_somebody_elses_log_dirty, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_log_dirty_that_another_uses_now_stays_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unsupported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cap_between_two_steps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_cap_of_a_guest_that_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_cap_is_never_raised, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_throttle_ends_early, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_cap_of_a_dead_holder, NULL,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_leftover_that_stays_on, NULL,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
