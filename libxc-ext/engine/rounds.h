/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rounds: sending memory, once all of it, then what was written meanwhile.
 *
 *   round 0     search and send, chunk by chunk, ascending
 *   round n     CLEAN ─▶ todo; cold pages first, hot ones (written in two
 *               rounds in a row) last
 *   final       guest suspended: CLEAN with FINAL, the rest, what was deferred
 *
 * While a live round goes on, a PEEK now and then shows which of the pages to
 * come have been written again: these are left to the next round. The policy
 * (policy/policy.h) sees each peek and each round's end.
 *
 * A round that is cut short leaves the rest in todo.
 *
 * Threads: the engine's one.
 */
#ifndef XCX_ENGINE_ROUNDS_H
#define XCX_ENGINE_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/alive.h"
#include "engine/canary.h"
#include "engine/limits.h"
#include "engine/memory.h"
#include "engine/sender.h"
#include "engine/unwind.h"
#include "hv/logdirty.h"
#include "policy/policy.h"
#include "xcext.h"

struct xcx_rounds {
    /* Given. */
    struct xcx_memory *memory;
    struct xcx_sender *sender;
    struct xcx_writer *writer;
    struct xcx_out *out;      /* what the writer writes to */
    struct xcx_logdirty *log; /* NULL: the guest is suspended all the while */
    struct xcx_canary canary; /* of the log */
    struct xcx_alive alive;
    struct xcx_unwind *unwind;
    const struct xcx_save_ops *ops;
    struct xcx_save_stats *stats;
    struct xcx_limits *limits;
    struct xcx_policy policy;
    struct xcx_policy_costs costs;
    unsigned nr_vcpus;
    unsigned max_batch; /* pfns; 1 to XCX_PAGE_BATCH_MAX */
    uint64_t start_ns;

    /* The round. */
    unsigned nr_rounds; /* begun so far */
    unsigned nr_again;  /* stops put off, since memory was to be sent again */
    bool has_prepared;  /* the caller, and it took long */
    bool final;
    uint64_t round_start_ns; /* of its CLEAN */
    uint64_t round_bytes;    /* of the stream when it began */
    uint64_t nr_total;       /* pages it set out to send, for progress */
    uint64_t nr_handled;
    uint64_t other_ns;   /* of its time, for what a blackout has not */
    uint64_t nr_skipped; /* written again: left to the next round */
    uint64_t nr_written; /* by the guest since the round's CLEAN, as counted */
    bool cut;            /* the policy ended the live phase within it */
    bool peeked;         /* the log's bitmap shows what was written since */
    uint64_t next_peek_ns;
    uint64_t next_progress_ns;
    struct xcx_policy_decision decision;
    struct xcx_policy_times count_times; /* of counting the dirty pages */
    struct xcx_policy_times scan_times;  /* of CLEAN */
    uint64_t nr_unsent;                  /* when the policy was last asked */

    /* The batch being filled. */
    unsigned nr_batch;
    uint64_t batch[XCX_PAGE_BATCH_MAX];
    uint8_t types[XCX_PAGE_BATCH_MAX];
    uint64_t asked[XCX_PAGE_BATCH_MAX];
};

/*
 * Until the policy says suspend, and the caller has prepared for that. Errors:
 * GUEST if the policy says give up; the caller's.
 */
int xcx_rounds_live(struct xcx_rounds *rounds, struct xcx_err *err);

/*
 * The last round, the guest being suspended: the rest of round 0, if that was
 * not over, and todo. Into stats: final_scan_ns, final_copy_ns.
 */
int xcx_rounds_final(struct xcx_rounds *rounds, struct xcx_err *err);

/* VERIFY and every page once more, the guest being suspended. */
int xcx_rounds_verify(struct xcx_rounds *rounds, struct xcx_err *err);

#endif
