/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options: the common part of several command lines: messages for wrong
 * options, the limits of a migration, DOMAIN and HOST.
 *
 * A command's own table of long options begins with OPTIONS_LIMITS, if it
 * takes them, and numbers its own from OPTION_OWN on. Errors: USAGE.
 *
 * Threads: the one of main(), as for getopt(3).
 */
#ifndef XL_MIGRATE_OPTIONS_H
#define XL_MIGRATE_OPTIONS_H

#include <getopt.h>

#include "common/config.h"
#include "xcext.h"

enum {
    OPTION_HELP = 'h',
    OPTION_SSH = 's',
    OPTION_DOWNTIME = 256,
    OPTION_BANDWIDTH,
    OPTION_ON_SLOW,
    OPTION_TIMEOUT,
    OPTION_RECONNECT_TIMEOUT,
    OPTION_OWN, /* and those behind it: a command's own */
};

/* Rows of a table for options_next(). */
#define OPTIONS_LIMITS                                                         \
    {"downtime", required_argument, NULL, OPTION_DOWNTIME},                    \
        {"bandwidth", required_argument, NULL, OPTION_BANDWIDTH},              \
        {"on-slow", required_argument, NULL, OPTION_ON_SLOW},                  \
    {                                                                          \
        "timeout", required_argument, NULL, OPTION_TIMEOUT                     \
    }

/* The text of --help for them, indented for options of 23 columns. */
#define OPTIONS_LIMITS_HELP                                                    \
    "  --downtime MS            the downtime that is aimed at\n"               \
    "  --bandwidth MIB/S        the most that is sent; 0: no limit\n"          \
    "  --on-slow WHAT           throttle, throttle-then-stop, stop or abort\n" \
    "  --timeout S              how long memory may be copied; 0: no limit\n"

/*
 * The next option, its value in optarg; -1: there is none any more, and argv
 * from optind on are the operands; '?': it is a wrong one, as *err says.
 * shorts: as getopt's, without a leading ':'.
 */
int options_next(int argc, char **argv, const char *shorts,
                 const struct option *longs, struct xcx_err *err);

/* The key of xl-migrate.conf(5) that the option sets; NULL: none. */
const char *options_key(int option);

/* Takes the value of one that options_key() knows. */
int options_set(struct config *config, int option, const char *value,
                struct xcx_err *err);

/* The operands of a command that takes just these two. */
int options_domain_and_host(int argc, char **argv, const char **ret_domain,
                            const char **ret_host, struct xcx_err *err);

#endif
