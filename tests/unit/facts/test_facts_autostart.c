/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of the configurations that start with the host is the guest's. */
#include "xl-migrate/facts/facts_autostart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

static struct facts_guest guest;

static void put(const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void take_away(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", scratch_dir, name);
    unlink(path);
}

static void test_which_is_the_guests(void **state)
{
    static const struct {
        const char *text;
        bool is_guests;
    } rows[] = {
        {"name = \"web\"\nmemory = 128\n", true},
        {"name='web'\n", true},
        {"# name = \"web\"\nname = \"db\"\n", false},
        {"name = \"web2\"\n", false},
        {"name = \"old\"\nuuid = \"1111AAAA-2222-3333-4444-555555555555\"\n",
         true},
        {"name = \"web\n", false},
        {"", false},
    };

    (void)state;
    strcpy(guest.name, "web");
    strcpy(guest.uuid, "1111aaaa-2222-3333-4444-555555555555");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put("a.cfg", rows[i].text);
        facts_autostart(scratch_dir, &guest);
        if ((guest.autostart[0] != 0) != rows[i].is_guests)
            fail_msg("row %zu: \"%s\"", i, guest.autostart);
    }
    put("b.cfg", "name = \"web\"\n");
    facts_autostart(scratch_dir, &guest);
    assert_non_null(strstr(guest.autostart, "/b.cfg"));
    take_away("a.cfg");
    take_away("b.cfg");
    facts_autostart(scratch_dir, &guest);
    assert_string_equal(guest.autostart, "");
    facts_autostart("/no/such/folder", &guest);
    assert_string_equal(guest.autostart, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_is_the_guests),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
