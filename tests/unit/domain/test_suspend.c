/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suspend against a guest that does as the test says: it takes requests, or
 * not, and stops, or not. Xen's part and xenstore are fakes; what the guest
 * does, it does within the call that asks it, or when a transaction begins.
 */
#include "xl-migrate/domain/suspend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/saver.h"
#include "common/deadline.h"
#include "unit/fake_xenstore.h"

#define CHANNEL "/local/domain/5/device/suspend/event-channel"
#define REQUEST "/local/domain/5/control/shutdown"

/* ---- Xen's part, in the place of the library's -------------------------- */

static struct {
    enum xcx_run_state state;
    bool pv_drivers, sleeps;
    bool stops_when_asked; /* by channel, or by Xen */
    bool has_vnuma, is_held;
    bool channel_first; /* the event comes before it has stopped */
    int event_fd;       /* -1: not bound */
    unsigned port, nr_notified, nr_forced, nr_open;
    unsigned saver_from_look, nr_looks; /* 0: there is none */
} xen;

static const struct domain pv = {.domid = 5, .kind = DOMAIN_PV};
static const struct domain pvh = {.domid = 5, .kind = DOMAIN_PVH};
static const struct domain hvm = {.domid = 5, .kind = DOMAIN_HVM};

/* Another program's save helper, from that look for one on. */
int saver_refuse(const char *proc_dir, uint32_t domid, struct xcx_err *err)
{
    assert_string_equal(proc_dir, "/proc");
    assert_int_equal(domid, 5);
    if (!xen.saver_from_look || ++xen.nr_looks < xen.saver_from_look)
        return 0;
    return xcx_err_set(err, XCX_ERR_GUEST, EBUSY, "process 77 saves it");
}

int xcx_suspender_open(uint32_t domid, const struct xcx_log *log,
                       struct xcx_suspender **ret_suspender,
                       struct xcx_err *err)
{
    (void)log;
    if (xen.has_vnuma)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "domain %u: vNUMA", domid);
    xen.nr_open++;
    *ret_suspender = (struct xcx_suspender *)&xen;
    return 0;
}

void xcx_suspender_close(struct xcx_suspender *suspender)
{
    if (!suspender)
        return;
    xen.nr_open--;
    if (xen.event_fd >= 0)
        close(xen.event_fd);
    xen.event_fd = -1;
}

int xcx_suspender_bind(struct xcx_suspender *suspender, unsigned port,
                       struct xcx_err *err)
{
    (void)suspender;
    if (xen.is_held)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "held");
    xen.port = port;
    xen.event_fd = eventfd(0, EFD_CLOEXEC);
    return 0;
}

int xcx_suspender_fd(const struct xcx_suspender *suspender)
{
    (void)suspender;
    return xen.event_fd;
}

int xcx_suspender_take_event(struct xcx_suspender *suspender,
                             struct xcx_err *err)
{
    eventfd_t value;

    (void)suspender;
    (void)err;
    eventfd_read(xen.event_fd, &value);
    if (xen.channel_first) {
        xen.channel_first = false;
        xen.state = XCX_SUSPENDED;
        eventfd_write(xen.event_fd, 1);
    }
    return 0;
}

int xcx_suspender_notify(struct xcx_suspender *suspender, struct xcx_err *err)
{
    (void)suspender;
    (void)err;
    xen.nr_notified++;
    if (xen.stops_when_asked)
        xen.state = XCX_SUSPENDED;
    if (xen.stops_when_asked || xen.channel_first)
        eventfd_write(xen.event_fd, 1);
    return 0;
}

int xcx_suspender_force(struct xcx_suspender *suspender, struct xcx_err *err)
{
    (void)suspender;
    (void)err;
    xen.nr_forced++;
    xen.state = XCX_SUSPENDED;
    return 0;
}

int xcx_suspender_hvm_state(struct xcx_suspender *suspender,
                            bool *ret_pv_drivers, bool *ret_sleeps,
                            struct xcx_err *err)
{
    (void)suspender;
    (void)err;
    *ret_pv_drivers = xen.pv_drivers;
    *ret_sleeps = xen.sleeps;
    return 0;
}

int xcx_suspender_run_state(struct xcx_suspender *suspender,
                            enum xcx_run_state *ret_state, struct xcx_err *err)
{
    (void)suspender;
    (void)err;
    *ret_state = xen.state;
    return 0;
}

