/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cases: the folder of the journals: which cases there are, and that no two
 * processes are at work on one domain.
 *
 * Blocking: on the disk. Threads: any.
 */
#ifndef XL_MIGRATE_CASES_H
#define XL_MIGRATE_CASES_H

#include "journal.h"
#include "xcext.h"

struct case_name {
    char id[JOURNAL_ID_BYTES];
    enum journal_side side;
};

/* Makes the folder and those above it, as directory_make(). RESOURCE. */
int cases_make_dir(const char *dir, struct xcx_err *err);

/* Called for one journal; anything but 0 ends the walk with that. */
typedef int cases_seen(void *opaque, const struct case_name *name,
                       struct xcx_err *err);

/*
 * Calls seen() for each journal, in no order, however many there are. Files of
 * other names are passed over. No folder: none. Errors: RESOURCE, and those of
 * seen().
 */
int cases_each(const char *dir, cases_seen *seen, void *opaque,
               struct xcx_err *err);

/*
 * All there are, sorted by name; *ret is malloc'ed, the caller's, NULL for
 * none. No folder: none. Errors: RESOURCE.
 */
int cases_list(const char *dir, struct case_name **ret, unsigned *ret_nr,
               struct xcx_err *err);

/*
 * journal_peek() for a walk over all: -1 for a journal that is gone by now, and
 * for one that cannot be read, which is named in log and stops nothing.
 */
int cases_peek(const char *dir, const struct case_name *name,
               const struct xcx_log *log, struct journal *ret);

/*
 * Locks a domain for one process as long as *ret_fd is open; the caller gives
 * that to cases_unlock_domain(). Errors: RESOURCE, also when another process
 * has it.
 */
int cases_lock_domain(const char *dir, const char *uuid, int *ret_fd,
                      struct xcx_err *err);

/* Gives it back; no file of it is left. *fd is -1 then; it may be before. */
void cases_unlock_domain(const char *dir, const char *uuid, int *fd);

/*
 * GUEST if a source's case of this domain is not settled. Cases of targets do
 * not count. A journal that cannot be read is named in log and skipped. The
 * answer is final only under the domain's lock. RESOURCE: also when another
 * process holds a case of the domain.
 */
int cases_check_settled(const char *dir, const char *uuid,
                        const struct xcx_log *log, struct xcx_err *err);

/* A new case's ID. RESOURCE. */
int cases_new_id(char ret_id[JOURNAL_ID_BYTES], struct xcx_err *err);

#endif
