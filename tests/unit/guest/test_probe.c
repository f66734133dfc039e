/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A probe of a made-up hypervisor: what it sees, and that nothing is left. */
#include "xcext.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest/guest.h"
#include "hv/domain.h"
#include "hv/lock.h"
#include "hv/logdirty.h"
#include "hv/sched.h"
#include "unit/scratch.h"

#define MS UINT64_C(1000000)

/* ---- the made-up hypervisor --------------------------------------------- */

enum call {
    CALL_OPEN,
    CALL_INFO,
    CALL_P2M,
    CALL_ON,
    CALL_NEW,
    CALL_CLEAN,
    CALL_COUNT,
    NR_CALLS
};

static struct {
    enum call fails; /* NR_CALLS: none */
    unsigned nr_until_failure;
    bool no_shadow;
    bool log_dirty, open;
    unsigned nr_buffers, nr_on, nr_counts;
    unsigned off_at_count;  /* 0: never */
    unsigned slow_clean_ms; /* of the first one */
} xen;

static int call(enum call which, struct xcx_err *err)
{
    if (xen.fails != which)
        return 0;
    if (xen.nr_until_failure) {
        xen.nr_until_failure--;
        return 0;
    }
    return xcx_err_set(err, XCX_ERR_HYPERCALL, EIO, "call %d failed", which);
}

int xcx_hv_open(struct xcx_hv *hv, uint32_t domid, xcx_hv_log_fn *log,
                void *log_opaque, struct xcx_err *err)
{
    (void)log;
    (void)log_opaque;
    if (call(CALL_OPEN, err))
        return -1;
    *hv = (struct xcx_hv){.domid = domid};
    xen.open = true;
    return 0;
}

void xcx_hv_close(struct xcx_hv *hv)
{
    (void)hv;
    xen.open = false;
}

int xcx_domain_get_info(const struct xcx_hv *hv,
                        struct xcx_domain_info *ret_info, struct xcx_err *err)
{
    (void)hv;
    *ret_info = (struct xcx_domain_info){.nr_pages = 32768};
    return call(CALL_INFO, err);
}

int xcx_domain_p2m_size(const struct xcx_hv *hv, uint64_t *ret_nr_pfns,
                        struct xcx_err *err)
{
    (void)hv;
    *ret_nr_pfns = 40000;
    return call(CALL_P2M, err);
}

int xcx_logdirty_on(const struct xcx_hv *hv, enum xcx_logdirty_on *ret_answer,
                    struct xcx_err *err)
{
    (void)hv;
    if (call(CALL_ON, err))
        return -1;
    *ret_answer = xen.no_shadow   ? XCX_LOGDIRTY_UNSUPPORTED
                  : xen.log_dirty ? XCX_LOGDIRTY_IN_USE
                                  : XCX_LOGDIRTY_ON;
    xen.nr_on += !xen.log_dirty;
    xen.log_dirty = !xen.no_shadow;
    return 0;
}

int xcx_logdirty_off(const struct xcx_hv *hv, struct xcx_err *err)
{
    (void)hv;
    (void)err;
    xen.log_dirty = false;
    return 0;
}

int xcx_logdirty_new(const struct xcx_hv *hv, uint64_t nr_pfns,
                     struct xcx_logdirty **ret_log, struct xcx_err *err)
{
    (void)hv;
    assert_int_equal(nr_pfns, 40000);
    if (call(CALL_NEW, err))
        return -1;
    *ret_log = malloc(1);
    xen.nr_buffers++;
    return 0;
}

void xcx_logdirty_free(struct xcx_logdirty *log)
{
    xen.nr_buffers -= log != NULL;
    free(log);
}

