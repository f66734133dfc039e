/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/hvm_restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <xen/hvm/params.h>

#include "base/cleanup.h"
#include "hv/map.h"
#include "hv/map_write.h"

/* Bookkeeping of ours has a bit for each pfn, in memory that is not there
 * until it is used: 512 MiB of address space at most, for a guest of 16 TiB. */
#define MAX_NR_PFNS (UINT64_C(1) << 32)

/* Meant libxc itself, never Xen; old releases send it (HVM_PARAM_PAE_ENABLED,
 * which today's headers hide). */
#define PARAM_PAE_ENABLED 4

struct hvm_guest {
    struct xcx_incoming guest; /* first: the engine knows only this */
    unsigned nr_params;
    struct xcx_hvm_param params[XCX_HVM_PARAMS_MAX];
    void *context;
    uint32_t context_bytes;
};

static struct hvm_guest *hvm_of(struct xcx_incoming *guest)
{
    return (struct hvm_guest *)guest;
}

static int hvm_setup(struct xcx_incoming *guest, struct xcx_err *err)
{
    unsigned bits = guest->info.address_bits;

    (void)err;
    guest->max_nr_pfns = MAX_NR_PFNS;
    if (bits > XCX_PAGE_SHIFT && bits < 64 &&
        UINT64_C(1) << (bits - XCX_PAGE_SHIFT) < MAX_NR_PFNS)
        guest->max_nr_pfns = UINT64_C(1) << (bits - XCX_PAGE_SHIFT);
    guest->nr_pfns = guest->max_nr_pfns;
    return 0;
}

static uint64_t hvm_frame(const struct xcx_incoming *guest, uint64_t pfn)
{
    (void)guest;
    return pfn;
}

static void hvm_set_frame(struct xcx_incoming *guest, uint64_t pfn,
                          uint64_t frame)
{
    (void)guest;
    (void)pfn;
    (void)frame;
}

static void hvm_set_type(struct xcx_incoming *guest, uint64_t pfn,
                         unsigned type)
{
    (void)guest;
    (void)pfn;
    (void)type;
}

/* ---- records ------------------------------------------------------------ */

static int hvm_take_params(struct xcx_incoming *guest, uint32_t nr_params,
                           struct xcx_get params, struct xcx_err *err)
{
    struct hvm_guest *hvm = hvm_of(guest);
    struct xcx_get ahead = params;

    if (nr_params > XCX_HVM_PARAMS_MAX)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "%" PRIu32 " parameters",
                           nr_params);
    for (uint32_t i = 0; i < nr_params; i++) {
        struct xcx_hvm_param param = xcx_hvm_param_get(&ahead);

        if (param.index >= HVM_NR_PARAMS)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "parameter %" PRIu64 ", there are %d",
                               param.index, HVM_NR_PARAMS);
    }
    for (uint32_t i = 0; i < nr_params; i++)
        hvm->params[i] = xcx_hvm_param_get(&params);
    hvm->nr_params = nr_params;
    return 0;
}

static int hvm_take_context(struct xcx_incoming *guest, const void *blob,
                            uint32_t bytes, struct xcx_err *err)
{
    struct hvm_guest *hvm = hvm_of(guest);
    void *copy = malloc(bytes);

    if (!copy)
        return xcx_err_no_memory(err, ENOMEM,
                                 "%" PRIu32 " bytes of HVM context", bytes);
    memcpy(copy, blob, bytes);
    free(hvm->context);
    hvm->context = copy;
    hvm->context_bytes = bytes;
    return 0;
}

/* ---- at the end --------------------------------------------------------- */

/*
 * The contents of the rings belong to the other host. Pages of the device
 * model may be absent: Xen takes them out of the guest's p2m.
 */
static int clear_page(struct xcx_incoming *guest, uint64_t pfn,
                      struct xcx_err *err)
{
    int error = 0;
    void *page;

    if (pfn >= guest->nr_pfns ||
        !guest->memory.is_populated(guest->memory.opaque, pfn))
        return 0;
    page = xcx_map_writable(guest->hv, &pfn, 1, &error);
    if (!page || error) {
        xcx_err_set(err, XCX_ERR_HYPERCALL, page ? error : errno,
                    "domain %u: cannot map pfn %#" PRIx64 " to clear it",
                    guest->hv->domid, pfn);
        xcx_unmap(guest->hv, page, 1);
        return -1;
    }
    memset(page, 0, XCX_PAGE_BYTES);
    xcx_unmap(guest->hv, page, 1);
    return 0;
}

static int set_param(struct xcx_incoming *guest,
                     const struct xcx_hvm_param *param, struct xcx_err *err)
{
    bool is_cleared = true;

    switch (param->index) {
    case HVM_PARAM_STORE_PFN:
        guest->rings.store_frame = param->value;
        break;
    case HVM_PARAM_CONSOLE_PFN:
        guest->rings.console_frame = param->value;
        break;
    case HVM_PARAM_IOREQ_PFN:
    case HVM_PARAM_BUFIOREQ_PFN:
        break;
    case PARAM_PAE_ENABLED:
        return 0;
    default:
        is_cleared = false;
        break;
    }
    if (is_cleared && clear_page(guest, param->value, err))
        return -1;
    return xcx_hvm_param_set(guest->hv, (uint32_t)param->index, param->value,
                             err);
}

static int hvm_complete(struct xcx_incoming *guest, struct xcx_err *err)
{
    struct hvm_guest *hvm = hvm_of(guest);
    const struct xcx_rings *rings = &guest->rings;

    for (unsigned i = 0; i < hvm->nr_params; i++)
        if (set_param(guest, &hvm->params[i], err))
            return -1;
    if (xcx_hvm_param_set(guest->hv, HVM_PARAM_STORE_EVTCHN, rings->store_port,
                          err) ||
        xcx_hvm_param_set(guest->hv, HVM_PARAM_CONSOLE_EVTCHN,
                          rings->console_port, err) ||
        xcx_hvm_context_set(guest->hv, hvm->context, hvm->context_bytes, err))
        return -1;
    return xcx_grants_seed(guest->hv, true, rings, err);
}

static void hvm_done(struct xcx_incoming *guest)
{
    free(hvm_of(guest)->context);
    free(guest);
}

static const struct xcx_incoming_ops hvm_ops = {
    .type = XCX_GUEST_HVM,
    .setup = hvm_setup,
    .frame = hvm_frame,
    .set_frame = hvm_set_frame,
    .set_type = hvm_set_type,
    .hvm_params = hvm_take_params,
    .hvm_context = hvm_take_context,
    .complete = hvm_complete,
    .done = hvm_done,
};

int xcx_hvm_restore_new(struct xcx_incoming **ret_guest, struct xcx_err *err)
{
    struct hvm_guest *hvm = calloc(1, sizeof(*hvm));

    if (!hvm)
        return xcx_err_no_memory(err, ENOMEM, "state of an HVM guest");
    hvm->guest.ops = &hvm_ops;
    *ret_guest = &hvm->guest;
    return 0;
}
