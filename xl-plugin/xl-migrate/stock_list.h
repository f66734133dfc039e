/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stock_list: finds a domain in what `xl list -v` printed. Pure; the text may
 * come from anyone.
 */
#ifndef XL_MIGRATE_STOCK_LIST_H
#define XL_MIGRATE_STOCK_LIST_H

#include <stdint.h>

#include "handover.h"
#include "xcext.h"

/*
 * By UUID, as the handover has it: BUILDING as long as it is called
 * NAME--incoming, PAUSED, RUNNING for all other states. ABSENT: not there;
 * *ret_domid 0 then. Errors: PEER for a text that is no such list.
 */
int stock_list_find(const char *text, const char *uuid,
                    enum handover_copy *ret_copy, uint32_t *ret_domid,
                    struct xcx_err *err);

#endif
