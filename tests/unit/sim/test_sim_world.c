/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's worlds: memory, dirty bits, page tables, comparison. */
#include "sim/build.h"
#include "sim/compare.h"
#include "sim/cost.h"
#include "sim/logdirty.h"
#include "sim/pv.h"
#include "sim/workload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static struct sim_world *make(const char *text, bool is_target)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_spec spec;
    struct sim_world *w = NULL;
    int fd = memfd_create("world", MFD_CLOEXEC);

    assert_int_equal(sim_spec_parse(text, &spec, &err), 0);
    sim_spec_settle(&spec);
    assert_int_equal(
        sim_world_create(fd, &spec, is_target, spec.nr_pages + 128, &w, &err),
        0);
    if (!is_target && sim_build_guest(w, &err))
        fail_msg("%s", err.msg);
    close(fd);
    return w;
}

static void dirty_bits_are_read_and_cleaned(void **state)
{
    struct sim_world *w = make("mem=1M,p2m=100000", false);
    uint8_t bits[100000 / 8 + 1];

    (void)state;
    sim_dirty_mark(w, 5);
    assert_int_equal(w->nr_dirty, 0); /* it is off */
    sim_dirty_switch(w, true);
    sim_dirty_mark(w, 5);
    sim_dirty_mark(w, 5);
    sim_dirty_mark(w, 70000);
    assert_int_equal(w->nr_dirty, 2);
    memset(bits, 0xff, sizeof(bits));
    sim_dirty_read(w, 100000, bits, false);
    assert_int_equal(bits[0], 1 << 5);
    assert_int_equal(bits[70000 / 8], 1 << (70000 % 8));
    assert_int_equal(bits[1000], 0);
    assert_true(sim_dirty_test(w, 70000));
    sim_dirty_read(w, 100000, bits, true);
    assert_int_equal(bits[0], 1 << 5);
    assert_int_equal(w->nr_dirty, 0);
    assert_false(sim_dirty_test(w, 5));
    sim_world_unmap(w);
}

static void the_guest_runs_by_calls(void **state)
{
    struct sim_world *w = make("mem=1M,rate=5000,clock=calls", false);

    (void)state;
    sim_dirty_switch(w, true);
    for (int i = 0; i < 4; i++)
        sim_workload_run(w);
    assert_int_equal(w->work.nr_writes, 20);
    assert_in_range(w->nr_dirty, 1, 20);
    w->shutdown = true;
    sim_workload_run(w);
    assert_int_equal(w->work.nr_writes, 20);
    sim_world_unmap(w);
}

static void tables_are_validated(void **state)
{
    struct sim_world *w = make("kind=pv,mem=2M", false);
    uint64_t l4 = sim_pfn_frame(w, w->pv.l4_kernel);
    uint64_t l1 = sim_pfn_frame(w, w->pv.l1_direct);
    uint64_t *table = sim_ram(w, l1);

    (void)state;
    assert_int_equal(sim_frames(w)[l4].type, 4);
    assert_int_equal(sim_frames(w)[l1].type, 1);
    assert_int_equal(sim_pv_pin(w, l1, 2), -EINVAL); /* it is an L1 */
    assert_int_equal(sim_pv_unpin(w, l4), 0);
    assert_int_equal(sim_frames(w)[l1].type, 0);
    table[3] = SIM_PTE_RW_FLAGS; /* a frame that is not the guest's */
    assert_int_equal(sim_pv_pin(w, l4, 4), -EINVAL);
    assert_int_equal(sim_frames(w)[l4].type, 0);
    assert_int_equal(sim_frames(w)[l1].type, 0);
    table[3] = 0;
    assert_int_equal(sim_pv_pin(w, l4, 4), 0);
    sim_world_unmap(w);
}

