/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* case_sample: a case of "guest", which moves to "host2", and its journal. */
#ifndef TESTS_UNIT_CASE_SAMPLE_H
#define TESTS_UNIT_CASE_SAMPLE_H

#include "xl-migrate/handover/journal.h"

#define CASE_SAMPLE_ID   "0a1b"
#define CASE_SAMPLE_UUID "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"

void case_sample_make(struct journal_case *ret, enum journal_side side);

/* A journal in dir with this entry, if any, of domid 7. */
void case_sample_create(struct journal *journal, const char *dir,
                        enum journal_side side, enum handover_entry entry);

#endif
