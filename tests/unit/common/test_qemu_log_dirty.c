/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device model's log-dirty mode after a save that was killed. */
#include "common/qemu_log_dirty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "common/saver.h"
#include "unit/fake_qemu.h"
#include "unit/fake_xenstore.h"

static pid_t saver_pid;

int __wrap_saver_find(const char *proc_dir, uint32_t domid,
                      struct saver *ret_saver, struct xcx_err *err);

int __wrap_saver_find(const char *proc_dir, uint32_t domid,
                      struct saver *ret_saver, struct xcx_err *err)
{
    (void)err;
    assert_string_equal(proc_dir, SAVER_PROC);
    assert_int_equal(domid, 5);
    *ret_saver = (struct saver){.pid = saver_pid};
    return 0;
}

static struct qemu_socket domain_5(const char *type)
{
    fake_xenstore_reset();
    fake_xenstore_set("/libxl/5/type", type, 0);
    fake_xenstore_set("/local/domain/5/vm", "/vm/" UUID, 0);
    return (struct qemu_socket){.xs = fake_xenstore_handle(),
                                .domid = 5,
                                .run_dir = fake_qemu_dir,
                                .lock_dir = fake_qemu_dir};
}

static int end_mode(struct qemu *qemu)
{
    const struct qemu_socket socket = domain_5("hvm");
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread = fake_qemu_start(qemu);
    int rc = qemu_log_dirty_end(&socket, &err);

    if (rc)
        print_message("%s\n", err.msg);
    fake_qemu_end(thread, qemu);
    return rc;
}

/* A QEMU that is told to switch off what is off ends by an assertion. */
static void it_is_on_before_it_is_switched_off(void **state)
{
    struct qemu qemu = {.steps = {
                            {"qmp_capabilities", OK},
                            {"\"enable\": true", OK},
                            {"\"enable\": false", OK},
                        }};

    (void)state;
    saver_pid = 0;
    assert_int_equal(end_mode(&qemu), 0);
    assert_true(qemu.saw_lock);
}

/* One that has begun since needs the mode: it has libxl switch it off. */
static void another_save_keeps_it(void **state)
{
    struct qemu qemu = {.steps = {{"qmp_capabilities", OK}}};

    (void)state;
    saver_pid = 77;
    assert_int_equal(end_mode(&qemu), 0);
    assert_int_equal(qemu.nr_commands, 1);
}

static void a_qemu_that_refuses_is_told_of(void **state)
{
    struct qemu qemu = {
        .steps = {
            {"qmp_capabilities", OK},
            {"\"enable\": true", "{\"error\": {\"class\": \"GenericError\", "
                                 "\"desc\": \"no\"}, \"id\": ID}\r\n"},
        }};

    (void)state;
    saver_pid = 0;
    assert_int_equal(end_mode(&qemu), -1);
}

/* The QEMU of a PV or PVH guest serves disks, and marks no pages. */
static void no_other_guest_has_it(void **state)
{
    static const char *const types[] = {"pv", "pvh", ""};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const struct qemu_socket socket = domain_5(types[i]);

        assert_int_equal(qemu_log_dirty_end(&socket, &err), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_on_before_it_is_switched_off),
        cmocka_unit_test(another_save_keeps_it),
        cmocka_unit_test(a_qemu_that_refuses_is_told_of),
        cmocka_unit_test(no_other_guest_has_it),
    };

    return cmocka_run_group_tests(tests, fake_qemu_make_dir,
                                  fake_qemu_remove_dir);
}
