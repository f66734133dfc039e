/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What --ignore takes, and what it does not. */
#include "xl-migrate/check/check_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_sets(void **state)
{
    struct check_ids ids = {0};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_false(check_ids_have(&ids, "bridge"));
    assert_int_equal(check_ids_parse("bridge,disk", &ids, &err), 0);
    assert_int_equal(check_ids_parse("cpu", &ids, &err), 0);
    assert_true(check_ids_have(&ids, "bridge"));
    assert_true(check_ids_have(&ids, "disk"));
    assert_true(check_ids_have(&ids, "cpu"));
    assert_false(check_ids_have(&ids, "cpupool"));
    assert_false(check_ids_have(&ids, "no-such-id"));
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"brigde", "no finding has the id \"brigde\""},
        {"bridge,", "no finding has the id \"\""},
        {"", "no finding has the id \"\""},
        {"bridge, disk", "no finding has the id \" disk\""},
        {"bridge,in-use", "\"in-use\" cannot be ignored: the guest could be"},
        {"state", "\"state\" cannot be ignored: the guest could be lost"},
        {"uuid-clash", "\"uuid-clash\" cannot be ignored"},
        {"pv-width", "\"pv-width\" cannot be ignored: send cannot make"},
        {"qemu-disk", "\"qemu-disk\" cannot be ignored: send cannot make"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaa"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct check_ids ids = {0};
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(check_ids_parse(rows[i].text, &ids, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        if (!strstr(err.msg, rows[i].message))
            fail_msg("\"%s\" has no %s", err.msg, rows[i].message);
        assert_int_equal(ids.bits, 0);
    }
}

/* Each id stands in the manual, behind a blank, before a blank or the end. */
static void test_manual_has_each(void **state)
{
    static char manual[1 << 20];
    FILE *file = fopen("xl-plugin/man/xl-migrate.8", "r");
    char id[64];
    const char *name, *list, *end;

    (void)state;
    assert_non_null(file);
    manual[fread(manual, 1, sizeof(manual) - 1, file)] = 0;
    fclose(file);
    list = strstr(manual, "The ids are\n");
    assert_non_null(list);
    end = strstr(list, ".It Cm");
    assert_non_null(end);
    for (size_t row = 0; (name = check_ids_name(row)); row++) {
        const char *at;

        snprintf(id, sizeof(id), " %s ", name);
        at = strstr(list, id);
        if (!at) {
            snprintf(id, sizeof(id), " %s\n", name);
            at = strstr(list, id);
        }
        if (!at || at > end)
            fail_msg("the manual has no %s", name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_manual_has_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
