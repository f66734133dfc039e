/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/mark.h"

#include <errno.h>
#include <stdlib.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xendevicemodel.h>

struct xcx_marker {
    const struct xcx_hv *hv;
    xendevicemodel_handle *device_model; /* HVM; owned */
    xencall_handle *xcall;               /* PV; of hv */
    mmu_update_t *update;                /* PV; a hypercall buffer, owned */
};

static int open_handles(struct xcx_marker *marker, bool hvm)
{
    if (hvm) {
        marker->device_model = xendevicemodel_open(NULL, 0);
        return marker->device_model ? 0 : -1;
    }
    marker->xcall = xc_interface_xcall_handle(marker->hv->xch);
    if (marker->xcall)
        marker->update =
            xencall_alloc_buffer(marker->xcall, sizeof(*marker->update));
    return marker->update ? 0 : -1;
}

int xcx_marker_new(const struct xcx_hv *hv, bool hvm,
                   struct xcx_marker **ret_marker, struct xcx_err *err)
{
    struct xcx_marker *marker = calloc(1, sizeof(*marker));

    if (marker)
        marker->hv = hv;
    if (!marker || open_handles(marker, hvm)) {
        xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                    "domain %u: handle for marking pages", hv->domid);
        xcx_marker_free(marker);
        return -1;
    }
    *ret_marker = marker;
    return 0;
}

void xcx_marker_free(struct xcx_marker *marker)
{
    if (!marker)
        return;
    if (marker->device_model)
        xendevicemodel_close(marker->device_model);
    if (marker->update)
        xencall_free_buffer(marker->xcall, marker->update);
    free(marker);
}

int xcx_marker_mark(struct xcx_marker *marker, const struct xcx_mark_page *page,
                    struct xcx_err *err)
{
    const struct xcx_hv *hv = marker->hv;
    int rc;

    if (marker->device_model) {
        rc = xendevicemodel_modified_memory(marker->device_model,
                                            (domid_t)hv->domid, page->pfn, 1);
    } else {
        marker->update->ptr =
            page->frame * XCX_FRAME_BYTES | MMU_MACHPHYS_UPDATE;
        marker->update->val = page->pfn;
        rc = xencall4(marker->xcall, __HYPERVISOR_mmu_update,
                      (uintptr_t)marker->update, 1, 0, hv->domid);
    }
    return rc ? xcx_hv_failed(hv, err, "marking a page") : 0;
}
