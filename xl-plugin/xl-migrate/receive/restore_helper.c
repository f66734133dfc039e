/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restore_helper.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xl-migrate/wire/rendezvous.h"

/* libxl's: --restore-domain IO_FD BACK_FD DOMID and more. */
enum { ARG_MODE = 1, ARG_DOMID = 4 };

static bool is_mode(const char *mode, const char *name)
{
    return strcmp(mode, name) == 0;
}

/* The environment goes on to all that xl starts, a monitor's saves too. */
bool restore_helper_is_meant(int argc, char *const *argv)
{
    return argc > ARG_DOMID && getenv(RESTORE_HELPER_THEN) &&
           (is_mode(argv[ARG_MODE], "--restore-domain") ||
            is_mode(argv[ARG_MODE], "--save-domain"));
}

static int announce(const char *domid_text, struct xcx_err *err)
{
    const char *socket = getenv(RESTORE_HELPER_SOCKET);
    char *end;
    unsigned long domid = strtoul(domid_text, &end, 10);

    if (!socket || *end || domid < 1 || domid > UINT16_MAX)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "restoring \"%.20s\": not a domain, or no "
                           "xl-migrate receive that asked for it",
                           domid_text);
    return rendezvous_announce_built(socket, (uint32_t)domid, err);
}

int restore_helper_run(char **argv)
{
    const char *then = getenv(RESTORE_HELPER_THEN);
    struct xcx_err err = XCX_ERR_INIT;

    if (is_mode(argv[ARG_MODE], "--restore-domain") &&
        announce(argv[ARG_DOMID], &err)) {
        fprintf(stderr, "xl-migrate: error: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    setenv("LIBXL_SAVE_HELPER", then, 1);
    argv[0] = (char *)then;
    execvp(then, argv);
    fprintf(stderr, "xl-migrate: error: cannot run %s: %s\n", then,
            strerror(errno));
    return EXIT_FAILURE;
}
