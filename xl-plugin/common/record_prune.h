/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record_prune: removes the oldest files of stats_dir. Only files that a save,
 * a restore or a move has left there count and go, known by their names:
 *
 *   20260131T235959.123Z-dom7.json    20260131T235959Z-migration-dom7.json
 */
#ifndef COMMON_RECORD_PRUNE_H
#define COMMON_RECORD_PRUNE_H

#include "xcext.h"

/*
 * Leaves the newest nr_keep; 0: all of them. Others may prune at the same time.
 * Errors: IO, the folder or the first file that could not be removed.
 */
int record_prune(const char *dir, unsigned long nr_keep, struct xcx_err *err);

#endif
