/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suspend: Xen's part of suspending a guest; xcext.h has the functions.
 *
 *   take lock file ─ bind port ─ eat the first event ─ notify ─ event ─ look
 *
 * The lock file is libxl's (suspend-evtchn-DOMID.lock in Xen's run directory),
 * so a stock migration of the same guest is refused as well. libxenguest takes
 * it, and gives up at once when it is held.
 *
 * A POSIX lock: forked workers do not hold it, and the process must not open
 * and close that file by another way.
 */
#ifndef XCX_HV_SUSPEND_H
#define XCX_HV_SUSPEND_H

#include "xcext.h"

#endif
