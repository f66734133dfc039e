/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target_domain: the copy of a case on its target, for the steps of the
 * handover: looked at, unpaused and destroyed; by receive and by recover.
 *
 * - A domain of another boot of this host is never the case's, nor is one of
 *   another domid than the journal's last entry has.
 * - A copy that is to stay paused counts as running once it may run, and is
 *   never unpaused.
 *
 * Blocking: as libxl does. Threads: the host's.
 */
#ifndef XL_MIGRATE_TARGET_DOMAIN_H
#define XL_MIGRATE_TARGET_DOMAIN_H

#include <stdint.h>

#include "handover.h"
#include "host.h"
#include "journal.h"
#include "xcext.h"

struct target_domain {
    struct host *host;
    const struct journal *journal; /* open, the target's */
    uint32_t domid;                /* as of the last look; 0: none */
};

/* As handover_seam has them; opaque: a struct target_domain. */
int target_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err);

/* On what the last look has seen. */
int target_domain_act(void *opaque, enum handover_act act, struct xcx_err *err);

#endif
