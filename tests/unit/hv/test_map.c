/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mapping guest memory, over a libxenforeignmemory of our own. */
#include "hv/map.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

static struct {
    unsigned nr_failures; /* of whole maps still to come, with this errno: */
    int failure;
    unsigned nr_maps;
    uint32_t domid;
    uint64_t first, last;
} world;

static uint64_t pages[4];

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
                           int prot, size_t nr_pages, const xen_pfn_t arr[],
                           int err[])
{
    (void)fmem;
    (void)prot;
    world.nr_maps++;
    world.domid = dom;
    world.first = arr[0];
    world.last = arr[nr_pages - 1];
    if (world.nr_failures) {
        world.nr_failures--;
        errno = world.failure;
        return NULL;
    }
    for (size_t i = 0; err && i < nr_pages; i++)
        err[i] = i == 1 ? -EINVAL : 0;
    return pages;
}

int xc_maximum_ram_page(xc_interface *xch, unsigned long *max_mfn)
{
    (void)xch;
    *max_mfn = 512 * 512 + 5; /* a little more than one chunk tells of */
    return 0;
}

int xc_machphys_mfn_list(xc_interface *xch, unsigned long max_extents,
                         xen_pfn_t *extent_start)
{
    (void)xch;
    assert_int_equal(max_extents, 2);
    extent_start[0] = 0x10000;
    extent_start[1] = 0x40000;
    return 0;
}

static int reset(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    return 0;
}

static const struct xcx_hv hv = {.domid = 7};

static void a_page_that_fails_is_told_by_errno(void **state)
{
    const uint64_t frames[] = {4, 5, 6};
    int errors[3] = {-1, -1, -1};

    (void)state;
    assert_ptr_equal(xcx_map(&hv, frames, 3, errors), pages);
    assert_int_equal(world.domid, 7);
    assert_int_equal(errors[0], 0);
    assert_int_equal(errors[1], EINVAL);
    assert_int_equal(errors[2], 0);
}

static void only_passing_failures_are_tried_again(void **state)
{
    static const struct {
        int failure;
        unsigned nr_failures, nr_maps;
        bool mapped;
    } cases[] = {
        {EINTR, 1, 2, true},
        {EAGAIN, 4, 5, true},
        {EAGAIN, 99, 5, false},
        {ENOMEM, 1, 1, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const uint64_t frames[] = {4};
        int errors[1];

        reset(state);
        world.failure = cases[i].failure;
        world.nr_failures = cases[i].nr_failures;
        assert_true((xcx_map(&hv, frames, 1, errors) != NULL) ==
                    cases[i].mapped);
        assert_int_equal(world.nr_maps, cases[i].nr_maps);
        assert_true(cases[i].mapped || errno == cases[i].failure);
    }
}

static void all_or_nothing(void **state)
{
    const uint64_t frames[] = {0x123, 5};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    world.nr_failures = 1;
    world.failure = EPERM;
    assert_null(xcx_map_all(&hv, false, frames, 2, &err));
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_int_equal(err.os_errno, EPERM);
    assert_non_null(
        strstr(err.msg, "domain 7: cannot map 2 frames from 0x123 on"));
}

/* Each chunk that Xen names stands for the 512 frames that follow it. */
static void the_m2p_is_mapped_whole(void **state)
{
    const uint64_t *m2p;
    uint64_t nr_mfns, nr_pages;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(xcx_map_m2p(&hv, &m2p, &nr_mfns, &nr_pages, &err), 0);
    assert_ptr_equal(m2p, pages);
    assert_int_equal(world.domid, DOMID_XEN);
    assert_int_equal(nr_mfns, 512 * 512 + 6);
    assert_int_equal(nr_pages, 1024);
    assert_int_equal(world.first, 0x10000);
    assert_int_equal(world.last, 0x40000 + 511);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_page_that_fails_is_told_by_errno, reset),
        cmocka_unit_test_setup(only_passing_failures_are_tried_again, reset),
        cmocka_unit_test_setup(all_or_nothing, reset),
        cmocka_unit_test_setup(the_m2p_is_mapped_whole, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
