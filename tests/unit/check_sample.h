/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_sample: a guest, "web", and two hosts, host1 and host2, between which
 * it may move: for tests that change one thing of it.
 */
#ifndef CHECK_SAMPLE_H
#define CHECK_SAMPLE_H

#include "xl-migrate/check/check.h"

#define CHECK_SAMPLE_UUID "11111111-2222-3333-4444-555555555555"

struct check_sample {
    struct facts_guest guest;
    struct facts_query query;
    struct facts_host here, there;
    struct check_wishes wishes;
    struct check check; /* empty */
};

extern struct check_sample sample;

/* All of it anew. */
void check_sample_make(void);

#endif
