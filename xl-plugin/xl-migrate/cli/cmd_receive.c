/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate receive [--data ID]: started by the source, over ssh. */
#include "command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "xl-migrate/receive/receive.h"

static void help(void)
{
    printf("usage: xl-migrate receive\n"
           "       xl-migrate receive --data ID\n\n"
           "The target's end of a migration; xl-migrate send and recover start "
           "it over ssh.\nIt speaks with them over standard input and output; "
           "with --data, standard\ninput is the guest's data of the case ID."
           "\n");
}

static int complain(const struct xcx_err *err)
{
    fprintf(stderr, "xl-migrate receive: %s\n", err->msg);
    return err->kind == XCX_ERR_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_BROKEN;
}

static int bring_data(const struct config *config, const char *id)
{
    struct xcx_err err = XCX_ERR_INIT;
    size_t nr_digits = strspn(id, "0123456789abcdef");

    if (!nr_digits || id[nr_digits] || nr_digits >= JOURNAL_ID_BYTES) {
        xcx_err_set(&err, XCX_ERR_USAGE, 0, "\"%.40s\" is not the ID of a case",
                    id);
        return complain(&err);
    }
    signal(SIGPIPE, SIG_IGN);
    return rendezvous_bring_data(config->run_dir, id, STDIN_FILENO, &err)
               ? complain(&err)
               : EXIT_STATUS_DONE;
}

static int receive(const struct config *config)
{
    struct xcx_err err = XCX_ERR_INIT;

    return receive_run(config, XL_MIGRATE_VERSION, STDIN_FILENO, STDOUT_FILENO,
                       &err)
               ? complain(&err)
               : EXIT_STATUS_DONE;
}

int cmd_receive(int argc, char **argv)
{
    const char *id = NULL;
    struct config config;
    struct xcx_err err = XCX_ERR_INIT;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            return EXIT_STATUS_DONE;
        }
        if (strcmp(argv[i], "--data") == 0 && i + 1 < argc) {
            id = argv[++i];
            continue;
        }
        fprintf(stderr, "xl-migrate receive: unknown argument \"%.40s\"\n",
                argv[i]);
        return EXIT_STATUS_USAGE;
    }
    if (config_load(&config, &err))
        return complain(&err);
    return id ? bring_data(&config, id) : receive(&config);
}