/* ---- the guest's side of xenstore --------------------------------------- */

static void stop(void)
{
    xen.state = XCX_SUSPENDED;
    fake_xenstore_fire("@releaseDomain");
}

static void take_and_stop(const char *path, const char *value)
{
    if (strcmp(path, REQUEST) == 0 && strcmp(value, "suspend") == 0) {
        fake_xenstore_set(REQUEST, "", 5);
        stop();
    }
}

static void take_late(void)
{
    const char *value = fake_xenstore_get(REQUEST);

    if (!value || strcmp(value, "suspend") != 0)
        return;
    fake_xenstore_set(REQUEST, "", 5);
    stop();
}

static void take_and_never_stop(const char *path, const char *value)
{
    if (strcmp(path, REQUEST) == 0 && strcmp(value, "suspend") == 0)
        fake_xenstore_set(REQUEST, "", 5);
}

/* Another program has asked first, and the guest stops for that. */
static void stop_without_taking(const char *path, const char *value)
{
    if (strcmp(path, REQUEST) == 0 && strcmp(value, "suspend") == 0)
        stop();
}

/* ---- tests -------------------------------------------------------------- */

static int reset(void **state)
{
    (void)state;
    fake_xenstore_reset();
    memset(&xen, 0, sizeof(xen));
    xen.event_fd = -1;
    xen.pv_drivers = true;
    return 0;
}

static int all_is_given_back(void **state)
{
    (void)state;
    assert_int_equal(xen.nr_open, 0);
    assert_int_equal(fake_xenstore.nr_open, 0);
    return 0;
}

static int run(const struct domain *domain, struct suspend *suspend,
               struct xcx_err *err)
{
    int rc;

    if (suspend_prepare(suspend, domain, 1, err) < 0)
        return -1;
    assert_int_equal(xen.nr_notified + xen.nr_forced + fake_xenstore.nr_writes,
                     0);
    rc = suspend_guest(suspend, err);
    suspend_done(suspend);
    suspend_done(suspend);
    return rc;
}

static void assert_err(const struct xcx_err *err, enum xcx_err_kind kind,
                       const char *text)
{
    assert_int_equal(err->kind, kind);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err->msg);
}

static void test_each_guest_is_asked_its_way(void **state)
{
    static const struct {
        const struct domain *domain;
        bool channel, pv_drivers, sleeps;
        enum suspend_method method;
    } cases[] = {
        {&pv, true, true, false, SUSPEND_EVTCHN},
        {&pv, false, true, false, SUSPEND_XENSTORE},
        {&pvh, true, true, false, SUSPEND_EVTCHN},
        {&pvh, false, true, false, SUSPEND_XENSTORE},
        {&pvh, false, false, false, SUSPEND_XENSTORE},
        {&pvh, true, true, true, SUSPEND_XENSTORE},
        {&hvm, true, true, false, SUSPEND_EVTCHN},
        {&hvm, false, true, false, SUSPEND_XENSTORE},
        {&hvm, false, false, false, SUSPEND_BY_XEN},
        {&hvm, true, true, true, SUSPEND_BY_XEN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct suspend suspend = SUSPEND_INIT;
        struct xcx_err err = XCX_ERR_INIT;

        reset(state);
        xen.pv_drivers = cases[i].pv_drivers;
        xen.sleeps = cases[i].sleeps;
        xen.stops_when_asked = true;
        fake_xenstore.on_write = take_and_stop;
        if (cases[i].channel)
            fake_xenstore_set(CHANNEL, "17", 5);
        if (run(cases[i].domain, &suspend, &err) < 0)
            fail_msg("case %zu: %s", i, err.msg);
        assert_true(suspend.suspended);
        assert_int_equal(suspend.method, cases[i].method);
        assert_int_equal(xen.port, cases[i].channel ? 17 : 0);
        assert_int_equal(xen.nr_notified, suspend.method == SUSPEND_EVTCHN);
        assert_int_equal(xen.nr_forced, suspend.method == SUSPEND_BY_XEN);
        assert_int_equal(fake_xenstore.nr_writes,
                         suspend.method == SUSPEND_XENSTORE);
        all_is_given_back(state);
    }
}

static void test_an_event_is_not_yet_a_stop(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.channel_first = true;
    fake_xenstore_set(CHANNEL, "3", 5);
    assert_int_equal(run(&pv, &suspend, &err), 0);
    assert_true(suspend.suspended);
}

static void test_what_cannot_be_suspended(void **state)
{
    static const struct domain with_stubdom = {
        .domid = 5, .kind = DOMAIN_HVM, .stubdom_domid = 6};
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(run(&with_stubdom, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST, "its device model runs in a stub domain");

    xen.has_vnuma = true;
    err = XCX_ERR_INIT;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST, "vNUMA");

    reset(state);
    xen.is_held = true;
    fake_xenstore_set(CHANNEL, "3", 5);
    err = XCX_ERR_INIT;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST, "held");
}

