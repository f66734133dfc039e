/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "base/cleanup.h"

_Static_assert(sizeof(xen_pfn_t) == sizeof(uint64_t),
               "frame numbers are 64 bits wide");

/* Xen hands out its m2p in superpages: one mfn for each 2 MiB of it. */
#define M2P_CHUNK_PAGES   512u
#define M2P_CHUNK_ENTRIES (M2P_CHUNK_PAGES * XCX_FRAME_BYTES / 8)

/* Interrupted, or short of something for a moment. */
#define MAP_TRIES 5

void *xcx_map(const struct xcx_hv *hv, const uint64_t *frames,
              uint64_t nr_pages, int *ret_errors)
{
    void *addr = NULL;

    for (unsigned i = 0; !addr && i < MAP_TRIES; i++) {
        addr = xenforeignmemory_map(hv->fmem, hv->domid, PROT_READ, nr_pages,
                                    frames, ret_errors);
        if (!addr && errno != EINTR && errno != EAGAIN)
            break;
    }
    /* Linux gives the error of a page as a negative number. */
    for (uint64_t i = 0; addr && i < nr_pages; i++)
        ret_errors[i] = abs(ret_errors[i]);
    return addr;
}

void *xcx_map_all(const struct xcx_hv *hv, bool of_xen, const uint64_t *frames,
                  uint64_t nr_pages, struct xcx_err *err)
{
    uint32_t domid = of_xen ? DOMID_XEN : hv->domid;
    void *addr = xenforeignmemory_map(hv->fmem, domid, PROT_READ, nr_pages,
                                      frames, NULL);

    if (!addr)
        xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                    "domain %u: cannot map %llu frames from %#llx on",
                    hv->domid, (unsigned long long)nr_pages,
                    (unsigned long long)frames[0]);
    return addr;
}

void xcx_unmap(const struct xcx_hv *hv, void *addr, uint64_t nr_pages)
{
    if (addr)
        xenforeignmemory_unmap(hv->fmem, addr, nr_pages);
}

/* The first mfn of each chunk, spread over all the mfns of the chunk. */
static void spread_chunks(uint64_t *mfns, uint64_t nr_chunks)
{
    for (uint64_t chunk = nr_chunks; chunk-- > 0;) {
        uint64_t first = mfns[chunk];

        for (unsigned i = M2P_CHUNK_PAGES; i-- > 0;)
            mfns[chunk * M2P_CHUNK_PAGES + i] = first + i;
    }
}

int xcx_map_m2p(const struct xcx_hv *hv, const uint64_t **ret_m2p,
                uint64_t *ret_nr_mfns, uint64_t *ret_nr_pages,
                struct xcx_err *err)
{
    XCX_AUTO_FREE uint64_t *mfns = NULL;
    unsigned long max_mfn;
    uint64_t nr_chunks, nr_pages;
    void *m2p;

    if (xc_maximum_ram_page(hv->xch, &max_mfn))
        return xcx_hv_failed(hv, err, "maximum_ram_page");
    nr_chunks = max_mfn / M2P_CHUNK_ENTRIES + 1;
    nr_pages = nr_chunks * M2P_CHUNK_PAGES;
    mfns = calloc(nr_pages, sizeof(*mfns));
    if (!mfns)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: list of the m2p's %llu frames",
                           hv->domid, (unsigned long long)nr_pages);
    if (xc_machphys_mfn_list(hv->xch, nr_chunks, mfns))
        return xcx_hv_failed(hv, err, "machphys_mfn_list");
    spread_chunks(mfns, nr_chunks);
    m2p = xcx_map_all(hv, true, mfns, nr_pages, err);
    if (!m2p)
        return xcx_err_prefix(err, "machine-to-physical table");
    *ret_m2p = m2p;
    *ret_nr_mfns = (uint64_t)max_mfn + 1;
    *ret_nr_pages = nr_pages;
    return 0;
}
