/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The search for an HVM guest's pages, over a made-up hypervisor: what it
 * finds, how little it asks, and what ballooning does to it.
 */
#include "base/clock.h"
#include "engine/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#define MAX_PFNS 0x400000

/* ---- the made-up hypervisor --------------------------------------------- */

static struct {
    uint8_t present[MAX_PFNS];
    uint64_t nr_pages;
    uint64_t nr_on_demand;
    uint64_t nr_asked;
    uint64_t fail_at; /* the Nth query fails; 0: none */
    uint64_t nr_queries;
    uint64_t at_query; /* after the Nth query balloon() is called; 0: never */
    void (*balloon)(void);
} xen;

int xcx_types_query_range(struct xcx_types *types, uint64_t first,
                          unsigned nr_frames, uint8_t *ret_types,
                          struct xcx_err *err)
{
    (void)types;
    if (++xen.nr_queries == xen.fail_at)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, 5, "made to fail");
    xen.nr_asked += nr_frames;
    for (unsigned i = 0; i < nr_frames; i++)
        ret_types[i] = xen.present[first + i] ? 0 : 15;
    if (xen.nr_queries == xen.at_query)
        xen.balloon();
    return 0;
}

int xcx_domain_get_info(const struct xcx_hv *hv,
                        struct xcx_domain_info *ret_info, struct xcx_err *err)
{
    (void)hv;
    (void)err;
    *ret_info = (struct xcx_domain_info){.hvm = true, .nr_pages = xen.nr_pages};
    return 0;
}

uint64_t xcx_domain_nr_on_demand(const struct xcx_hv *hv)
{
    (void)hv;
    return xen.nr_on_demand;
}

static void set_pages(uint64_t first, uint64_t nr, bool present)
{
    for (uint64_t pfn = first; pfn < first + nr; pfn++) {
        xen.nr_pages += (uint64_t)present - xen.present[pfn];
        xen.present[pfn] = present;
    }
}

/* ---- the guest ---------------------------------------------------------- */

static const struct xcx_guest_ops ops = {.type = XCX_GUEST_HVM};

static void search_all(struct xcx_memory *memory, struct xcx_guest *guest)
{
    struct xcx_err err = XCX_ERR_INIT;
    uint64_t pfn, last = 0;

    guest->ops = &ops;
    assert_int_equal(xcx_memory_init(memory, guest, NULL, &err), 0);
    while (!xcx_memory_is_known(memory)) {
        assert_int_equal(xcx_memory_search(memory, &pfn, &err), 0);
        assert_true(pfn >= last); /* ascending */
        last = pfn;
    }
}

static void assert_found(const struct xcx_memory *memory)
{
    for (uint64_t pfn = 0; pfn < memory->guest->nr_pfns; pfn++)
        if (xcx_bitmap_test(&memory->populated, pfn) != (xen.present[pfn] != 0))
            fail_msg("pfn %#llx", (unsigned long long)pfn);
}

static int reset(void **state)
{
    (void)state;
    memset(&xen, 0, sizeof(xen));
    return 0;
}

/* ---- tests -------------------------------------------------------------- */

static void test_layouts(void **state)
{
    static const struct {
        const char *name;
        uint64_t nr_pfns;
        struct {
            uint64_t first, nr;
        } runs[4];
        uint64_t max_asked;
    } cases[] = {
        {"128 MiB under 4 GiB",
         0xff000,
         {{0, 0xa0}, {0x100, 0x7f00}, {0xfeff8, 8}},
         40 * 1024},
        {"8 GiB",
         0x210000 / 2,
         {{0, 0xa0}, {0x100, 0x77f00}, {0xfeff8, 8}, {0x100000, 0x8000}},
         0x210000 / 2},
        {"full", 5000, {{0, 5000}}, 5000},
        {"last page only", 123456, {{123455, 1}}, 3 * 1024},
        {"one pfn", 1, {{0, 1}}, 1},
        {"two ends and a page in the middle",
         1 << 20,
         {{0, 5}, {1 << 19, 1}, {(1 << 20) - 1, 1}},
         1 << 20},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_memory memory;
        struct xcx_guest guest = {.nr_pfns = cases[i].nr_pfns};

        reset(state);
        for (size_t run = 0; run < 4; run++)
            set_pages(cases[i].runs[run].first, cases[i].runs[run].nr, true);
        search_all(&memory, &guest);
        assert_found(&memory);
        assert_true(xcx_bitmap_count(&memory.todo) == xen.nr_pages);
        if (xen.nr_asked > cases[i].max_asked)
            fail_msg("%s: asked for %llu pfns", cases[i].name,
                     (unsigned long long)xen.nr_asked);
        xcx_memory_done(&memory);
        xcx_memory_done(&memory);
    }
}

