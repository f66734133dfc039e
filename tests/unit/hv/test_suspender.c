/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's part of suspending: refusals, the channel and its lock, states. */
#include "hv/suspend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xenguest.h>

#include <xen/hvm/params.h>

#define DOMID 7
#define PORT  33
#define BOUND 4

/* ---- a hypervisor of one domain ----------------------------------------- */

static struct {
    int vnuma_errno; /* 0: it has one */
    bool is_held;    /* by another migration */
    int nr_infos;    /* that getinfo answers with */
    xc_dominfo_t info;
    uint64_t callback, s_state;
    int param_errno, notify_errno;
    unsigned nr_open, nr_channels, nr_bound, nr_unmasked, nr_notified;
    int shutdown_reason;
} xen;

static char handle;

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild, unsigned flags)
{
    (void)logger;
    (void)dombuild;
    (void)flags;
    xen.nr_open++;
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
    (void)xch;
    xen.nr_open--;
    return 0;
}

struct xenforeignmemory_handle *xc_interface_fmem_handle(xc_interface *xch)
{
    (void)xch;
    return NULL;
}

int xc_domain_getvnuma(xc_interface *xch, uint32_t domid, uint32_t *nr_vnodes,
                       uint32_t *nr_vmemranges, uint32_t *nr_vcpus,
                       xen_vmemrange_t *vmemrange, unsigned int *vdistance,
                       unsigned int *vcpu_to_vnode)
{
    (void)xch;
    (void)domid;
    (void)nr_vnodes;
    (void)nr_vmemranges;
    (void)nr_vcpus;
    (void)vmemrange;
    (void)vdistance;
    (void)vcpu_to_vnode;
    errno = xen.vnuma_errno;
    return xen.vnuma_errno ? -1 : 0;
}

int xc_suspend_evtchn_init_exclusive(xc_interface *xch,
                                     struct xenevtchn_handle *xce,
                                     uint32_t domid, int port, int *lockfd)
{
    (void)xch;
    (void)xce;
    (void)lockfd;
    if (xen.is_held || domid != DOMID || port != PORT)
        return -1;
    xen.nr_bound++;
    return BOUND;
}

int xc_suspend_evtchn_release(xc_interface *xch, struct xenevtchn_handle *xce,
                              uint32_t domid, int suspend_evtchn, int *lockfd)
{
    (void)xch;
    (void)xce;
    (void)domid;
    (void)lockfd;
    xen.nr_bound -= suspend_evtchn == BOUND;
    return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    (void)logger;
    (void)flags;
    xen.nr_channels++;
    return (xenevtchn_handle *)&handle;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    (void)xce;
    xen.nr_channels--;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    (void)xce;
    return 99;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    (void)xce;
    return BOUND;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    xen.nr_unmasked += port == BOUND;
    return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    xen.nr_notified += port == BOUND;
    errno = xen.notify_errno;
    return xen.notify_errno ? -1 : 0;
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int reason)
{
    (void)xch;
    (void)domid;
    xen.shutdown_reason = reason;
    return 0;
}

int xc_hvm_param_get(xc_interface *xch, uint32_t domid, uint32_t param,
                     uint64_t *value)
{
    (void)xch;
    (void)domid;
    errno = xen.param_errno;
    *value = param == HVM_PARAM_CALLBACK_IRQ ? xen.callback : xen.s_state;
    return xen.param_errno ? -1 : 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid,
                      unsigned int max_doms, xc_dominfo_t *info)
{
    (void)xch;
    (void)first_domid;
    (void)max_doms;
    *info = xen.info;
    errno = EPERM;
    return xen.nr_infos;
}

/* ---- tests -------------------------------------------------------------- */

static struct xcx_suspender *suspender;

static int set_up(void **state)
{
    (void)state;
    memset(&xen, 0, sizeof(xen));
    xen.vnuma_errno = EOPNOTSUPP;
    xen.nr_infos = 1;
    xen.info.domid = DOMID;
    return xcx_suspender_open(DOMID, NULL, &suspender, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    xcx_suspender_close(suspender);
    xcx_suspender_close(NULL);
    return xen.nr_open + xen.nr_channels + xen.nr_bound ? -1 : 0;
}

static void assert_err(const struct xcx_err *err, enum xcx_err_kind kind,
                       const char *text)
{
    assert_int_equal(err->kind, kind);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err->msg);
}

static void test_vnuma_is_refused(void **state)
{
    static const struct {
        int vnuma_errno;
        enum xcx_err_kind kind;
        const char *text;
    } cases[] = {
        {0, XCX_ERR_GUEST, "domain 7 has a vNUMA topology"},
        {ENOBUFS, XCX_ERR_GUEST, "domain 7 has a vNUMA topology"},
        {ESRCH, XCX_ERR_HYPERCALL, "domain 7: getvnuma failed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_suspender *other = NULL;
        struct xcx_err err = XCX_ERR_INIT;

        xen.vnuma_errno = cases[i].vnuma_errno;
        assert_int_equal(xcx_suspender_open(DOMID, NULL, &other, &err), -1);
        assert_err(&err, cases[i].kind, cases[i].text);
        assert_null(other);
        assert_int_equal(xen.nr_open, 1); /* the set-up's */
    }
}

static void test_the_channel(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_suspender_fd(suspender), -1);
    assert_int_equal(xcx_suspender_bind(suspender, PORT, &err), 0);
    assert_int_equal(xcx_suspender_fd(suspender), 99);
    assert_int_equal(xcx_suspender_notify(suspender, &err), 0);
    assert_int_equal(xen.nr_notified, 1);
    assert_int_equal(xcx_suspender_take_event(suspender, &err), 0);
    assert_int_equal(xen.nr_unmasked, 1);
    xen.notify_errno = EINVAL;
    assert_int_equal(xcx_suspender_notify(suspender, &err), -1);
    assert_err(&err, XCX_ERR_HYPERCALL, "domain 7: evtchn_send failed");
}

