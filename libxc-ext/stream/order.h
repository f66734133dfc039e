/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order: the legal order of records. Spec, "Layout"; one table for both
 * sides. Pure.
 *
 *   HVM:  policies ─▶ STATIC_DATA_END ─▶ PAGE_DATA … ─▶ TSC, params, context
 *   PV:   info, policies ─▶ STATIC_DATA_END ─▶ p2m frames ─▶ PAGE_DATA …
 *                                           ─▶ TSC, shared info, vCPUs
 *   then END; or CHECKPOINT and, from PAGE_DATA on, all over again.
 *   VERIFY, once, after PAGE_DATA; what follows of PAGE_DATA is to compare.
 *
 * The writer (strict) keeps to the spec's typical order: HVM_PARAMS before
 * HVM_CONTEXT, no memory after CPU state, nothing left out at the end. The
 * reader takes what the spec allows and what stock sends: it emits
 * HVM_CONTEXT before HVM_PARAMS. In a version 2 stream STATIC_DATA_END is
 * inferred before the first P2M_FRAMES or PAGE_DATA.
 */
#ifndef XCX_STREAM_ORDER_H
#define XCX_STREAM_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"
#include "stream/format.h"

struct xcx_order {
    enum xcx_guest_type guest_type;
    uint32_t version;
    bool checkpointed; /* CHECKPOINT records are allowed */
    bool strict;       /* the writer's side */
    uint32_t seen;     /* bit a record type, since the stream's start */
    uint32_t epoch;    /* the same since the last CHECKPOINT */
    bool ended;
};

void xcx_order_init(struct xcx_order *order, enum xcx_guest_type guest_type,
                    uint32_t version, bool checkpointed, bool strict);

/*
 * Whether this is where STATIC_DATA_END is to be inferred, the next record
 * being of this type. If so, it now counts as seen.
 */
bool xcx_order_infers_static_data_end(struct xcx_order *order, uint32_t type);

/*
 * Takes the next record's type, or refuses it and stays as it was. Errors
 * are of the given kind (STREAM for a peer's mistake, BUG for our own).
 * Optional types unknown to us may come anywhere before END.
 */
int xcx_order_next(struct xcx_order *order, uint32_t type,
                   enum xcx_err_kind kind, struct xcx_err *err);

#endif
