/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simlab: runs migrations in the simulator.
 *
 *   simlab run     one migration; prints JSON; status 0 if it went as expected
 *   simlab sweep   fails every simulated call in turn; prints TAP (sweep.h)
 *   simlab stop    stops migrations at many points; prints TAP
 *   simlab calls   prints the names of the simulated calls
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "options.h"
#include "sweep.h"

static const char usage[] =
    "usage: simlab run [OPTION...]\n"
    "       simlab sweep [OPTION...]  every call fails, once and for good\n"
    "       simlab stop [OPTION...]   SIGTERM, and a receiver that vanishes\n"
    "       simlab calls\n"
    "  --world SPEC         the source's world (tests/sim/spec.h)\n"
    "  --save WHICH         stock, ours or a path (default stock)\n"
    "  --restore WHICH      stock, ours, none or a path (default stock)\n"
    "  --not-live --verify  the save's flags\n"
    "  --cost MODEL         what calls cost (tests/sim/cost.h)\n"
    "  --fault FAULTS       what fails at the source (tests/sim/fault.h)\n"
    "  --restore-fault FAULTS   the same at the target\n"
    "  --checkpoints N      Remus, which ends after so many\n"
    "  --only NAME,...      sweep: these calls alone\n"
    "  --side save|restore  sweep: whose calls fail (save)\n"
    "  --wire pipe|socket   what carries the stream (pipe)\n"
    "  --stream FILE        keep the stream\n"
    "  --cut BYTES          the receiver vanishes after so many\n"
    "  --sigterm-at N       SIGTERM at the save helper's Nth message\n"
    "  --suspend-answer N --qemu-answer N   libxl's answers (1, 0)\n"
    "  --expect-failure     good is a clean failure of the save\n"
    "  --expect-diff        good is a difference that was found\n"
    "  --points N           sweep: uses of each call; stop: how many in all\n"
    "  --name TEXT          begins each line of sweep and stop\n"
    "  --env NAME=VALUE     for the helpers\n"
    "  --timeout SECONDS --verbose\n";

static bool is_as_expected(const struct simlab *lab,
                           const struct sim_result *result)
{
    char why[SIM_LINE_BYTES] = "no difference found";
    bool ok;

    if (lab->expect == EXPECT_FAILURE)
        ok = sim_result_is_clean_failure(result, why);
    else if (lab->expect == EXPECT_DIFF)
        ok = result->compared && !sim_diff_is_same(&result->diff);
    else
        ok = sim_result_is_good(&lab->run, result, why);
    if (!ok)
        fprintf(stderr, "simlab: %s\n", why);
    return ok;
}

static int run_one(const struct simlab *lab, struct xcx_err *err)
{
    struct sim_result *result = calloc(1, sizeof(*result));
    int rc = -1;

    if (!result)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "memory");
    if (!sim_run(&lab->run, result, err)) {
        sim_result_print(&lab->run, result);
        rc = is_as_expected(lab, result) ? 0 : 1;
    }
    free(result);
    return rc;
}

static int print_calls(const struct simlab *lab, struct xcx_err *err)
{
    (void)lab;
    (void)err;
    for (unsigned i = 0; i < SIM_NR_CALLS; i++)
        puts(sim_call_name(i));
    return 0;
}

static const struct {
    const char *name;
    int (*run)(const struct simlab *lab, struct xcx_err *err);
} commands[] = {
    {"run", run_one},
    {"sweep", sim_sweep},
    {"stop", sim_stop},
    {"calls", print_calls},
};

int main(int argc, char **argv)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct simlab lab;
    int rc = -1;

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (argc < 2 || strcmp(argv[1], commands[i].name))
            continue;
        if (!simlab_init(&lab, argc - 1, argv + 1, &err))
            rc = commands[i].run(&lab, &err);
        simlab_done(&lab);
        if (rc < 0)
            fprintf(stderr, "simlab: %s\n", err.msg);
        return rc < 0 ? 2 : rc;
    }
    fputs(usage, argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
    return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
}
