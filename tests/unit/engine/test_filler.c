/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contents by workers, over a made-up guest of 64 pages in shared memory;
 * frames of 1000 and more cannot be mapped. A worker that is to be slow takes
 * a byte from a pipe before it maps; at a 'q' it ends.
 */
#include "engine/filler.h"

#include <errno.h>
#include <setjmp.h>
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

#define NR_PAGES   64
#define BAD_FRAME  1000
#define SLOW_FRAME 50 /* and all up to NR_PAGES */

static uint8_t *guest;
static int slow[2];

void *xcx_map_writable(const struct xcx_hv *hv, const uint64_t *frames,
                       uint64_t nr_pages, int *ret_errors)
{
    char byte;

    (void)hv;
    for (uint64_t i = 0; i < nr_pages; i++)
        ret_errors[i] = frames[i] >= BAD_FRAME ? EINVAL : 0;
    if (frames[0] >= SLOW_FRAME && frames[0] < NR_PAGES &&
        (read(slow[0], &byte, 1) != 1 || byte == 'q'))
        _exit(1);
    if (frames[0] >= NR_PAGES)
        return guest;
    return guest + frames[0] * XCX_FRAME_BYTES;
}

void *xcx_map(const struct xcx_hv *hv, const uint64_t *frames,
              uint64_t nr_pages, int *ret_errors)
{
    return xcx_map_writable(hv, frames, nr_pages, ret_errors);
}

void xcx_hv_silence(struct xcx_hv *hv)
{
    (void)hv;
}

struct fixture {
    struct xcx_hv hv;
    struct xcx_filler filler;
    uint64_t nr_records;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct xcx_err err = XCX_ERR_INIT;

    *state = f;
    guest = mmap(NULL, NR_PAGES * XCX_FRAME_BYTES, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!f || guest == MAP_FAILED || pipe(slow))
        return -1;
    f->hv.domid = 7;
    return xcx_filler_init(&f->filler, &f->hv, XCX_CANCEL_NONE, 4096, 3, &err);
}

/* Whatever a test has done, no process of the filler's is left. */
static int tear_down(void **state)
{
    struct fixture *f = *state;
    int rc;

    xcx_filler_done(&f->filler);
    xcx_filler_done(&f->filler);
    rc = waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : -1;
    close(slow[0]);
    close(slow[1]);
    munmap(guest, NR_PAGES * XCX_FRAME_BYTES);
    free(f);
    return rc;
}

/* A record of nr pages from first on, pfns as frames, all bytes being value. */
static int send(struct fixture *f, uint64_t first, unsigned nr, int value,
                struct xcx_err *err)
{
    uint64_t pfns[NR_PAGES];
    const struct xcx_record_id record = {.index = f->nr_records,
                                         .offset = 100 * f->nr_records};
    uint8_t *contents;

    f->nr_records++;
    for (unsigned i = 0; i < nr; i++)
        pfns[i] = first + i;
    if (xcx_filler_begin(&f->filler, record, pfns, pfns, nr, &contents, err))
        return -1;
    memset(contents, value, nr * XCX_FRAME_BYTES);
    return xcx_filler_fill(&f->filler, err);
}

static void expect(uint64_t pfn, int value)
{
    uint8_t want[XCX_FRAME_BYTES];

    memset(want, value, sizeof(want));
    assert_memory_equal(guest + pfn * XCX_FRAME_BYTES, want, sizeof(want));
}

static void more_records_than_workers(void **state)
{
    struct fixture *f = *state;
    struct xcx_err err = XCX_ERR_INIT;

    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(send(f, 4 * i, 4, (int)i + 1, &err), 0);
    assert_int_equal(f->filler.nr_in_flight, 3);
    assert_int_equal(xcx_filler_drain(&f->filler, &err), 0);
    assert_int_equal(f->filler.nr_in_flight, 0);
    for (unsigned i = 0; i < 40; i++)
        expect(i, (int)i / 4 + 1);
}

/* The first worker is still at it when the page comes once more. */
static void the_last_contents_count(void **state)
{
    struct fixture *f = *state;
    const uint64_t pfns[] = {52};
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(send(f, SLOW_FRAME, 4, 1, &err), 0);
    assert_int_equal(send(f, 0, 4, 2, &err), 0);
    assert_int_equal(f->filler.nr_in_flight, 2);
    assert_int_equal(write(slow[1], "xx", 2), 2);
    assert_int_equal(send(f, SLOW_FRAME + 2, 4, 3, &err), 0);
    assert_int_equal(f->filler.nr_in_flight, 2);
    assert_int_equal(xcx_filler_wait_for(&f->filler, pfns, 1, &err), 0);
    assert_int_equal(f->filler.nr_in_flight, 0);
    expect(51, 1);
    expect(52, 3);
    expect(55, 3);
    expect(3, 2);
}

static void one_that_is_not_in_flight_is_not_waited_for(void **state)
{
    struct fixture *f = *state;
    const uint64_t pfns[] = {1, 2, 49, 54};
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(send(f, SLOW_FRAME, 4, 1, &err), 0);
    assert_int_equal(xcx_filler_wait_for(&f->filler, pfns, 4, &err), 0);
    assert_int_equal(f->filler.nr_in_flight, 1);
}

static void a_late_error_names_its_record(void **state)
{
    struct fixture *f = *state;
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(send(f, 0, 4, 1, &err), 0);
    assert_int_equal(send(f, BAD_FRAME - 1, 2, 1, &err), 0);
    assert_int_equal(send(f, 4, 4, 1, &err), 0);
    assert_false(f->filler.has_failed_late);
    assert_int_equal(xcx_filler_drain(&f->filler, &err), -1);
    assert_true(f->filler.has_failed_late);
    assert_int_equal(f->filler.failed.index, 1);
    assert_int_equal(f->filler.failed.offset, 100);
    assert_int_equal(err.kind, XCX_ERR_HYPERCALL);
    assert_int_equal(err.os_errno, EINVAL);
    assert_string_equal(err.msg,
                        "domain 7: cannot map pfn 0x3e8: Invalid argument");
}

static void a_worker_that_dies(void **state)
{
    struct fixture *f = *state;
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(send(f, SLOW_FRAME, 1, 1, &err), 0);
    assert_int_equal(write(slow[1], "q", 1), 1);
    assert_int_equal(xcx_filler_drain(&f->filler, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "ended on its own"));
}

static void cancelled_while_waiting(void **state)
{
    struct fixture *f = *state;
    struct xcx_err err = XCX_ERR_INIT;
    int cancel[2];

    assert_int_equal(pipe(cancel), 0);
    f->filler.cancel.fd = cancel[0];
    assert_int_equal(send(f, SLOW_FRAME, 1, 1, &err), 0);
    assert_int_equal(write(cancel[1], "", 1), 1);
    assert_int_equal(xcx_filler_drain(&f->filler, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_CANCELLED);
    close(cancel[0]);
    close(cancel[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(more_records_than_workers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_last_contents_count, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            one_that_is_not_in_flight_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_error_names_its_record, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_dies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_while_waiting, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
