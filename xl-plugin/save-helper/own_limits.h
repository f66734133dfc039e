/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * own_limits: keeps the helper from taking memory that others in Dom0 need.
 *
 * A failed migration costs time, since the guest goes on where it was. Without
 * xenstored or a guest's device model the host is of no use. So the helper, and
 * not one of those, is to be without memory first.
 */
#ifndef SAVE_HELPER_OWN_LIMITS_H
#define SAVE_HELPER_OWN_LIMITS_H

#include <stdint.h>

#include "xcext.h"

/*
 * Adds 500 of 1000 points to what the kernel goes by when it has to kill a
 * process for want of memory; no less than it was before. Never fails: without
 * /proc the helper is a process like any other. Workers inherit it.
 */
void own_limits_offer_to_oom_killer(void);

/*
 * Lets this process map more_bytes beyond what it has mapped, and nothing more
 * (RLIMIT_AS); a limit that is lower already stays. Kind RESOURCE.
 */
int own_limits_set_address_space(uint64_t more_bytes, struct xcx_err *err);

#endif
