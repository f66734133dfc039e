/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run: one migration in the simulator, the runner in libxl's part.
 *
 *   source world ◀─preload─ save helper ──stream──▶ restore helper ─▶ target
 *                             │  ▲    (pump: tee, cut)   │  ▲         world
 *                             ▼  │                       ▼  │
 *                           messages ─── the runner ─── messages
 *
 * The runner builds both worlds, starts the helpers as libxl does, answers
 * their messages, suspends the guest when asked to, resumes it when the save
 * has failed, and then looks at what is left. One run at a time in a process;
 * it blocks until both helpers have ended or the time is over.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"
#include "compare.h"
#include "spec.h"

#define SIM_LINE_BYTES     256
#define SIM_FINDINGS_BYTES 1024

/* Between the helpers: what xl migrate gives them, or what libvirt does. */
enum sim_wire { SIM_WIRE_PIPE, SIM_WIRE_SOCKET };

struct sim_run_options {
    struct sim_spec spec;
    enum sim_wire wire;
    const char *save_helper;
    const char *restore_helper; /* NULL: the stream goes nowhere */
    const char *preload;        /* the simulator's library */
    const char *stock_helper;   /* for ours to hand over to; absolute */
    const char *work_dir;       /* for locks and statistics; absolute */
    const char *save_faults, *restore_faults; /* fault.h; NULL: none */
    const char *cost;                         /* cost.h; NULL: free */
    const char *stream_path; /* NULL, or where the stream is kept */
    uint64_t cut_bytes;      /* the receiver vanishes after that many; 0: no */
    unsigned sigterm_at;     /* message of the save helper; 0: none */
    int suspend_answer, qemu_answer, static_answer;
    unsigned nr_checkpoints; /* Remus: the stream ends after so many; 0: no */
    bool live, verify, verbose;
    unsigned timeout_s;
};

struct sim_side_result {
    int wait_status;
    unsigned nr_complete; /* complete messages; one is right */
    int32_t retval, errnoval;
    unsigned nr_messages, nr_errors;
    char first_error[SIM_LINE_BYTES], last_error[SIM_LINE_BYTES];
    char broken[SIM_LINE_BYTES]; /* how it broke the protocol; "" if not */
    bool timed_out;
    unsigned nr_findings;
    char findings[SIM_FINDINGS_BYTES];
    uint64_t nr_calls;
    uint64_t peak_private_bytes; /* anonymous, of helper and workers */
    uint64_t store_gfn, console_gfn;
    uint64_t calls[SIM_MAX_CALLS]; /* by name, calls.h */
};

struct sim_result {
    struct sim_side_result save, restore;
    uint64_t setup_ns, total_ns;
    uint64_t suspended_ns; /* from suspend to the save's complete */
    uint64_t stream_bytes; /* 0: not counted (no pump) */
    uint64_t nr_writes, nr_cleans, nr_suspends, nr_cap_changes;
    unsigned nr_checkpoints;
    unsigned nr_orphans; /* workers that outlived their helper */
    bool rival_hurt;     /* its log-dirty mode was switched off */
    bool logdirty_left, qemu_logdirty_left, cap_left, flags_changed;
    bool compared;
    struct sim_diff diff;
};

void sim_run_options_init(struct sim_run_options *options);

/* 0 when the run took place, however it went; ret_result says how. */
int sim_run(const struct sim_run_options *options,
            struct sim_result *ret_result, struct xcx_err *err);

/* Both helpers succeeded, the guest is the same, nothing was left behind. */
bool sim_result_is_good(const struct sim_run_options *options,
                        const struct sim_result *result,
                        char ret_why[SIM_LINE_BYTES]);

/* The save failed as it should: said so once, and undid everything. */
bool sim_result_is_clean_failure(const struct sim_result *result,
                                 char ret_why[SIM_LINE_BYTES]);

/* The same for the restore, which leaves the undoing to libxl. */
bool sim_result_is_clean_restore_failure(const struct sim_result *result,
                                         char ret_why[SIM_LINE_BYTES]);

/* The result as one JSON object on standard output. */
void sim_result_print(const struct sim_run_options *options,
                      const struct sim_result *result);

#endif
