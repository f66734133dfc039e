/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stock: handing over to Xen's own libxl-save-helper.
 *
 * The stock helper takes our place: same process, same arguments, same fds,
 * so libxl does not notice. Which one: the path configured as stock_helper,
 * else the first that is there of the directories of Xen's packages. A path
 * that is this program itself is refused, and so is a second handover in a
 * row (a script that leads back here), since both would never end.
 */
#ifndef SAVE_HELPER_STOCK_H
#define SAVE_HELPER_STOCK_H

#include "xcext.h"

/*
 * Replaces this process. Returns -1 if that is not possible, kind USAGE for
 * a wrong setting and IO else; nothing has changed then. configured: "" for
 * the default. Signals must be as they were at the start.
 */
int stock_exec(const char *configured, char *const *argv, struct xcx_err *err);

#endif
