/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small parts of base: log, cleanup, clock. */
#include "base/bitmap.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "xcext/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
    unsigned nr_lines;
    enum xcx_log_level level;
    char line[1024];
};

static void emit(void *opaque, enum xcx_log_level level, const char *line)
{
    struct seen *seen = opaque;

    seen->nr_lines++;
    seen->level = level;
    snprintf(seen->line, sizeof(seen->line), "%s", line);
    errno = EIO;
}

static void a_line_is_formatted(void **state)
{
    struct seen seen = {0};
    struct xcx_log log = {emit, &seen};

    (void)state;
    errno = ENOENT;
    xcx_log(&log, XCX_LOG_WARN, "round %d of %s", 3, "d7");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(seen.nr_lines, 1);
    assert_int_equal(seen.level, XCX_LOG_WARN);
    assert_string_equal(seen.line, "round 3 of d7");
}

static void a_long_line_is_cut(void **state)
{
    struct seen seen = {0};
    struct xcx_log log = {emit, &seen};

    (void)state;
    xcx_log(&log, XCX_LOG_DEBUG, "%0600d", 1);
    assert_int_equal(strlen(seen.line), 511);
}

static void a_line_obeys_no_escape_sequence(void **state)
{
    struct seen seen = {0};
    struct xcx_log log = {emit, &seen};

    (void)state;
    xcx_log(&log, XCX_LOG_INFO, "host2: %s", "\x1b[2Jdone\n\x7f");
    assert_string_equal(seen.line, "host2: ?[2Jdone??");
}

static void nobody_may_listen(void **state)
{
    struct xcx_log log = {0};

    (void)state;
    xcx_log(NULL, XCX_LOG_ERROR, "to no log");
    xcx_log(&log, XCX_LOG_ERROR, "to no emit");
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void scopes_close_what_they_hold(void **state)
{
    int left, kept;

    (void)state;
    {
        XCX_AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        XCX_AUTO_CLOSE int handed_on = open("/dev/null", O_RDONLY | O_CLOEXEC);
        XCX_AUTO_CLOSE int none = -1;

        assert_int_equal(none, -1);
        left = fd;
        assert_true(is_open(fd));
        kept = xcx_steal_fd(&handed_on);
        assert_int_equal(handed_on, -1);
        errno = EAGAIN;
    }
    assert_int_equal(errno, EAGAIN);
    assert_false(is_open(left));
    assert_true(is_open(kept));
    close(kept);
}

static void scopes_free_what_they_hold(void **state)
{
    char *kept;

    (void)state;
    {
        XCX_AUTO_FREE char *freed = strdup("freed");
        XCX_AUTO_FREE char *handed_on = strdup("kept");
        XCX_AUTO_FCLOSE FILE *file = fopen("/dev/null", "re");
        XCX_AUTO_FCLOSE FILE *none = NULL;

        assert_non_null(freed);
        assert_non_null(file);
        assert_null(none);
        kept = xcx_steal(handed_on);
        assert_null(handed_on);
    }
    assert_string_equal(kept, "kept");
    free(kept);
}

/* In a child, since the limit would stay with this process. */
static void lack_of_memory_names_the_limit(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 512 << 20, .rlim_max = 512 << 20};
        struct xcx_err err = XCX_ERR_INIT;
        struct xcx_bitmap map;

        setrlimit(RLIMIT_AS, &limit);
        xcx_bitmap_init(&map, UINT64_C(1) << 36, &err);
        _exit(!strstr(err.msg, "limited to 512 MiB of address space "
                               "(RLIMIT_AS): Cannot allocate memory") ||
              err.kind != XCX_ERR_RESOURCE);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void time_goes_on(void **state)
{
    uint64_t before_ns = xcx_clock_ns(), after_ns = before_ns;

    (void)state;
    for (unsigned i = 0; after_ns == before_ns && i < 10000000; i++)
        after_ns = xcx_clock_ns();
    assert_true(after_ns > before_ns);
    assert_true(after_ns - before_ns < 60 * XCX_NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_formatted),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(a_line_obeys_no_escape_sequence),
        cmocka_unit_test(nobody_may_listen),
        cmocka_unit_test(scopes_close_what_they_hold),
        cmocka_unit_test(scopes_free_what_they_hold),
        cmocka_unit_test(lack_of_memory_names_the_limit),
        cmocka_unit_test(time_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
