/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vif_script: how the hotplug script of a NIC reads the NIC's "bridge"
 * (xl-network-configuration(5)). Scripts are known by their file name, so a
 * stock script that lies elsewhere counts as stock. Pure.
 */
#ifndef XL_MIGRATE_VIF_SCRIPT_H
#define XL_MIGRATE_VIF_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum vif_script {
    VIF_SCRIPT_BRIDGE,  /* vif-bridge: the name of a network device */
    VIF_SCRIPT_VSWITCH, /* vif-openvswitch: NAME[.VLAN][:VLAN...] */
    VIF_SCRIPT_NONE,    /* vif-route, vif-nat: "bridge" is not used */
    VIF_SCRIPT_OWN,     /* the administrator's own: not known */
};

/* path NULL or "": libxl's default, which is vif-bridge. */
enum vif_script vif_script_kind(const char *path);

/*
 * The network device that "bridge" names, and the VLAN that the guest's
 * frames are in there, 0 for none. *ret_device is "" if the script uses no
 * bridge, the bridge is NULL or its name does not fit.
 */
void vif_script_bridge(enum vif_script kind, const char *bridge,
                       char *ret_device, size_t device_bytes,
                       unsigned *ret_vlan);

#endif
