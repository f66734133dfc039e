/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sweep: the same migration over and over, with something else going wrong
 * each time. One line of TAP for each simulated call, or kind of stop; 0 if
 * all were ok, 1 if not, -1 for an error of the bed itself.
 *
 * What must hold each time: either the migration succeeded and the guest is
 * the same, or the save said once that it failed, with an errno and an error
 * message, and undid everything. What cannot be undone because undoing it is
 * what fails must be named in an error message.
 */
#ifndef SIM_SWEEP_H
#define SIM_SWEEP_H

#include "options.h"

/* Fails each call that a good run makes: at some of its uses, once and for
 * good; at the source, or at the target with restore_side. */
int sim_sweep(const struct simlab *lab, struct xcx_err *err);

/* SIGTERM at points spread over all calls, then a receiver that vanishes at
 * points spread over the stream. */
int sim_stop(const struct simlab *lab, struct xcx_err *err);

#endif
