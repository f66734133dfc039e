/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/hvm.h"

#include <errno.h>
#include <stdlib.h>

#include <xenctrl.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

#include "base/cleanup.h"

/* Bits of CR4 and of the EFER MSR. */
#define CR4_VMXE  (UINT64_C(1) << 13)
#define EFER_SVME (UINT64_C(1) << 12)

/* A receiver needs these; it builds the rest anew, or libxl sets them. */
static const uint32_t migrated_params[XCX_HVM_MAX_PARAMS] = {
    /* Where the guest's special pages are. */
    HVM_PARAM_STORE_PFN,
    HVM_PARAM_CONSOLE_PFN,
    HVM_PARAM_IOREQ_PFN,
    HVM_PARAM_BUFIOREQ_PFN,
    HVM_PARAM_IOREQ_SERVER_PFN,
    HVM_PARAM_NR_IOREQ_SERVER_PAGES,
    HVM_PARAM_PAGING_RING_PFN,
    HVM_PARAM_MONITOR_RING_PFN,
    HVM_PARAM_SHARING_RING_PFN,
    HVM_PARAM_VM86_TSS_SIZED,
    HVM_PARAM_IDENT_PT,
    HVM_PARAM_VM_GENERATION_ID_ADDR,
    /* How its platform behaves. */
    HVM_PARAM_ACPI_IOPORTS_LOCATION,
    HVM_PARAM_VIRIDIAN,
    HVM_PARAM_X87_FIP_WIDTH,
    HVM_PARAM_MCA_CAP,
};

int xcx_hvm_context(const struct xcx_hv *hv, void **ret_blob,
                    size_t *ret_blob_bytes, struct xcx_err *err)
{
    XCX_AUTO_FREE void *blob = NULL;
    int bytes = xc_domain_hvm_getcontext(hv->xch, hv->domid, NULL, 0);

    if (bytes < 0)
        return xcx_hv_failed(hv, err, "gethvmcontext (size)");
    blob = malloc((size_t)bytes);
    if (!blob)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: %d bytes of HVM context", hv->domid,
                           bytes);
    bytes = xc_domain_hvm_getcontext(hv->xch, hv->domid, blob, (uint32_t)bytes);
    if (bytes < 0)
        return xcx_hv_failed(hv, err, "gethvmcontext");
    *ret_blob = xcx_steal(blob);
    *ret_blob_bytes = (size_t)bytes;
    return 0;
}

int xcx_hvm_params(const struct xcx_hv *hv,
                   struct xcx_hv_param ret_params[XCX_HVM_MAX_PARAMS],
                   unsigned *ret_nr_params, struct xcx_err *err)
{
    unsigned nr_params = 0;

    for (unsigned i = 0; i < XCX_HVM_MAX_PARAMS; i++) {
        uint64_t value;

        if (xc_hvm_param_get(hv->xch, hv->domid, migrated_params[i], &value))
            return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                               "domain %u: get_param %u failed", hv->domid,
                               migrated_params[i]);
        if (!value)
            continue;
        ret_params[nr_params].index = migrated_params[i];
        ret_params[nr_params].value = value;
        nr_params++;
    }
    *ret_nr_params = nr_params;
    return 0;
}

void xcx_hvm_idle_pages(const struct xcx_hv *hv,
                        uint64_t ret_pfns[XCX_HVM_NR_IDLE_PAGES])
{
    static const uint32_t params[XCX_HVM_NR_IDLE_PAGES] = {
        HVM_PARAM_PAGING_RING_PFN,
        HVM_PARAM_MONITOR_RING_PFN,
        HVM_PARAM_SHARING_RING_PFN,
    };

    for (unsigned i = 0; i < XCX_HVM_NR_IDLE_PAGES; i++)
        if (xc_hvm_param_get(hv->xch, hv->domid, params[i], &ret_pfns[i]))
            ret_pfns[i] = 0;
}

int xcx_hvm_has_pv_drivers(const struct xcx_hv *hv, bool *ret_has,
                           struct xcx_err *err)
{
    uint64_t callback;

    if (xc_hvm_param_get(hv->xch, hv->domid, HVM_PARAM_CALLBACK_IRQ, &callback))
        return xcx_hv_failed(hv, err, "get_param (callback)");
    *ret_has = callback != 0;
    return 0;
}

int xcx_hvm_is_hypervisor(const struct xcx_hv *hv, unsigned nr_vcpus,
                          bool *ret_is, struct xcx_err *err)
{
    *ret_is = false;
    for (unsigned i = 0; i < nr_vcpus && !*ret_is; i++) {
        HVM_SAVE_TYPE(CPU) cpu;

        /* Xen has no record of a vCPU that is offline. */
        if (xc_domain_hvm_getcontext_partial(hv->xch, hv->domid,
                                             HVM_SAVE_CODE(CPU), (uint16_t)i,
                                             &cpu, sizeof(cpu))) {
            if (errno == ENODATA || errno == ENOENT)
                continue;
            return xcx_hv_failed(hv, err, "gethvmcontext_partial");
        }
        *ret_is = cpu.cr4 & CR4_VMXE || cpu.msr_efer & EFER_SVME;
    }
    return 0;
}
