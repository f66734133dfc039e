/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_keys: the keys of a guest's home in xenstore that move with it. The
 * table is for the source, which reads these, and the target, which takes no
 * others: below the same home are the backends', the device model's and the
 * toolstack's own nodes, on which Dom0 acts.
 *
 *   data, attr, vm-data        each with all below it
 *   control/feature-NAME       what the guest says that it can do
 *   xenstore_keys              this host's own setting, each with all below it
 *
 * Pure. Threads: any.
 */
#ifndef XL_MIGRATE_GUEST_KEYS_H
#define XL_MIGRATE_GUEST_KEYS_H

#include <stdbool.h>

#include "common/config.h"
#include "xenstore.h"

#define GUEST_KEYS_NR_SUBTREES 3
#define GUEST_KEYS_CONTROL     "control"
#define GUEST_KEYS_FEATURE     "feature-" /* how names below it begin */

extern const char *const guest_keys_subtrees[GUEST_KEYS_NR_SUBTREES];

/* path: relative to the guest's home. */
bool guest_keys_allow(const char *path,
                      const struct config_xenstore_keys *more);

/*
 * Dom0's nodes are never for all domains to write: no guest has such ones.
 * A guest's own may be whatever the guest makes them.
 */
void guest_keys_restrict(struct xenstore_entry *entry);

#endif
