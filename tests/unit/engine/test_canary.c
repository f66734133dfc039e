/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A log-dirty record that another program has taken is not believed. */
#include "engine/canary.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define NR_PFNS   256

/* ---- the made-up hypervisor --------------------------------------------- */

static struct {
    bool on;
    uint64_t words[NR_PFNS / 64];  /* the record */
    uint64_t buffer[NR_PFNS / 64]; /* what CLEAN and PEEK give */
    struct xcx_bitmap record, shown;
    bool no_marker, mark_fails, no_such_page;
    unsigned nr_markers, nr_peek_failures;
} xen;

static struct xcx_logdirty *const log_handle = (void *)&xen;

static void wipe(void)
{
    memset(xen.words, 0, sizeof(xen.words));
}

int xcx_logdirty_on(const struct xcx_hv *hv, enum xcx_logdirty_on *ret_answer,
                    struct xcx_err *err)
{
    (void)hv;
    (void)err;
    *ret_answer = xen.on ? XCX_LOGDIRTY_IN_USE : XCX_LOGDIRTY_ON;
    xen.on = true;
    return 0;
}

int xcx_logdirty_clean(struct xcx_logdirty *log, bool final,
                       uint64_t *ret_nr_dirty, struct xcx_err *err)
{
    (void)log;
    (void) final;
    (void)err;
    memcpy(xen.buffer, xen.words, sizeof(xen.buffer));
    wipe();
    *ret_nr_dirty = 0;
    return 0;
}

int xcx_logdirty_peek(struct xcx_logdirty *log, uint64_t *ret_nr_dirty,
                      struct xcx_err *err)
{
    (void)log;
    if (xen.nr_peek_failures) {
        xen.nr_peek_failures--;
        return xcx_err_set(err, XCX_ERR_HYPERCALL, EIO, "peek failed");
    }
    memcpy(xen.buffer, xen.words, sizeof(xen.buffer));
    *ret_nr_dirty = 0;
    return 0;
}

struct xcx_bitmap *xcx_logdirty_bitmap(struct xcx_logdirty *log)
{
    (void)log;
    return &xen.shown;
}

int xcx_marker_new(const struct xcx_hv *hv, bool hvm,
                   struct xcx_marker **ret_marker, struct xcx_err *err)
{
    (void)hv;
    (void)hvm;
    if (xen.no_marker)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOENT, "no marker");
    *ret_marker = malloc(1);
    xen.nr_markers++;
    return 0;
}

void xcx_marker_free(struct xcx_marker *marker)
{
    xen.nr_markers -= marker != NULL;
    free(marker);
}

int xcx_marker_mark(struct xcx_marker *marker, const struct xcx_mark_page *page,
                    struct xcx_err *err)
{
    (void)marker;
    if (xen.mark_fails)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, EPERM, "mark failed");
    /* No effect, and no error either, where there is no page or no mode. */
    if (xen.on && !(xen.no_such_page && page->pfn == 200))
        xcx_bitmap_set(&xen.record, page->pfn);
    return 0;
}

/* ---- the guest ----------------------------------------------------------- */

static unsigned two_pages(const struct xcx_guest *guest,
                          struct xcx_mark_page ret_pages[XCX_MAX_MARKS])
{
    (void)guest;
    ret_pages[0] = (struct xcx_mark_page){.pfn = 100, .frame = 100};
    ret_pages[1] = (struct xcx_mark_page){.pfn = 200, .frame = 200};
    return 2;
}

static const struct xcx_guest_ops ops = {.marks = two_pages};
static struct xcx_guest guest = {.ops = &ops, .nr_pfns = NR_PFNS};
static const struct xcx_hv hv = {.domid = 7};
static struct xcx_canary canary;
static uint64_t nr_dirty;

static int begin(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xcx_canary_done(&canary);
    wipe();
    xen.on = true;
    xcx_bitmap_wrap(&xen.record, xen.words, NR_PFNS);
    xcx_bitmap_wrap(&xen.shown, xen.buffer, NR_PFNS);
    return xcx_canary_begin(&canary, &hv, &guest, log_handle, &err);
}

