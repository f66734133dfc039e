/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate check DOMAIN HOST: could it move, and what would that be like? */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/cancel.h"
#include "common/config.h"
#include "options.h"
#include "xl-migrate/check/precheck.h"
#include "xl-migrate/send/send_config.h"
#include "xl-migrate/wire/transport_ssh.h"

#define COMMAND_THERE "xl-migrate"
#define SSH_BYTES     (CONFIG_TEXT_BYTES + 128) /* with options of ours */

enum {
    OPTION_JSON = OPTION_OWN,
    OPTION_QUIET,
    OPTION_STOCK,
    OPTION_NO_PROBE,
    OPTION_PROBE,
    OPTION_IGNORE,
};

static const struct option longs[] = {
    OPTIONS_LIMITS,
    {"help", no_argument, NULL, OPTION_HELP},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"stock", no_argument, NULL, OPTION_STOCK},
    {"no-probe", no_argument, NULL, OPTION_NO_PROBE},
    {"probe", required_argument, NULL, OPTION_PROBE},
    {"ignore", required_argument, NULL, OPTION_IGNORE},
    {NULL, 0, NULL, 0},
};

struct options {
    struct config config;
    const char *domain, *host;
    const char *ssh;         /* -s; NULL: as configured */
    const char *config_file; /* -C; NULL: the guest's own configuration */
    struct check_ids ignore;
    bool help, json, quiet, stock, no_probe;
    bool keep_domid; /* -D */
    uint64_t probe_ns;
};

static int help(void)
{
    printf(
        "usage: xl-migrate check [OPTIONS] DOMAIN HOST\n\n"
        "Says whether DOMAIN (name, id or UUID) can be moved to HOST, and "
        "forecasts time,\ndowntime and bytes after a short look at its "
        "writing and at the link. The guest\nruns all the while. Exit status: "
        "0, nothing is in the way; 3, a blocker.\n\n"
        "  --json                   one JSON object; see xl-migrate(8)\n"
        "  --quiet                  of the findings, warnings and blockers "
        "only\n"
        "  --no-probe               no look at the guest and the link, no "
        "forecast\n"
        "  --probe MS               how long to look (1000)\n"
        "  --stock                  take HOST for one without xl-migrate\n"
        "  --ignore ID[,ID...]      take blockers with these ids for "
        "warnings\n"
        "  -C FILE                  check the configuration that send -C "
        "FILE sends\n"
        "  -D                       with the domid that it has here\n"
        "  -s COMMAND               instead of ssh; '': HOST is the "
        "command\n" OPTIONS_LIMITS_HELP);
    return EXIT_STATUS_DONE;
}

static int take_probe(struct options *options, const char *value,
                      struct xcx_err *err)
{
    char *rest;
    unsigned long ms = strtoul(value, &rest, 10);

    if (rest == value || *rest || ms < 100 || ms > 60000)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "--probe: \"%.40s\" is not from 100 to 60000",
                           value);
    options->probe_ns = ms * UINT64_C(1000000);
    return 0;
}

static int take(struct options *options, int option, struct xcx_err *err)
{
    switch (option) {
    case OPTION_HELP:
        options->help = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_QUIET:
        options->quiet = true;
        return 0;
    case OPTION_STOCK:
        options->stock = true;
        return 0;
    case OPTION_NO_PROBE:
        options->no_probe = true;
        return 0;
    case OPTION_PROBE:
        return take_probe(options, optarg, err);
    case OPTION_IGNORE:
        return check_ids_parse(optarg, &options->ignore, err);
    case OPTION_SSH:
        options->ssh = optarg;
        return 0;
    case 'C':
        options->config_file = optarg;
        return 0;
    case 'D':
        options->keep_domid = true;
        return 0;
    default:
        return options_set(&options->config, option, optarg, err);
    }
}

static int parse_options(int argc, char **argv, struct options *options,
                         struct xcx_err *err)
{
    int option;

