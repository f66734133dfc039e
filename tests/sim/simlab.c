/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simlab: runs migrations in the simulator.
 *
 *   simlab run [OPTION...]     one migration; prints JSON; status 0 if good
 *   simlab calls               prints the names of the simulated calls
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "run.h"

enum option_id {
    OPT_WORLD = 256,
    OPT_SAVE,
    OPT_RESTORE,
    OPT_FAULT,
    OPT_RESTORE_FAULT,
    OPT_COST,
    OPT_STREAM,
    OPT_CUT,
    OPT_SIGTERM_AT,
    OPT_SUSPEND,
    OPT_QEMU,
    OPT_NOT_LIVE,
    OPT_VERIFY,
    OPT_VERBOSE,
    OPT_TIMEOUT,
    OPT_EXPECT_FAILURE,
    OPT_EXPECT_DIFF,
};

enum expectation { EXPECT_GOOD, EXPECT_FAILURE, EXPECT_DIFF };

static const struct option longs[] = {
    {"world", 1, NULL, OPT_WORLD},
    {"save", 1, NULL, OPT_SAVE},
    {"restore", 1, NULL, OPT_RESTORE},
    {"fault", 1, NULL, OPT_FAULT},
    {"restore-fault", 1, NULL, OPT_RESTORE_FAULT},
    {"cost", 1, NULL, OPT_COST},
    {"stream", 1, NULL, OPT_STREAM},
    {"cut", 1, NULL, OPT_CUT},
    {"sigterm-at", 1, NULL, OPT_SIGTERM_AT},
    {"suspend-answer", 1, NULL, OPT_SUSPEND},
    {"qemu-answer", 1, NULL, OPT_QEMU},
    {"not-live", 0, NULL, OPT_NOT_LIVE},
    {"verify", 0, NULL, OPT_VERIFY},
    {"verbose", 0, NULL, OPT_VERBOSE},
    {"timeout", 1, NULL, OPT_TIMEOUT},
    {"expect-failure", 0, NULL, OPT_EXPECT_FAILURE},
    {"expect-diff", 0, NULL, OPT_EXPECT_DIFF},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: simlab run [OPTION...]\n"
    "       simlab calls\n"
    "  --world SPEC         the source's world (tests/sim/spec.h)\n"
    "  --save WHICH         stock, ours or a path (default stock)\n"
    "  --restore WHICH      stock, ours, none or a path (default stock)\n"
    "  --not-live --verify  the save's flags\n"
    "  --cost MODEL         what calls cost (tests/sim/cost.h)\n"
    "  --fault FAULTS       what fails at the source (tests/sim/fault.h)\n"
    "  --restore-fault FAULTS   the same at the target\n"
    "  --stream FILE        keep the stream\n"
    "  --cut BYTES          the receiver vanishes after so many\n"
    "  --sigterm-at N       SIGTERM at the save helper's Nth message\n"
    "  --suspend-answer N --qemu-answer N   libxl's answers (1, 0)\n"
    "  --expect-failure     good is a clean failure of the save\n"
    "  --expect-diff        good is a difference that was found\n"
    "  --timeout SECONDS --verbose\n";

static const char *build_dir(void)
{
    const char *dir = getenv("BUILD");

    return dir && *dir ? dir : "build";
}

/* A name or a path as a path, malloc'ed; NULL for "none". */
static char *helper_path(const char *which)
{
    char *path;

    if (!strcmp(which, "none"))
        return NULL;
    if (!strcmp(which, "stock"))
        which = "cache/xen-utils/usr/lib/xen-4.17/bin/libxl-save-helper";
    else if (!strcmp(which, "ours"))
        which = "bin/xl-save-helper";
    else
        return strdup(which);
    if (asprintf(&path, "%s/%s", build_dir(), which) < 0)
        return NULL;
    return path;
}

static int set_option(int id, struct sim_run_options *options,
                      enum expectation *expect, struct xcx_err *err)
{
    switch (id) {
    case OPT_WORLD:
        return sim_spec_parse(optarg, &options->spec, err);
    case OPT_SAVE:
        options->save_helper = helper_path(optarg);
        return 0;
    case OPT_RESTORE:
        options->restore_helper = helper_path(optarg);
        return 0;
    case OPT_FAULT:
        options->save_faults = optarg;
        return 0;
    case OPT_RESTORE_FAULT:
        options->restore_faults = optarg;
        return 0;
    case OPT_COST:
        options->cost = optarg;
        return 0;
    case OPT_STREAM:
        options->stream_path = optarg;
        return 0;
    case OPT_CUT:
        options->cut_bytes = strtoull(optarg, NULL, 0);
        return 0;
    case OPT_SIGTERM_AT:
        options->sigterm_at = (unsigned)atoi(optarg);
        return 0;
    case OPT_SUSPEND:
        options->suspend_answer = atoi(optarg);
        return 0;
    case OPT_QEMU:
        options->qemu_answer = atoi(optarg);
        return 0;
    case OPT_NOT_LIVE:
        options->live = false;
        return 0;
    case OPT_VERIFY:
        options->verify = true;
        return 0;
    case OPT_VERBOSE:
        options->verbose = true;
        return 0;
    case OPT_TIMEOUT:
        options->timeout_s = (unsigned)atoi(optarg);
        return 0;
    case OPT_EXPECT_FAILURE:
        *expect = EXPECT_FAILURE;
        return 0;
    case OPT_EXPECT_DIFF:
        *expect = EXPECT_DIFF;
        return 0;
    default:
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "see simlab --help");
    }
}

static bool is_as_expected(const struct sim_run_options *options,
                           const struct sim_result *result,
                           enum expectation expect)
{
    char why[SIM_LINE_BYTES] = "";
    bool ok;

    if (expect == EXPECT_FAILURE)
        ok = sim_result_is_clean_failure(result, why);
    else if (expect == EXPECT_DIFF)
        ok = result->compared && !sim_diff_is_same(&result->diff);
    else
        ok = sim_result_is_good(options, result, why);
    if (!ok)
        fprintf(stderr, "simlab: %s\n", *why ? why : "no difference found");
    return ok;
}

static int run_one(int argc, char **argv)
{
    struct sim_run_options options;
    struct sim_result *result = calloc(1, sizeof(*result));
    enum expectation expect = EXPECT_GOOD;
    struct xcx_err err = XCX_ERR_INIT;
    char *preload = NULL;
    int id, rc = 2;

    sim_run_options_init(&options);
    if (!result || asprintf(&preload, "%s/lib/libxcxsim.so", build_dir()) < 0)
        goto out;
    options.preload = preload;
    options.save_helper = helper_path("stock");
    options.restore_helper = helper_path("stock");
    sim_spec_parse("", &options.spec, &err);
    while ((id = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (set_option(id, &options, &expect, &err))
            goto out;
    }
    if (sim_run(&options, result, &err))
        goto out;
    sim_result_print(&options, result);
    rc = is_as_expected(&options, result, expect) ? 0 : 1;
out:
    if (xcx_err_is_set(&err))
        fprintf(stderr, "simlab: %s\n", err.msg);
    free((char *)options.save_helper);
    free((char *)options.restore_helper);
    free(preload);
    free(result);
    return rc;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && !strcmp(argv[1], "run"))
        return run_one(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "calls")) {
        for (unsigned i = 0; i < SIM_NR_CALLS; i++)
            puts(sim_call_name(i));
        return 0;
    }
    fputs(usage, argc > 1 && !strcmp(argv[1], "--help") ? stdout : stderr);
    return argc > 1 && !strcmp(argv[1], "--help") ? 0 : 2;
}
