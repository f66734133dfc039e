/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate send: its options, as xl migrate's and our own; send.h. */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/config.h"
#include "send.h"

enum {
    OPTION_DEBUG = 256,
    OPTION_LIVE,
    OPTION_STOCK,
    OPTION_DRY_RUN,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_SETTING, /* and those behind it: options that are settings */
};

/* Settings of the configuration that an option may change. */
static const struct {
    const char *option, *key;
} settings[] = {
    {"--downtime", "downtime_ms"},
    {"--bandwidth", "bandwidth_mib_per_s"},
    {"--timeout", "time_budget_s"},
    {"--on-slow", "on_slow"},
    {"--reconnect-timeout", "reconnect_timeout_s"},
};

#define NR_SETTINGS ((int)(sizeof(settings) / sizeof(settings[0])))

static const struct option long_options[] = {
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"live", no_argument, NULL, OPTION_LIVE},
    {"stock", no_argument, NULL, OPTION_STOCK},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"downtime", required_argument, NULL, OPTION_SETTING},
    {"bandwidth", required_argument, NULL, OPTION_SETTING + 1},
    {"timeout", required_argument, NULL, OPTION_SETTING + 2},
    {"on-slow", required_argument, NULL, OPTION_SETTING + 3},
    {"reconnect-timeout", required_argument, NULL, OPTION_SETTING + 4},
    {"help", no_argument, NULL, 'h'},
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
        "  --stock                  treat HOST as one without xl-migrate\n"
        "  --dry-run                check, forecast, and end\n"
        "  --downtime MS            the longest downtime aimed at\n"
        "  --bandwidth MIB/S        the most that is sent; 0: no limit\n"
        "  --timeout S              of copying while it runs; 0: none\n"
        "  --on-slow WHAT           throttle, throttle-then-stop, stop, "
        "abort\n"
        "  --reconnect-timeout S    a lost target is tried again for so long\n"
        "  --json                   the report as JSON\n"
        "  --quiet                  errors only\n\n"
        "Exit status: 0 done, 2 wrong arguments, 3 refused by a check, 4 "
        "failed with the\nguest here, 5 failed with the guest at the target, "
        "6 recover is needed, 7 lost.\n");
}

static int take_setting(int nr, struct config *config)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (!config_set(config, settings[nr].key, optarg, settings[nr].option,
                    &err))
        return 0;
    fprintf(stderr, "xl-migrate send: %s\n", err.msg);
    return -1;
}

/* -1: it was wrong, which has been said; 1: help was asked for. */
static int take_option(int option, struct send_options *options,
                       struct config *config)
{
    switch (option) {
    case 's':
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
    case 'h':
        help();
        return 1;
    default:
        break;
    }
    if (option >= OPTION_SETTING && option < OPTION_SETTING + NR_SETTINGS)
        return take_setting(option - OPTION_SETTING, config);
    return -1;
}

static int wrong_option(int argc, char **argv, int option)
{
    const char *text = optind <= argc ? argv[optind - 1] : "";

    fprintf(stderr, "xl-migrate send: %s \"%.60s\"\n",
            option == ':' ? "no value given for" : "unknown option", text);
    return -1;
}

static int take_options(int argc, char **argv, struct send_options *options,
                        struct config *config)
{
    int option, rc;

    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, ":s:C:peDh", long_options,
                                 NULL)) != -1) {
        if (option == '?' || option == ':')
            return wrong_option(argc, argv, option);
        rc = take_option(option, options, config);
        if (rc)
            return rc;
    }
    if (argc - optind != 2) {
        fprintf(stderr,
                "xl-migrate send: expected DOMAIN and HOST, not %d arguments; "
                "see xl-migrate send --help\n",
                argc - optind);
        return -1;
    }
    options->domain = argv[optind];
    options->host = argv[optind + 1];
    return 0;
}

int cmd_send(int argc, char **argv)
{
    struct send_options options = {.kind = PEER_FIND_OUT};
    struct config config;
    struct xcx_err err = XCX_ERR_INIT;
    int rc;

    if (config_load(&config, &err)) {
        fprintf(stderr, "xl-migrate send: %s\n", err.msg);
        return EXIT_STATUS_USAGE;
    }
    rc = take_options(argc, argv, &options, &config);
    if (rc)
        return rc > 0 ? EXIT_STATUS_DONE : EXIT_STATUS_USAGE;
    if (!options.host[0] || options.host[0] == '-') {
        fprintf(stderr, "xl-migrate send: \"%.60s\" is no HOST\n",
                options.host);
        return EXIT_STATUS_USAGE;
    }
    return send_run(&options, &config);
}
