/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts_autostart: whether this host starts the guest when it boots, which
 * would make a second copy of a guest that has moved away.
 */
#ifndef XL_MIGRATE_FACTS_AUTOSTART_H
#define XL_MIGRATE_FACTS_AUTOSTART_H

#include "facts.h"

/* Where xendomains looks for the configurations to start. */
#define FACTS_AUTOSTART_DIR "/etc/xen/auto"

/*
 * The first file of the folder whose configuration has the guest's name or
 * UUID, into guest->autostart; "" if there is none or the folder is not there.
 */
void facts_autostart(const char *dir, struct facts_guest *guest);

#endif
