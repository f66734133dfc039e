/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate send: its options, as xl migrate's and our own; send.h. */
#include "command.h"

#include <stdio.h>

#include "common/config.h"
#include "options.h"
#include "xl-migrate/send/send.h"

enum {
    OPTION_DEBUG = OPTION_OWN,
    OPTION_LIVE,
    OPTION_STOCK,
    OPTION_DRY_RUN,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_IGNORE,
};

static const struct option long_options[] = {
    OPTIONS_LIMITS,
    {"reconnect-timeout", required_argument, NULL, OPTION_RECONNECT_TIMEOUT},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"live", no_argument, NULL, OPTION_LIVE},
    {"stock", no_argument, NULL, OPTION_STOCK},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"ignore", required_argument, NULL, OPTION_IGNORE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void help(void)
{
    printf(
        "usage: xl-migrate send [OPTIONS] DOMAIN HOST\n\n"
        "Moves a running domain to another host.\n\n"
        "  -s COMMAND               instead of ssh; empty: HOST is the "
        "command\n"
        "  -C FILE                  the configuration to build it with\n"
        "  -p                       leave it paused there\n"
        "  -e                       leave it without an xl monitor there\n"
        "  -D                       let it have the same domid there\n"
        "  --debug                  send all memory again and compare\n"
        "  --live                   nothing, as with xl: it always is\n"
        "  --stock                  treat HOST as one without xl-migrate\n"
        "  --ignore ID[,ID...]      move it past blockers of check\n"
        "  --dry-run                check, forecast, and "
        "end\n" OPTIONS_LIMITS_HELP
        "  --reconnect-timeout S    a lost target is tried again for so long\n"
        "  --json                   the report as JSON\n"
        "  --quiet                  warnings and errors only\n\n"
        "Exit status: 0 done, 2 wrong arguments, 3 refused by a check or not "
        "running,\n4 failed with the guest here, 5 failed with the guest at "
        "the target, 6 recover is\nneeded, 7 lost.\n");
}

/* 1: help was asked for. */
static int take_option(int option, struct send_options *options,
                       struct config *config, struct xcx_err *err)
{
    switch (option) {
    case OPTION_SSH:
        options->ssh = optarg;
        return 0;
    case 'C':
        options->config_file = optarg;
        return 0;
    case 'p':
        options->pause = true;
        return 0;
    case 'e':
        options->no_monitor = true;
        return 0;
    case 'D':
        options->keep_domid = true;
        return 0;
    case OPTION_DEBUG:
        options->debug = true;
        return 0;
    case OPTION_LIVE: /* as with xl: it always is */
        return 0;
    case OPTION_STOCK:
        options->kind = PEER_STOCK;
        return 0;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case OPTION_IGNORE:
        return check_ids_parse(optarg, &options->ignore, err);
    case OPTION_HELP:
        help();
        return 1;
    default:
        return options_set(config, option, optarg, err);
    }
}

static int take_options(int argc, char **argv, struct send_options *options,
                        struct config *config, struct xcx_err *err)
{
    int option, rc;

    while ((option = options_next(argc, argv, "s:C:peDh", long_options, err)) !=
           -1) {
        rc = option == '?' ? -1 : take_option(option, options, config, err);
        if (rc)
            return rc;
    }
    return options_domain_and_host(argc, argv, &options->domain, &options->host,
                                   err);
}

int cmd_send(int argc, char **argv)
{
    struct send_options options = {.kind = PEER_FIND_OUT};
    struct config config;
    struct xcx_err err = XCX_ERR_INIT;
    int rc = config_load(&config, &err);

    if (!rc)
        rc = take_options(argc, argv, &options, &config, &err);
    if (rc > 0)
        return EXIT_STATUS_DONE;
    if (!rc)
        return send_run(&options, &config);
    fprintf(stderr, "xl-migrate send: %s\n", err.msg);
    return EXIT_STATUS_USAGE;
}
