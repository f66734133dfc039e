/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options: simlab's command line. Paths in struct sim_run_options belong to
 * the struct simlab; helpers' own files go to a directory that is removed.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "run.h"

enum simlab_expectation { EXPECT_GOOD, EXPECT_FAILURE, EXPECT_DIFF };

struct simlab {
    struct sim_run_options run;
    enum simlab_expectation expect;
    unsigned nr_points; /* sweep: uses of each call; stop: points in all */
    bool restore_side;  /* sweep: what fails is at the target */
    const char *only;   /* sweep: names of calls; NULL: all */
    const char *name;   /* before each line of TAP */
};

/* simlab_done() is due even when this fails. */
int simlab_init(struct simlab *lab, int argc, char **argv, struct xcx_err *err);
void simlab_done(struct simlab *lab);

#endif
