/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tick.h"

#include <sched.h>

#include "clock.h"
#include "thread.h"

static struct stall_times look(void)
{
    return (struct stall_times){
        .mono_ns = clock_mono_ns(),
        .real_ns = clock_ns(CLOCK_REALTIME),
    };
}

static void *tick_main(void *arg)
{
    struct tick *tick = arg;
    struct stall_times last = look();

    while (!__atomic_load_n(&tick->stop, __ATOMIC_RELAXED)) {
        struct stall_times now;

        clock_sleep_ns(tick->interval_ns);
        now = look();
        pthread_mutex_lock(&tick->lock);
        stall_note(&tick->since_start, &last, &now);
        stall_note(&tick->since_mark, &last, &now);
        pthread_mutex_unlock(&tick->lock);
        last = now;
    }
    return NULL;
}

int tick_start(struct tick *tick, unsigned interval_ms, struct xcx_err *err)
{
    const struct sched_param param = {.sched_priority = 1};
    pthread_mutexattr_t attr;

    tick->interval_ns = interval_ms * NS_PER_MS;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&tick->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    if (thread_start(&tick->thread, "tick", tick_main, tick, err))
        return -1;
    tick->started = true;
    tick->realtime =
        pthread_setschedparam(tick->thread, SCHED_FIFO, &param) == 0;
    return 0;
}

void tick_stop(struct tick *tick)
{
    if (!tick->started)
        return;
    __atomic_store_n(&tick->stop, true, __ATOMIC_RELAXED);
    pthread_join(tick->thread, NULL);
    pthread_mutex_destroy(&tick->lock);
    tick->started = false;
}

void tick_snapshot(struct tick *tick, struct stall_set *ret_since_start,
                   struct stall_set *ret_since_mark)
{
    pthread_mutex_lock(&tick->lock);
    if (ret_since_start)
        *ret_since_start = tick->since_start;
    if (ret_since_mark)
        *ret_since_mark = tick->since_mark;
    pthread_mutex_unlock(&tick->lock);
}

void tick_mark(struct tick *tick, struct stall_set *ret_since_mark)
{
    pthread_mutex_lock(&tick->lock);
    *ret_since_mark = tick->since_mark;
    tick->since_mark = (struct stall_set){0};
    pthread_mutex_unlock(&tick->lock);
}
