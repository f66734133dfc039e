/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* announce, the part that asks libxl. */
#include "announce.h"

#include <libxl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vif_script.h"

/* false: not on a bridge, or by a name that no device can have. */
static bool fill_nic(const libxl_device_nic *from, uint32_t domid,
                     struct announce_nic *ret)
{
    *ret = (struct announce_nic){.port = ""};
    vif_script_bridge(vif_script_kind(from->script), from->bridge, ret->bridge,
                      sizeof(ret->bridge), &ret->vlan);
    if (!ret->bridge[0] || from->backend_domid)
        return false;
    memcpy(ret->mac, from->mac, sizeof(ret->mac));
    snprintf(ret->port, sizeof(ret->port), "vif%u.%d", (unsigned)domid,
             from->devid);
    announce_parse_ipv4(from->ip, ret->ipv4);
    return true;
}

int announce_find_nics(struct host *host, uint32_t domid,
                       struct announce_nic ret[ANNOUNCE_MAX_NICS],
                       unsigned *ret_nr, struct xcx_err *err)
{
    int nr_found = 0;
    libxl_device_nic *found =
        libxl_device_nic_list(host->ctx, domid, &nr_found);
    unsigned nr = 0;

    if (!found && nr_found)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "domain %u: its NICs cannot be listed",
                           (unsigned)domid);
    for (int i = 0; i < nr_found && nr < ANNOUNCE_MAX_NICS; i++) {
        if (fill_nic(&found[i], domid, &ret[nr]))
            nr++;
    }
    libxl_device_nic_list_free(found, nr_found);
    *ret_nr = nr;
    return 0;
}
