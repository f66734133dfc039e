/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys of a guest a target takes, and with which permissions. */
#include "xl-migrate/domain/guest_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void only_a_guest_s_own_keys_are_taken(void **state)
{
    static const struct config_xenstore_keys more = {.nr = 1,
                                                     .key = {"my/own"}};
    static const struct {
        const char *path;
        bool allowed;
    } rows[] = {
        {"data", true},
        {"data/a/b", true},
        {"attr/PVAddons", true},
        {"vm-data", true},
        {"vm-data/x", true},
        {"control/feature-suspend", true},
        {"my/own", true},
        {"my/own/x", true},
        {"database", false},
        {"control", false},
        {"control/feature-", false},
        {"control/feature-suspend/x", false},
        {"control/shutdown", false},
        {"control/platform-feature-xs_reset_watches", false},
        {"image/device-model-pid", false},
        {"device/vif/0/backend", false},
        {"memory/target", false},
        {"domid", false},
        {"my", false},
        {"my/ownx", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("%s\n", rows[i].path);
        assert_int_equal(guest_keys_allow(rows[i].path, &more),
                         rows[i].allowed);
    }
}

static void dom0_s_nodes_are_not_for_all_to_write(void **state)
{
    static const struct {
        uint32_t owner;
        char access, then;
    } rows[] = {
        {0, 'n', 'n'},
        {0, 'r', 'r'},
        {0, 'w', 'n'},
        {0, 'b', 'r'},
        {XENSTORE_SELF, 'b', 'b'},
        {XENSTORE_SELF, 'w', 'w'},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xenstore_entry entry = {
            .nr_perms = 2,
            .perms = {{rows[i].access, rows[i].owner}, {'b', XENSTORE_SELF}}};

        guest_keys_restrict(&entry);
        assert_int_equal(entry.perms[0].access, rows[i].then);
        assert_int_equal(entry.perms[1].access, 'b');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_guest_s_own_keys_are_taken),
        cmocka_unit_test(dom0_s_nodes_are_not_for_all_to_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
