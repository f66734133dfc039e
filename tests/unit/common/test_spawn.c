/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs with an environment of their own, run beside other threads. */
#include "common/spawn.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"

/*
 * A lock of these may be held by another thread when this one forks; then the
 * child would wait for ever. Here it ends.
 */
static pid_t parent;

void *__real_malloc(size_t nr_bytes);
void *__wrap_malloc(size_t nr_bytes);
int __wrap_putenv(char *text);

void *__wrap_malloc(size_t nr_bytes)
{
    if (getpid() != parent)
        _exit(99);
    return __real_malloc(nr_bytes);
}

int __wrap_putenv(char *text)
{
    (void)text;
    _exit(98);
}

/* What a shell prints, its standard output being the test's to read. */
static int run(const char *script, const char *const *env, char said[64])
{
    struct spawn_order order = {
        .argv = (const char *const[]){"sh", "-c", script, NULL},
        .env = env,
        .fds = {-1, -1, -1},
    };
    struct spawned spawned;
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2], status;
    ssize_t nr_bytes;
    size_t used = 0;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    order.fds[1] = fds[1];
    assert_int_equal(spawn_start(&spawned, &order, &err), 0);
    close(fds[1]);
    memset(said, 0, 64);
    while ((nr_bytes = read(fds[0], said + used, 63 - used)) > 0)
        used += (size_t)nr_bytes;
    close(fds[0]);
    assert_true(spawn_wait(&spawned, deadline_in_ms(60000)));
    status = spawn_exit_status(&spawned);
    spawn_done(&spawned);
    return status;
}

static void variables_are_added_and_replaced(void **state)
{
    static const char *const env[] = {"TEST_NEW=1", "TEST_OLD=new", NULL};
    char said[64];

    (void)state;
    setenv("TEST_OLD", "old", 1);
    setenv("TEST_OLDER", "old", 1);
    assert_int_equal(
        run("echo $TEST_NEW $TEST_OLD $TEST_OLDER; env | grep -c '^TEST_OLD='",
            env, said),
        0);
    assert_string_equal(said, "1 new old\n1\n");
    assert_string_equal(getenv("TEST_OLD"), "old");
    assert_null(getenv("TEST_NEW"));
}

static void without_any_it_is_ours(void **state)
{
    char said[64];

    (void)state;
    setenv("TEST_OLD", "old", 1);
    assert_int_equal(run("echo $TEST_OLD", NULL, said), 0);
    assert_string_equal(said, "old\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_added_and_replaced),
        cmocka_unit_test(without_any_it_is_ours),
    };

    parent = getpid();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
