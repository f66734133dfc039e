/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exit_status: the exit statuses of xl-migrate's commands. Their meanings are
 * xl-migrate(8)'s, EXIT STATUS.
 */
#ifndef XL_PLUGIN_EXIT_STATUS_H
#define XL_PLUGIN_EXIT_STATUS_H

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

#endif
