/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate tune DOMAIN OPTIONS: other limits for a send that runs. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/config.h"
#include "common/json.h"
#include "options.h"
#include "xl-migrate/control/running.h"

#define ANSWER_MS 10000

#define NR_LIMITS (OPTION_TIMEOUT - OPTION_DOWNTIME + 1)

static const struct option longs[] = {
    OPTIONS_LIMITS,
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct options {
    const char *domain;
    const char *values[NR_LIMITS]; /* NULL: stays as it is */
};

static int help(void)
{
    printf("usage: xl-migrate tune DOMAIN OPTIONS\n\n"
           "Changes the limits of the migration of DOMAIN (name, id or UUID) "
           "that an\nxl-migrate send on this host carries "
           "out.\n\n" OPTIONS_LIMITS_HELP);
    return EXIT_STATUS_DONE;
}

/* Wrong values are told before anything is asked of anybody. */
static int take(struct options *options, int option, struct xcx_err *err)
{
    struct config config;

    config_default(&config);
    if (options_set(&config, option, optarg, err))
        return -1;
    options->values[option - OPTION_DOWNTIME] = optarg;
    return 0;
}

static int parse_operands(int argc, char **argv, struct options *options,
                          struct xcx_err *err)
{
    unsigned nr = 0;

    for (int i = 0; i < NR_LIMITS; i++)
        nr += options->values[i] != NULL;
    if (argc - optind != 1)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "expected one DOMAIN, not %d",
                           argc - optind);
    if (nr == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "nothing to change is named");
    options->domain = argv[optind];
    return 0;
}

/* *ret_help: nothing else is wanted. */
static int parse_options(int argc, char **argv, struct options *options,
                         bool *ret_help, struct xcx_err *err)
{
    int option;

    while ((option = options_next(argc, argv, "h", longs, err)) != -1) {
        *ret_help = option == OPTION_HELP;
        if (*ret_help)
            return 0;
        if (option == '?' || take(options, option, err))
            return -1;
    }
    return parse_operands(argc, argv, options, err);
}

static int tune(const struct options *options, struct running *running,
                struct xcx_err *err)
{
    struct message answer = MESSAGE_INIT;
    struct json request = {.gen = NULL};
    int rc;

    if (!running->has_control)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "saved by %s, which cannot be tuned: set its "
                           "limits in xl-migrate.conf beforehand",
                           running->program);
    if (message_begin(&request, "tune", err) < 0)
        return -1;
    for (int i = 0; i < NR_LIMITS; i++)
        if (options->values[i])
            json_text(&request, options_key(OPTION_DOWNTIME + i),
                      options->values[i]);
    rc = control_call_ask(&running->call, &request, deadline_in_ms(ANSWER_MS),
                          &answer, err);
    if (rc < 0 && err->os_errno == ETIMEDOUT)
        xcx_err_prefix(err, "busy, perhaps the link stands still");
    message_done(&answer);
    json_done(&request);
    return rc;
}

/* *ret_status: what a failure is. */
static int run(const struct options *options, int *ret_status,
               struct xcx_err *err)
{
    struct running_list list;
    struct running *running;
    char label[STATUS_LINE_BYTES];
    int rc = -1;

    if (running_load(&list, err) < 0)
        return -1;
    *ret_status = EXIT_STATUS_NONE;
    running = running_pick(&list, options->domain, err);
    if (running)
        rc = tune(options, running, err);
    if (running && rc < 0) {
        running_label(running, label, sizeof(label));
        xcx_err_prefix(err, "%.80s", label);
    }
    running_done(&list);
    return rc;
}

int cmd_tune(int argc, char **argv)
{
    struct options options = {.domain = NULL};
    struct xcx_err err = XCX_ERR_INIT;
    int status = EXIT_STATUS_USAGE;
    bool wants_help = false;

    if (parse_options(argc, argv, &options, &wants_help, &err) == 0) {
        if (wants_help)
            return help();
        if (run(&options, &status, &err) == 0)
            status = EXIT_STATUS_DONE;
    }
    if (status != EXIT_STATUS_DONE)
        fprintf(stderr, "xl-migrate tune: %s\n", err.msg);
    return status;
}
