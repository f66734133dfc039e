/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest does while it is copied is noticed, and why it has ended. */
#include "xl-migrate/domain/guest_watch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/fake_xenstore.h"

#define WAIT_MS 30000

/* ---- Xen ----------------------------------------------------------------- */

static _Atomic enum xcx_run_state state;
static _Atomic unsigned reason, nr_looks;

int xcx_run_state(uint32_t domid, enum xcx_run_state *ret_state,
                  unsigned *ret_reason, struct xcx_err *err)
{
    assert_int_equal(domid, 7);
    if (nr_looks++ == 0)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, 0, "not now");
    *ret_state = state;
    *ret_reason = reason;
    return 0;
}

/* ---- tests --------------------------------------------------------------- */

static int ended_fd;

static void on_ended(void *opaque)
{
    assert_ptr_equal(opaque, &ended_fd);
    eventfd_write(ended_fd, 1);
}

static void each_end_is_noticed_with_its_reason(void **unused)
{
    static const struct {
        enum xcx_run_state state;
        unsigned reason;
        enum guest_end end;
    } rows[] = {
        {XCX_SHUT_DOWN, 0, GUEST_POWERED_OFF},
        {XCX_SHUT_DOWN, 1, GUEST_REBOOTED},
        {XCX_SHUT_DOWN, 3, GUEST_CRASHED},
        {XCX_SHUT_DOWN, 4, GUEST_CRASHED},
        {XCX_GONE, 1, GUEST_REBOOTED}, /* xl is at it already */
        {XCX_GONE, 2, GUEST_TAKEN},
        {XCX_GONE, XCX_NO_REASON, GUEST_DESTROYED},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct guest_watch watch;
        struct pollfd ended = {.events = POLLIN};
        struct xcx_err err = XCX_ERR_INIT;

        fake_xenstore_reset();
        ended.fd = ended_fd = eventfd(0, EFD_CLOEXEC);
        state = XCX_SUSPENDED;
        reason = 2;
        nr_looks = 0;
        if (guest_watch_start(&watch, 7, on_ended, &ended_fd, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(poll(&ended, 1, 50), 0);
        reason = rows[i].reason;
        state = rows[i].state;
        if (i % 2 == 0) /* else by looking now and then */
            fake_xenstore_fire("@releaseDomain");
        assert_int_equal(poll(&ended, 1, WAIT_MS), 1);
        assert_int_equal(guest_watch_stop(&watch), rows[i].end);
        assert_int_equal(guest_watch_stop(&watch), rows[i].end);
        assert_int_equal(fake_xenstore.nr_open, 0);
        close(ended_fd);
    }
}

/* Somebody else has noticed it first: its reason is still there. */
static void the_end_that_others_notice_has_its_reason(void **unused)
{
    struct guest_watch watch;
    struct xcx_err err = XCX_ERR_INIT;

    (void)unused;
    fake_xenstore_reset();
    ended_fd = eventfd(0, EFD_CLOEXEC);
    state = XCX_RUNS;
    nr_looks = 1;
    if (guest_watch_start(&watch, 7, on_ended, &ended_fd, &err))
        fail_msg("%s", err.msg);
    reason = 1;
    state = XCX_SHUT_DOWN;
    assert_int_equal(guest_watch_stop(&watch), GUEST_REBOOTED);
    close(ended_fd);
}

static void one_that_was_never_started_has_seen_nothing(void **unused)
{
    struct guest_watch watch = GUEST_WATCH_INIT;

    (void)unused;
    assert_int_equal(guest_watch_stop(&watch), GUEST_GOES_ON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_noticed_with_its_reason),
        cmocka_unit_test(the_end_that_others_notice_has_its_reason),
        cmocka_unit_test(one_that_was_never_started_has_seen_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
