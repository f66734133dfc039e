/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer_parse: parses the messages of a target with the plugin. Nothing in them
 * is believed: texts are bounded and made plain, times are checked.
 *
 * Threads: any.
 */
#ifndef XL_MIGRATE_PEER_PARSE_H
#define XL_MIGRATE_PEER_PARSE_H

#include "xl-migrate/wire/channel.h"
#include "peer.h"

/*
 * *ret: PEER_NOTHING for what is of no interest here. times: READY and
 * STARTING are put into it. host: for errors. Errors: PEER, for a message of
 * the type "error", too.
 */
int peer_parse(const struct channel *channel, const char *host,
               const struct message *message, struct peer_times *times,
               struct peer_message *ret, struct xcx_err *err);

#endif
