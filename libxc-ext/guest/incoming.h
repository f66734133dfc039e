/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * incoming: the parts of a restore that depend on the domain's kind. One
 * vtable, two
 * implementations: hvm_restore.c and pv_restore.c. The engine calls
 *
 *   setup ─▶ { records, each as it comes; frames and types as pages come }
 *         ─▶ complete, once END was there ─▶ done
 *
 * A record's own contents have been checked against the spec by the reader;
 * what it says of this domain is checked here. Records change nothing but
 * our own memory: the domain gets its state in complete(), so that a stream
 * that breaks off has touched nothing but pages.
 *
 * pfn and frame are as in guest.h. Record functions have the signatures of
 * stream/reader.h and may be NULL where the order of records rules them out.
 * Threads: the engine's one.
 */
#ifndef XCX_GUEST_INCOMING_H
#define XCX_GUEST_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/guest.h"
#include "hv/domain.h"
#include "hv/hv.h"
#include "hv/state.h"
#include "stream/reader.h"
#include "xcext.h"

struct xcx_incoming;

struct xcx_incoming_ops {
    enum xcx_guest_type type;
    /* Sets nr_pfns. */
    int (*setup)(struct xcx_incoming *guest, struct xcx_err *err);
    /* The frame of a populated pfn, or XCX_NO_FRAME. */
    uint64_t (*frame)(const struct xcx_incoming *guest, uint64_t pfn);
    /* The frame that Xen gave to a pfn; what the stream says it is then. */
    void (*set_frame)(struct xcx_incoming *guest, uint64_t pfn, uint64_t frame);
    void (*set_type)(struct xcx_incoming *guest, uint64_t pfn, unsigned type);

    /*
     * Contents that have come for pfns (whose types are set) lie at pages,
     * a page each in this order, in the guest or on the way there: page tables
     * among them get this host's frames. NULL: nothing to do. Contents later
     * in the order are those that stay.
     */
    int (*localise)(struct xcx_incoming *guest, const uint64_t *pfns,
                    unsigned nr_pages, uint8_t *pages, struct xcx_err *err);
    /* Sent contents as the guest's memory has them since. NULL: the same. */
    void (*as_localised)(const struct xcx_incoming *guest, uint64_t pfn,
                         uint8_t *page);

    int (*pv_info)(struct xcx_incoming *guest, const struct xcx_pv_info *info,
                   struct xcx_err *err);
    int (*p2m_frames)(struct xcx_incoming *guest,
                      const struct xcx_p2m_frames *frames, uint64_t nr_frames,
                      struct xcx_get pfns, struct xcx_err *err);
    int (*shared_info)(struct xcx_incoming *guest, const void *page,
                       struct xcx_err *err);
    int (*vcpu)(struct xcx_incoming *guest, enum xcx_record_type type,
                uint32_t vcpu_id, const void *blob, uint32_t bytes,
                struct xcx_err *err);
    int (*hvm_params)(struct xcx_incoming *guest, uint32_t nr_params,
                      struct xcx_get params, struct xcx_err *err);
    int (*hvm_context)(struct xcx_incoming *guest, const void *blob,
                       uint32_t bytes, struct xcx_err *err);

    /* Fills in the frames of guest->rings. */
    int (*complete)(struct xcx_incoming *guest, struct xcx_err *err);
    /* Frees, and the guest itself too. */
    void (*done)(struct xcx_incoming *guest);
};

/* The engine's services for a guest. */
struct xcx_incoming_memory {
    void *opaque;
    /* Memory, with no contents, for those of the pfns that have none yet. */
    int (*populate)(void *opaque, const uint64_t *pfns, unsigned nr_pfns,
                    struct xcx_err *err);
    bool (*is_populated)(void *opaque, uint64_t pfn);
    /* How many more pages populate() could give. */
    uint64_t (*nr_left)(void *opaque);
    struct xcx_restore_stats *stats;
};

struct xcx_incoming {
    const struct xcx_incoming_ops *ops;
    const struct xcx_hv *hv;
    struct xcx_domain_info info;
    struct xcx_incoming_memory memory;
    struct xcx_rings rings;
    uint64_t nr_pfns;     /* a pfn of the stream must be below */
    uint64_t max_nr_pfns; /* and however it may grow, not above this */
};

/* A guest of the domain's kind; ops->done() releases it. Errors: RESOURCE. */
int xcx_incoming_new(const struct xcx_hv *hv,
                     const struct xcx_domain_info *info,
                     const struct xcx_incoming_memory *memory,
                     const struct xcx_rings *rings,
                     struct xcx_incoming **ret_guest, struct xcx_err *err);

#endif
