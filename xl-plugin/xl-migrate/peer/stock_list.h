/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stock_list: finds a domain in what `xl list -v` printed. Pure; the text may
 * come from anyone.
 */
#ifndef XL_MIGRATE_STOCK_LIST_H
#define XL_MIGRATE_STOCK_LIST_H

#include <stdint.h>

#include "xl-migrate/handover/handover.h"
#include "xcext.h"

/*
 * Finds by UUID, as the handover has it: BUILDING as long as it is called
 * NAME--incoming, PAUSED, RUNNING for all other states. ABSENT: not there;
 * *ret_domid 0 then. Names are any text, with line breaks too: a domain that
 * is to be touched must be confirmed by its domid. Errors: PEER for a text
 * that is no such list, or that has the UUID twice.
 */
int stock_list_find(const char *text, const char *uuid,
                    enum handover_copy *ret_copy, uint32_t *ret_domid,
                    struct xcx_err *err);

/*
 * Parses what `xl list -v DOMID` printed, of which only the last line counts:
 * no name can forge that. ABSENT: the domain has another UUID. Errors:
 * PEER for a text that is no list of that domain.
 */
int stock_list_confirm(const char *text, const char *uuid, uint32_t domid,
                       enum handover_copy *ret_copy, struct xcx_err *err);

#endif
