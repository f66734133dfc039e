/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inspect_print: the findings of inspect, for people and for programs. Text out
 * of the file is printed without control characters.
 */
#ifndef XL_MIGRATE_INSPECT_PRINT_H
#define XL_MIGRATE_INSPECT_PRINT_H

#include <stdio.h>

#include "inspect.h"

/* Some lines, columns aligned; errors of out are the caller's to look for. */
void inspect_print_text(struct inspect *inspect, const char *file, FILE *out);

/* Prints a JSON object, as xl-migrate(8) has it. RESOURCE, IO. */
int inspect_print_json(struct inspect *inspect, const char *file, FILE *out,
                       struct xcx_err *err);

/* ---- shared by the two ------------------------------------------------- */

/* "qemu-upstream" and so on, for an index of inspect->emulators. */
const char *inspect_emulator_name(unsigned id);

/* Xen's name without "HVM_PARAM_"; NULL for one not known to this build. */
const char *inspect_hvm_param_name(uint64_t index);

/*
 * Returns how many of the kinds (at most XCX_INSPECT_NR_KINDS) were there, and
 * puts those in the order of their first.
 */
unsigned inspect_kinds_in_order(const struct xcx_inspect_kind *kinds,
                                unsigned nr_kinds,
                                const struct xcx_inspect_kind **ret_kinds);

/* Whether a libxl stream has begun. */
bool inspect_has_libxl(const struct inspect *inspect);

#endif
