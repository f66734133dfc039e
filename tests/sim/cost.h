/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cost: what simulated calls cost in time.
 *
 * A model is a table of costs in nanoseconds. A cost is paid by sleeping on
 * one of the host's simulated CPUs, of which there are few: processes that
 * pay at the same time overlap, until there are more of them than CPUs. The
 * machine that runs the simulation is not kept busy by it. A sleep that took
 * too long is credited to the next cost of the same thread.
 *
 * Models, by name ("free", "pv-dom0", "pvh-dom0"), then changes to them:
 *   pv-dom0,map=3000,cpus=2
 * pv-dom0 is what was measured on a real (emulated) PV Dom0; pvh-dom0 is the
 * same host without the traps of PV page table updates.
 */
#ifndef SIM_COST_H
#define SIM_COST_H

#include "world.h"

struct sim_cost {
    uint64_t map_ns;      /* a page, touching it included */
    uint64_t unmap_ns;    /* a page, by unmap */
    uint64_t exit_ns;     /* a page still mapped when its process ends */
    uint64_t fork_ns;     /* a fork, the child's end and wait */
    uint64_t type_ns;     /* a page of getpageframeinfo3 */
    uint64_t call_ns;     /* any hypercall */
    uint64_t peek_ns;     /* CLEAN, or PEEK, with or without a bitmap */
    uint64_t bitmap_ps;   /* a bit of the bitmap, picoseconds */
    uint64_t populate_ns; /* a page */
    uint64_t nr_cpus;
};

/* NULL or "": free. USAGE for a bad text. */
int sim_cost_parse(const char *text, struct sim_cost *ret_cost,
                   struct xcx_err *err);

/* Pays. No lock may be held that others need meanwhile. */
void sim_cost_pay(struct sim_world *w, const struct sim_cost *cost,
                  uint64_t ns);

#endif