static void test_a_guest_that_ends_instead(void **state)
{
    static const struct {
        enum xcx_run_state state;
        const char *text;
    } cases[] = {
        {XCX_SHUT_DOWN, "domain 5 shut down instead of suspending"},
        {XCX_GONE, "domain 5 was destroyed while it was to suspend"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct suspend suspend = SUSPEND_INIT;
        struct xcx_err err = XCX_ERR_INIT;

        reset(state);
        xen.state = cases[i].state;
        assert_int_equal(run(&pv, &suspend, &err), -1);
        assert_err(&err, XCX_ERR_GUEST, cases[i].text);
        assert_false(suspend.suspended);
    }
}

/* Nothing is asked of one that another program is at work on. */
static void test_a_guest_that_another_program_has(void **state)
{
    static const struct {
        const char *what;
        enum xcx_run_state state;
        const char *request;
        const char *text;
    } cases[] = {
        {"suspended", XCX_SUSPENDED, NULL,
         "domain 5 is suspended already: another program saves or moves it"},
        {"asked to suspend", XCX_RUNS, "suspend",
         "domain 5 was asked to suspend by another program"},
        {"asked to power off", XCX_RUNS, "poweroff",
         "domain 5 was asked to power off by another program"},
        {"asked to reboot", XCX_RUNS, "reboot",
         "domain 5 was asked to reboot by another program"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct suspend suspend = SUSPEND_INIT;
        struct xcx_err err = XCX_ERR_INIT;

        print_message("%s\n", cases[i].what);
        reset(state);
        xen.state = cases[i].state;
        if (cases[i].request)
            fake_xenstore_set(REQUEST, cases[i].request, 5);
        assert_int_equal(run(&pv, &suspend, &err), -1);
        assert_err(&err, XCX_ERR_GUEST, cases[i].text);
        assert_int_equal(fake_xenstore.nr_writes, 0);
        assert_false(suspend.suspended || suspend.may_stop_late);
        assert_int_equal(suspend.by_another, cases[i].state == XCX_SUSPENDED);
    }
}

/* It asks as we do, and one acknowledgement serves both. */
static void test_another_save_helper(void **state)
{
    static const struct {
        const struct domain *domain;
        unsigned from_look;
        bool by_another;
        unsigned nr_writes;
    } cases[] = {
        {&pv, 1, false, 0},
        {&pv, 2, true, 1},
        {&hvm, 2, true, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct suspend suspend = SUSPEND_INIT;
        struct xcx_err err = XCX_ERR_INIT;

        reset(state);
        xen.saver_from_look = cases[i].from_look;
        xen.pv_drivers = false;
        fake_xenstore.on_write = take_and_stop;
        assert_int_equal(run(cases[i].domain, &suspend, &err), -1);
        assert_err(&err, XCX_ERR_GUEST, "process 77 saves it");
        assert_int_equal(fake_xenstore.nr_writes, cases[i].nr_writes);
        assert_int_equal(suspend.by_another, cases[i].by_another);
        assert_false(suspend.suspended || suspend.may_stop_late);
    }
}

/* What the guest itself writes there is no reason not to move it. */
static void test_a_request_that_is_none(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore.on_write = take_and_stop;
    fake_xenstore_set(REQUEST, "never mind", 5);
    assert_int_equal(run(&pv, &suspend, &err), 0);
    assert_true(suspend.suspended);
}

/* It stops, but for another's request: ours must not stop it once more. */
static void test_a_guest_that_stops_for_another(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore.on_write = stop_without_taking;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST,
               "domain 5 has suspended without taking the request of this "
               "migration: another program saves or moves it");
    assert_string_equal(fake_xenstore_get(REQUEST), "");
    assert_true(suspend.by_another);
    assert_false(suspend.suspended || suspend.may_stop_late);
}

/* Nobody takes it: it is taken back, and the guest runs on for good. */
static void test_a_request_is_taken_back(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore_set(REQUEST, "", 5); /* as libxl makes it */
    fake_xenstore.nr_conflicts = 3;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST,
               "domain 5 did not take the request to suspend within 1 s");
    assert_false(suspend.may_stop_late);
    assert_string_equal(fake_xenstore_get(REQUEST), "");
    assert_int_equal(fake_xenstore.nr_commits, 2); /* asked, taken back */
    assert_false(suspend.suspended);
}

/* The guest takes it while it is being taken back: then it is waited for. */
static void test_a_guest_that_is_only_late(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore.on_transaction = take_late;
    assert_int_equal(run(&pv, &suspend, &err), 0);
    assert_true(suspend.suspended);
    assert_int_equal(fake_xenstore.nr_commits, 1);
    assert_int_equal(fake_xenstore.nr_aborts, 1);
}

static void test_a_guest_that_never_stops(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    fake_xenstore.on_write = take_and_never_stop;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST,
               "did not suspend within 1 s of being asked by xenstore; it may "
               "still do so");
    assert_true(suspend.may_stop_late);
    assert_int_equal(fake_xenstore.nr_commits, 1);

    reset(state);
    fake_xenstore_set(CHANNEL, "3", 5);
    err = XCX_ERR_INIT;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_GUEST, "asked by event channel; it may still");
    assert_true(suspend.may_stop_late);
}

