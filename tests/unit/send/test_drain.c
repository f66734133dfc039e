/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for a queue to empty: when it does, when it does not, a cancel. */
#include "xl-migrate/send/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#define MS(ms) ((ms)*UINT64_C(1000000))

struct queue {
    uint64_t bytes, falls_by;
    unsigned nr_looks, nr_served;
};

static uint64_t queued_bytes(void *opaque)
{
    struct queue *queue = opaque;
    uint64_t bytes = queue->bytes;

    queue->nr_looks++;
    queue->bytes -= queue->falls_by < bytes ? queue->falls_by : bytes;
    return bytes;
}

static void serve(void *opaque)
{
    ((struct queue *)opaque)->nr_served++;
}

static void run(struct queue *queue, int cancel_fd, uint64_t stuck_ns)
{
    const struct drain drain = {
        .opaque = queue,
        .queued_bytes = queued_bytes,
        .serve = serve,
        .cancel_fd = cancel_fd,
        .stuck_ns = stuck_ns,
    };

    drain_wait(&drain);
}

static void it_waits_for_little_to_be_left(void **state)
{
    static const struct {
        uint64_t bytes, falls_by;
        unsigned nr_looks;
    } rows[] = {
        {0, 0, 1},
        {DRAIN_LEFT_BYTES, 0, 1},
        {DRAIN_LEFT_BYTES + 1, 1, 2},
        {3 * DRAIN_LEFT_BYTES, DRAIN_LEFT_BYTES, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct queue queue = {.bytes = rows[i].bytes,
                              .falls_by = rows[i].falls_by};

        run(&queue, -1, MS(60000));
        assert_int_equal(queue.nr_looks, rows[i].nr_looks);
        assert_int_equal(queue.nr_served, rows[i].nr_looks - 1);
    }
}

static void what_is_stuck_is_not_waited_for(void **state)
{
    struct queue queue = {.bytes = 2 * DRAIN_LEFT_BYTES};

    (void)state;
    run(&queue, -1, MS(30));
    assert_true(queue.nr_looks > 1);
    assert_true(queue.nr_looks < 10);
}

static void a_cancel_ends_it(void **state)
{
    struct queue queue = {.bytes = 2 * DRAIN_LEFT_BYTES};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    run(&queue, fds[0], MS(60000));
    assert_int_equal(queue.nr_looks, 1);
    assert_int_equal(queue.nr_served, 0);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_for_little_to_be_left),
        cmocka_unit_test(what_is_stuck_is_not_waited_for),
        cmocka_unit_test(a_cancel_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