/* A count that cannot be trusted, or is never reached: ask for everything. */
static void test_asks_all_when_in_doubt(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 100000};

    (void)state;
    set_pages(0, 2000, true);
    xen.nr_on_demand = 7;
    search_all(&memory, &guest);
    assert_true(xen.nr_asked == guest.nr_pfns);
    xcx_memory_done(&memory);

    xen.nr_on_demand = xen.nr_asked = 0;
    xen.nr_pages++; /* one that is nowhere in the p2m */
    search_all(&memory, &guest);
    assert_true(xen.nr_asked == guest.nr_pfns);
    assert_found(&memory);
    xcx_memory_done(&memory);
}

static void test_balloon(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0xff000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 0x8000, true);
    set_pages(0xfeff8, 8, true);
    search_all(&memory, &guest);
    xcx_bitmap_clear_all(&memory.todo);

    /* Nothing has changed: nothing is asked. */
    xen.nr_asked = 0;
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err),
                     0);
    assert_true(xen.nr_asked == 0);

    /* Gone, noticed, and come back elsewhere and where they were. */
    set_pages(0x100, 50, false);
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err),
                     0);
    assert_found(&memory);
    assert_true(xcx_bitmap_count(&memory.todo) == 0);
    set_pages(0x100, 20, true);
    set_pages(0x40000, 30, true);
    assert_int_equal(
        xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), 0);
    assert_found(&memory);
    assert_true(xcx_bitmap_count(&memory.todo) == 50);
    xcx_memory_done(&memory);
}

/* With the guest suspended: not the whole of a p2m that is mostly holes. */
static void test_balloon_found_from_below(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0xff000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 0x8000, true);
    set_pages(0x4000, 0x800, false); /* two whole chunks */
    search_all(&memory, &guest);
    xcx_bitmap_clear_all(&memory.todo);
    set_pages(0x4000, 0x800, true);
    xen.nr_asked = 0;
    assert_int_equal(
        xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), 0);
    assert_found(&memory);
    assert_true(xcx_bitmap_count(&memory.todo) == 0x800);
    assert_true(xen.nr_asked == 0x800);
    xcx_memory_done(&memory);
}

/* Out and in again between two CLEANs, but seen while it was out. */
static void test_balloon_there_and_back(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0xff000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 0x4000, true);
    search_all(&memory, &guest);
    xcx_bitmap_clear_all(&memory.todo);
    xen.nr_asked = 0;
    assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
    assert_true(xen.nr_asked == 0);

    set_pages(0x1234, 3, false);
    memory.next_watch_ns = 0; /* as if time had gone by */
    assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
    assert_true(xen.nr_asked == 0x4000);
    set_pages(0x1234, 3, true);
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err),
                     0);
    assert_true(xcx_bitmap_count(&memory.todo) == 3);
    assert_true(xcx_bitmap_test(&memory.todo, 0x1235));
    assert_found(&memory);
    xcx_memory_done(&memory);
}

