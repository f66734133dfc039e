/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helper: a save helper as a child process, and the ends of the pipes to it
 * that libxl would hold.
 */
#ifndef SIM_HELPER_H
#define SIM_HELPER_H

#include <sys/types.h>

#include "run.h"

#define SIM_MESSAGE_MAX (65536 + 2)

struct sim_helper {
    const char *path;
    const char *faults;
    bool is_save;
    struct sim_world *world;
    int world_fd, report_fd;
    int io_fd; /* the child's end of the stream; the child's alone */
    pid_t pid;
    int to, from; /* answers, messages; -1: closed */
    size_t nr_bytes;
    uint8_t bytes[SIM_MESSAGE_MAX];
    struct sim_side_result *result;
};

/* Starts it; io_fd is closed here. */
int sim_helper_start(struct sim_helper *helper,
                     const struct sim_run_options *options,
                     struct xcx_err *err);

/* Sends the one int that is the answer. */
void sim_helper_answer(struct sim_helper *helper, int answer);

/* After its last message: waits for it, and gathers what it left behind. */
void sim_helper_end(struct sim_helper *helper);

/*
 * Its anonymous memory now, for the peak; its workers' is added, so that what
 * they share with it counts more than once.
 */
void sim_helper_sample(struct sim_helper *helper);

#endif
