/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cases_incoming: which cases of this host forbid that a guest is received
 * here once more, and which of a target have had their time.
 *
 *   journal of the guest's UUID     forbids
 *   ---------------------------------------------------------------------
 *   source: OFFERED to GO           yes: where the guest is, is not decided
 *   source: later                   no: only the target was not told yet
 *   target: none, READY, STARTING   yes, in this boot: a copy is, or was made
 *   target: STARTED, ABORTED        no: nothing will be done to a copy any more
 *
 * Blocking: on the disk. Threads: any.
 */
#ifndef XL_MIGRATE_CASES_INCOMING_H
#define XL_MIGRATE_CASES_INCOMING_H

#include "journal.h"
#include "xcext.h"

/*
 * GUEST, naming the case, if one forbids about's guest. Final only under the
 * domain's lock. A journal that cannot be read is named in log and skipped.
 * Errors: RESOURCE.
 */
int cases_check_incoming(const char *dir, const struct journal_case *about,
                         const struct xcx_log *log, struct xcx_err *err);

#endif
