/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread: starts one with a small stack, as a guest has little memory, and
 * with all signals blocked, as they are main's.
 */
#ifndef WITNESS_THREAD_H
#define WITNESS_THREAD_H

#include <pthread.h>

#include "xcext/err.h"

/* name: up to 15 characters, for ps and for messages. Errors: RESOURCE. */
int thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *),
                 void *arg, struct xcx_err *err);

#endif
