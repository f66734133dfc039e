/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which guests are hypervisors, by the CPU state that Xen shows of them. */
#include "hv/hvm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <xenctrl.h>
#include <xen/hvm/save.h>

#define VMXE (1u << 13)
#define SVME (1u << 12)

static struct {
    uint64_t cr4[4], efer[4];
    int fails_with[4]; /* errno; 0: does not */
    unsigned nr_looks;
} world;

int xc_domain_hvm_getcontext_partial(xc_interface *xch, uint32_t domid,
                                     uint16_t typecode, uint16_t instance,
                                     void *ctxt_buf, uint32_t size)
{
    HVM_SAVE_TYPE(CPU) *cpu = ctxt_buf;

    (void)xch;
    assert_int_equal(domid, 5);
    assert_int_equal(typecode, HVM_SAVE_CODE(CPU));
    assert_int_equal(size, sizeof(*cpu));
    world.nr_looks++;
    memset(cpu, 0, sizeof(*cpu));
    cpu->cr4 = world.cr4[instance];
    cpu->msr_efer = world.efer[instance];
    errno = world.fails_with[instance];
    return errno ? -1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    return 0;
}

static bool is(unsigned nr_vcpus)
{
    struct xcx_hv hv = {.domid = 5};
    struct xcx_err err = XCX_ERR_INIT;
    bool is;

    assert_int_equal(xcx_hvm_is_hypervisor(&hv, nr_vcpus, &is, &err), 0);
    return is;
}

static void test_vmx_or_svm_on_any_vcpu(void **state)
{
    (void)state;
    world.cr4[0] = world.cr4[1] = ~(uint64_t)VMXE;
    world.efer[0] = world.efer[1] = ~(uint64_t)SVME;
    assert_false(is(2));
    assert_int_equal(world.nr_looks, 2);
    world.cr4[1] |= VMXE;
    assert_true(is(2));
    assert_false(is(1));
    world.cr4[1] = 0;
    world.efer[1] = SVME;
    assert_true(is(2));
}

static void test_offline_vcpus_are_passed_over(void **state)
{
    (void)state;
    world.fails_with[0] = ENODATA;
    world.fails_with[1] = ENOENT;
    world.efer[2] = SVME;
    assert_true(is(3));
}

static void test_failure(void **state)
{
    struct xcx_hv hv = {.domid = 5};
    struct xcx_err err = XCX_ERR_INIT;
    bool is_on;

    (void)state;
    world.fails_with[0] = EPERM;
    assert_int_equal(xcx_hvm_is_hypervisor(&hv, 1, &is_on, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_non_null(strstr(err.msg, "gethvmcontext_partial"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_vmx_or_svm_on_any_vcpu, set_up),
        cmocka_unit_test_setup(test_offline_vcpus_are_passed_over, set_up),
        cmocka_unit_test_setup(test_failure, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
