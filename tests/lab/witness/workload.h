/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * workload: the writer. One thread that dirties the working set as the spec
 * says, verifies each page before it rewrites it, sweeps over all pages at a
 * bounded rate besides, and balloons where it is asked to.
 *
 * Main asks the writer for things (enum workload_ask) and waits for its
 * answer, so pages and table are the writer's alone and need no lock.
 */
#ifndef WITNESS_WORKLOAD_H
#define WITNESS_WORKLOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "balloon.h"
#include "xcext/err.h"
#include "pace.h"
#include "pick.h"
#include "spec.h"
#include "workset.h"

enum workload_ask {
    WORKLOAD_ASK_NOTHING,
    WORKLOAD_ASK_CORRUPT, /* argument: the page */
    WORKLOAD_ASK_RATE,    /* argument: bytes a second; 0: flat out */
    WORKLOAD_ASK_CHECK,   /* verify all resident pages at once */
};

enum workload_balloon_state {
    WORKLOAD_BALLOON_IN,
    WORKLOAD_BALLOON_OUT,
    WORKLOAD_BALLOON_COMING, /* target put back; memory not yet there */
};

struct workload_status {
    uint64_t rate_bytes_per_s;
    uint64_t resident_pages;
    uint64_t sweeps; /* whole passes of the background sweep */
    uint64_t balloon_cycles;
    uint64_t balloon_late; /* times when memory was not back after a period */
    bool balloon_works;
};

struct workload {
    /* set by workload_start */
    struct spec spec;
    struct workset *set;
    pthread_t thread;
    bool started;

    /* the writer's */
    struct pick pick;
    struct pace dirty, sweep;
    size_t sweep_next;
    struct balloon balloon;
    enum workload_balloon_state balloon_state;
    int64_t balloon_due_ns;

    /* atomics: written by main, read by the writer */
    bool stop;
    bool asked;

    /* under lock: ask by main; answer and status by the writer */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    enum workload_ask ask;
    uint64_t argument;
    int answer;
    struct xcx_err answer_err;
    struct workload_status status;
};

/*
 * workload: zeroed. set: initialised, and from here on the writer's.
 * balloon_dir: must outlive the workload. Errors: RESOURCE.
 */
int workload_start(struct workload *workload, const struct spec *spec,
                   struct workset *set, const char *balloon_dir,
                   struct xcx_err *err);

/* Ends the writer; memory that was out is asked back. Idempotent. */
void workload_stop(struct workload *workload);

/*
 * Main only; blocks until the writer has done it. Errors: USAGE for a page
 * that there is not (now).
 */
int workload_ask(struct workload *workload, enum workload_ask ask,
                 uint64_t argument, struct xcx_err *err);

/* Any thread. */
void workload_get_status(struct workload *workload,
                         struct workload_status *ret_status);

#endif
