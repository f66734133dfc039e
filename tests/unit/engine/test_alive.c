/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest that ends while it is copied is said to have done. */
#include "engine/alive.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "hv/domain.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static struct xcx_domain_info domain;
static enum xcx_err_kind fails;
static unsigned nr_looks;

int xcx_domain_get_info(const struct xcx_hv *hv,
                        struct xcx_domain_info *ret_info, struct xcx_err *err)
{
    (void)hv;
    nr_looks++;
    if (fails)
        return xcx_err_set(err, fails, EIO, "no info");
    *ret_info = domain;
    return 0;
}

static const struct xcx_hv hv = {.domid = 7};

static void each_end_is_named(void **state)
{
    static const struct {
        bool shutdown;
        unsigned reason;
        bool dying;
        enum xcx_err_kind fails, kind;
        const char *message; /* NULL: the guest runs */
    } cases[] = {
        {.message = NULL},
        {.shutdown = true,
         .reason = 0,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 has powered off while its memory was copied"},
        {.shutdown = true,
         .reason = 1,
         .dying = true,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 has rebooted while its memory was copied"},
        {.shutdown = true,
         .reason = 2,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 was suspended by another program while"},
        {.shutdown = true,
         .reason = 3,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 has crashed while its memory was copied"},
        {.shutdown = true,
         .reason = 250,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 has shut down for reason 250 while"},
        {.dying = true,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 was destroyed while its memory was copied"},
        {.fails = XCX_ERR_GUEST,
         .kind = XCX_ERR_GUEST,
         .message = "domain 7 was destroyed while its memory was copied"},
        {.fails = XCX_ERR_HYPERCALL,
         .kind = XCX_ERR_HYPERCALL,
         .message = "no info: "},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        int rc;

        domain = (struct xcx_domain_info){.shutdown = cases[i].shutdown,
                                          .shutdown_reason = cases[i].reason,
                                          .dying = cases[i].dying};
        fails = cases[i].fails;
        rc = xcx_alive_check(&hv, &err);
        assert_int_equal(rc, cases[i].message ? -1 : 0);
        assert_int_equal(err.kind, cases[i].kind);
        if (cases[i].message && !strstr(err.msg, cases[i].message))
            fail_msg("wanted \"%s\", got \"%s\"", cases[i].message, err.msg);
    }
}

static void looks_are_not_too_many(void **state)
{
    struct xcx_alive alive = {0};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    domain = (struct xcx_domain_info){0};
    fails = XCX_OK;
    nr_looks = 0;
    assert_int_equal(xcx_alive_watch(&alive, &hv, &err), 0);
    assert_int_equal(nr_looks, 1);
    alive.next_ns = UINT64_MAX;
    assert_int_equal(xcx_alive_watch(&alive, &hv, &err), 0);
    assert_int_equal(nr_looks, 1);
    alive.next_ns = 1;
    domain.dying = true;
    assert_int_equal(xcx_alive_watch(&alive, &hv, &err), -1);
    assert_int_equal(nr_looks, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_named),
        cmocka_unit_test(looks_are_not_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
