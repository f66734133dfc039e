/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault: which simulated calls go wrong, as text and as a table. Pure.
 *
 *   NAME:NTH:WHAT[:always]    joined by commas
 *
 * NAME is a call's (calls.h) or "any", NTH counts from 1 over all processes
 * that use the world. WHAT is an errno's name (EIO), "page" (one page of a
 * map fails, with EINVAL), or a signal for the helper (SIGTERM, SIGKILL).
 * With always, every later use fails too.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"

#define SIM_MAX_FAULTS 16

enum sim_fault_kind { SIM_FAULT_ERRNO, SIM_FAULT_PAGE, SIM_FAULT_SIGNAL };

struct sim_fault {
    unsigned call; /* SIM_NR_CALLS: any */
    uint64_t nth;
    enum sim_fault_kind kind;
    int number; /* errno or signal */
    bool always;
};

struct sim_faults {
    unsigned nr;
    struct sim_fault fault[SIM_MAX_FAULTS];
};

/* NULL or "" is no fault. USAGE for a bad text. */
int sim_faults_parse(const char *text, struct sim_faults *ret_faults,
                     struct xcx_err *err);

/*
 * The fault that meets this use: the nth of call, the nth_any of all calls.
 * NULL: none.
 */
const struct sim_fault *sim_fault_match(const struct sim_faults *faults,
                                        unsigned call, uint64_t nth,
                                        uint64_t nth_any);

#endif
