/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * precheck: all that is found out before a migration: facts of the guest and
 * of both hosts, findings, the two probes, and the forecast. "check" prints
 * it; send runs it first and goes by it.
 *
 *   guest, here ─▶ target asked ─▶ findings ─▶ link probe ─▶ guest probe ─▶
 *   forecast
 *
 * With a blocker there are no probes: nothing would come of them. The guest
 * runs all the while.
 */
#ifndef XL_MIGRATE_PRECHECK_H
#define XL_MIGRATE_PRECHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "check.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/facts/facts.h"
#include "facts_ask.h"
#include "forecast.h"
#include "xl-migrate/domain/host.h"
#include "probe.h"
#include "xcext.h"

struct precheck_params {
    struct host *host;
    const struct domain *domain;
    struct facts_ask_params ask; /* the target; cancel_fd is set from below */
    struct check_wishes wishes;
    struct check_ids ignore;
    const char *config_json; /* that the guest is built with at the target */
    const struct config_xenstore_keys *more_keys; /* that move, too */
    struct xcx_policy_limits limits;
    const char *version;   /* of this program */
    const char *lock_dir;  /* as in xcx_probe_params */
    const char *costs_dir; /* what forecasts learn from; NULL: nothing */
    bool probe;            /* and forecast */
    uint64_t probe_ns;     /* of each probe; 0: one second */
    int cancel_fd;         /* -1, or readable to cancel */
};

/* Large: not for a stack. */
struct precheck {
    struct facts_guest guest;
    struct facts_query query;
    struct facts_host here, there;
    bool has_there;
    struct check check;
    bool has_probe, has_link, has_forecast;
    struct xcx_probe probe;
    struct probe_link link;
    struct forecast_move move; /* as the forecast took it */
    struct forecast_costs costs;
    struct forecast forecast;
};

/*
 * Facts of the target that cannot be found out, and a probe that fails, are
 * findings and no errors. Errors: CANCELLED; GUEST, the guest is gone;
 * RESOURCE, HYPERCALL.
 */
int precheck_run(const struct precheck_params *params, struct precheck *ret,
                 struct xcx_err *err);

/* Findings of at least min, the forecast, and how many of each kind. */
void precheck_print_text(const struct precheck *precheck, enum check_level min,
                         FILE *out);

/* One object. RESOURCE, IO. */
int precheck_print_json(const struct precheck *precheck, const char *target,
                        FILE *out, struct xcx_err *err);

#endif
