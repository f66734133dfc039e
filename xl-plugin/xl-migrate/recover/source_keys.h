/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source_keys: sends the guest's own keys in xenstore, which stock loses: data,
 * attr, vm-data, and what the configuration lists, and control/feature-NAME,
 * which Linux writes at boot alone; read at the source, once the guest is
 * suspended, and sent to a target that can take it.
 *
 * The guest writes most of it: what is too much to be carried is left out, with
 * a warning. A look before the move says the same (source_keys_survey()). Which
 * keys are the guest's is said in guest_keys.h alone.
 *
 * A target keeps them in memory until GO. Whoever says GO on a new connection
 * sends them again before it.
 *
 * Blocking: as xenstored and the peer do. Threads: the host's.
 */
#ifndef XL_MIGRATE_SOURCE_KEYS_H
#define XL_MIGRATE_SOURCE_KEYS_H

#include "common/config.h"
#include "xl-migrate/peer/peer.h"
#include "source_domain.h"
#include "xcext.h"

/*
 * more: besides the three. again_log: NULL the first time; else GO is said
 * again, and that they cannot be read any more is a warning there: the target
 * may have them, and the handover must not hang on them. Errors: put_entry()'s,
 * the first time also xenstore_read()'s.
 */
int source_keys_send(struct source_domain *source,
                     const struct config_xenstore_keys *more, struct peer *peer,
                     const struct xcx_log *again_log, struct xcx_err *err);

#endif
