/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save-helper/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Splits a line at spaces; argv[0] is the program. */
static int parse(const char *line, struct arguments *ret, struct xcx_err *err)
{
    char text[256];
    char *argv[20] = {"xl-save-helper"};
    char *rest = text;
    int argc = 1;

    snprintf(text, sizeof(text), "%s", line);
    for (char *word; (word = strsep(&rest, " ")) && *word;)
        argv[argc++] = word;
    return arguments_parse(argc, argv, ret, err);
}

static void a_save_is_understood(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct arguments arguments;

    (void)state;
    assert_int_equal(
        parse("--save-domain 8 -1 32751 3 136 0", &arguments, &err), 0);
    assert_false(arguments.restore);
    assert_int_equal(arguments.io_fd, 8);
    assert_int_equal(arguments.back_fd, -1);
    assert_int_equal(arguments.domid, 32751);
    assert_int_equal(arguments.flags, SAVE_FLAG_LIVE | SAVE_FLAG_DEBUG);
    assert_int_equal(arguments.callbacks, 0x88);
    assert_int_equal(arguments.stream_type, 0);
}

static void who_does_what(void **state)
{
    static const struct {
        const char *line;
        bool ours;
    } cases[] = {
        {"--save-domain 8 -1 1 0 136 0", true},
        {"--save-domain 8 9 1 3 8 0", true},
        {"--save-domain 8 -1 1 4 136 0", false},  /* an unknown flag */
        {"--save-domain 8 -1 1 1 184 1", false},  /* Remus */
        {"--save-domain 8 9 1 1 248 2", false},   /* COLO */
        {"--save-domain 8 -1 1 1 136 3", false},  /* not known yet */
        {"--save-domain 8 -1 1 1 1160 0", false}, /* an unknown callback */
        {"--save-domain 8 -1 1 1 128 0", false},  /* nobody suspends */
        {"--restore-domain 0 1 2 3 0 4 0 768 0", true},
        {"--restore-domain 0 -1 2 3 0 4 0 0 0", true},
        {"--restore-domain 0 1 2 3 0 4 0 800 1", false},  /* Remus */
        {"--restore-domain 0 1 2 3 0 4 0 888 2", false},  /* COLO */
        {"--restore-domain 0 1 2 3 0 4 0 1792 0", false}, /* a new callback */
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct arguments arguments;

        assert_int_equal(parse(cases[i].line, &arguments, &err), 0);
        assert_int_equal(arguments_are_ours(&arguments), cases[i].ours);
    }
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"", "expected --save-domain or --restore-domain; libxl starts this "
             "program, see xl-save-helper(8)"},
        {"--help", "\"--help\": expected --save-domain or --restore-domain; "
                   "libxl starts this program, see xl-save-helper(8)"},
        {"--save-domain", "--save-domain takes 6 arguments, not 0"},
        {"--save-domain 1 2 3 4 5 6 7",
         "--save-domain takes 6 arguments, not 7"},
        {"--restore-domain 1 2", "--restore-domain takes 9 arguments, not 2"},
        {"--save-domain x -1 1 1 136 0",
         "IO_FD \"x\": expected a number from 0 to 2147483647"},
        {"--save-domain -1 -1 1 1 136 0",
         "IO_FD \"-1\": expected a number from 0 to 2147483647"},
        {"--save-domain 8 -2 1 1 136 0",
         "BACK_FD \"-2\": expected a number from -1 to 2147483647"},
        {"--save-domain 8 - 1 1 136 0",
         "BACK_FD \"-\": expected a number from -1 to 2147483647"},
        {"--save-domain 8 -1 4294967296 1 136 0",
         "DOMID \"4294967296\": expected a number from 0 to 4294967295"},
        {"--save-domain 8 -1 1 0x1 136 0",
         "FLAGS \"0x1\": expected a number from 0 to 4294967295"},
        {"--save-domain 8 -1 1 1 99999999999999999999 0",
         "CBFLAGS \"99999999999999999999\": expected a number from 0 to "
         "4294967295"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct arguments arguments;

        assert_int_equal(parse(cases[i].line, &arguments, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_string_equal(err.msg, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_is_understood),
        cmocka_unit_test(who_does_what),
        cmocka_unit_test(what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
