/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scripts that are known, and what each makes of a bridge's name. */
#include "xl-migrate/domain/vif_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void bridges(void **state)
{
    static const struct {
        const char *script, *bridge;
        enum vif_script kind;
        const char *device;
        unsigned vlan;
    } rows[] = {
        {NULL, "xenbr0.5", VIF_SCRIPT_BRIDGE, "xenbr0.5", 0},
        {"", "xenbr0", VIF_SCRIPT_BRIDGE, "xenbr0", 0},
        {"vif-bridge", NULL, VIF_SCRIPT_BRIDGE, "", 0},
        {"/etc/xen/scripts/vif-openvswitch", "ovs.100:200", VIF_SCRIPT_VSWITCH,
         "ovs", 100},
        {"vif-openvswitch", "ovs:200:300", VIF_SCRIPT_VSWITCH, "ovs", 0},
        {"vif-openvswitch", "ovs.99999", VIF_SCRIPT_VSWITCH, "ovs", 0},
        {"vif-openvswitch", "ovs.", VIF_SCRIPT_VSWITCH, "ovs", 0},
        {"vif-openvswitch", ".5", VIF_SCRIPT_VSWITCH, "", 5},
        {"vif-route", "xenbr0", VIF_SCRIPT_NONE, "", 0},
        {"vif-nat", "xenbr0", VIF_SCRIPT_NONE, "", 0},
        {"vif-bridge-mine", "br:5", VIF_SCRIPT_OWN, "br:5", 0},
        {"vif-bridge", "0123456789abcde", VIF_SCRIPT_BRIDGE, "0123456789abcde",
         0},
        {"vif-bridge", "0123456789abcdef", VIF_SCRIPT_BRIDGE, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char device[16] = "before";
        unsigned vlan = 77;
        enum vif_script kind = vif_script_kind(rows[i].script);

        assert_int_equal(kind, rows[i].kind);
        vif_script_bridge(kind, rows[i].bridge, device, sizeof(device), &vlan);
        assert_string_equal(device, rows[i].device);
        assert_int_equal(vlan, rows[i].vlan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bridges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
