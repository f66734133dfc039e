/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_tell: prints the result of a case once all was done that could be,
 * and decides the exit status.
 *
 * Threads: one at a time.
 */
#ifndef XL_MIGRATE_RECOVER_TELL_H
#define XL_MIGRATE_RECOVER_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/exit_status.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/handover/journal.h"
#include "settle.h"
#include "source_domain.h"

struct recover_tell {
    struct host *host;
    const struct source_domain *source;
    bool target_is_fenced;
    uint32_t domid;         /* of the case's journal */
    enum exit_status worst; /* of all cases so far */
};

/* On standard error; id "": of no case. It is not settled. */
void recover_tell_fault(struct recover_tell *tell, const char *id,
                        const char *what);

/* Print a case at its source, and at its target. */
void recover_tell_source(struct recover_tell *tell,
                         const struct journal_case *about,
                         const struct settle_result *result);
void recover_tell_target(struct recover_tell *tell,
                         const struct journal_case *about,
                         const struct handover_outcome *outcome);

#endif
