/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_name: the name of a domain in xenstore, for output alone.
 * Blocking: as xenstored answers. Threads: any.
 */
#ifndef XL_MIGRATE_GUEST_NAME_H
#define XL_MIGRATE_GUEST_NAME_H

#include <stdbool.h>
#include <stdint.h>

/* With the closing NUL: what xl allows, and a UUID with its dashes. */
#define GUEST_NAME_BYTES 256
#define GUEST_UUID_BYTES 40

/* Returns "" for what is not known, or if xenstored is not there. */
void guest_name(uint32_t domid, char ret_name[GUEST_NAME_BYTES],
                char ret_uuid[GUEST_UUID_BYTES]);

/*
 * Whether it is not here, or another one has its domid by now; uuid may be "",
 * if not known. false where xenstored is not there: nobody knows.
 */
bool guest_is_gone(uint32_t domid, const char *uuid);

#endif
