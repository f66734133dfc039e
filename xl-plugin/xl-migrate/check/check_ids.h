/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_ids: the ids of findings (check.h), and sets of them: --ignore. Pure.
 *
 * A blocker whose id is ignored stays in the list of findings and is marked so,
 * but keeps nobody from moving the guest. Some can not be ignored: those that
 * say that the guest, or another program's move of it, would be lost, and
 * those of moves that send cannot make.
 */
#ifndef XL_MIGRATE_CHECK_IDS_H
#define XL_MIGRATE_CHECK_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xcext.h"

/* Zeroed: none. */
struct check_ids {
    uint64_t bits; /* of the table's rows */
};

/*
 * ID[,ID...] is added to the set. Errors: USAGE, naming the id, for one that no
 * finding has or that cannot be ignored; *ids is untouched then.
 */
int check_ids_parse(const char *text, struct check_ids *ids,
                    struct xcx_err *err);

/* Adds an ID; one that no finding has is left out. */
void check_ids_add(struct check_ids *ids, const char *id);
bool check_ids_have(const struct check_ids *ids, const char *id);

/* The id of each row, in alphabetic order; NULL past the last. */
const char *check_ids_name(size_t row);

#endif
