/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arguments: the command line by which libxl asks for a save or restore.
 *
 *   --save-domain IO_FD BACK_FD DOMID FLAGS CBFLAGS STREAM_TYPE
 *   --restore-domain IO_FD BACK_FD DOMID STORE_EVTCHN STORE_DOMID
 *                    CONSOLE_EVTCHN CONSOLE_DOMID CBFLAGS STREAM_TYPE
 *
 * All are decimal; BACK_FD is -1 where there is none. Pure.
 */
#ifndef SAVE_HELPER_ARGUMENTS_H
#define SAVE_HELPER_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext.h"

/* Bits of CBFLAGS: bit N says that libxl answers message N. */
#define CALLBACK_SUSPEND              (1u << 3)
#define CALLBACK_SWITCH_QEMU_LOGDIRTY (1u << 7)
#define CALLBACK_STATIC_DATA_DONE     (1u << 8)
#define CALLBACK_RESTORE_RESULTS      (1u << 9)

/* Bits of FLAGS, from xenguest.h. */
#define SAVE_FLAG_LIVE  (1u << 0)
#define SAVE_FLAG_DEBUG (1u << 1) /* xl migrate --debug */

struct arguments {
    bool restore; /* else save */
    int io_fd;
    int back_fd; /* -1: none */
    uint32_t domid;
    unsigned flags; /* save only */
    /* Restore only. */
    uint32_t store_port, store_domid;
    uint32_t console_port, console_domid;

    unsigned callbacks;
    unsigned stream_type; /* 0 plain, 1 Remus, 2 COLO */
};

/* Kind USAGE, one line that names the argument and its value. */
int arguments_parse(int argc, char *const *argv, struct arguments *ret,
                    struct xcx_err *err);

/*
 * Whether this is a save or a restore as our engine does it: a plain stream,
 * no flag that it does not know, and the callbacks that it needs. The rest is
 * the stock helper's.
 */
bool arguments_are_ours(const struct arguments *arguments);

#endif
