/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forecast: how long a migration will take and the guest will stand still, and
 * how many bytes that is. Pure. The memory's part comes from xcx_forecast(),
 * which plays the rounds through; the rest are costs that hardly depend on the
 * guest's memory:
 *
 *   |setup| live rounds |  blackout: suspend, rest of memory, state  |finish|
 *   |     |             |  device model, target: devices, handover   |      |
 *   |-----|-------------|======== the guest stands still ============|------|
 *
 * These differ from host to host by far more than from run to run. So the
 * outcome of each migration is kept (forecast_learn), a file a target and kind
 * of move, and the next forecast of such a move begins with it.
 *
 * That is so of the rate as well: a short probe says less of it than the saves
 * before, as long as it says about the same as the probes before those, give or
 * take a factor of two. By what it is beyond that, the link is another one.
 */
#ifndef XL_MIGRATE_FORECAST_H
#define XL_MIGRATE_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "xl-migrate/domain/domain.h"
#include "probe.h"
#include "xcext.h"

/* Moves that cost alike: while the guest waits, scripts run at the target. */
struct forecast_move {
    enum domain_kind kind;
    bool has_disks, has_nics;
    bool has_qemu_disks; /* that QEMU flushes while the guest stands still */
    bool is_stock;       /* the target */
};

struct forecast_costs {
    unsigned nr_seen;    /* migrations it was learnt from; 0: guesses */
    uint64_t setup_ns;   /* connecting, until the stream's first byte */
    uint64_t prepare_ns; /* before suspending: QEMU's disks are flushed */
    uint64_t resume_ns;  /* from the engine's END until the guest runs there */
    uint64_t finish_ns;  /* from then until all is settled */
    uint64_t suspend_ns; /* of the blackout as the engine sees it */
    uint64_t cpu_state_ns;
    /* The rate that saves had, and the rate of their probes; 0: not known. */
    uint64_t save_bytes_per_s, link_bytes_per_s;
};

/* The costs to begin with, where nothing was learnt. */
void forecast_costs_default(const struct forecast_move *move,
                            struct forecast_costs *ret_costs);

struct forecast_params {
    enum domain_kind kind;
    struct xcx_probe probe;
    struct probe_link link;
    struct xcx_policy_limits limits;
    struct forecast_costs costs;
};

struct forecast {
    bool aborts; /* by its limits it would give up */
    uint64_t total_ns;
    uint64_t downtime_ns; /* the guest's, not the engine's */
    uint64_t bytes;
    unsigned nr_rounds;
    unsigned throttle_percent_min; /* 100: never */
    const char *reason;            /* static: why the live phase ends */
};

/* Errors: USAGE for a probe without samples or a link without a rate. */
int forecast(const struct forecast_params *params,
             struct forecast *ret_forecast, struct xcx_err *err);

/* ---- learning ----------------------------------------------------------- */

struct forecast_outcome {
    uint64_t setup_ns, resume_ns, finish_ns; /* as in forecast_costs */
    struct xcx_save_stats stats;
    uint64_t link_bytes_per_s; /* as probed before; 0: teaches no rate */
};

/* The new one counts as much as all before it. */
void forecast_learn(struct forecast_costs *costs,
                    const struct forecast_outcome *outcome);

/*
 * In DIR/costs.MOVE.HOST, the host's name cleaned of all that a file name
 * should not have; MOVE is like "pv" or "pvh-qdisks-nics-stock". A file that is
 * absent, broken or not root's own gives the defaults. Saving is atomic;
 * errors: IO.
 */
void forecast_costs_load(const char *dir, const char *host,
                         const struct forecast_move *move,
                         struct forecast_costs *ret_costs);
int forecast_costs_save(const char *dir, const char *host,
                        const struct forecast_move *move,
                        const struct forecast_costs *costs,
                        struct xcx_err *err);

#endif
