/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts_qemu: asks QEMU about itself: the one that serves a guest here, by
 * QMP, and a program that lies on a disk, by "--version".
 *
 * Blocking: a few seconds at most. Threads: one at a time.
 */
#ifndef XL_MIGRATE_FACTS_QEMU_H
#define XL_MIGRATE_FACTS_QEMU_H

#include <stddef.h>

#include "facts.h"

/*
 * The guest's own QEMU: its path, version and what keeps it from being moved
 * (query-migrate's blocked-reasons). What QEMU does not say stays empty.
 * run_dir, lock_dir: as in device_model.h; proc_dir NULL: /proc.
 */
struct facts_qemu_places {
    const char *run_dir, *lock_dir, *proc_dir;
};
void facts_qemu_ask(struct facts_guest *guest, long pid,
                    const struct facts_qemu_places *places);

/*
 * "7.2.22" out of what the program prints; "" if it is no QEMU, or others than
 * root may have written it: it is run as root.
 */
void facts_qemu_version_of(const char *path, char *ret, size_t bytes);

/* Pure: "7.2.22" out of "QEMU emulator version 7.2.22 (Debian ...)". */
void facts_qemu_parse_version(const char *text, char *ret, size_t bytes);

#endif
