/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spec: the one word that says what a witness does with its memory. It goes
 * through a kernel command line, so it has no spaces and no quotes.
 *
 *   SPEC     = PATTERN *( "," KEY "=" VALUE )      each KEY once at most
 *   PATTERN  = "idle"     writes nothing, whatever the rate; verifies only
 *            | "seq"      one page after another, round and round
 *            | "uniform"  any page, all equally likely
 *            | "zipf"     page of rank r with a weight of 1 / r^0.99
 *            | "hot"      9 of 10 writes go to the first tenth of the pages
 *            | "balloon"  as uniform; and every period the upper half of the
 *                         pages is given back to the hypervisor, or taken
 *                         again and stamped anew
 *   KEY      = "size"     working set in bytes        64K to 64G, default 32M
 *            | "rate"     bytes to write a second     default 8M; 0: flat out
 *            | "verify"   bytes a second that the background sweep verifies,
 *                         at least 4K; default 8M
 *            | "seed"     of the random numbers       default 1
 *            | "tick"     ms between two looks at the clock, 1 to 1000,
 *                         default 1
 *            | "period"   ms that balloon stays out or in, 100 to 3600000,
 *                         default 5000
 *   VALUE    = 1*DIGIT [ SUFFIX ]
 *   SUFFIX   = "K" | "M" | "G"   times 1024, 1024^2, 1024^3
 *            | "P"               times 4096, for "so many pages"
 *
 * A suffix is for size, rate and verify only. Pure; any thread.
 */
#ifndef WITNESS_SPEC_H
#define WITNESS_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "xcext/err.h"

enum spec_pattern {
    SPEC_IDLE,
    SPEC_SEQ,
    SPEC_UNIFORM,
    SPEC_ZIPF,
    SPEC_HOT,
    SPEC_BALLOON,
    SPEC_NR_PATTERNS,
};

struct spec {
    enum spec_pattern pattern;
    uint64_t size_bytes; /* a multiple of the page size */
    uint64_t rate_bytes_per_s;
    uint64_t verify_bytes_per_s;
    uint64_t seed;
    uint64_t tick_ms;
    uint64_t period_ms;
};

const char *spec_pattern_name(enum spec_pattern pattern);

/* Errors: USAGE, naming the part of the text that is wrong. */
int spec_parse(const char *text, struct spec *ret_spec, struct xcx_err *err);

/*
 * A number of bytes (a second) as in VALUE, suffix allowed. what: its name in
 * messages. Errors: USAGE.
 */
int spec_parse_bytes(const char *what, const char *text, uint64_t *ret_bytes,
                     struct xcx_err *err);

/* A plain number from min to max. Errors: USAGE. */
int spec_parse_number(const char *what, const char *text, uint64_t min,
                      uint64_t max, uint64_t *ret_number, struct xcx_err *err);

#endif