static int end(void **state)
{
    (void)state;
    xcx_canary_done(&canary);
    xcx_canary_done(&canary);
    assert_int_equal(xen.nr_markers, 0);
    xen.no_marker = xen.mark_fails = xen.no_such_page = false;
    xen.nr_peek_failures = 0;
    return 0;
}

/* ---- tests --------------------------------------------------------------- */

static void test_alone(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(xcx_canary_clean(&canary, i == 2, &nr_dirty, &err), 0);
    assert_true(xcx_canary_may_switch_off(&canary));
}

enum deed { OFF, CYCLE, CLEAN, NR_DEEDS };

static void do_deed(enum deed deed)
{
    wipe();
    xen.on = deed != OFF;
}

static void test_taken_by_another(void **state)
{
    for (enum deed deed = OFF; deed < NR_DEEDS; deed++) {
        for (unsigned nr_before = 0; nr_before < 3; nr_before++) {
            struct xcx_err err = XCX_ERR_INIT;

            assert_int_equal(begin(state), 0);
            for (unsigned i = 0; i < nr_before; i++)
                assert_int_equal(
                    xcx_canary_clean(&canary, false, &nr_dirty, &err), 0);
            do_deed(deed);
            xcx_bitmap_set(&xen.record, 5); /* the guest goes on writing */
            assert_int_equal(xcx_canary_clean(&canary, true, &nr_dirty, &err),
                             -1);
            assert_int_equal(err.kind, XCX_ERR_GUEST);
            assert_non_null(strstr(err.msg, "domain 7: another program has "
                                            "switched off or read its "
                                            "log-dirty record"));
            assert_false(xcx_canary_may_switch_off(&canary));
        }
    }
}

/* Noticed only when it is about to be switched off: so it is left. */
static void test_taken_at_the_end(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_canary_clean(&canary, true, &nr_dirty, &err), 0);
    do_deed(CYCLE);
    assert_false(xcx_canary_may_switch_off(&canary));
}

static void test_end_that_cannot_be_asked(void **state)
{
    (void)state;
    xen.nr_peek_failures = 1;
    assert_true(xcx_canary_may_switch_off(&canary));
    do_deed(CYCLE);
    xen.nr_peek_failures = 1;
    assert_false(xcx_canary_may_switch_off(&canary));
    xen.nr_peek_failures = 99;
    assert_true(xcx_canary_may_switch_off(&canary));
}

/* A page that cannot be marked shows nothing; the other one does. */
static void test_page_that_is_not_there(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    end(state);
    xen.no_such_page = true;
    assert_int_equal(begin(state), 0);
    assert_int_equal(canary.nr_pages, 1);
    assert_int_equal(xcx_canary_clean(&canary, false, &nr_dirty, &err), 0);
    do_deed(CLEAN);
    assert_int_equal(xcx_canary_clean(&canary, false, &nr_dirty, &err), -1);
}

/* Then the mode is asked for; what it cannot show is not claimed. */
static void test_without_marks(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        struct xcx_err err = XCX_ERR_INIT;

        end(state);
        xen.no_marker = i == 0;
        xen.mark_fails = i == 1;
        assert_int_equal(begin(state), 0);
        assert_int_equal(xcx_canary_clean(&canary, false, &nr_dirty, &err), 0);
        do_deed(OFF);
        assert_int_equal(xcx_canary_clean(&canary, false, &nr_dirty, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_GUEST);
        /* Asking has switched it on. */
        assert_true(xen.on);
        assert_true(xcx_canary_may_switch_off(&canary));
    }
}

static void test_failing_mark(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    xen.mark_fails = true;
    assert_int_equal(xcx_canary_clean(&canary, false, &nr_dirty, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_true(xcx_canary_may_switch_off(&canary));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alone),
        TEST(test_taken_by_another),
        TEST(test_taken_at_the_end),
        TEST(test_end_that_cannot_be_asked),
        TEST(test_page_that_is_not_there),
        TEST(test_without_marks),
        TEST(test_failing_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
