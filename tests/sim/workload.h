/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * workload: what the guest does while it is migrated.
 *
 * The guest has no thread of its own. Whoever enters the hypervisor first
 * lets it catch up with the time that has passed (or by 1 ms a call, with
 * clock=calls, and then every run is the same). So a page changes only
 * between two simulated calls, together with its dirty bit. All functions
 * want the world's lock.
 */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "world.h"

/* Lets the guest run up to now. */
void sim_workload_run(struct sim_world *w);

/* What the guest and the hypervisor do at suspend; it stands afterwards. */
void sim_workload_suspend(struct sim_world *w);

/* libxl resumes the guest after a failed migration. */
void sim_workload_resume(struct sim_world *w);

/* Called at every CLEAN: the spec's move= and grow= happen here. */
void sim_workload_at_clean(struct sim_world *w);

/* The pfn of the nth leaf of the PV guest's p2m. */
uint64_t sim_pv_leaf(const struct sim_world *w, uint32_t nth);

#endif
