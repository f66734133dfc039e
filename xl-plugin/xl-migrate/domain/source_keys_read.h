/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source_keys_read: reads a guest's own keys in xenstore at the source, those
 * that guest_keys.h names and those that the configuration adds.
 *
 * The guest writes most of them: what is too much to be carried is left out.
 */
#ifndef XL_MIGRATE_SOURCE_KEYS_READ_H
#define XL_MIGRATE_SOURCE_KEYS_READ_H

#include "common/config.h"
#include "xcext.h"
#include "xenstore.h"

/*
 * Reads the keys into a zeroed tree; its nr_left_out and left_out tell which
 * would not move. Errors: xenstore_read()'s. Any thread of xs's.
 */
int source_keys_read(struct xs_handle *xs, uint32_t domid,
                     const struct config_xenstore_keys *more,
                     struct xenstore_tree *ret, struct xcx_err *err);

/*
 * Tells people which keys send would leave out now, or why it cannot read them;
 * "": none. room_bytes: 256 or more.
 */
void source_keys_survey(struct xs_handle *xs, uint32_t domid,
                        const struct config_xenstore_keys *more, char *text,
                        size_t room_bytes);

#endif
