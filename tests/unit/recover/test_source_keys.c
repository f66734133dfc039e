/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A look before the move names the keys that the move would leave out. */
#include "xl-migrate/domain/source_keys_read.h"
#include "xl-migrate/recover/source_keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/fake_xenstore.h"

#define HOME "/local/domain/5"

static const struct config_xenstore_keys more = {.nr = 1, .key = {"mine"}};

static void survey(char text[256])
{
    source_keys_survey(fake_xenstore_handle(), 5, &more, text, 256);
}

static void what_does_not_fit_is_named(void **state)
{
    static const char *const dirs[] = {"data", "attr", "vm-data", "mine"};
    char name[1101], path[1200], text[256];

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        fake_xenstore_reset();
        snprintf(path, sizeof(path), HOME "/%s", dirs[i]);
        fake_xenstore_set(path, "", 5);
        survey(text);
        assert_string_equal(text, "");
        snprintf(path, sizeof(path), HOME "/%s/%s", dirs[i], name);
        fake_xenstore_set(path, "x", 5);
        survey(text);
        assert_non_null(strstr(text, "1 of them, the first: "));
        assert_non_null(strstr(text, dirs[i]));
    }
    /* What is no guest's own does not move anyway. */
    fake_xenstore_reset();
    snprintf(path, sizeof(path), HOME "/device/%s", name);
    fake_xenstore_set(path, "x", 5);
    survey(text);
    assert_string_equal(text, "");
}

static void a_xenstored_that_does_not_answer_is_named(void **state)
{
    char text[256];

    (void)state;
    fake_xenstore_reset();
    fake_xenstore_set(HOME "/data", "", 5);
    fake_xenstore.fail_errno = EIO;
    survey(text);
    assert_non_null(strstr(text, "reading " HOME));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(a_xenstored_that_does_not_answer_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