/* Out and in again before it was found out which: any page may be new. */
static void test_balloon_back_too_soon(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0xff000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 0x4000, true);
    search_all(&memory, &guest);
    xcx_bitmap_clear_all(&memory.todo);
    set_pages(0x1234, 3, false);
    memory.next_recheck_ns = UINT64_MAX; /* no time for it yet */
    assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
    set_pages(0x1234, 3, true);
    memory.next_watch_ns = 0;
    assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_LAST, &err),
                     0);
    assert_true(memory.sends_again);
    assert_true(xcx_bitmap_count(&memory.todo) == 0x4000);

    xcx_bitmap_clear_all(&memory.todo);
    assert_int_equal(
        xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), 0);
    assert_false(memory.sends_again);
    assert_true(xcx_bitmap_count(&memory.todo) == 0);
    xcx_memory_done(&memory);
}

/*
 * On a busy machine the looks are far apart: pages may have gone and come back
 * between two of them, of which the count shows the difference alone.
 */
static void test_balloon_seen_late(void **state)
{
    static const struct {
        uint64_t blind_ns;
        bool sends_again;
    } rows[] = {{0, false}, {1000000000, true}};
    struct xcx_guest guest = {.nr_pfns = 0xff000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xcx_memory memory;

        set_pages(0, 0x4000, true);
        search_all(&memory, &guest);
        xcx_bitmap_clear_all(&memory.todo);
        set_pages(0x1234, 3, false);
        memory.seen_ns = xcx_clock_ns() - rows[i].blind_ns;
        memory.next_recheck_ns = UINT64_MAX;
        assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
        memory.seen_ns = xcx_clock_ns();
        assert_int_equal(
            xcx_memory_follow_balloon(&memory, XCX_FOLLOW_LAST, &err), 0);
        assert_int_equal(memory.sends_again, rows[i].sends_again);
        xcx_memory_done(&memory);
    }
}

/*
 * While the search goes on, pages leave what was searched and come to what
 * was not, and the other way round; Xen's count may be the same in the end.
 */
static void test_balloon_during_the_search(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0xff000, .ops = &ops};
    struct xcx_err err = XCX_ERR_INIT;
    uint64_t pfn;

    (void)state;
    set_pages(0, 0x4000, true);
    set_pages(0x80000, 0x100, true);
    assert_int_equal(xcx_memory_init(&memory, &guest, NULL, &err), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(xcx_memory_search(&memory, &pfn, &err), 0);
    set_pages(0x10, 0x200, false);
    memory.next_watch_ns = 0;
    assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
    set_pages(0x20, 0x80, true);
    set_pages(0x70000, 0x180, true);
    while (!xcx_memory_is_known(&memory))
        assert_int_equal(xcx_memory_search(&memory, &pfn, &err), 0);
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err),
                     0);
    assert_found(&memory);
    for (pfn = 0; pfn < guest.nr_pfns; pfn++)
        assert_true(!xen.present[pfn] || xcx_bitmap_test(&memory.todo, pfn));
    xcx_memory_done(&memory);
}

static void come_low(void)
{
    set_pages(0x90, 5, true);
}

/* Pages that come while it is looked for others, where it was looked. */
static void test_balloon_while_following(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0xff000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 0x90, true);
    set_pages(0x1000, 0x90, true);
    search_all(&memory, &guest);
    xcx_bitmap_clear_all(&memory.todo);
    set_pages(0x1000, 1, false);
    xen.balloon = come_low;
    xen.at_query = xen.nr_queries + 4; /* the last chunk of those with pages */
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_LAST, &err),
                     0);
    assert_true(memory.is_in_doubt);
    assert_int_equal(
        xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), 0);
    assert_found(&memory);
    assert_true(xcx_bitmap_test(&memory.todo, 0x94));
    xcx_memory_done(&memory);
}

