/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/logdirty.h"

#include <errno.h>
#include <stdlib.h>

#include <xenctrl.h>

struct xcx_logdirty {
    const struct xcx_hv *hv;
    xc_hypercall_buffer_t hbuf;
    int nr_buffer_pages;
    struct xcx_bitmap bitmap;
};

static uint64_t buffer_pages(uint64_t nr_pfns)
{
    uint64_t bytes = xcx_bitmap_nr_words(nr_pfns) * sizeof(uint64_t);

    return (bytes + XCX_FRAME_BYTES - 1) / XCX_FRAME_BYTES;
}

int xcx_logdirty_new(const struct xcx_hv *hv, uint64_t nr_pfns,
                     struct xcx_logdirty **ret_log, struct xcx_err *err)
{
    struct xcx_logdirty *log = calloc(1, sizeof(*log));
    uint64_t nr_pages = buffer_pages(nr_pfns);
    DECLARE_HYPERCALL_BUFFER(uint64_t, words);

    if (log && nr_pages <= INT32_MAX)
        words = xc_hypercall_buffer_alloc_pages(hv->xch, words, (int)nr_pages);
    if (!words) {
        free(log);
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM,
                           "domain %u: log-dirty bitmap of %llu pfns",
                           hv->domid, (unsigned long long)nr_pfns);
    }
    log->hv = hv;
    log->hbuf = *HYPERCALL_BUFFER(words);
    log->nr_buffer_pages = (int)nr_pages;
    xcx_bitmap_wrap(&log->bitmap, words, nr_pfns);
    *ret_log = log;
    return 0;
}

void xcx_logdirty_free(struct xcx_logdirty *log)
{
    if (!log)
        return;
    {
        DECLARE_HYPERCALL_BUFFER_SHADOW(uint64_t, words, &log->hbuf);

        xc_hypercall_buffer_free_pages(log->hv->xch, words,
                                       log->nr_buffer_pages);
    }
    free(log);
}

int xcx_logdirty_on(const struct xcx_hv *hv, enum xcx_logdirty_on *ret_answer,
                    struct xcx_err *err)
{
    if (!xc_shadow_control(hv->xch, hv->domid,
                           XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0))
        *ret_answer = XCX_LOGDIRTY_ON;
    else if (errno == EINVAL)
        *ret_answer = XCX_LOGDIRTY_IN_USE;
    else if (errno == EOPNOTSUPP || errno == ENOSYS)
        *ret_answer = XCX_LOGDIRTY_UNSUPPORTED;
    else
        return xcx_hv_failed(hv, err, "switching log-dirty on");
    return 0;
}

int xcx_logdirty_off(const struct xcx_hv *hv, struct xcx_err *err)
{
    if (xc_shadow_control(hv->xch, hv->domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL,
                          0))
        return xcx_hv_failed(hv, err, "switching log-dirty off");
    return 0;
}

static int read_bitmap(struct xcx_logdirty *log, unsigned op, unsigned mode,
                       const char *call, uint64_t *ret_nr_dirty,
                       struct xcx_err *err)
{
    xc_shadow_op_stats_t stats = {0};
    long long nr_pfns;

    nr_pfns = xc_logdirty_control(log->hv->xch, log->hv->domid, op, &log->hbuf,
                                  log->bitmap.nr_bits, mode, &stats);
    if (nr_pfns < 0 && errno == ENOMEM)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, ENOMEM,
                           "domain %u: %s: Xen ran out of memory and has lost "
                           "track of written pages",
                           log->hv->domid, call);
    if (nr_pfns < 0)
        return xcx_hv_failed(log->hv, err, call);
    if ((uint64_t)nr_pfns < log->bitmap.nr_bits)
        return xcx_err_set(err, XCX_ERR_HYPERCALL, 0,
                           "domain %u: %s covered %lld of %llu pfns",
                           log->hv->domid, call, nr_pfns,
                           (unsigned long long)log->bitmap.nr_bits);
    *ret_nr_dirty = stats.dirty_count;
    return 0;
}

int xcx_logdirty_clean(struct xcx_logdirty *log, bool final,
                       uint64_t *ret_nr_dirty, struct xcx_err *err)
{
    return read_bitmap(log, XEN_DOMCTL_SHADOW_OP_CLEAN,
                       final ? XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL : 0,
                       final ? "the final log-dirty clean" : "log-dirty clean",
                       ret_nr_dirty, err);
}

int xcx_logdirty_peek(struct xcx_logdirty *log, uint64_t *ret_nr_dirty,
                      struct xcx_err *err)
{
    return read_bitmap(log, XEN_DOMCTL_SHADOW_OP_PEEK, 0, "log-dirty peek",
                       ret_nr_dirty, err);
}

int xcx_logdirty_count(const struct xcx_hv *hv, uint64_t *ret_nr_dirty,
                       struct xcx_err *err)
{
    xc_shadow_op_stats_t stats = {0};

    if (xc_logdirty_control(hv->xch, hv->domid, XEN_DOMCTL_SHADOW_OP_PEEK, NULL,
                            0, 0, &stats) < 0)
        return xcx_hv_failed(hv, err, "log-dirty peek");
    *ret_nr_dirty = stats.dirty_count;
    return 0;
}

struct xcx_bitmap *xcx_logdirty_bitmap(struct xcx_logdirty *log)
{
    return &log->bitmap;
}
