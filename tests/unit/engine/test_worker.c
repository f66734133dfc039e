/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Worker processes, over a made-up mapping: page N holds N all over, frames
 * of 1000 and more cannot be mapped.
 */
#include "engine/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "hv/map.h"
#include "hv/map_write.h"

#define BAD_FRAME  1000 /* this page fails */
#define BAD_MAP    2000 /* the whole map fails */
#define DEADLY_MAP 3000 /* the process dies */

static void *map(const uint64_t *frames, uint64_t nr_pages, int *ret_errors)
{
    uint8_t *pages;

    if (frames[0] == DEADLY_MAP)
        raise(SIGKILL);
    if (frames[0] == BAD_MAP) {
        errno = ENOMEM;
        return NULL;
    }
    pages = mmap(NULL, nr_pages * XCX_FRAME_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    for (uint64_t i = 0; i < nr_pages; i++) {
        ret_errors[i] = frames[i] >= BAD_FRAME ? EINVAL : 0;
        memset(pages + i * XCX_FRAME_BYTES, (int)frames[i], XCX_FRAME_BYTES);
    }
    return pages;
}

void *xcx_map(const struct xcx_hv *hv, const uint64_t *frames,
              uint64_t nr_pages, int *ret_errors)
{
    (void)hv;
    return map(frames, nr_pages, ret_errors);
}

/* What is written into frame N goes to byte N of the guest's pages. */
static uint8_t *guest;

void *xcx_map_writable(const struct xcx_hv *hv, const uint64_t *frames,
                       uint64_t nr_pages, int *ret_errors)
{
    void *pages = map(frames, nr_pages, ret_errors);

    (void)hv;
    return pages && guest ? guest + frames[0] * XCX_FRAME_BYTES : pages;
}

void xcx_hv_silence(struct xcx_hv *hv)
{
    (void)hv;
}

struct fixture {
    struct xcx_hv hv;
    struct xcx_pool pool;
    int pipe[2];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct xcx_err err = XCX_ERR_INIT;

    *state = f;
    signal(SIGPIPE, SIG_IGN);
    if (!f || pipe(f->pipe))
        return -1;
    return xcx_pool_init(&f->pool, &f->hv, f->pipe[1], 2, &err);
}

/* Whatever a test has done, no process and no fd of the pool's is left. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    int rc;

    xcx_pool_done(&f->pool);
    xcx_pool_done(&f->pool);
    rc = waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
    close(f->pipe[0]);
    close(f->pipe[1]);
    free(f);
    return rc;
}

static struct xcx_worker *given(struct fixture *f, unsigned worker_index,
                                const uint64_t *frames, uint32_t nr_pages)
{
    struct xcx_worker *worker = &f->pool.workers[worker_index];

    memcpy(worker->area->frames, frames, nr_pages * sizeof(*frames));
    memset(worker->area->skip, 0, sizeof(worker->area->skip));
    worker->area->nr_pages = nr_pages;
    return worker;
}

static void map_now(struct xcx_worker *worker)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(xcx_worker_map(worker, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), 0);
}

static void write_now(struct xcx_worker *worker)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(xcx_worker_write(worker, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), 0);
}

static void expect_page(const struct fixture *f, unsigned value)
{
    uint8_t page[XCX_FRAME_BYTES], want[XCX_FRAME_BYTES];
    size_t bytes;
    struct xcx_err err = XCX_ERR_INIT;

    memset(want, (int)value, sizeof(want));
    assert_int_equal(xcx_io_read(f->pipe[0], page, sizeof(page),
                                 XCX_NO_DEADLINE, XCX_CANCEL_NONE, &bytes,
                                 &err),
                     0);
    assert_memory_equal(page, want, sizeof(page));
}

static void test_pages_in_order_without_the_skipped(void **state)
{
    struct fixture *f = *state;
    const uint64_t first[] = {1, 2, 3, 4, 5}, second[] = {6, 7};
    struct xcx_worker *a = given(f, 0, first, 5), *b;

    map_now(a);
    b = given(f, 1, second, 2);
    map_now(b);
    a->area->skip[0] = a->area->skip[2] = true;
    write_now(a);
    write_now(b);
    expect_page(f, 2);
    expect_page(f, 4);
    expect_page(f, 5);
    expect_page(f, 6);
    expect_page(f, 7);
}

static void test_map_errors_are_told(void **state)
{
    struct fixture *f = *state;
    const uint64_t some[] = {1, BAD_FRAME, 3}, all[] = {BAD_MAP};
    struct xcx_worker *worker = given(f, 0, some, 3);

    map_now(worker);
    assert_int_equal(worker->area->map_errno, 0);
    assert_int_equal(worker->area->errors[0], 0);
    assert_int_equal(worker->area->errors[1], EINVAL);
    assert_int_equal(worker->area->errors[2], 0);
    map_now(given(f, 0, all, 1));
    assert_int_equal(worker->area->map_errno, ENOMEM);
    map_now(given(f, 0, some, 3));
    assert_int_equal(worker->area->map_errno, 0);
}

static void test_death_is_an_error(void **state)
{
    struct fixture *f = *state;
    const uint64_t frames[] = {DEADLY_MAP};
    struct xcx_worker *worker = given(f, 1, frames, 1);
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(xcx_worker_map(worker, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "died by signal 9"));
}

static void test_reader_gone(void **state)
{
    struct fixture *f = *state;
    const uint64_t frames[] = {1};
    struct xcx_worker *worker;
    struct xcx_err err = XCX_ERR_INIT;

    /* New ones, which have not inherited the reading end. */
    xcx_pool_done(&f->pool);
    close(f->pipe[0]);
    f->pipe[0] = dup(f->pipe[1]);
    assert_int_equal(xcx_pool_init(&f->pool, &f->hv, f->pipe[1], 1, &err), 0);
    worker = given(f, 0, frames, 1);
    map_now(worker);
    assert_int_equal(xcx_worker_write(worker, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, EPIPE);
}

/* A worker that fills, mapping these frames. */
static struct xcx_worker *opened(struct fixture *f, const uint64_t *frames,
                                 uint32_t nr_pages)
{
    struct xcx_worker *worker;
    struct xcx_err err = XCX_ERR_INIT;

    xcx_pool_done(&f->pool);
    assert_int_equal(xcx_pool_init(&f->pool, &f->hv, -1, 1, &err), 0);
    worker = given(f, 0, frames, nr_pages);
    assert_int_equal(xcx_worker_open(worker, &err), 0);
    return worker;
}

/* Contents and command may come before it is known whether the map worked. */
static void fill_now(struct xcx_worker *worker)
{
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(xcx_worker_fill(worker, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), 0);
}

static void new_guest(void)
{
    guest = mmap(NULL, 4 * XCX_FRAME_BYTES, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(guest, MAP_FAILED);
}

static void test_contents_go_into_the_guest(void **state)
{
    struct fixture *f = *state;
    const uint64_t frames[] = {1, 2};
    struct xcx_worker *worker;

    new_guest();
    worker = opened(f, frames, 2);
    for (size_t i = 0; i < 2 * XCX_FRAME_BYTES; i++)
        worker->contents[i] = (uint8_t)(i * 7 + i / 4096);
    fill_now(worker);
    assert_int_equal(worker->area->map_errno, 0);
    assert_memory_equal(guest + XCX_FRAME_BYTES, worker->contents,
                        2 * XCX_FRAME_BYTES);
    assert_int_equal(guest[0], 0);
    assert_int_equal(guest[3 * XCX_FRAME_BYTES], 0);
    munmap(guest, 4 * XCX_FRAME_BYTES);
    guest = NULL;
}

static void test_nothing_is_filled_when_a_page_is_not_there(void **state)
{
    struct fixture *f = *state;
    const uint64_t frames[] = {1, BAD_FRAME};
    struct xcx_worker *worker;

    new_guest();
    worker = opened(f, frames, 2);
    memset(worker->contents, 7, 2 * XCX_FRAME_BYTES);
    fill_now(worker);
    assert_int_equal(worker->area->errors[0], 0);
    assert_int_equal(worker->area->errors[1], EINVAL);
    assert_int_equal(guest[XCX_FRAME_BYTES], 0);
    munmap(guest, 4 * XCX_FRAME_BYTES);
    guest = NULL;
}

/* The limit of the stream is the worker's, too: nobody ever reads. */
static void test_a_stalled_stream_ends_the_write(void **state)
{
    struct fixture *f = *state;
    uint64_t frames[XCX_WORKER_MAX_PAGES] = {0};
    struct xcx_worker *worker = given(f, 0, frames, XCX_WORKER_MAX_PAGES);
    struct xcx_err err = XCX_ERR_INIT;

    map_now(worker);
    worker->area->stall_ns = 20 * 1000000;
    assert_int_equal(xcx_worker_write(worker, &err), 0);
    assert_int_equal(xcx_worker_wait(worker, XCX_CANCEL_NONE, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(err.os_errno, ETIMEDOUT);
}

/* The worker is stuck in a full pipe; nobody will ever read. */
static void test_cancel_while_stuck(void **state)
{
    struct fixture *f = *state;
    uint64_t frames[64] = {0};
    struct xcx_worker *worker = given(f, 0, frames, 64);
    struct xcx_err err = XCX_ERR_INIT;
    int cancel[2];

    map_now(worker);
    assert_int_equal(pipe(cancel), 0);
    assert_int_equal(xcx_worker_write(worker, &err), 0);
    assert_int_equal(write(cancel[1], "", 1), 1);
    assert_int_equal(
        xcx_worker_wait(worker, (struct xcx_cancel){.fd = cancel[0]}, &err),
        -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    close(cancel[0]);
    close(cancel[1]);
}

/* What was mapped is let go of by and by; idle ones stay. */
static void test_replaced_when_old(void **state)
{
    struct fixture *f = *state;
    uint64_t frames[XCX_WORKER_MAX_PAGES] = {0};
    struct xcx_worker *worker = &f->pool.workers[0];
    pid_t pid = worker->pid, other = f->pool.workers[1].pid;
    struct xcx_err err = XCX_ERR_INIT;

    for (unsigned i = 0; i < XCX_POOL_LIFE_PAGES / XCX_WORKER_MAX_PAGES; i++) {
        assert_int_equal(xcx_pool_ready(&f->pool, 0, &err), 0);
        assert_int_equal(worker->pid, pid);
        map_now(given(f, 0, frames, XCX_WORKER_MAX_PAGES));
    }
    assert_int_equal(xcx_pool_ready(&f->pool, 0, &err), 0);
    assert_int_not_equal(worker->pid, pid);

    pid = worker->pid;
    map_now(given(f, 0, frames, 1));
    assert_int_equal(xcx_pool_renew(&f->pool, &err), 0);
    assert_int_not_equal(worker->pid, pid);
    assert_int_equal(f->pool.workers[1].pid, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages_in_order_without_the_skipped,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_map_errors_are_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_death_is_an_error, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_reader_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contents_go_into_the_guest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_nothing_is_filled_when_a_page_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stalled_stream_ends_the_write,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_while_stuck, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_replaced_when_old, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