int xcx_logdirty_clean(struct xcx_logdirty *log, bool final,
                       uint64_t *ret_nr_dirty, struct xcx_err *err)
{
    const struct timespec slow = {.tv_nsec = xen.slow_clean_ms * 1000000};

    (void)log;
    assert_false(final);
    *ret_nr_dirty = 0;
    xen.slow_clean_ms = 0;
    nanosleep(&slow, NULL);
    return call(CALL_CLEAN, err);
}

int xcx_logdirty_peek(struct xcx_logdirty *log, uint64_t *ret_nr_dirty,
                      struct xcx_err *err)
{
    (void)log;
    (void)err;
    *ret_nr_dirty = 0;
    return 0;
}

struct xcx_bitmap *xcx_logdirty_bitmap(struct xcx_logdirty *log)
{
    static struct xcx_bitmap none;

    (void)log;
    return &none;
}

int xcx_guest_new(const struct xcx_hv *hv, const struct xcx_domain_info *info,
                  struct xcx_guest **ret_guest, struct xcx_err *err)
{
    (void)hv;
    (void)info;
    (void)ret_guest;
    return xcx_err_set(err, XCX_ERR_GUEST, 0, "a kind that cannot be saved");
}

/* No page of that guest can be marked. */
int xcx_marker_new(const struct xcx_hv *hv, bool hvm,
                   struct xcx_marker **ret_marker, struct xcx_err *err)
{
    (void)hv;
    (void)hvm;
    (void)ret_marker;
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "no marker");
}

void xcx_marker_free(struct xcx_marker *marker)
{
    assert_null(marker);
}

int xcx_marker_mark(struct xcx_marker *marker, const struct xcx_mark_page *page,
                    struct xcx_err *err)
{
    (void)marker;
    (void)page;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "marked without a marker");
}

int xcx_logdirty_count(const struct xcx_hv *hv, uint64_t *ret_nr_dirty,
                       struct xcx_err *err)
{
    (void)hv;
    *ret_nr_dirty = 100 * ++xen.nr_counts;
    if (xen.nr_counts == xen.off_at_count)
        xen.log_dirty = false;
    return call(CALL_COUNT, err);
}

int xcx_sched_cap_get(const struct xcx_hv *hv, uint32_t *ret_cap,
                      struct xcx_err *err)
{
    (void)hv;
    (void)err;
    *ret_cap = 0;
    return 0;
}

int xcx_sched_cap_set(const struct xcx_hv *hv, uint32_t cap,
                      struct xcx_err *err)
{
    (void)hv;
    (void)cap;
    (void)err;
    return 0;
}

/* ---- fixture ------------------------------------------------------------ */

static int set_up(void **state)
{
    (void)state;
    memset(&xen, 0, sizeof(xen));
    xen.fails = NR_CALLS;
    return 0;
}

static struct xcx_probe_params params_of(uint64_t duration_ns)
{
    return (struct xcx_probe_params){
        .domid = 7, .duration_ns = duration_ns, .lock_dir = scratch_dir};
}

static void assert_nothing_left(void)
{
    struct xcx_lock lock = XCX_LOCK_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    assert_false(xen.log_dirty);
    assert_false(xen.open);
    assert_int_equal(xen.nr_buffers, 0);
    assert_int_equal(xcx_lock_take(&lock, scratch_dir, 7, &err), 0);
    assert_false(lock.leftover);
    xcx_lock_release(&lock);
}

/* ---- tests -------------------------------------------------------------- */

static void test_samples_at_doubling_times(void **state)
{
    const struct xcx_probe_params params = params_of(160 * MS);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_probe probe;

    (void)state;
    assert_int_equal(xcx_probe(&params, &probe, &err), 0);
    assert_false(probe.unsupported);
    assert_int_equal(probe.nr_pages, 32768);
    assert_int_equal(probe.nr_pfns_p2m, 40000);
    assert_int_equal(probe.nr_samples, 6); /* 5, 10, 20, 40, 80, 160 ms */
    for (unsigned i = 0; i < probe.nr_samples; i++) {
        assert_true(probe.samples[i].at_ns >= (UINT64_C(5) << i) * MS);
        assert_int_equal(probe.samples[i].nr_pfns_dirty, 100 * (i + 1));
    }
    assert_int_equal(xen.nr_on, 1);
    assert_nothing_left();
}

