/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build: puts a guest into an empty world: memory with its contents, vCPUs,
 * parameters, and for PV the page tables. Deterministic for a given spec.
 */
#ifndef SIM_BUILD_H
#define SIM_BUILD_H

#include "world.h"

/* Completes spec->nr_pfns where it was left to the layout. */
void sim_spec_settle(struct sim_spec *spec);

/* The whole guest, as it runs before a migration. */
int sim_build_guest(struct sim_world *w, struct xcx_err *err);

/* The pfn of the nth page of ordinary memory, n below spec->nr_pages. */
uint64_t sim_nth_pfn(const struct sim_spec *spec, uint64_t n);

/* What libxl has made before the restore begins: vCPUs without state. */
void sim_build_target(struct sim_world *w);

/* The PV half, in pv_build.c. */
int sim_pv_build(struct sim_world *w, struct xcx_err *err);

/* What a PV guest does last before it suspends: pfns in its start info. */
void sim_pv_suspend(struct sim_world *w);

/* The contents of one page. */
void sim_fill_page(void *page, enum sim_content content, uint64_t seed,
                   uint64_t pfn);

/* The gfns at the top of an HVM guest that xl fills with special pages. */
#define SIM_NR_TOP_PAGES 8

#endif
