/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore: a restore by libxcext on behalf of libxl.
 *
 *   xcx_restore() ── static data done ─▶ libxl, which answers
 *       │         ── log, progress ────▶
 *       └─▶ a record in STATS_DIR (record.h)
 *           ─▶ restore results (0 and 0 after a failure) ─▶ complete ─▶ exit 0
 *
 * SIGTERM kills, and leaves no record: a domain that is half restored is worth
 * nothing, and libxl destroys it. Worker processes die with us.
 */
#ifndef SAVE_HELPER_RESTORE_H
#define SAVE_HELPER_RESTORE_H

#include "arguments.h"
#include "common/config.h"
#include "parent.h"

/*
 * Returns the exit status: 0 when libxl has been told how it ended, whether
 * well or not, 1 when libxl is gone.
 */
int restore_run(const struct arguments *arguments, const struct config *config,
                struct parent *parent);

/* Tells libxl of an error before any restore began. Exit status as above. */
int restore_refuse(struct parent *parent, const struct xcx_err *why);

#endif