static void test_a_cancel(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    int cancel = eventfd(1, EFD_CLOEXEC);

    /* Before the guest has taken the request: it never will. */
    suspend.cancel_fd = cancel;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_CANCELLED, "cancelled before domain 5 suspended");
    assert_false(suspend.may_stop_late);
    assert_string_equal(fake_xenstore_get(REQUEST), "");

    /* While it takes it: it suspends, and is to be resumed. */
    reset(state);
    fake_xenstore.on_transaction = take_late;
    suspend.cancel_fd = cancel;
    err = XCX_ERR_INIT;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_CANCELLED, "cancelled while domain 5 suspended");
    assert_true(suspend.suspended);
    assert_false(suspend.may_stop_late);
    close(cancel);
}

/* What cannot be taken back is waited for as long as without a cancel. */
static void test_a_late_cancel(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    int cancel = eventfd(1, EFD_CLOEXEC);
    uint64_t start_ns = deadline_now_ns();

    (void)state;
    fake_xenstore_set(CHANNEL, "3", 5);
    suspend.cancel_fd = cancel;
    assert_int_equal(run(&pv, &suspend, &err), -1);
    assert_err(&err, XCX_ERR_CANCELLED, "it may still do so");
    assert_in_range(deadline_now_ns() - start_ns, 1000000000, 10000000000);
    close(cancel);
}

static void test_xenstored_fails(void **state)
{
    struct suspend suspend = SUSPEND_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(suspend_prepare(&suspend, &pv, 1, &err), 0);
    fake_xenstore.fail_errno = EIO;
    assert_int_equal(suspend_guest(&suspend, &err), -1);
    assert_err(&err, XCX_ERR_RESOURCE, "reading control/shutdown");
    suspend_done(&suspend);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, reset, all_is_given_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_guest_is_asked_its_way),
        TEST(test_an_event_is_not_yet_a_stop),
        TEST(test_what_cannot_be_suspended),
        TEST(test_a_guest_that_ends_instead),
        TEST(test_a_guest_that_another_program_has),
        TEST(test_another_save_helper),
        TEST(test_a_request_that_is_none),
        TEST(test_a_guest_that_stops_for_another),
        TEST(test_a_request_is_taken_back),
        TEST(test_a_guest_that_is_only_late),
        TEST(test_a_guest_that_never_stops),
        TEST(test_a_cancel),
        TEST(test_a_late_cancel),
        TEST(test_xenstored_fails),
    };

    return cmocka_run_group_tests(tests, NULL, reset);
}
