/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pump: the way of the stream between the helpers, where it is to be kept,
 * counted or cut off. A thread of its own; both fds are the pump's.
 */
#ifndef SIM_PUMP_H
#define SIM_PUMP_H

#include <pthread.h>
#include <stdint.h>

#include "xcext/err.h"

struct sim_pump {
    int in, out; /* out -1: nobody reads */
    int keep_fd; /* -1: not kept */
    uint64_t cut_bytes;
    uint64_t nr_bytes;
    pthread_t thread;
};

int sim_pump_start(struct sim_pump *pump, struct xcx_err *err);

/* Waits until the stream has ended; nr_bytes is right afterwards. */
void sim_pump_end(struct sim_pump *pump);

#endif
