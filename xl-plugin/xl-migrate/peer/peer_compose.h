/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_compose: the longer ones of the messages that a target with the plugin
 * is told, as receive reads them (receive.h).
 *
 * Pure. Threads: any.
 */
#ifndef XL_MIGRATE_PEER_COMPOSE_H
#define XL_MIGRATE_PEER_COMPOSE_H

#include "common/json.h"
#include "peer.h"
#include "xcext.h"

/* Begun as by message_begin(): closed by who sends it. RESOURCE. */
int peer_compose_begin(const struct peer_begin *begin, struct json *json,
                       struct xcx_err *err);

/* Composes a node; a value that is not plain text goes as hex digits. */
int peer_compose_entry(const struct xenstore_entry *entry, struct json *json,
                       struct xcx_err *err);

#endif
