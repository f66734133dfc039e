/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

#define FAULT_BYTES 64

struct sweep {
    const struct simlab *lab;
    struct sim_run_options options; /* of the run that is under way */
    struct sim_result *result;
    unsigned nr_lines, nr_bad_lines;
    unsigned nr_runs, nr_bad, nr_good; /* of the line so far */
    char first_bad[SIM_LINE_BYTES + FAULT_BYTES];
};

static int sweep_init(struct sweep *sweep, const struct simlab *lab,
                      struct xcx_err *err)
{
    memset(sweep, 0, sizeof(*sweep));
    sweep->lab = lab;
    sweep->options = lab->run;
    sweep->result = calloc(1, sizeof(*sweep->result));
    if (!sweep->result)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "memory");
    return 0;
}

/* The run without a fault that all the others are measured against. */
static int reference(struct sweep *sweep, struct xcx_err *err)
{
    char why[SIM_LINE_BYTES];

    if (sim_run(&sweep->options, sweep->result, err))
        return -1;
    if (!sim_result_is_good(&sweep->options, sweep->result, why))
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "without a fault: %s", why);
    return 0;
}

/* Failing to undo is no fault of the save's if it says what it left. */
static bool names_what_is_left(const struct sim_side_result *save,
                               const char *what)
{
    return strstr(save->first_error, what) || strstr(save->last_error, what);
}

/* xc_memory_op() loses its first buffer when it gets no second one. */
static void forgive_libxenctrl(struct sim_side_result *side)
{
    if (side->nr_findings == 1 &&
        strstr(side->findings,
               "\"hypercall buffer leaked\",\"detail\":\"1 left"))
        side->nr_findings = 0;
}

static void forgive(struct sim_result *result, const char *fault)
{
    bool off_fails =
        strstr(fault, "shadow_off") ||
        strstr(fault, "buffer_alloc"); /* the hypercall needs one */

    if (off_fails && names_what_is_left(&result->save, "log-dirty"))
        result->logdirty_left = false;
    /* Pages that Xen does not take back stay; that is warned of. */
    if (strstr(fault, "decrease_reservation") || strstr(fault, "buffer_alloc"))
        result->diff.nr_alien = 0;
    if (strstr(fault, "buffer_alloc")) {
        forgive_libxenctrl(&result->save);
        forgive_libxenctrl(&result->restore);
    }
    if (strstr(fault, "scheduler_op") &&
        names_what_is_left(&result->save, "cap"))
        result->cap_left = false;
}

static bool is_clean_failure(const struct sweep *sweep,
                             char why[SIM_LINE_BYTES])
{
    return sweep->lab->restore_side
               ? sim_result_is_clean_restore_failure(sweep->result, why)
               : sim_result_is_clean_failure(sweep->result, why);
}

static int run_one(struct sweep *sweep, const char *what, struct xcx_err *err)
{
    char why[SIM_LINE_BYTES] = "", other[SIM_LINE_BYTES];

    if (sim_run(&sweep->options, sweep->result, err))
        return -1;
    forgive(sweep->result, what);
    sweep->nr_runs++;
    if (sim_result_is_good(&sweep->options, sweep->result, other)) {
        sweep->nr_good++;
        return 0;
    }
    if (is_clean_failure(sweep, why))
        return 0;
    if (!sweep->result->save.retval && sweep->result->save.nr_complete)
        memcpy(why, other, sizeof(why));
    if (!sweep->nr_bad++)
        snprintf(sweep->first_bad, sizeof(sweep->first_bad), "%s: %s", what,
                 why);
    return 0;
}

/* One line of TAP for the runs since the last one. */
static void end_line(struct sweep *sweep, const char *name)
{
    sweep->nr_lines++;
    printf("%sok %u - %s%s: %u runs, %u succeeded all the same\n",
           sweep->nr_bad ? "not " : "", sweep->nr_lines, sweep->lab->name, name,
           sweep->nr_runs, sweep->nr_good);
    if (sweep->nr_bad) {
        printf("# %u bad, first %s\n", sweep->nr_bad, sweep->first_bad);
        sweep->nr_bad_lines++;
    }
    fflush(stdout);
    sweep->nr_runs = sweep->nr_bad = sweep->nr_good = 0;
}