/* As many in as out: no count tells, but one sign at any time is enough. */
static void test_balloon_in_balance(void **state)
{
    static const struct {
        bool sign, have_gone;
    } cases[] = {{false, false}, {true, false}, {true, true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_memory memory;
        struct xcx_guest guest = {.nr_pfns = 0xff000};
        struct xcx_err err = XCX_ERR_INIT;

        reset(state);
        set_pages(0, 0x90, true);
        search_all(&memory, &guest);
        xcx_bitmap_clear_all(&memory.todo);
        if (cases[i].sign)
            xcx_memory_doubt(&memory, cases[i].have_gone);
        assert_int_equal(
            xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err), 0);
        set_pages(0x10, 3, false);
        set_pages(0xa0, 3, true);
        xen.nr_asked = 0;
        assert_int_equal(
            xcx_memory_follow_balloon(&memory, XCX_FOLLOW_LAST, &err), 0);
        if (cases[i].sign)
            assert_found(&memory);
        else
            assert_true(xen.nr_asked == 0);
        assert_true(xcx_bitmap_count(&memory.todo) == (cases[i].sign ? 3 : 0));

        /* Again, on the last stretch. */
        set_pages(0xa0, 1, false);
        set_pages(0xb0, 1, true);
        assert_int_equal(
            xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), 0);
        assert_true(xcx_bitmap_count(&memory.todo) == (cases[i].sign ? 4 : 0));
        xcx_memory_done(&memory);
    }
}

/* Writes to a page that came were not recorded before the next CLEAN. */
static void test_found_in_the_search_but_new(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0x8000, .ops = &ops};
    struct xcx_err err = XCX_ERR_INIT;
    uint64_t pfn;

    (void)state;
    set_pages(0, 0x4000, true);
    assert_int_equal(xcx_memory_init(&memory, &guest, NULL, &err), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(xcx_memory_search(&memory, &pfn, &err), 0);
    assert_int_equal(xcx_memory_watch_balloon(&memory, &err), 0);
    set_pages(0x5000, 2, true);
    while (!xcx_memory_is_known(&memory))
        assert_int_equal(xcx_memory_search(&memory, &pfn, &err), 0);
    assert_found(&memory);
    xcx_bitmap_clear_all(&memory.todo); /* sent, and then written again */
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err),
                     0);
    assert_true(xcx_bitmap_test(&memory.todo, 0x5001));
    assert_false(xcx_bitmap_test(&memory.todo, 0xfff));
    xcx_bitmap_clear_all(&memory.todo);
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_ROUND, &err),
                     0);
    assert_true(xcx_bitmap_count(&memory.todo) == 0); /* once is enough */
    xcx_memory_done(&memory);
}

static void test_grow(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 4000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 4000, true);
    search_all(&memory, &guest);
    guest.nr_pfns = 70000;
    set_pages(69990, 10, true);
    assert_int_equal(xcx_memory_grow(&memory, &err), 0);
    assert_true(xcx_memory_is_known(&memory));
    assert_true(xcx_bitmap_count(&memory.todo) == 4000);
    assert_int_equal(
        xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), 0);
    assert_found(&memory);
    assert_true(xcx_bitmap_count(&memory.todo) == 4010);
    xcx_memory_done(&memory);
}

