/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "thread.h"

#include <signal.h>

#define STACK_BYTES (256 << 10)

int thread_start(pthread_t *ret_thread, const char *name, void *(*run)(void *),
                 void *arg, struct xcx_err *err)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(ret_thread, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (r)
        return xcx_err_set(err, XCX_ERR_RESOURCE, r, "thread %s", name);
    pthread_setname_np(*ret_thread, name);
    return 0;
}
