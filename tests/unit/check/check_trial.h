/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_trial: one thing is changed in the sample, and one finding is seen. */
#ifndef CHECK_TRIAL_H
#define CHECK_TRIAL_H

#include "unit/check_sample.h"

/* A thing to change in the sample, and the one finding that it must make. */
struct check_change {
    void (*change)(void);
    const char *id;
    enum check_level level;
    const char *text; /* part of it */
    const char *fix;  /* part of it; NULL: none */
};

/* Its findings, into the sample's check. */
void check_trial_run(void);

/* How many of the id that are not ok; *ret_last: the last of them. */
unsigned check_trial_count(const char *id,
                           const struct check_finding **ret_last);

/* Each change to a sample of its own, which fails the test if it is wrong. */
void check_trial_all(const struct check_change *changes, size_t nr_changes);

#endif
