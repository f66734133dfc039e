/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate recover [--list|--resume] [--target-is-fenced] [ID|DOMAIN]. */
#include "command.h"

#include <getopt.h>
#include <stdio.h>

#include "common/config.h"
#include "xl-migrate/recover/recover.h"
#include "xl-migrate/recover/recover_list.h"
#include "xl-migrate/recover/recover_resume.h"

enum {
    OPTION_FENCED = 256,
    OPTION_STOCK,
    OPTION_LIST,
    OPTION_RESUME,
    OPTION_JSON
};

static const struct option long_options[] = {
    {"target-is-fenced", no_argument, NULL, OPTION_FENCED},
    {"stock", no_argument, NULL, OPTION_STOCK},
    {"list", no_argument, NULL, OPTION_LIST},
    {"resume", no_argument, NULL, OPTION_RESUME},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Something else than to finish cases. */
struct other_wish {
    bool list, json, resume;
};

static void help(void)
{
    printf(
        "usage: xl-migrate recover [OPTIONS] [ID|DOMAIN]\n\n"
        "Finishes what a broken migration left behind, on either host; "
        "without an\nargument all of it.\n\n"
        "  --list               only print what there is, and what to do next\n"
        "  --json               with --list: one JSON object; see "
        "xl-migrate(8)\n"
        "  -s COMMAND           instead of ssh; empty: HOST is the command\n"
        "  --stock              the target has no xl-migrate: only for a case "
        "that an\n                       older version began\n"
        "  --resume             DOMAIN stands suspended, the program that did "
        "it has died, and\n                       DOMAIN runs nowhere else: it "
        "goes on here; if that is not so,\n                       it may run "
        "twice\n"
        "  --target-is-fenced   the target is switched off for good: the "
        "guest goes on\n                       here; if that is not so, it "
        "may run twice\n\n"
        "Exit status: 0 all is settled but what the other host will settle, "
        "or the guest of\na target that is fenced runs here, 2 wrong "
        "arguments, 6 not yet, 7 a guest runs\nnowhere and is to be started "
        "from its disks.\n");
}

static int check_options(const struct recover_options *options,
                         const struct other_wish *wish)
{
    const char *alone = options->target_is_fenced     ? "--target-is-fenced"
                        : options->kind == PEER_STOCK ? "--stock"
                                                      : NULL;

    if (wish->json && !wish->list) {
        fprintf(stderr, "xl-migrate recover: --json goes with --list only\n");
        return -1;
    }
    if (wish->resume && (alone || wish->list)) {
        fprintf(stderr, "xl-migrate recover: --resume goes with no %s\n",
                alone ? alone : "--list");
        return -1;
    }
    if (!options->what && (alone || wish->resume)) {
        fprintf(stderr,
                "xl-migrate recover: %s asks for the ID or DOMAIN that it is "
                "true of\n",
                alone ? alone : "--resume");
        return -1;
    }
    return 0;
}

/* 0: go on; else the program ends with *ret_status. */
static int take_options(int argc, char **argv, struct recover_options *options,
                        struct other_wish *wish, int *ret_status)
{
    int option;

    *ret_status = EXIT_STATUS_USAGE;
    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, "s:h", long_options, NULL)) !=
           -1) {
        switch (option) {
        case 's':
            options->ssh = optarg;
            break;
        case OPTION_FENCED:
            options->target_is_fenced = true;
            break;
        case OPTION_STOCK:
            options->kind = PEER_STOCK;
            break;
        case OPTION_LIST:
            wish->list = true;
            break;
        case OPTION_RESUME:
            wish->resume = true;
            break;
        case OPTION_JSON:
            wish->json = true;
            break;
        case 'h':
            help();
            *ret_status = EXIT_STATUS_DONE;
            return -1;
        default:
            fprintf(stderr, "xl-migrate recover: unknown option \"%.60s\"\n",
                    argv[optind - 1]);
            return -1;
        }
    }
    if (argc - optind > 1) {
        fprintf(stderr, "xl-migrate recover: expected one ID or DOMAIN\n");
        return -1;
    }
    options->what = argv[optind];
    return check_options(options, wish);
}

int cmd_recover(int argc, char **argv)
{
    struct recover_options options = {.kind = PEER_FIND_OUT};
    struct other_wish wish = {.list = false};
    struct config config;
    struct xcx_err err = XCX_ERR_INIT;
    int status;

    if (take_options(argc, argv, &options, &wish, &status))
        return status;
    if (config_load(&config, &err)) {
        fprintf(stderr, "xl-migrate recover: %s\n", err.msg);
        return EXIT_STATUS_USAGE;
    }
    if (wish.resume)
        return recover_resume(options.what, &config);
    if (wish.list)
        return recover_list(&(struct recover_list_options){.what = options.what,
                                                           .json = wish.json},
                            &config);
    return recover_run(&options, &config);
}
