/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a domain has ended that is there no more, by xl's log of it. */
#include "xl-migrate/domain/guest_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define ENDS(domid, reason)                                                    \
    "Domain " domid " has shut down, reason code " reason " 0x" reason "\n"    \
    "Action for shutdown reason code " reason " is destroy\n"

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/xl-%s.log", scratch_dir, name);
    return path;
}

static void write_log(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void the_reason_is_found(void **state)
{
    static const struct {
        const char *text;
        enum guest_end end;
    } cases[] = {
        {"Waiting for domain web (domid 7) to die [pid 9]\n" ENDS("7", "3"),
         GUEST_CRASHED},
        {ENDS("7", "4"), GUEST_CRASHED},
        {ENDS("7", "0"), GUEST_POWERED_OFF},
        {ENDS("7", "1"), GUEST_REBOOTED},
        {ENDS("7", "2"), GUEST_TAKEN},
        {ENDS("6", "1") ENDS("7", "3"), GUEST_CRASHED},
        {ENDS("7", "3") ENDS("8", "1"), GUEST_CRASHED},
        {ENDS("17", "3"), GUEST_DESTROYED},
        {ENDS("77", "3"), GUEST_DESTROYED},
        {"Domain 7 has been destroyed.\n", GUEST_DESTROYED},
        {"Domain 7 has shut down, reason code ", GUEST_DESTROYED},
        {"", GUEST_DESTROYED},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        write_log("web", cases[i].text);
        assert_int_equal(guest_log_end(scratch_dir, "web", 7), cases[i].end);
    }
    unlink(path_of("web"));
}

/* Its xl began with it under the name of an incoming one. */
static void one_that_moved_here_has_another_log(void **state)
{
    (void)state;
    write_log("web--incoming", ENDS("7", "3"));
    assert_int_equal(guest_log_end(scratch_dir, "web", 7), GUEST_CRASHED);
    unlink(path_of("web--incoming"));
}

/* Only the end of a log is read, and no other file than a log. */
static void what_cannot_be_read_says_nothing(void **state)
{
    FILE *file;

    (void)state;
    assert_int_equal(guest_log_end(scratch_dir, "web", 7), GUEST_DESTROYED);
    assert_int_equal(guest_log_end(scratch_dir, "x/../web", 7),
                     GUEST_DESTROYED);
    assert_int_equal(symlink("/dev/zero", path_of("web")), 0);
    assert_int_equal(guest_log_end(scratch_dir, "web", 7), GUEST_DESTROYED);
    unlink(path_of("web"));

    file = fopen(path_of("web"), "w");
    assert_non_null(file);
    for (unsigned i = 0; i < 5000; i++)
        fputs("libxl: debug: a line that does not matter\n", file);
    fputs(ENDS("7", "3"), file);
    fclose(file);
    assert_int_equal(guest_log_end(scratch_dir, "web", 7), GUEST_CRASHED);
    unlink(path_of("web"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reason_is_found),
        cmocka_unit_test(one_that_moved_here_has_another_log),
        cmocka_unit_test(what_cannot_be_read_says_nothing),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
