/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest: the parts of a save that depend on the domain's kind. One vtable, two
 * implementations: hvm_save.c and pv_save.c. The engine calls, in this order,
 *
 *   setup ─▶ static_records ─▶ start_records ─▶
 *     { refresh ─▶ frames, normalise ... } per round ─▶ end_records ─▶ done
 *
 * each once but for the braces. done takes a guest whose setup failed half
 * way.
 *
 * pfn: the guest's number of a page, and the stream's. frame: what Xen takes
 * in a mapping or a type query: the same for HVM, an mfn for PV.
 *
 * Threads: the engine's one.
 */
#ifndef XCX_GUEST_GUEST_H
#define XCX_GUEST_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/domain.h"
#include "hv/hv.h"
#include "hv/mark.h"
#include "stream/writer.h"

#define XCX_NO_FRAME  UINT64_MAX

#define XCX_MAX_MARKS 4

enum xcx_normalised {
    XCX_NORMALISED,
    XCX_RACED, /* the page is changing under our hands: later */
};

struct xcx_guest;

struct xcx_guest_ops {
    enum xcx_guest_type type;
    /*
     * Whether a page's type can change while the guest runs, so that it is
     * asked for before each sending, and decides how the page is sent.
     */
    bool types_change;

    /* Maps and measures; sets nr_pfns. */
    int (*setup)(struct xcx_guest *guest, struct xcx_err *err);
    /* Between the headers and STATIC_DATA_END. */
    int (*static_records)(struct xcx_guest *guest, struct xcx_writer *writer,
                          struct xcx_err *err);
    /* After it, before any memory. */
    int (*start_records)(struct xcx_guest *guest, struct xcx_writer *writer,
                         struct xcx_err *err);
    /*
     * Before each round: catches up with a p2m that has grown or moved, and
     * writes what the stream must know of that. nr_pfns may grow. final: the
     * guest is suspended.
     */
    int (*refresh)(struct xcx_guest *guest, struct xcx_writer *writer,
                   bool final, struct xcx_err *err);
    /* The frame of a pfn below nr_pfns, or XCX_NO_FRAME. */
    uint64_t (*frame)(const struct xcx_guest *guest, uint64_t pfn);
    /*
     * Copies a page table of the given type (1 to 4) from src to dst with
     * its frame numbers replaced by pfns. final: racing is an error. Only
     * called if types_change.
     */
    int (*normalise)(struct xcx_guest *guest, unsigned type, uint64_t pfn,
                     const void *src, void *dst, bool final,
                     enum xcx_normalised *ret_result, struct xcx_err *err);
    /*
     * Pages that the guest has and never or seldom writes, to be marked in the
     * log-dirty record (hv/mark.h); how many. NULL: there are none.
     */
    unsigned (*marks)(const struct xcx_guest *guest,
                      struct xcx_mark_page ret_pages[XCX_MAX_MARKS]);
    /* CPU and platform state of the suspended guest. */
    int (*end_records)(struct xcx_guest *guest, struct xcx_writer *writer,
                       struct xcx_err *err);
    /* Unmaps and frees, and the guest itself too. */
    void (*done)(struct xcx_guest *guest);
};

struct xcx_guest {
    const struct xcx_guest_ops *ops;
    const struct xcx_hv *hv;
    uint64_t nr_pfns; /* p2m size: every pfn is below */
};

/*
 * A guest of the domain's kind; ops->done() releases it. Errors: RESOURCE,
 * HYPERCALL, GUEST for one that cannot be saved (32-bit PV).
 */
int xcx_guest_new(const struct xcx_hv *hv, const struct xcx_domain_info *info,
                  struct xcx_guest **ret_guest, struct xcx_err *err);

#endif
