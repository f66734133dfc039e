/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save: a save by libxcext on behalf of libxl.
 *
 * Sets up signals and standard fds, runs xcx_save() with libxl answering its
 * questions, reports, and writes the record down. libxl has asked for the
 * answer in one complete message: it is sent once, whatever happens.
 */
#ifndef SAVE_HELPER_SAVE_H
#define SAVE_HELPER_SAVE_H

#include "arguments.h"
#include "common/config.h"
#include "parent.h"

/*
 * Returns the exit status: 0 when libxl has been told how it ended, whether
 * well or not, 1 when libxl is gone.
 */
int save_run(const struct arguments *arguments, const struct config *config,
             struct parent *parent);

/* Tells libxl of an error before any save began. Exit status as above. */
int save_refuse(struct parent *parent, const struct xcx_err *why);

#endif
