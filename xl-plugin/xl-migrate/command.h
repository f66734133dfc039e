/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command: what each subcommand of xl-migrate is. main.c has the table; each
 * lives in its own cmd_NAME.c and declares itself here.
 *
 * A command prints its errors itself, one line each on standard error with
 * "xl-migrate NAME: " before it, and returns the exit status of the program.
 */
#ifndef XL_MIGRATE_COMMAND_H
#define XL_MIGRATE_COMMAND_H

/* The numbers are what the manual promises. */
enum exit_status {
    EXIT_STATUS_DONE = 0,
    EXIT_STATUS_BROKEN = 1,  /* inspect: broken format; receive: failed */
    EXIT_STATUS_NONE = 1,    /* status, cancel, tune: not moved, or too late */
    EXIT_STATUS_USAGE = 2,   /* wrong arguments, or this host's I/O failed */
    EXIT_STATUS_REFUSED = 3, /* send, check: by a check */
    EXIT_STATUS_AT_SOURCE = 4, /* send: failed, the guest is here */
    EXIT_STATUS_AT_TARGET = 5, /* send: it is there; not all is tidied up */
    EXIT_STATUS_UNDECIDED = 6, /* recover is needed, or needed again */
    EXIT_STATUS_LOST = 7,      /* it runs nowhere; start it cold */
    EXIT_STATUS_TAKEN = 8,     /* another program has the guest, or ended it */
};

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
