/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another host's lines in our log, by a clock that the test sets. */
#include "xl-migrate/wire/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static time_t now_s;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    *ret = (struct timespec){.tv_sec = now_s};
    return 0;
}

static void keep(void *opaque, enum xcx_log_level level, const char *line)
{
    char *said = opaque;

    assert_int_equal(level, XCX_LOG_WARN);
    snprintf(said + strlen(said), 512 - strlen(said), "%s\n", line);
}

static unsigned count_admitted(struct log_limit *limit,
                               const struct xcx_log *log, unsigned nr_lines)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < nr_lines; i++)
        nr += log_limit_admits(limit, log);
    return nr;
}

static void the_rest_of_a_minute_is_counted(void **state)
{
    struct log_limit limit = {0};
    char said[512] = "";
    struct xcx_log log = {keep, said};

    (void)state;
    now_s = 1000;
    assert_int_equal(count_admitted(&limit, &log, 200), 200);
    assert_string_equal(said, "");
    now_s = 1059;
    assert_int_equal(count_admitted(&limit, &log, 12345), 0);
    assert_string_equal(said, "the other host logs more than 200 lines in 60 "
                              "s: the rest of them is left out\n");
    said[0] = 0;
    now_s = 1060;
    assert_int_equal(count_admitted(&limit, &log, 1), 1);
    assert_string_equal(said, "12345 lines of the other host were left out\n");
    said[0] = 0;
    assert_int_equal(count_admitted(&limit, &log, 199), 199);
    assert_string_equal(said, "");
}

static void few_lines_pass_for_ever(void **state)
{
    struct log_limit limit = {0};

    (void)state;
    for (now_s = 1; now_s < 10000; now_s++)
        assert_int_equal(count_admitted(&limit, NULL, 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_of_a_minute_is_counted),
        cmocka_unit_test(few_lines_pass_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
