/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate status [--json] [--watch] [DOMAIN] */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/json.h"
#include "common/lines.h"
#include "options.h"
#include "xl-migrate/control/running.h"

#define WATCH_S      1
#define CLEAR_SCREEN "\033[H\033[J"

enum { OPTION_JSON = OPTION_OWN, OPTION_WATCH };

struct options {
    const char *domain; /* NULL: all */
    bool json, watch;
};

static int help(void)
{
    printf("usage: xl-migrate status [--json] [--watch] [DOMAIN]\n\n"
           "Shows the migrations and saves that go on on this host, or that "
           "of one DOMAIN\n(name, id or UUID): those of xl-migrate send, and "
           "those that xl runs on\nxl-save-helper.\n\n"
           "  --json    one JSON object; see xl-migrate(8)\n"
           "  --watch   again every second, until none is left\n");
    return EXIT_STATUS_DONE;
}

/* *ret_help: nothing else is wanted. */
static int parse_options(int argc, char **argv, struct options *options,
                         bool *ret_help, struct xcx_err *err)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"watch", no_argument, NULL, OPTION_WATCH},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = options_next(argc, argv, "h", longs, err)) != -1) {
        if (option == '?')
            return -1;
        options->json = options->json || option == OPTION_JSON;
        options->watch = options->watch || option == OPTION_WATCH;
        *ret_help = option == OPTION_HELP;
        if (*ret_help)
            return 0;
    }
    if (argc - optind > 1)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "expected one DOMAIN, not %d",
                           argc - optind);
    options->domain = argv[optind];
    return 0;
}

static void print_text(const struct running *running)
{
    char label[STATUS_LINE_BYTES], line[STATUS_LINE_BYTES];
    const char *joint = "", *other = "";

    running_label(running, label, sizeof(label));
    status_line(&running->status, line);
    if (running->status.host[0]) {
        joint = " to ";
        other = running->status.host;
    } else if (!running->has_control) {
        joint = ", saved by ";
        other = running->program;
    }
    lines_print(stdout, "%s%s%s%s%s%s", label, joint, other,
                running->has_control && !running->answered
                    ? ": busy, does not answer now"
                    : "",
                line[0] ? ": " : "", line);
}

static void put(const struct running *running, bool with_record,
                struct json *json)
{
    json_open_map(json, NULL);
    status_put(&running->status, json);
    json_count(json, "pid", (uint64_t)running->pid);
    json_text(json, "program", running->program);
    json_text(json, "started", running->started);
    json_bool(json, "can_be_tuned", running->has_control);
    json_bool(json, "answered", running->answered);
    if (with_record && running->record)
        json_raw(json, "record", running->record);
    json_close_map(json);
}

/* Watched: a line each time, and so without the records. */
static int print_json(const struct options *options,
                      const struct running *first, unsigned nr,
                      struct xcx_err *err)
{
    struct json json;
    int rc;

    if ((options->watch ? json_init_line(&json, err) : json_init(&json, err)) <
        0)
        return -1;
    json_open_map(&json, NULL);
    json_count(&json, "version", 1);
    json_open_array(&json, "running");
    for (unsigned i = 0; i < nr; i++)
        put(&first[i], !options->watch, &json);
    json_close_array(&json);
    json_close_map(&json);
    rc = json_write(&json, stdout, err);
    json_done(&json);
    if (rc == 0 && options->watch)
        putchar('\n');
    return rc;
}

static int print(const struct options *options, const struct running *first,
                 unsigned nr, struct xcx_err *err)
{
    if (options->json) {
        if (print_json(options, first, nr, err) < 0)
            return -1;
    } else {
        if (options->watch && isatty(STDOUT_FILENO))
            printf(CLEAR_SCREEN);
        for (unsigned i = 0; i < nr; i++)
            print_text(&first[i]);
        if (nr == 0)
            printf("nothing is being moved or saved\n");
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return xcx_err_set(err, XCX_ERR_IO, errno, "standard output");
    return 0;
}

/* *ret_nr: how many there were to show; *ret_status: what a failure is. */
static int show(const struct options *options, unsigned *ret_nr,
                int *ret_status, struct xcx_err *err)
{
    struct running_list list;
    const struct running *first;
    int rc = -1;

    *ret_status = EXIT_STATUS_USAGE;
    if (running_load(&list, err) < 0)
        return -1;
    first = list.all;
    *ret_nr = list.nr;
    if (options->domain) {
        first = running_pick(&list, options->domain, err);
        *ret_nr = first ? 1 : 0;
        *ret_status = first ? EXIT_STATUS_USAGE : EXIT_STATUS_NONE;
    }
    if (first)
        rc = print(options, first, *ret_nr, err);
    running_done(&list);
    return rc;
}

/* Until it has ended, or cannot be shown any more. */
static void watch(const struct options *options, unsigned nr)
{
    struct xcx_err err = XCX_ERR_INIT;
    int status;

    while (nr > 0) {
        sleep(WATCH_S);
        if (show(options, &nr, &status, &err) < 0)
            return;
    }
}

int cmd_status(int argc, char **argv)
{
    struct options options = {.json = false};
    struct xcx_err err = XCX_ERR_INIT;
    int status = EXIT_STATUS_USAGE;
    bool wants_help = false;
    unsigned nr = 0;

    if (parse_options(argc, argv, &options, &wants_help, &err) == 0) {
        if (wants_help)
            return help();
        if (show(&options, &nr, &status, &err) == 0) {
            if (options.watch)
                watch(&options, nr);
            return EXIT_STATUS_DONE;
        }
    }
    fprintf(stderr, "xl-migrate status: %s\n", err.msg);
    return status;
}
