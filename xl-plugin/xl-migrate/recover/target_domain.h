/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target_domain: the copy of a case on its target, for the steps of the
 * handover: looked at, unpaused and destroyed; by receive and by recover.
 *
 * - The case's own is the domain that its journal names, of this boot and with
 *   the UUID that it had when it was made. A journal that names none owns none.
 *   Never is a domain the case's by its UUID or name alone.
 * - A copy that has run is never paused again for the case's sake: an
 *   administrator has unpaused it, and counts as one that runs.
 * - A copy that is to stay paused counts as running once it may run, and is
 *   never unpaused.
 *
 * Blocking: as libxl does. Threads: the host's.
 */
#ifndef XL_MIGRATE_TARGET_DOMAIN_H
#define XL_MIGRATE_TARGET_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "xl-migrate/handover/handover.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/handover/journal.h"
#include "xcext.h"

struct target_domain {
    struct host *host;
    const struct journal *journal; /* open, the target's */
    uint32_t domid;                /* as of the last look; 0: none */
};

/* Finds a domain that has the guest's UUID and is not the case's own; 0: none.
 */
int target_domain_find_other(const struct target_domain *target,
                             uint32_t *ret_domid, struct xcx_err *err);

/*
 * Whether the domain of a target's journal may still be here. opaque: the
 * struct host.
 */
bool target_domain_is_left(void *opaque, const struct journal *journal);

/* As handover_seam has them; opaque: a struct target_domain. */
int target_domain_look(void *opaque, enum handover_copy *ret_copy,
                       uint32_t *ret_domid, struct xcx_err *err);

/* On what the last look has seen. */
int target_domain_act(void *opaque, enum handover_act act, struct xcx_err *err);

#endif
