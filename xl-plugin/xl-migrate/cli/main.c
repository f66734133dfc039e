/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate: finds the subcommand and runs it. */
#include "command.h"
#include "xl-migrate/receive/restore_helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEE_HELP "; see xl-migrate --help"

static const struct command {
    const char *name;
    const char *help; /* one line */
    command_fn *run;
} commands[] = {
    {"send", "move a running domain to another host", cmd_send},
    {"recover", "finish what a broken migration left behind", cmd_recover},
    {"check", "say whether and how well a guest can be moved", cmd_check},
    {"status", "show the migrations that go on on this host", cmd_status},
    {"cancel", "stop one of them", cmd_cancel},
    {"tune", "change the limits of one of them", cmd_tune},
    {"inspect", "print what is in a saved domain or stream", cmd_inspect},
    {"monitor", "handle a domain's shutdown and reboot, as xl does",
     cmd_monitor},
    {"receive", "receive a guest; send starts this at the target", cmd_receive},
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
    printf("usage: xl-migrate COMMAND [ARGUMENTS]\n"
           "       xl-migrate --help | --version\n\n");
    for (size_t i = 0; i < NR_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\nxl-migrate COMMAND --help says more; so does xl-migrate(8).\n");
    return EXIT_STATUS_DONE;
}

/*
 * A closed standard fd would be the next file's, a socket's or a journal's, and
 * messages would go into that.
 */
static void open_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    open_standard_fds();
    if (restore_helper_is_meant(argc, argv))
        return restore_helper_run(argv);
    if (!name) {
        fprintf(stderr, "xl-migrate: no command given" SEE_HELP "\n");
        return EXIT_STATUS_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help();
    if (strcmp(name, "--version") == 0) {
        printf("xl-migrate %s\n", XL_MIGRATE_VERSION);
        return EXIT_STATUS_DONE;
    }
    for (size_t i = 0; i < NR_COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "xl-migrate: unknown command \"%.40s\"" SEE_HELP "\n",
            name);
    return EXIT_STATUS_USAGE;
}