    while ((option = options_next(argc, argv, "hs:C:D", longs, err)) != -1) {
        if (option == '?' || take(options, option, err))
            return -1;
        if (options->help)
            return 0;
    }
    return options_domain_and_host(argc, argv, &options->domain, &options->host,
                                   err);
}

/* Ends by itself when the other host does, as send's does. */
static void find_ssh(const struct options *options, char *ssh, size_t bytes)
{
    const struct config *config = &options->config;

    transport_ssh_command(options->ssh ? options->ssh : config->remote_command,
                          (unsigned)config->peer_timeout_s, ssh, bytes);
}

static int look_at(const struct options *options, struct host *host,
                   const struct domain *domain, const struct cancel *cancel,
                   struct precheck *precheck, struct xcx_err *err)
{
    const struct config *config = &options->config;
    char ssh[SSH_BYTES], *config_json = NULL;
    struct precheck_params params = {
        .host = host,
        .domain = domain,
        .ask = {.ssh = ssh,
                .host = options->host,
                .command = COMMAND_THERE,
                .stock = options->stock},
        .wishes = {.target = options->host,
                   .pv_may_pause = config->pv_without_logdirty == 1},
        .ignore = options->ignore,
        .more_keys = &config->xenstore_keys,
        .version = XL_MIGRATE_VERSION,
        .lock_dir = config->lock_dir[0] ? config->lock_dir : NULL,
        .costs_dir = config->journal_dir,
        .probe = !options->no_probe,
        .probe_ns = options->probe_ns,
        .cancel_fd = cancel->fd,
    };
    int rc;

    find_ssh(options, ssh, sizeof(ssh));
    config_limits(config, &params.limits);
    if (send_config_json(host, domain, options->config_file, SEND_CONFIG_XL_MS,
                         options->keep_domid, &config_json, err))
        return -1;
    params.config_json = config_json;
    rc = precheck_run(&params, precheck, err);
    free(config_json);
    return rc;
}

static int look(const struct options *options, struct host *host,
                const struct cancel *cancel, struct precheck *precheck,
                struct xcx_err *err)
{
    struct domain domain;

    return domain_find(host, options->domain, &domain, err)
               ? -1
               : look_at(options, host, &domain, cancel, precheck, err);
}

static int print(const struct options *options, const struct precheck *precheck,
                 struct xcx_err *err)
{
    if (options->json) {
        if (precheck_print_json(precheck, options->host, stdout, err))
            return -1;
    } else {
        precheck_print_text(precheck, options->quiet ? CHECK_WARNING : CHECK_OK,
                            stdout);
    }
    if (fflush(stdout) || ferror(stdout))
        return xcx_err_set(err, XCX_ERR_IO, errno, "standard output");
    return 0;
}

static int run(const struct options *options, enum check_level *ret_worst,
               struct xcx_err *err)
{
    struct precheck *precheck = calloc(1, sizeof(*precheck));
    struct cancel cancel = CANCEL_INIT;
    struct host host = {.ctx = NULL};
    int rc = -1;

    signal(SIGPIPE, SIG_IGN);
    if (!precheck)
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "check");
    else if (host_open(&host, NULL, err) == 0 &&
             cancel_init(&cancel, -1, "", err) == 0 &&
             look(options, &host, &cancel, precheck, err) == 0)
        rc = print(options, precheck, err);
    if (rc == 0)
        *ret_worst = check_worst(&precheck->check);
    cancel_done(&cancel);
    host_close(&host);
    free(precheck);
    return rc;
}

int cmd_check(int argc, char **argv)
{
    struct options options = {.domain = NULL};
    struct xcx_err err = XCX_ERR_INIT;
    enum check_level worst = CHECK_OK;

    if (config_load(&options.config, &err) == 0 &&
        parse_options(argc, argv, &options, &err) == 0) {
        if (options.help)
            return help();
        if (run(&options, &worst, &err) == 0)
            return worst == CHECK_BLOCKER ? EXIT_STATUS_REFUSED
                                          : EXIT_STATUS_DONE;
    }
    fprintf(stderr, "xl-migrate check: %s\n", err.msg);
    return EXIT_STATUS_USAGE;
}
