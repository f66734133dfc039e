/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * witness: runs inside a guest and tells whether moving it was noticed.
 *
 *   witness run [--workload SPEC] [--disk PATH] [--peer ADDRESS:PORT]
 *               [--balloon-dir DIR]
 *       holds, dirties and verifies memory (SPEC: spec.h; default uniform),
 *       and the same for a disk (disk.h: its first 4 MiB are overwritten) and
 *       datagrams (net.h) and a TCP connection (stream.h). Obeys commands on
 *       standard input (control.h). DIR stands in for the balloon driver's
 *       place in sysfs.
 *   witness echo --port N [--bind ADDRESS] [--drop N] [--garble N]
 *                [--twice N]
 *       the peer of --peer, on all addresses unless told; one datagram in N,
 *       and one piece of a connection's bytes in N, meets the fault.
 *   witness spec SPEC
 *       says whether the SPEC is right.
 *
 * Exit status: 0 after `quit` or the end of the input, corruption or not (the
 * report tells); 1 on a failure of its own; 2 when called wrongly. Failures
 * are one line on standard error.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "echo.h"

struct option {
    const char *name;
    const char **value;
};

struct witness {
    struct workset set;
    struct workload workload;
    struct tick tick;
    struct disk disk;
    struct net net;
    struct stream stream;
};

static int parse_options(char **args, const struct option *options,
                         struct xcx_err *err)
{
    for (; *args; args += 2) {
        const struct option *option = options;

        while (option->name && strcmp(args[0], option->name) != 0)
            option++;
        if (!option->name)
            return xcx_err_set(err, XCX_ERR_USAGE, 0, "unknown option '%s'",
                               args[0]);
        if (!args[1])
            return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: has no value",
                               args[0]);
        *option->value = args[1];
    }
    return 0;
}

static int start_all(struct witness *witness, const struct spec *spec,
                     const char *disk, const char *peer,
                     const char *balloon_dir, struct xcx_err *err)
{
    if (workset_init(&witness->set, spec->size_bytes / PAGE_BYTES, err) ||
        tick_start(&witness->tick, spec->tick_ms, err) ||
        workload_start(&witness->workload, spec, &witness->set, balloon_dir,
                       err))
        return -1;
    if (disk && disk_start(&witness->disk, disk, spec->seed, err))
        return -1;
    if (peer && (net_start(&witness->net, peer, err) ||
                 stream_start(&witness->stream, peer, err)))
        return -1;
    return 0;
}

static void stop_all(struct witness *witness)
{
    stream_stop(&witness->stream);
    net_stop(&witness->net);
    disk_stop(&witness->disk);
    workload_stop(&witness->workload);
    tick_stop(&witness->tick);
    workset_done(&witness->set);
}

static int run(char **args, struct xcx_err *err)
{
    const char *workload = "uniform", *disk = NULL, *peer = NULL;
    const char *balloon_dir = BALLOON_DIR;
    const struct option options[] = {
        {"--workload", &workload},       {"--disk", &disk}, {"--peer", &peer},
        {"--balloon-dir", &balloon_dir}, {NULL, NULL},
    };
    struct witness witness = {.set = {.pages = NULL}};
    struct control control = {
        .set = &witness.set,
        .workload = &witness.workload,
        .tick = &witness.tick,
        .disk = &witness.disk,
        .net = &witness.net,
        .stream = &witness.stream,
    };
    struct spec spec;
    int r;

    if (parse_options(args, options, err) || spec_parse(workload, &spec, err))
        return -1;
    /* A reader who went away is an error of ours to report, not our end. */
    signal(SIGPIPE, SIG_IGN);
    r = start_all(&witness, &spec, disk, peer, balloon_dir, err);
    if (r == 0)
        r = control_run(&control, err);
    stop_all(&witness);
    return r;
}

static int echo(char **args, struct xcx_err *err)
{
    struct echo_options echo_options = {.bind = "0.0.0.0"};
    const char *drop = "0", *garble = "0", *twice = "0";
    const struct option options[] = {
        {"--port", &echo_options.port},
        {"--bind", &echo_options.bind},
        {"--drop", &drop},
        {"--garble", &garble},
        {"--twice", &twice},
        {NULL, NULL},
    };

    if (parse_options(args, options, err) ||
        spec_parse_number("drop", drop, 0, UINT32_MAX, &echo_options.drop_each,
                          err) ||
        spec_parse_number("garble", garble, 0, UINT32_MAX,
                          &echo_options.garble_each, err) ||
        spec_parse_number("twice", twice, 0, UINT32_MAX,
                          &echo_options.twice_each, err))
        return -1;
    if (!echo_options.port)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "echo: no --port");
    return echo_run(&echo_options, err);
}

static int check_spec(char **args, struct xcx_err *err)
{
    struct spec spec;

    if (!args[0] || args[1])
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "spec: takes one SPEC");
    return spec_parse(args[0], &spec, err);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(char **args, struct xcx_err *err);
    } subcommands[] = {{"run", run}, {"echo", echo}, {"spec", check_spec}};
    struct xcx_err err = XCX_ERR_INIT;
    const char *name = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        if (strcmp(name, subcommands[i].name) != 0)
            continue;
        if (subcommands[i].run(argv + 2, &err) == 0)
            return 0;
        fprintf(stderr, "witness: %s\n", err.msg);
        return err.kind == XCX_ERR_USAGE ? 2 : 1;
    }
    fprintf(stderr, "usage: witness run|echo|spec ... ('%s' is none)\n", name);
    return 2;
}
