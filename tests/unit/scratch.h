/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch: a folder of a test program's own, for the set-up and tear-down of
 * its group of tests. Every test program has it at hand.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

extern char scratch_dir[]; /* its path, once it is made */

/* Fixtures. */
int scratch_make(void **state);
int scratch_remove(void **state);       /* with all that is in it */
int scratch_remove_empty(void **state); /* what is left in it is a failure */

#endif
