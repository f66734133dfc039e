/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * send_check: runs the checks of send before it begins (precheck.h), and keeps
 * the costs of a migration for the next forecast.
 */
#ifndef XL_MIGRATE_SEND_CHECK_H
#define XL_MIGRATE_SEND_CHECK_H

#include "send_session.h"

/*
 * Connected, nothing offered yet. Prints warnings and blockers on standard
 * error; if quiet blockers only; in a dry run that is not quiet all of it, on
 * standard output, and with JSON always check's object. The forecast goes into
 * the report. *ret_refusal names the blockers; not set: there is none. That
 * nothing can be checked is said and no reason not to go on; in a dry run it is
 * the error. Errors: CANCELLED, RESOURCE; in a dry run precheck_run()'s.
 */
int send_check(struct send_session *session, struct xcx_err *ret_refusal,
               struct xcx_err *err);

/* After one that is done. What cannot be kept is only logged. */
void send_check_learn(struct send_session *session);

#endif