static void test_without_log_dirty(void **state)
{
    const struct xcx_probe_params params = params_of(20 * MS);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_probe probe;

    (void)state;
    xen.no_shadow = true;
    assert_int_equal(xcx_probe(&params, &probe, &err), 0);
    assert_true(probe.unsupported);
    assert_int_equal(probe.nr_samples, 0);
    assert_nothing_left();
}

static void test_every_failure_is_undone(void **state)
{
    static const struct {
        enum call call;
        unsigned nr_until_failure;
    } cases[] = {
        {CALL_OPEN, 0}, {CALL_INFO, 0},  {CALL_P2M, 0},   {CALL_ON, 0},
        {CALL_NEW, 0},  {CALL_CLEAN, 0}, {CALL_COUNT, 0}, {CALL_COUNT, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct xcx_probe_params params = params_of(20 * MS);
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_probe probe = {.nr_pages = 1};
        char want[32];

        set_up(NULL);
        xen.fails = cases[i].call;
        xen.nr_until_failure = cases[i].nr_until_failure;
        assert_int_equal(xcx_probe(&params, &probe, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
        snprintf(want, sizeof(want), "call %d failed", cases[i].call);
        assert_non_null(strstr(err.msg, want));
        assert_int_equal(probe.nr_pages, 1);
        assert_nothing_left();
    }
}

/* As when another program has switched log-dirty off for a while. */
static void test_record_that_was_switched_off(void **state)
{
    const struct xcx_probe_params params = params_of(20 * MS);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_probe probe;

    (void)state;
    xen.off_at_count = 2;
    assert_int_equal(xcx_probe(&params, &probe, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_non_null(strstr(err.msg, "another program has switched off"));
    assert_nothing_left();
}

static void test_refused_while_another_has_the_lock(void **state)
{
    const struct xcx_probe_params params = params_of(20 * MS);
    struct xcx_lock lock = XCX_LOCK_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_probe probe;

    (void)state;
    assert_int_equal(xcx_lock_take(&lock, scratch_dir, 7, &err), 0);
    assert_int_equal(xcx_probe(&params, &probe, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_non_null(strstr(err.msg, "saved or migrated already"));
    assert_int_equal(xen.nr_on, 0);
    xcx_lock_release(&lock);
    assert_nothing_left();
}

static void test_cancel(void **state)
{
    struct xcx_probe_params params = params_of(60000 * MS);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_probe probe;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    params.cancel_fd = &fds[0];
    assert_int_equal(xcx_probe(&params, &probe, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    assert_nothing_left();
    close(fds[0]);
    close(fds[1]);

    err = XCX_ERR_INIT;
    params.duration_ns++;
    assert_int_equal(xcx_probe(&params, &probe, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
}

/* Another domain's work may have held one of them up. */
static void one_slow_clean_does_not_count(void **state)
{
    struct xcx_probe_params params = params_of(40 * MS);
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_probe probe;

    (void)state;
    xen.slow_clean_ms = 200;
    assert_int_equal(xcx_probe(&params, &probe, &err), 0);
    assert_in_range(probe.clean_ns, 1, 150 * MS);
    assert_nothing_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_samples_at_doubling_times, set_up),
        cmocka_unit_test_setup(test_without_log_dirty, set_up),
        cmocka_unit_test_setup(test_every_failure_is_undone, set_up),
        cmocka_unit_test_setup(test_record_that_was_switched_off, set_up),
        cmocka_unit_test_setup(test_refused_while_another_has_the_lock, set_up),
        cmocka_unit_test_setup(one_slow_clean_does_not_count, set_up),
        cmocka_unit_test_setup(test_cancel, set_up),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