/* One page far up: its 2^22 pfns would take 20 s, 2^32 of them hours. */
static void test_balloon_in_a_stretched_p2m(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0x400000};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 0x8000, true);
    set_pages(0x3fffff, 1, true);
    search_all(&memory, &guest);
    assert_found(&memory);
    assert_true(xen.nr_asked < 0x10000);
    xen.nr_asked = 0;
    set_pages(0x2ffc00, 1, true);
    assert_int_equal(
        xcx_memory_follow_balloon(&memory, XCX_FOLLOW_SUSPENDED, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_non_null(strstr(err.msg, "somewhere in 4194304 pfns"));
    assert_true(xen.nr_asked < 0x100000 + 4 * 0x8001 + 2 * XCX_CHUNK_PFNS);
    xcx_memory_done(&memory);
}

static void test_can_be_cancelled_between_chunks(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 0x10000, .ops = &ops};
    struct xcx_err err = XCX_ERR_INIT;
    uint64_t pfn;
    int fd = eventfd(1, EFD_CLOEXEC);

    (void)state;
    set_pages(0, 0x8000, true);
    search_all(&memory, &guest);
    memory.cancel.fd = fd;
    xcx_memory_doubt(&memory, true);
    assert_int_equal(xcx_memory_follow_balloon(&memory, XCX_FOLLOW_LAST, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    xcx_memory_done(&memory);

    err = XCX_ERR_INIT;
    assert_int_equal(xcx_memory_init(&memory, &guest, NULL, &err), 0);
    memory.cancel.fd = fd;
    assert_int_equal(xcx_memory_search(&memory, &pfn, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    xcx_memory_done(&memory);
    close(fd);
}

static void test_query_fails(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 5000, .ops = &ops};
    struct xcx_err err = XCX_ERR_INIT;
    uint64_t pfn;

    (void)state;
    set_pages(0, 5000, true);
    xen.fail_at = 2;
    assert_int_equal(xcx_memory_init(&memory, &guest, NULL, &err), 0);
    assert_int_equal(xcx_memory_search(&memory, &pfn, &err), 0);
    assert_int_equal(xcx_memory_search(&memory, &pfn, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    xcx_memory_done(&memory);
}

/* Hot: written in two rounds in a row. todo gathers, last is the last. */
static void test_take_dirty(void **state)
{
    struct xcx_memory memory;
    struct xcx_guest guest = {.nr_pfns = 200};
    struct xcx_bitmap dirty = {0};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    set_pages(0, 200, true);
    search_all(&memory, &guest);
    xcx_bitmap_clear_all(&memory.todo);
    assert_int_equal(xcx_bitmap_init(&dirty, 200, &err), 0);
    xcx_bitmap_set(&dirty, 3);
    xcx_bitmap_set(&dirty, 150);
    xcx_memory_take_dirty(&memory, &dirty);
    assert_true(xcx_bitmap_count(&memory.hot) == 0);
    xcx_bitmap_clear(&memory.todo, 3); /* sent; 150 had to wait */
    xcx_bitmap_clear(&dirty, 150);
    xcx_memory_take_dirty(&memory, &dirty);
    assert_true(xcx_bitmap_count(&memory.hot) == 1);
    assert_true(xcx_bitmap_test(&memory.hot, 3));
    assert_true(xcx_bitmap_count(&memory.todo) == 2);
    xcx_bitmap_clear_all(&dirty);
    xcx_memory_take_dirty(&memory, &dirty);
    assert_true(xcx_bitmap_count(&memory.hot) == 0);
    assert_true(xcx_bitmap_count(&memory.last) == 0);
    xcx_bitmap_done(&dirty);
    xcx_memory_done(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_layouts, reset),
        cmocka_unit_test_setup(test_asks_all_when_in_doubt, reset),
        cmocka_unit_test_setup(test_balloon, reset),
        cmocka_unit_test_setup(test_balloon_found_from_below, reset),
        cmocka_unit_test_setup(test_balloon_there_and_back, reset),
        cmocka_unit_test_setup(test_balloon_back_too_soon, reset),
        cmocka_unit_test_setup(test_balloon_seen_late, reset),
        cmocka_unit_test_setup(test_balloon_during_the_search, reset),
        cmocka_unit_test_setup(test_balloon_while_following, reset),
        cmocka_unit_test_setup(test_balloon_in_balance, reset),
        cmocka_unit_test_setup(test_found_in_the_search_but_new, reset),
        cmocka_unit_test_setup(test_grow, reset),
        cmocka_unit_test_setup(test_balloon_in_a_stretched_p2m, reset),
        cmocka_unit_test_setup(test_take_dirty, reset),
        cmocka_unit_test_setup(test_can_be_cancelled_between_chunks, reset),
        cmocka_unit_test_setup(test_take_dirty, reset),
        cmocka_unit_test_setup(test_query_fails, reset),
        cmocka_unit_test_setup(test_take_dirty, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
