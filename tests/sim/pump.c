/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES 262144

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (fd >= 0 && n) {
        ssize_t r = send(fd, bytes, n, MSG_NOSIGNAL);

        if (r < 0)
            r = write(fd, bytes, n);
        if (r <= 0)
            return false;
        bytes += r;
        n -= (size_t)r;
    }
    return true;
}

static void *run(void *opaque)
{
    struct sim_pump *pump = opaque;
    static __thread char chunk[CHUNK_BYTES];

    for (;;) {
        size_t want = sizeof(chunk);
        ssize_t n;

        if (pump->cut_bytes && pump->cut_bytes - pump->nr_bytes < want)
            want = pump->cut_bytes - pump->nr_bytes;
        n = want ? read(pump->in, chunk, want) : 0;
        if (n <= 0)
            break;
        pump->nr_bytes += (uint64_t)n;
        if (!write_all(pump->keep_fd, chunk, (size_t)n) ||
            !write_all(pump->out, chunk, (size_t)n))
            break;
    }
    close(pump->in);
    if (pump->out >= 0)
        close(pump->out);
    return NULL;
}

int sim_pump_start(struct sim_pump *pump, struct xcx_err *err)
{
    int rc = pthread_create(&pump->thread, NULL, run, pump);

    return rc ? xcx_err_set(err, XCX_ERR_RESOURCE, rc, "thread") : 0;
}

void sim_pump_end(struct sim_pump *pump)
{
    pthread_join(pump->thread, NULL);
}
