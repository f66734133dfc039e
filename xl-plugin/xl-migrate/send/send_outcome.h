/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_outcome: the result of send once it is decided where the guest is: the
 * exit status, the report, and what the administrator may type next.
 *
 * Threads: the session's.
 */
#ifndef XL_MIGRATE_SEND_OUTCOME_H
#define XL_MIGRATE_SEND_OUTCOME_H

#include "common/exit_status.h"
#include "send_session.h"
#include "xl-migrate/recover/settle.h"

enum exit_status send_outcome_status(const struct settle_result *result);

/*
 * The domain that was to move is nowhere, but the guest may have rebooted
 * while it was copied: then xl has made a new domain of it, which runs here,
 * and result is changed accordingly.
 */
void send_outcome_look_for_reboot(struct send_session *session,
                                  struct settle_result *result);

/* Ends the progress, saves and prints the report; returns the status given. */
enum exit_status send_outcome_tell(struct send_session *session,
                                   enum exit_status status, const char *error);

/* Where the guest is, and what to type, to standard error. */
void send_outcome_advise(const struct send_session *session,
                         const struct settle_result *result);

#endif
