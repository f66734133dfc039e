/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * logdirty: the hypervisor's dirty bitmap. All under the world's lock.
 */
#ifndef SIM_LOGDIRTY_H
#define SIM_LOGDIRTY_H

#include "world.h"

/* Marks pfn dirty if log-dirty is on. */
void sim_dirty_mark(struct sim_world *w, uint64_t pfn);

bool sim_dirty_test(struct sim_world *w, uint64_t pfn);

/*
 * Copies the bitmap's first nr_pfns bits, rounded up to bytes, to ret_bits
 * (NULL: not wanted), and clears them if clean is set.
 */
void sim_dirty_read(struct sim_world *w, uint64_t nr_pfns, uint8_t *ret_bits,
                    bool clean);

/* Turns it on or off; either way the bitmap is empty afterwards. */
void sim_dirty_switch(struct sim_world *w, bool on);

#endif
