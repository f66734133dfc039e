/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    OPT_POINTS,
    OPT_NAME,
    OPT_ENV,
    OPT_SIDE,
    OPT_CHECKPOINTS,
    OPT_ONLY,
    OPT_WIRE,
};

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
    {"points", 1, NULL, OPT_POINTS},
    {"name", 1, NULL, OPT_NAME},
    {"env", 1, NULL, OPT_ENV},
    {"side", 1, NULL, OPT_SIDE},
    {"checkpoints", 1, NULL, OPT_CHECKPOINTS},
    {"only", 1, NULL, OPT_ONLY},
    {"wire", 1, NULL, OPT_WIRE},
    {NULL, 0, NULL, 0},
};

#define STOCK "cache/xen-utils/usr/lib/xen-4.17/bin/libxl-save-helper"

static const char *build_dir(void)
{
    const char *dir = getenv("BUILD");

    return dir && *dir ? dir : "build";
}

/* A file under the build directory, absolute and malloc'ed. */
static char *built(const char *name)
{
    char here[SIM_PATH_BYTES] = "", *path;
    const char *dir = build_dir();

    if (dir[0] != '/' && !getcwd(here, sizeof(here)))
        return NULL;
    if (asprintf(&path, "%s%s%s/%s", here, *here ? "/" : "", dir, name) < 0)
        return NULL;
    return path;
}

/* A name or a path as a path, malloc'ed; NULL for "none". */
static char *helper_path(const char *which)
{

    if (!strcmp(which, "none"))
        return NULL;
    if (!strcmp(which, "stock"))
        return built(STOCK);
    if (!strcmp(which, "ours"))
        return built("bin/xl-save-helper");
    return strdup(which);
}

static int set_wire(const char *name, enum sim_wire *ret, struct xcx_err *err)
{
    static const char *const names[] = {
        [SIM_WIRE_PIPE] = "pipe",
        [SIM_WIRE_SOCKET] = "socket",
    };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(name, names[i])) {
            *ret = (enum sim_wire)i;
            return 0;
        }
    }
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "--wire is pipe or socket");
}

/* What is expected of the run, and what becomes of it in a sweep. */
static int set_lab_option(int id, struct simlab *lab, struct xcx_err *err)
{
    switch (id) {
    case OPT_EXPECT_FAILURE:
        lab->expect = EXPECT_FAILURE;
        return 0;
    case OPT_EXPECT_DIFF:
        lab->expect = EXPECT_DIFF;
        return 0;
    case OPT_POINTS:
        lab->nr_points = (unsigned)atoi(optarg);
        return 0;
    case OPT_NAME:
        lab->name = optarg;
        return 0;
    case OPT_SIDE:
        lab->restore_side = !strcmp(optarg, "restore");
        return 0;
    case OPT_ONLY:
        lab->only = optarg;
        return 0;
    default:
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "see simlab --help");
    }
}

static int set_option(int id, struct simlab *lab, struct xcx_err *err)
{
    struct sim_run_options *options = &lab->run;

    switch (id) {
    case OPT_WORLD:
        return sim_spec_parse(optarg, &options->spec, err);
    case OPT_SAVE:
        free((char *)options->save_helper);
        options->save_helper = helper_path(optarg);
        return 0;
    case OPT_RESTORE:
        free((char *)options->restore_helper);
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
    case OPT_CHECKPOINTS:
        options->nr_checkpoints = (unsigned)atoi(optarg);
        return 0;
    case OPT_WIRE:
        return set_wire(optarg, &options->wire, err);
    case OPT_ENV:
        putenv(optarg);
        return 0;
    default:
        return set_lab_option(id, lab, err);
    }
}

int simlab_init(struct simlab *lab, int argc, char **argv, struct xcx_err *err)
{
    char template[] = "/tmp/simlab-XXXXXX";
    int id;

    memset(lab, 0, sizeof(*lab));
    sim_run_options_init(&lab->run);
    if (!mkdtemp(template))
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "no directory");
    lab->run.work_dir = strdup(template);
    lab->run.preload = built("lib/libxcxsim.so");
    lab->run.stock_helper = built(STOCK);
    lab->run.save_helper = helper_path("stock");
    lab->run.restore_helper = helper_path("stock");
    lab->nr_points = 3;
    lab->name = "";
    if (sim_spec_parse("", &lab->run.spec, err))
        return -1;
    while ((id = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (set_option(id, lab, err))
            return -1;
    }
    return 0;
}

/* Helpers leave lock and statistics files; no directories. */
static void empty_work_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

void simlab_done(struct simlab *lab)
{
    if (lab->run.work_dir)
        empty_work_dir(lab->run.work_dir);
    free((char *)lab->run.work_dir);
    free((char *)lab->run.preload);
    free((char *)lab->run.stock_helper);
    free((char *)lab->run.save_helper);
    free((char *)lab->run.restore_helper);
    memset(lab, 0, sizeof(*lab));
}
