/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stop: the engine's steps once the policy has decided how the live phase ends,
 * and before the guest is asked to suspend.
 *
 *   STOP_AND_COPY ─▶ follow ballooning ─▶ the caller prepares ─▶ suspend
 *                          │ memory is sent again    │ it took long
 *                          └──────────┬──────────────┘
 *                              another live round
 *   THROTTLE ─▶ cap ─▶ another live round
 *
 * Steps that take long belong here, as the guest still runs.
 *
 * Threads: the engine's one.
 */
#ifndef XCX_ENGINE_STOP_H
#define XCX_ENGINE_STOP_H

#include <stdbool.h>

#include "engine/rounds.h"
#include "xcext.h"

/*
 * *ret_again: another live round is due. A guest that balloons all the time is
 * suspended after some of them, if its limits allow that: then nothing comes or
 * goes any more, and all that is in doubt is sent. Errors: GUEST when they do
 * not; those of the hypercalls and of the caller's prepare_suspend().
 */
int xcx_stop_prepare(struct xcx_rounds *rounds, bool *ret_again,
                     struct xcx_err *err);

/*
 * Sets the cap that the policy has asked for. *ret_again: another live round is
 * due. Otherwise the guest could not be throttled, and rounds->decision is
 * another one.
 */
int xcx_stop_throttle(struct xcx_rounds *rounds, bool *ret_again,
                      struct xcx_err *err);

#endif
