/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_line: a journal's lines to and from text, and which entry may follow
 * which. No I/O. Threads: any.
 */
#ifndef XL_MIGRATE_JOURNAL_LINE_H
#define XL_MIGRATE_JOURNAL_LINE_H

#include <stddef.h>

#include "journal.h"

#define JOURNAL_LINE_BYTES 4096

/* "source" or "target". */
const char *journal_side_name(enum journal_side side);

/*
 * ret_line has JOURNAL_LINE_BYTES; its newline is counted, and no NUL follows.
 * Errors: USAGE for a text that is not UTF-8, RESOURCE.
 */
int journal_line_of_case(const struct journal_case *about, char *ret_line,
                         size_t *ret_nr_bytes, struct xcx_err *err);
int journal_line_of_entry(enum handover_entry entry, uint32_t domid,
                          uint64_t time_s, char *ret_line, size_t *ret_nr_bytes,
                          struct xcx_err *err);
int journal_line_of_built(uint32_t domid, const char *uuid, uint64_t time_s,
                          char *ret_line, size_t *ret_nr_bytes,
                          struct xcx_err *err);

/* BUG unless it is a target's journal without an entry or a domain yet. */
int journal_line_check_built(const struct journal *journal,
                             struct xcx_err *err);

/* BUG unless entry is one of this side's and later than the last one. */
int journal_line_check(const struct journal *journal, enum handover_entry entry,
                       struct xcx_err *err);

/*
 * Takes line number (from 1) into journal's about, or into the rest. line ends
 * with NUL instead of its newline. Errors: STREAM.
 */
int journal_line_take(struct journal *journal, unsigned number,
                      const char *line, size_t nr_bytes, struct xcx_err *err);

#endif
