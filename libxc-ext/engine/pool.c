/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/pool.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xcext.h"

/* More of them only wait for each other: the stream takes one at a time. */
#define MAX_CHOSEN 4

static void reap(pid_t *pid, int options)
{
    pid_t reaped;

    if (!*pid)
        return;
    do
        reaped = waitpid(*pid, NULL, options);
    while (reaped < 0 && errno == EINTR);
    if (reaped != 0)
        *pid = 0;
}

/*
 * Each index has one retired worker at most: an older one has had its time and
 * is waited for.
 */
static void retire(struct xcx_pool *pool, unsigned worker_index)
{
    reap(&pool->retired[worker_index], 0);
    pool->retired[worker_index] =
        xcx_worker_retire(&pool->workers[worker_index]);
}

unsigned xcx_pool_choose(unsigned asked)
{
    long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (asked == XCX_NO_WORKERS)
        return 0;
    if (asked)
        return asked < XCX_POOL_MAX_WORKERS ? asked : XCX_POOL_MAX_WORKERS;
    if (nr_cpus < 2)
        return 2; /* one maps while the other waits for room to write */
    return nr_cpus < MAX_CHOSEN ? (unsigned)nr_cpus : MAX_CHOSEN;
}

int xcx_pool_init(struct xcx_pool *pool, const struct xcx_hv *hv, int stream_fd,
                  unsigned nr_workers, struct xcx_err *err)
{
    *pool = (struct xcx_pool){
        .hv = hv, .stream_fd = stream_fd, .life_pages = XCX_POOL_LIFE_PAGES};
    for (unsigned i = 0; i < XCX_POOL_MAX_WORKERS; i++)
        pool->workers[i] = XCX_WORKER_INIT;
    for (unsigned i = 0; i < nr_workers && i < XCX_POOL_MAX_WORKERS; i++) {
        pool->nr_workers++;
        if (xcx_worker_init(&pool->workers[i], stream_fd < 0, err) ||
            xcx_worker_start(&pool->workers[i], hv, stream_fd, err))
            return -1;
    }
    return 0;
}

static int replace(struct xcx_pool *pool, unsigned worker_index,
                   struct xcx_err *err)
{
    retire(pool, worker_index);
    return xcx_worker_start(&pool->workers[worker_index], pool->hv,
                            pool->stream_fd, err);
}

int xcx_pool_ready(struct xcx_pool *pool, unsigned worker_index,
                   struct xcx_err *err)
{
    const struct xcx_worker *worker = &pool->workers[worker_index];

    if (worker->pid && worker->nr_pages_mapped < pool->life_pages)
        return 0;
    return replace(pool, worker_index, err);
}

int xcx_pool_renew(struct xcx_pool *pool, struct xcx_err *err)
{
    for (unsigned i = 0; i < pool->nr_workers; i++)
        if (pool->workers[i].nr_pages_mapped && replace(pool, i, err))
            return -1;
    for (unsigned i = 0; i < pool->nr_workers; i++)
        reap(&pool->retired[i], 0);
    return 0;
}

void xcx_pool_rest(struct xcx_pool *pool)
{
    for (unsigned i = 0; i < pool->nr_workers; i++)
        retire(pool, i);
    for (unsigned i = 0; i < pool->nr_workers; i++)
        reap(&pool->retired[i], 0);
}

void xcx_pool_done(struct xcx_pool *pool)
{
    /* All at once, so that they end beside each other. */
    for (unsigned i = 0; i < pool->nr_workers; i++) {
        if (pool->workers[i].pid)
            kill(pool->workers[i].pid, SIGKILL);
        if (pool->retired[i])
            kill(pool->retired[i], SIGKILL);
    }
    for (unsigned i = 0; i < pool->nr_workers; i++) {
        xcx_worker_done(&pool->workers[i]);
        reap(&pool->retired[i], 0);
    }
    pool->nr_workers = 0;
}
