/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_config: the configuration that goes with a guest, as JSON: its own live
 * one, or, as with xl migrate -C, one made from a file of xl's syntax, which
 * xl itself parses. Name and UUID stay the guest's: the case goes by them.
 *
 * Blocking: while xl runs, which has a time limit. Threads: the host's.
 */
#ifndef XL_MIGRATE_SEND_CONFIG_H
#define XL_MIGRATE_SEND_CONFIG_H

#include <stdbool.h>

#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/host.h"
#include "xcext.h"

/* The time that xl may take to read a file. */
#define SEND_CONFIG_XL_MS 30000

/*
 * file NULL: the guest's own. *ret_json is malloc'ed, the caller's. Errors:
 * those of domain_config_json(); USAGE for a file that xl does not take;
 * RESOURCE, too, if it has not read it within xl_ms.
 */
int send_config_json(struct host *host, const struct domain *domain,
                     const char *file, unsigned xl_ms, bool keep_domid,
                     char **ret_json, struct xcx_err *err);

#endif
