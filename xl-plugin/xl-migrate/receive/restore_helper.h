/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore_helper: this program in the place of libxl's save helper, for the xl
 * that receive runs:
 *
 *   xl, libxl: makes the domain ── fork ──▶ restore_helper
 *     1. ── RESTORE_HELPER_SOCKET: "domain N" ──▶ receive: journal, fsync
 *     2. ◀── taken; anything else: fails, and libxl destroys the domain
 *     3. exec of RESTORE_HELPER_THEN: the guest's memory goes into the domain
 *
 * So a domain that holds anything of a guest is in the journal of its case,
 * whatever dies when; and receive knows which one its own xl has made, by the
 * parent of this process, while another xl builds a guest of the same UUID.
 *
 * Standard input and output are libxl's own; errors go to standard error.
 * Blocking: up to RENDEZVOUS_TAKEN_MS.
 */
#ifndef XL_MIGRATE_RESTORE_HELPER_H
#define XL_MIGRATE_RESTORE_HELPER_H

#include <stdbool.h>

/* In the environment: receive's socket; the helper that does the work. */
#define RESTORE_HELPER_SOCKET "XL_RECEIVE_SOCKET"
#define RESTORE_HELPER_THEN   "XL_RECEIVE_HELPER"

/* Whether libxl calls this program so. */
bool restore_helper_is_meant(int argc, char *const *argv);

/* Does not return unless it fails: the exit status. */
int restore_helper_run(char **argv);

#endif
