/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pv_incoming: the state that pv_restore.c gathers from the stream and
 * pv_complete.c gives to the domain; nobody else's business.
 *
 * The tables have one entry a pfn, in memory that is not there until it is
 * used: a peer that claims a p2m of 1 TiB gets address space, no memory. Only
 * entries of pages that the guest has are written, and the engine bounds how
 * far apart those may lie (engine/footprint.h). An entry of 0 is what fresh
 * memory holds, and means "nothing yet".
 */
#ifndef XCX_GUEST_PV_INCOMING_H
#define XCX_GUEST_PV_INCOMING_H

#include "base/bitmap.h"
#include "guest/incoming.h"
#include "guest/pv_pagetable.h"
#include "hv/vcpu.h"
#include "stream/record.h"

#define XCX_PV_LEAF_ENTRIES 512 /* of the guest's p2m in one frame */

struct xcx_pv_table {
    void *memory;
    size_t bytes; /* 0: none yet */
};

struct xcx_pv_blob {
    void *bytes; /* NULL: none came */
    uint32_t nr_bytes;
};

struct xcx_pv_vcpu {
    struct xcx_pv_blob basic;
    struct xcx_pv_blob parts[XCX_VCPU_MSRS + 1]; /* by enum xcx_vcpu_part */
};

struct xcx_pv_incoming {
    struct xcx_incoming guest; /* first: the engine knows only this */
    struct xcx_pv_table p2m_table, types_table, leaves_table;
    uint64_t *p2m;       /* by pfn: its mfn */
    uint8_t *types;      /* by pfn: enum xcx_page_type, the last word */
    uint64_t tables_end; /* no page table at this pfn or above */
    struct xcx_bitmap to_localise; /* tables that hold the stream's pfns */
    uint64_t *leaves;              /* by pfn / 512: a p2m frame's pfn + 1 */
    uint64_t nr_leaves;
    unsigned nr_vcpus;
    struct xcx_pv_vcpu *vcpus;
    bool has_shared_info;
    _Alignas(uint64_t) uint8_t shared_info[XCX_PAGE_BYTES];
};

static inline struct xcx_pv_incoming *
xcx_pv_incoming_of(struct xcx_incoming *guest)
{
    return (struct xcx_pv_incoming *)guest;
}

/* A page's contents are entries for other pages. */
static inline bool xcx_pv_is_table(unsigned type)
{
    return type != XCX_PAGE_NOTAB && xcx_page_type_has_data(type);
}

/* localise(), as_localised() and complete() of incoming.h. */
int xcx_pv_localise(struct xcx_incoming *guest, const uint64_t *pfns,
                    unsigned nr_pages, uint8_t *pages, struct xcx_err *err);
void xcx_pv_as_localised(const struct xcx_incoming *guest, uint64_t pfn,
                         uint8_t *page);

/* A view of the p2m; valid until it grows. */
struct xcx_pv_frames xcx_pv_frames_of(const struct xcx_pv_incoming *pv);

/*
 * Memory for what the table refers to and has none, and this host's frames
 * into it. Errors: STREAM for an entry that refers to nothing.
 */
int xcx_pv_localise_table(struct xcx_pv_incoming *pv, uint64_t *table,
                          struct xcx_err *err);

int xcx_pv_complete(struct xcx_incoming *guest, struct xcx_err *err);

#endif
