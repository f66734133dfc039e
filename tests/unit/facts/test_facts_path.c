/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which paths are told of, and which are a secret of the host. */
#include "xl-migrate/facts/facts_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        enum facts_file_kind kind;
        bool told;
    } rows[] = {
        {"/dev/vg/web", FACTS_KIND_DISK, true},
        {"/srv/xen/web.qcow2", FACTS_KIND_DISK, true},
        {"/home/me/web.img", FACTS_KIND_DISK, true},
        {"/etc/xen/web.img", FACTS_KIND_DISK, true},
        {"/boot/vmlinuz", FACTS_KIND_BOOT, true},
        {"/etc/shadow", FACTS_KIND_DISK, false},
        {"/etc/xenial/x", FACTS_KIND_DISK, false},
        {"/etc/xen/../shadow", FACTS_KIND_DISK, false},
        {"/etc//xen/x", FACTS_KIND_DISK, false},
        {"/proc/1/environ", FACTS_KIND_BOOT, false},
        {"/sys/class/net/lo", FACTS_KIND_ANY, false},
        {"/run/xen/x", FACTS_KIND_DISK, false},
        {"/var/run/xen/x", FACTS_KIND_DISK, false},
        {"/root/.ssh/id_rsa", FACTS_KIND_DISK, false},
        {"/srv/./x", FACTS_KIND_DISK, false},
        {"etc/xen/x", FACTS_KIND_DISK, false},
        {"", FACTS_KIND_DISK, false},
        {"/etc/xen/scripts/vif-bridge", FACTS_KIND_SCRIPT, true},
        {"/usr/local/bin/vif", FACTS_KIND_SCRIPT, true},
        {"/srv/secret", FACTS_KIND_SCRIPT, false},
        {"/usr/libexec/xen-qemu-system-i386", FACTS_KIND_DEVICE_MODEL, true},
        {"/tmp/qemu", FACTS_KIND_DEVICE_MODEL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (facts_path_is_told(rows[i].path, rows[i].kind) != rows[i].told)
            fail_msg("%s", rows[i].path);
    }
}

static void test_qemu(void **state)
{
    (void)state;
    assert_true(facts_path_is_qemu("/usr/bin/qemu-system-i386"));
    assert_true(facts_path_is_qemu("/usr/libexec/xen-qemu-system-i386"));
    assert_false(facts_path_is_qemu("/usr/sbin/reboot"));
    assert_false(facts_path_is_qemu("/usr/qemu/reboot"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_qemu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
