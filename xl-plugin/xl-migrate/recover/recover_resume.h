/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_resume: `xl-migrate recover --resume DOMAIN`, the administrator's
 * word that a guest which stands suspended on this host is nobody's: the
 * program that suspended it has died, and has started it nowhere else.
 *
 * Whether that is so, this host cannot show: a save that was killed may have
 * left a whole image, and a migration a copy on another host. What can be seen
 * is looked for, and forbids it:
 *
 *   a save helper at work on the domain, any program's
 *   NAME--migratedaway, NAME--incoming, or no name: xl moves or destroys it
 *   another domain of the same UUID here
 *   a case of ours that decides about the guest: recover settles that one
 *   a journal that cannot be read: it may be such a case's
 *
 * Blocking: as libxl does. Once in a process.
 */
#ifndef XL_MIGRATE_RECOVER_RESUME_H
#define XL_MIGRATE_RECOVER_RESUME_H

#include "common/config.h"

/*
 * Resumes a guest. what: its name, UUID or domid. Returns the exit status:
 * DONE; USAGE, no such domain, or not suspended; TAKEN, another program has it,
 * as far as can be seen; UNDECIDED otherwise. What was done or seen is printed.
 */
int recover_resume(const char *what, const struct config *config);

#endif
