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

#define CASES_MAX 1024

struct case_name {
    char id[JOURNAL_ID_BYTES];
    enum journal_side side;
};

/* Makes the folder and those above it, 0700. RESOURCE. */
int cases_make_dir(const char *dir, struct xcx_err *err);

/*
 * All there are, sorted by name; *ret is malloc'ed, the caller's. No folder:
 * none. Errors: RESOURCE, for more than CASES_MAX, too.
 */
int cases_list(const char *dir, struct case_name **ret, unsigned *ret_nr,
               struct xcx_err *err);

/*
 * One process a domain, as long as *ret_fd is open: the caller's to give to
 * cases_unlock_domain(). Errors: RESOURCE, also when another process has it.
 */
int cases_lock_domain(const char *dir, const char *uuid, int *ret_fd,
                      struct xcx_err *err);

/* Gives it back; no file of it is left. *fd is -1 then; it may be before. */
void cases_unlock_domain(const char *dir, const char *uuid, int *fd);

/*
 * GUEST if a case of this domain at this end is not settled; a case in use is
 * not seen, so that the answer is final only under the domain's lock. RESOURCE.
 */
int cases_check_settled(const char *dir, const char *uuid, struct xcx_err *err);

/* A new case's ID. RESOURCE. */
int cases_new_id(char ret_id[JOURNAL_ID_BYTES], struct xcx_err *err);

#endif
