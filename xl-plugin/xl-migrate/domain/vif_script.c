/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vif_script.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VLAN 4094

enum vif_script vif_script_kind(const char *path)
{
    static const struct {
        const char *name;
        enum vif_script kind;
    } known[] = {
        {"vif-bridge", VIF_SCRIPT_BRIDGE},
        {"vif-openvswitch", VIF_SCRIPT_VSWITCH},
        {"vif-route", VIF_SCRIPT_NONE},
        {"vif-nat", VIF_SCRIPT_NONE},
    };
    const char *slash, *name;

    if (!path || !path[0])
        return VIF_SCRIPT_BRIDGE;
    slash = strrchr(path, '/');
    name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) == 0)
            return known[i].kind;
    }
    return VIF_SCRIPT_OWN;
}

void vif_script_bridge(enum vif_script kind, const char *bridge,
                       char *ret_device, size_t device_bytes,
                       unsigned *ret_vlan)
{
    size_t length = bridge && kind != VIF_SCRIPT_NONE ? strlen(bridge) : 0;
    unsigned long vlan;

    ret_device[0] = 0;
    *ret_vlan = 0;
    if (length && kind == VIF_SCRIPT_VSWITCH) {
        length = strcspn(bridge, ".:");
        if (bridge[length] == '.') {
            vlan = strtoul(bridge + length + 1, NULL, 10);
            *ret_vlan = vlan <= MAX_VLAN ? (unsigned)vlan : 0;
        }
    }
    if (length >= device_bytes)
        return;
    memcpy(ret_device, bridge ? bridge : "", length);
    ret_device[length] = 0;
}
