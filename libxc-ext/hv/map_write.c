/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/map_write.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenforeignmemory.h>

/* Interrupted, or short of something for a moment. */
#define MAP_TRIES 5

void *xcx_map_writable(const struct xcx_hv *hv, const uint64_t *frames,
                       uint64_t nr_pages, int *ret_errors)
{
    void *addr = NULL;

    for (unsigned i = 0; !addr && i < MAP_TRIES; i++) {
        addr = xenforeignmemory_map(hv->fmem, hv->domid, PROT_READ | PROT_WRITE,
                                    nr_pages, frames, ret_errors);
        if (!addr && errno != EINTR && errno != EAGAIN)
            break;
    }
    /* Linux gives the error of a page as a negative number. */
    for (uint64_t i = 0; addr && i < nr_pages; i++)
        ret_errors[i] = abs(ret_errors[i]);
    return addr;
}