static void test_a_channel_that_another_holds(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.is_held = true;
    assert_int_equal(xcx_suspender_bind(suspender, PORT, &err), -1);
    assert_err(&err, XCX_ERR_GUEST, "is it being saved or migrated already?");
    assert_int_equal(xcx_suspender_fd(suspender), -1);
    assert_int_equal(xen.nr_channels, 0);
}

static void test_an_hvm_guest(void **state)
{
    bool pv_drivers = true, sleeps = true;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(
        xcx_suspender_hvm_state(suspender, &pv_drivers, &sleeps, &err), 0);
    assert_false(pv_drivers);
    assert_false(sleeps);
    xen.callback = 1;
    xen.s_state = 3;
    assert_int_equal(
        xcx_suspender_hvm_state(suspender, &pv_drivers, &sleeps, &err), 0);
    assert_true(pv_drivers);
    assert_true(sleeps);
    assert_int_equal(xcx_suspender_force(suspender, &err), 0);
    assert_int_equal(xen.shutdown_reason, SHUTDOWN_suspend);
    xen.param_errno = EPERM;
    assert_int_equal(
        xcx_suspender_hvm_state(suspender, &pv_drivers, &sleeps, &err), -1);
    assert_err(&err, XCX_ERR_HYPERCALL, "HVMOP_get_param failed");
}

static void test_what_state_it_is_in(void **state)
{
    static const struct {
        int nr_infos;
        xc_dominfo_t info;
        enum xcx_run_state want;
    } cases[] = {
        {1, {.domid = DOMID}, XCX_RUNS},
        {1, {.domid = DOMID, .paused = 1}, XCX_RUNS},
        {1,
         {.domid = DOMID, .shutdown = 1, .shutdown_reason = SHUTDOWN_suspend},
         XCX_SUSPENDED},
        {1,
         {.domid = DOMID, .shutdown = 1, .shutdown_reason = SHUTDOWN_crash},
         XCX_SHUT_DOWN},
        {1,
         {.domid = DOMID,
          .dying = 1,
          .shutdown = 1,
          .shutdown_reason = SHUTDOWN_suspend},
         XCX_GONE},
        {1, {.domid = DOMID + 1}, XCX_GONE},
        {0, {.domid = 0}, XCX_GONE},
    };
    struct xcx_err err = XCX_ERR_INIT;
    enum xcx_run_state run_state;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        xen.nr_infos = cases[i].nr_infos;
        xen.info = cases[i].info;
        assert_int_equal(xcx_suspender_run_state(suspender, &run_state, &err),
                         0);
        assert_int_equal(run_state, cases[i].want);
    }
    xen.nr_infos = -1;
    assert_int_equal(xcx_suspender_run_state(suspender, &run_state, &err), -1);
    assert_err(&err, XCX_ERR_HYPERCALL, "domain 7: getinfo failed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* xl may be at it already: the reason is there as long as the domain is. */
static void test_any_domain_is_asked_for_its_reason(void **state)
{
    static const struct {
        xc_dominfo_t info;
        enum xcx_run_state state;
        unsigned reason;
    } rows[] = {
        {{.domid = DOMID}, XCX_RUNS, XCX_NO_REASON},
        {{.domid = DOMID, .shutdown = 1, .shutdown_reason = 2},
         XCX_SUSPENDED,
         2},
        {{.domid = DOMID, .shutdown = 1, .shutdown_reason = 1},
         XCX_SHUT_DOWN,
         1},
        {{.domid = DOMID, .shutdown = 1, .shutdown_reason = 1, .dying = 1},
         XCX_GONE,
         1},
        {{.domid = DOMID, .dying = 1}, XCX_GONE, XCX_NO_REASON},
        {{.domid = DOMID + 1, .shutdown = 1}, XCX_GONE, XCX_NO_REASON},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum xcx_run_state run_state;
        unsigned reason = 77;

        xen.info = rows[i].info;
        assert_int_equal(xcx_run_state(DOMID, &run_state, &reason, NULL), 0);
        assert_int_equal(run_state, rows[i].state);
        assert_int_equal(reason, rows[i].reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vnuma_is_refused),
        TEST(test_the_channel),
        TEST(test_a_channel_that_another_holds),
        TEST(test_an_hvm_guest),
        TEST(test_what_state_it_is_in),
        cmocka_unit_test_setup_teardown(test_any_domain_is_asked_for_its_reason,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