static int sweep_use(struct sweep *sweep, unsigned call, uint64_t nth,
                     struct xcx_err *err)
{
    static const char *const forms[] = {"%s:%llu:EIO", "%s:%llu:EIO:always",
                                        "%s:%llu:EAGAIN", "%s:%llu:page"};
    unsigned nr = call == SIM_CALL_map ? 4 : 3;

    for (unsigned i = 0; i < nr; i++) {
        char fault[FAULT_BYTES];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(fault, sizeof(fault), forms[i], sim_call_name(call),
                 (unsigned long long)nth);
#pragma GCC diagnostic pop
        if (sweep->lab->restore_side)
            sweep->options.restore_faults = fault;
        else
            sweep->options.save_faults = fault;
        if (run_one(sweep, fault, err))
            return -1;
    }
    return 0;
}

/* Uses spread from the first to the last of count. */
static int sweep_call(struct sweep *sweep, unsigned call, uint64_t count,
                      struct xcx_err *err)
{
    uint64_t points = sweep->lab->nr_points, last = 0;

    if (points > count)
        points = count;
    for (uint64_t i = 0; i < points; i++) {
        uint64_t nth = points == 1 ? 1 : 1 + i * (count - 1) / (points - 1);

        if (nth != last && sweep_use(sweep, call, nth, err))
            return -1;
        last = nth;
    }
    end_line(sweep, sim_call_name(call));
    return 0;
}

static int finish(struct sweep *sweep, int rc)
{
    printf("1..%u\n", sweep->nr_lines);
    free(sweep->result);
    return rc ? -1 : sweep->nr_bad_lines ? 1 : 0;
}

/* Whether name is one of the names between commas. */
static bool is_wanted(const char *list, const char *name)
{
    size_t bytes = strlen(name);

    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, bytes) && (at[bytes] == ',' || !at[bytes]))
            return true;
    }
    return !list;
}

int sim_sweep(const struct simlab *lab, struct xcx_err *err)
{
    uint64_t counts[SIM_MAX_CALLS];
    struct sweep sweep;
    int rc = 0;

    if (sweep_init(&sweep, lab, err))
        return -1;
    rc = reference(&sweep, err);
    memcpy(counts,
           lab->restore_side ? sweep.result->restore.calls
                             : sweep.result->save.calls,
           sizeof(counts));
    for (unsigned call = 0; call < SIM_NR_CALLS && !rc; call++) {
        if (counts[call] && is_wanted(lab->only, sim_call_name(call)))
            rc = sweep_call(&sweep, call, counts[call], err);
    }
    return finish(&sweep, rc);
}

static int stop_by_signal(struct sweep *sweep, uint64_t nr_calls,
                          uint64_t nr_points, struct xcx_err *err)
{
    for (uint64_t i = 0; i < nr_points; i++) {
        char fault[FAULT_BYTES];

        snprintf(fault, sizeof(fault), "any:%llu:SIGTERM",
                 (unsigned long long)(1 + i * nr_calls / nr_points));
        sweep->options.save_faults = fault;
        if (run_one(sweep, fault, err))
            return -1;
    }
    sweep->options.save_faults = NULL;
    end_line(sweep, "SIGTERM");
    return 0;
}

static int stop_by_cut(struct sweep *sweep, uint64_t nr_bytes,
                       uint64_t nr_points, struct xcx_err *err)
{
    for (uint64_t i = 0; i < nr_points; i++) {
        uint64_t at = 1 + i * (nr_bytes - 1) / nr_points;
        char what[FAULT_BYTES];

        snprintf(what, sizeof(what), "cut at byte %llu",
                 (unsigned long long)at);
        sweep->options.cut_bytes = at;
        if (run_one(sweep, what, err))
            return -1;
    }
    end_line(sweep, "the receiver vanishes");
    return 0;
}

int sim_stop(const struct simlab *lab, struct xcx_err *err)
{
    uint64_t nr_calls, nr_bytes, half = (lab->nr_points + 1) / 2;
    struct sweep sweep;
    int rc;

    if (sweep_init(&sweep, lab, err))
        return -1;
    sweep.options.stream_path = "/dev/null"; /* so that it is counted */
    rc = reference(&sweep, err);
    nr_calls = sweep.result->save.nr_calls;
    nr_bytes = sweep.result->stream_bytes;
    if (!rc)
        rc = stop_by_signal(&sweep, nr_calls, half, err);
    if (!rc)
        rc = stop_by_cut(&sweep, nr_bytes, half, err);
    return finish(&sweep, rc);
}
