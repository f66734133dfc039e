/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command: the subcommands of xl-migrate. main.c has the table; each lives
 * in its own cmd_NAME.c and declares itself here.
 *
 * A command prints its errors itself, one line each on standard error with
 * "xl-migrate NAME: " before it, and returns the exit status of the program.
 */
#ifndef XL_MIGRATE_COMMAND_H
#define XL_MIGRATE_COMMAND_H

#include "common/exit_status.h"
/* argv[0] is the command's own name. */
typedef int command_fn(int argc, char **argv);

command_fn cmd_cancel;
command_fn cmd_check;
command_fn cmd_inspect;
command_fn cmd_monitor;
command_fn cmd_receive;
command_fn cmd_recover;
command_fn cmd_send;
command_fn cmd_status;
command_fn cmd_tune;

#endif
