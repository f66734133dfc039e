/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/hvm_save.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "guest/common_records.h"
#include "hv/hvm.h"

#define HVM_MAX_PFNS (UINT64_C(1) << 32) /* 16 TiB */

_Static_assert(XCX_HVM_NR_IDLE_PAGES <= XCX_MAX_MARKS, "they all fit");
_Static_assert(XCX_HVM_MAX_PARAMS <= XCX_HVM_PARAMS_MAX,
               "all parameters fit in one record");

/* A guest may put a page anywhere: bitmaps are not to grow with its whims. */
static int p2m_size(const struct xcx_hv *hv, uint64_t *ret_nr_pfns,
                    struct xcx_err *err)
{
    uint64_t nr_pfns;

    if (xcx_domain_p2m_size(hv, &nr_pfns, err))
        return -1;
    if (nr_pfns > HVM_MAX_PFNS)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "domain %u has a page at pfn %#llx: above 16 TiB "
                           "it cannot be saved",
                           hv->domid, (unsigned long long)nr_pfns - 1);
    *ret_nr_pfns = nr_pfns;
    return 0;
}

static int hvm_setup(struct xcx_guest *guest, struct xcx_err *err)
{
    return p2m_size(guest->hv, &guest->nr_pfns, err);
}

static int hvm_static_records(struct xcx_guest *guest,
                              struct xcx_writer *writer, struct xcx_err *err)
{
    return xcx_put_cpu_policy(guest->hv, writer, err);
}

static int hvm_start_records(struct xcx_guest *guest, struct xcx_writer *writer,
                             struct xcx_err *err)
{
    (void)guest;
    (void)writer;
    (void)err;
    return 0;
}

static int hvm_refresh(struct xcx_guest *guest, struct xcx_writer *writer,
                       bool final, struct xcx_err *err)
{
    uint64_t nr_pfns = 0;

    (void)writer;
    (void) final;
    if (p2m_size(guest->hv, &nr_pfns, err))
        return -1;
    /* The p2m may shrink, too; pages sent from above its end stay valid. */
    if (nr_pfns > guest->nr_pfns)
        guest->nr_pfns = nr_pfns;
    return 0;
}

/* The rings of memory paging, monitoring and sharing: hardly ever in use. */
static unsigned hvm_marks(const struct xcx_guest *guest,
                          struct xcx_mark_page ret_pages[XCX_MAX_MARKS])
{
    uint64_t pfns[XCX_HVM_NR_IDLE_PAGES];
    unsigned nr_pages = 0;

    xcx_hvm_idle_pages(guest->hv, pfns);
    for (unsigned i = 0; i < XCX_HVM_NR_IDLE_PAGES; i++)
        if (pfns[i] && pfns[i] < guest->nr_pfns)
            ret_pages[nr_pages++] =
                (struct xcx_mark_page){.pfn = pfns[i], .frame = pfns[i]};
    return nr_pages;
}

static uint64_t hvm_frame(const struct xcx_guest *guest, uint64_t pfn)
{
    (void)guest;
    return pfn;
}

static int put_params(const struct xcx_hv *hv, struct xcx_writer *writer,
                      struct xcx_err *err)
{
    struct xcx_hv_param params[XCX_HVM_MAX_PARAMS];
    struct xcx_hvm_param wire[XCX_HVM_MAX_PARAMS];
    unsigned nr_params;

    if (xcx_hvm_params(hv, params, &nr_params, err))
        return -1;
    for (unsigned i = 0; i < nr_params; i++)
        wire[i] = (struct xcx_hvm_param){.index = params[i].index,
                                         .value = params[i].value};
    return xcx_writer_hvm_params(writer, wire, nr_params, err);
}

static int put_context(const struct xcx_hv *hv, struct xcx_writer *writer,
                       struct xcx_err *err)
{
    XCX_AUTO_FREE void *blob = NULL;
    size_t bytes;

    if (xcx_hvm_context(hv, &blob, &bytes, err))
        return -1;
    return xcx_writer_record(writer, XCX_REC_HVM_CONTEXT, blob, (uint32_t)bytes,
                             err);
}

static int hvm_end_records(struct xcx_guest *guest, struct xcx_writer *writer,
                           struct xcx_err *err)
{
    if (xcx_put_tsc_info(guest->hv, writer, err))
        return -1;
    /* The parameters come first: some decide how the context is read. */
    if (put_params(guest->hv, writer, err))
        return -1;
    return put_context(guest->hv, writer, err);
}

static void hvm_done(struct xcx_guest *guest)
{
    free(guest);
}

static const struct xcx_guest_ops hvm_ops = {
    .type = XCX_GUEST_HVM,
    .types_change = false,
    .setup = hvm_setup,
    .static_records = hvm_static_records,
    .start_records = hvm_start_records,
    .refresh = hvm_refresh,
    .frame = hvm_frame,
    .marks = hvm_marks,
    .end_records = hvm_end_records,
    .done = hvm_done,
};

int xcx_hvm_save_new(const struct xcx_hv *hv, struct xcx_guest **ret_guest,
                     struct xcx_err *err)
{
    struct xcx_guest *guest = calloc(1, sizeof(*guest));

    if (!guest)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: state of an HVM guest", hv->domid);
    guest->ops = &hvm_ops;
    guest->hv = hv;
    *ret_guest = guest;
    return 0;
}
