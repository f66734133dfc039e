/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts_gather: facts.h's guest and host, of this machine, asked of libxl,
 * Xen, xenstore and Dom0's files. Nothing is changed by that.
 *
 * Blocking, but for some hypercalls and file system calls only. A disk on a
 * network file system that hangs makes this hang, too. Threads: the host's.
 */
#ifndef XL_MIGRATE_FACTS_GATHER_H
#define XL_MIGRATE_FACTS_GATHER_H

#include <libxl.h>

#include "common/config.h"
#include "facts.h"
#include "xl-migrate/domain/host.h"

/*
 * The guest. config_json: the configuration that it moves with, as
 * send_config.h has it. more_keys: of xenstore, as in source_keys.h. What this
 * host cannot tell is marked in the facts. Errors: GUEST if it is gone; USAGE
 * for JSON that is no configuration; HYPERCALL, RESOURCE.
 */
int facts_guest_gather(struct host *host, const struct domain *domain,
                       const char *config_json,
                       const struct config_xenstore_keys *more_keys,
                       struct facts_guest *ret_guest, struct xcx_err *err);

/* Gathers the facts that stand in the configuration. Pure. */
void facts_guest_config(struct facts_guest *guest,
                        const libxl_domain_config *config);

/*
 * This host, at either end. version: of this program. What cannot be told is
 * marked. Errors: RESOURCE.
 */
int facts_host_gather(struct host *host, const struct facts_query *query,
                      const char *version, struct facts_host *ret_host,
                      struct xcx_err *err);

/*
 * The file behind a path, as Dom0 sees it, and no more than the kind needs.
 * Nothing is opened; a device model of a known name is asked for its version.
 */
struct facts_file facts_look_at_file(const char *path,
                                     enum facts_file_kind kind);

#endif
