/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xenstore says of a domain, to those who only show it. */
#include "xl-migrate/domain/guest_name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "unit/fake_xenstore.h"

#define UUID  "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define OTHER "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a002"

static int set_up(void **state)
{
    (void)state;
    fake_xenstore_reset();
    fake_xenstore_set("/local/domain/7/name", "web", 0);
    fake_xenstore_set("/local/domain/7/vm", "/vm/" UUID, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(fake_xenstore.nr_open, 0);
    fake_xenstore_reset();
    return 0;
}

static void name_and_uuid_are_read(void **state)
{
    char name[GUEST_NAME_BYTES], uuid[GUEST_UUID_BYTES];

    (void)state;
    guest_name(7, name, uuid);
    assert_string_equal(name, "web");
    assert_string_equal(uuid, UUID);
    guest_name(8, name, uuid);
    assert_string_equal(name, "");
    assert_string_equal(uuid, "");
}

static void gone_is_who_is_not_there_or_another(void **state)
{
    (void)state;
    assert_false(guest_is_gone(7, UUID));
    assert_false(guest_is_gone(7, ""));
    assert_true(guest_is_gone(7, OTHER));
    assert_true(guest_is_gone(8, UUID));
    assert_true(guest_is_gone(8, ""));
}

static void what_cannot_be_read_is_not_gone(void **state)
{
    (void)state;
    fake_xenstore.fail_errno = EIO;
    assert_false(guest_is_gone(7, UUID));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(name_and_uuid_are_read),
        TEST(gone_is_who_is_not_there_or_another),
        TEST(what_cannot_be_read_is_not_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
