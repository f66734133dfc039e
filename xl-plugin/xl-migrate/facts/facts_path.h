/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts_path: bounds the paths that a host tells another host of. A source may
 * ask for any path, and receive runs as root: without a bound its answers would
 * show which files there are, and how large they are. Pure.
 */
#ifndef XL_MIGRATE_FACTS_PATH_H
#define XL_MIGRATE_FACTS_PATH_H

#include <stdbool.h>

#include "facts.h"

/*
 * Absolute, without "..", no hidden file or folder, not below /proc, /sys,
 * /run, or /etc but for /etc/xen; scripts and device models only where
 * programs are. To be asked of the path as it is given, and of the one that
 * its symbolic links lead to.
 */
bool facts_path_is_told(const char *path, enum facts_file_kind kind);

/* Whether a device model's path has the name of a QEMU program. */
bool facts_path_is_qemu(const char *path);

#endif
