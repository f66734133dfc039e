/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle_world: a source's case for tests of settle, with a target that says
 * what the test has it say. One world at a time; its journal is in scratch_dir.
 */
#ifndef TESTS_UNIT_SETTLE_WORLD_H
#define TESTS_UNIT_SETTLE_WORLD_H

#include "xl-migrate/recover/settle.h"

#define MS(ms) ((ms)*1000000ull)

/*
 * One thing that the target does, in order; ENDS ends the connection, REPEATS
 * is a new process's, which knows of no reason, IS_SLOW is silent for longer
 * than answer_ns; SILENT and LOGS stay so for ever.
 */
enum does { SILENT, LOGS, IS_SLOW, SAYS, REPEATS, SETTLES, ENDS, NONSENSE };
struct settle_deed {
    enum does does;
    enum handover_word word;
};

struct settle_world {
    struct journal journal;
    enum handover_copy copy;
    int nr_failing_acts, nr_acts;
    int stops_at_look;  /* which finds it suspended; 0: none */
    int nr_late_looks;  /* so many more does it count as ours, if it stops */
    int nr_connections; /* that can still be made */
    bool forgets;       /* knows nothing of the case when asked again */
    bool cancelled;
    bool changed;    /* the guest, so that it may not go */
    bool watched;    /* hear() fails once the target is gone */
    bool is_recover; /* which knows of no request to stop */
    bool hurried;
    bool hurries_when_back;             /* hurried as soon as it is resumed */
    uint64_t watched_ns;                /* 0: a minute */
    uint64_t blackout_ns, withdrawn_ns; /* 0: none of their own */
    uint64_t reconnect_ns;              /* 0: 1 ms */
    const struct settle_deed *deeds;
    char said[128]; /* by the source */
    char told[PEER_TEXT_BYTES];
    struct peer peer;
};

/* The journal with that entry; the target, which has the plugin. */
void settle_world_begin(struct settle_world *world, enum handover_entry entry);

/* settle(), with 1 ms for an answer. */
int settle_world_run(struct settle_world *world, enum handover_event first,
                     struct settle_result *ret, struct xcx_err *err);

#endif