static void normal_tables_name_pfns(void **state)
{
    struct sim_world *w = make("kind=pv,mem=2M", false);
    uint64_t table[512];

    (void)state;
    sim_pv_normalise(w, sim_pfn_frame(w, w->pv.l1_direct), table);
    assert_int_equal(sim_pte_mfn(table[200]), 200);
    sim_pv_normalise(w, sim_pfn_frame(w, w->pv.l4_kernel), table);
    assert_int_equal(table[SIM_PV_XEN_FIRST], 0); /* the hypervisor's own */
    sim_world_unmap(w);
}

/* A target that is filled by hand, page by page. */
static void copy_memory(struct sim_world *from, struct sim_world *to)
{
    for (uint64_t pfn = 0; pfn < from->nr_pfns; pfn++) {
        const void *page = sim_pfn_ram(from, pfn);

        if (!page || (sim_p2m_get(from, pfn) & SIM_P2M_SPECIAL))
            continue;
        assert_int_equal(sim_populate(to, pfn), 0);
        memcpy(sim_pfn_ram(to, pfn), page, SIM_PAGE_BYTES);
    }
}

static void differences_are_found(void **state)
{
    struct sim_world *s = make("mem=1M,special=2", false);
    struct sim_world *t = make("mem=1M,special=2", true);
    struct sim_diff diff;
    uint64_t before;

    (void)state;
    copy_memory(s, t);
    sim_compare(s, t, &diff);
    before = diff.nr_different; /* the rings that a restore would empty */
    assert_int_equal(diff.nr_compared, 256 + SIM_NR_TOP_PAGES);
    assert_int_equal(before, 4);
    ((uint8_t *)sim_pfn_ram(t, 77))[4095] ^= 1;
    sim_depopulate(t, 78);
    assert_int_equal(sim_populate(t, 256), 0); /* a special page's place */
    sim_compare(s, t, &diff);
    assert_int_equal(diff.nr_different, before + 1);
    assert_int_equal(diff.nr_missing, 1);
    assert_int_equal(diff.nr_alien, 1);
    assert_false(sim_diff_is_same(&diff));
    sim_world_unmap(s);
    sim_world_unmap(t);
}

static void memory_has_limits(void **state)
{
    struct sim_world *w = make("mem=1M", true);

    (void)state;
    assert_int_equal(sim_populate(w, 3), 0);
    assert_int_equal(sim_populate(w, 3), -EEXIST);
    assert_int_equal(sim_populate(w, w->max_nr_pfns), -EINVAL);
    w->max_pages = 1;
    assert_int_equal(sim_populate(w, 4), -ENOMEM);
    sim_depopulate(w, 3);
    assert_null(sim_pfn_ram(w, 3));
    assert_int_equal(w->nr_pages, 0);
    sim_world_unmap(w);
}

/* What is paid is booked on the CPU that is free first. */
static void costs_are_booked_on_cpus(void **state)
{
    struct sim_world *w = make("mem=1M", true);
    struct sim_cost cost = {.nr_cpus = 2};
    uint64_t before = sim_now_ns();

    (void)state;
    w->cpu_busy_until_ns[0] = before + 1000000;
    sim_cost_pay(w, &cost, 200000);
    assert_int_equal(w->cpu_busy_until_ns[0], before + 1000000);
    assert_in_range(w->cpu_busy_until_ns[1], before + 200000, UINT64_MAX);
    assert_true(sim_now_ns() >= w->cpu_busy_until_ns[1]);
    cost.nr_cpus = 1; /* now it has to wait for the first */
    /* So long that it is not made up for by what the first overslept. */
    sim_cost_pay(w, &cost, 300000000);
    assert_in_range(w->cpu_busy_until_ns[0], before + 1000001, UINT64_MAX);
    sim_world_unmap(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dirty_bits_are_read_and_cleaned),
        cmocka_unit_test(the_guest_runs_by_calls),
        cmocka_unit_test(tables_are_validated),
        cmocka_unit_test(normal_tables_name_pfns),
        cmocka_unit_test(differences_are_found),
        cmocka_unit_test(memory_has_limits),
        cmocka_unit_test(costs_are_booked_on_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
