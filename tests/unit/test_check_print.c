/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings kept within their bound, and as text and JSON. */
#include "../../xl-plugin/xl-migrate/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct check check;

static void test_bound_keeps_the_worst(void **state)
{
    (void)state;
    memset(&check, 0, sizeof(check));
    for (unsigned i = 0; i < CHECK_MAX_FINDINGS; i++)
        check_add(&check, "a", i == 70 ? CHECK_OK : CHECK_WARNING, "", "%u", i);
    check_add(&check, "b", CHECK_OK, "", "left out");
    check_add(&check, "c", CHECK_BLOCKER, "type", "%s", "kept");
    check_add(&check, "d", CHECK_BLOCKER, "", "kept too");
    check_add(&check, "e", CHECK_WARNING, "", "left out too");
    assert_int_equal(check.nr_findings, CHECK_MAX_FINDINGS);
    assert_int_equal(check_count(&check, CHECK_OK), 0);
    assert_int_equal(check_count(&check, CHECK_BLOCKER), 2);
    assert_string_equal(check.findings[70].text, "kept");
    assert_string_equal(check.findings[70].fix, "type");
    assert_int_equal(check_worst(&check), CHECK_BLOCKER);
}

static void test_printed(void **state)
{
    char *text = NULL;
    size_t nr_bytes;
    FILE *out = open_memstream(&text, &nr_bytes);
    struct xcx_err err = XCX_ERR_INIT;
    struct json json;

    (void)state;
    memset(&check, 0, sizeof(check));
    check_add(&check, "one", CHECK_OK, "", "fine");
    check_add(&check, "two", CHECK_WARNING, "do this", "hm");
    check_add(&check, "three", CHECK_BLOCKER, "", "no");
    check_print_text(&check, CHECK_UNKNOWN, out);
    fclose(out);
    assert_string_equal(text, "blocker  three: no\n"
                              "warning  two: hm\n"
                              "         fix: do this\n");
    free(text);

    assert_int_equal(json_init_line(&json, &err), 0);
    json_open_map(&json, NULL);
    check_print_json(&check, &json, "findings");
    json_close_map(&json);
    out = open_memstream(&text, &nr_bytes);
    assert_int_equal(json_write(&json, out, &err), 0);
    fclose(out);
    assert_non_null(strstr(text, "{\"id\":\"two\",\"level\":\"warning\","
                                 "\"text\":\"hm\",\"fix\":\"do this\"}"));
    assert_non_null(strstr(text, "\"fix\":null"));
    free(text);
    json_done(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_keeps_the_worst),
        cmocka_unit_test(test_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
