/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cases_incoming: finds the cases of this host that forbid that a guest is
 * received here once more, and those of a target that have had their time.
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

#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "xcext.h"

/*
 * GUEST, naming the case, if one forbids about's guest. Final only under the
 * domain's lock. A journal that cannot be read is named in log and skipped.
 * Errors: RESOURCE.
 */
int cases_check_incoming(const char *dir, const struct journal_case *about,
                         const struct xcx_log *log, struct xcx_err *err);

/*
 * A target's cases that nobody has to ask for any more are removed:
 *
 *   ABORTED, never READY, of another boot    at once: a source that finds no
 *                                            case takes that for ABORTED, and
 *                                            no domain of it is left
 *   ABORTED, STARTED                         keep_s after the last entry, if
 *                                            has_copy() denies it
 *
 * Other entries never expire: a copy of theirs may be the only one. A source
 * that was told GO and finds no case later is left undecided, and says so.
 * keep_s 0: for good. has_copy: whether a domain of the case may be left to be
 * destroyed. A journal that is in use is passed over.
 */
typedef bool cases_has_copy(void *opaque, const struct journal *journal);

void cases_expire(const char *dir, const char *boot, uint64_t keep_s,
                  cases_has_copy *has_copy, void *opaque,
                  const struct xcx_log *log);

#endif
