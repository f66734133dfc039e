/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>

#define BUFFER_PAGES (XCX_TYPES_MAX_BATCH * sizeof(uint64_t) / XCX_FRAME_BYTES)

struct xcx_types {
    const struct xcx_hv *hv;
    xc_hypercall_buffer_t hbuf;
};

int xcx_types_new(const struct xcx_hv *hv, struct xcx_types **ret_types,
                  struct xcx_err *err)
{
    struct xcx_types *types = calloc(1, sizeof(*types));
    DECLARE_HYPERCALL_BUFFER(uint64_t, frames);

    if (types)
        frames = xc_hypercall_buffer_alloc_pages(hv->xch, frames, BUFFER_PAGES);
    if (!frames) {
        free(types);
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: buffer for page types", hv->domid);
    }
    types->hv = hv;
    types->hbuf = *HYPERCALL_BUFFER(frames);
    *ret_types = types;
    return 0;
}

void xcx_types_free(struct xcx_types *types)
{
    if (!types)
        return;
    {
        DECLARE_HYPERCALL_BUFFER_SHADOW(uint64_t, frames, &types->hbuf);

        xc_hypercall_buffer_free_pages(types->hv->xch, frames, BUFFER_PAGES);
    }
    free(types);
}

static bool stream_knows(uint8_t type)
{
    return type <= 4 || (type >= 9 && type <= 13) || type == 15;
}

/* Asks for the types of the frames in the buffer, and copies them out. */
static int query_buffer(struct xcx_types *types, unsigned nr_frames,
                        uint64_t first, uint8_t *ret_types, struct xcx_err *err)
{
    const struct xcx_hv *hv = types->hv;
    DECLARE_HYPERCALL_BUFFER_SHADOW(uint64_t, frames, &types->hbuf);
    struct xen_domctl domctl = {
        .cmd = XEN_DOMCTL_getpageframeinfo3,
        .domain = hv->domid,
        .u.getpageframeinfo3.num = nr_frames,
    };

    set_xen_guest_handle(domctl.u.getpageframeinfo3.array, frames);
    if (xc_domctl(hv->xch, &domctl))
        return xcx_err_set(err, XCX_ERR_HYPERCALL, errno,
                           "domain %u: getpageframeinfo3 of %u frames from "
                           "%#llx on failed",
                           hv->domid, nr_frames, (unsigned long long)first);
    for (unsigned i = 0; i < nr_frames; i++) {
        uint64_t info = frames[i] & XEN_DOMCTL_PFINFO_LTAB_MASK;

        ret_types[i] = (uint8_t)(info >> XEN_DOMCTL_PFINFO_LTAB_SHIFT);
        if (!stream_knows(ret_types[i]))
            return xcx_err_set(err, XCX_ERR_BUG, 0,
                               "domain %u: Xen gave an unknown page type %u",
                               hv->domid, ret_types[i]);
    }
    return 0;
}

int xcx_types_query(struct xcx_types *types, const uint64_t *frames,
                    unsigned nr_frames, uint8_t *ret_types, struct xcx_err *err)
{
    if (!nr_frames)
        return 0;
    memcpy(types->hbuf.hbuf, frames, nr_frames * sizeof(*frames));
    return query_buffer(types, nr_frames, frames[0], ret_types, err);
}

int xcx_types_query_range(struct xcx_types *types, uint64_t first,
                          unsigned nr_frames, uint8_t *ret_types,
                          struct xcx_err *err)
{
    uint64_t *frames = types->hbuf.hbuf;

    for (unsigned i = 0; i < nr_frames; i++)
        frames[i] = first + i;
    return query_buffer(types, nr_frames, first, ret_types, err);
}
