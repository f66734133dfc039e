/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl-save-helper: libxl starts it, through LIBXL_SAVE_HELPER, to save or
 * restore a domain. Plain streams are done by libxcext; all else is handed to
 * the stock helper by exec.
 *
 * Exit status: 0 when libxl has been told how it ended; 1 when libxl is gone;
 * 2 for a wrong command line, with one line on stderr.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "common/config.h"
#include "parent.h"
#include "restore.h"
#include "save.h"
#include "stock.h"

/* A later open must not land on a standard fd that was closed. */
static int open_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return -1;
    }
    return 0;
}

/*
 * By default a save ends where that of Xen's own helper does, with the guest
 * at the target, however busy the guest is.
 *
 * A restore needs few settings, so a wrong file does not keep a guest from
 * arriving: the defaults serve. A save is refused.
 */
static int settings(const struct arguments *arguments, struct config *config,
                    struct parent *parent, struct xcx_err *err)
{
    config_default(config);
    config->on_slow = XCX_ON_SLOW_THROTTLE_THEN_STOP;
    if (config_load_over(config, err) == 0)
        return 0;
    if (!arguments->restore)
        return -1;
    parent_log(parent, MESSAGE_LEVEL_WARN, MESSAGE_NO_ERRNO, err->msg);
    *err = XCX_ERR_INIT;
    return 0;
}

static bool is_ours(const struct arguments *arguments,
                    const struct config *config)
{
    return arguments_are_ours(arguments) &&
           !(arguments->restore && config->restore == CONFIG_RESTORE_STOCK);
}

int main(int argc, char **argv)
{
    struct parent parent = {.in_fd = STDIN_FILENO, .out_fd = STDOUT_FILENO};
    struct xcx_err err = XCX_ERR_INIT;
    struct arguments arguments;
    struct config config;

    if (open_standard_fds() < 0)
        return 2;
    umask(022);
    if (arguments_parse(argc, argv, &arguments, &err) < 0) {
        fprintf(stderr, "xl-save-helper: %s\n", err.msg);
        return 2;
    }
    if (settings(&arguments, &config, &parent, &err) < 0)
        return save_refuse(&parent, &err);
    if (!is_ours(&arguments, &config)) {
        stock_exec(config.stock_helper, argv, &err);
        return arguments.restore ? restore_refuse(&parent, &err)
                                 : save_refuse(&parent, &err);
    }
    return arguments.restore ? restore_run(&arguments, &config, &parent)
                             : save_run(&arguments, &config, &parent);
}
