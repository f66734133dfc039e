/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings kept within their bound, and as text and JSON. */
#include "xl-migrate/check/check.h"

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

static void test_ignored(void **state)
{
    struct check_ids ids = {0};
    struct xcx_err err = XCX_ERR_INIT;
    char ids_text[64], *text = NULL;
    size_t nr_bytes;
    struct json json;
    FILE *out;

    (void)state;
    memset(&check, 0, sizeof(check));
    check_add(&check, "bridge", CHECK_BLOCKER, "", "no bridge a");
    check_add(&check, "disk", CHECK_BLOCKER, "", "no disk");
    check_add(&check, "bridge", CHECK_BLOCKER, "", "no bridge b");
    check_add(&check, "cpu", CHECK_WARNING, "", "few");
    check_list_blockers(&check, ids_text, sizeof(ids_text));
    assert_string_equal(ids_text, "bridge, disk");
    check_list_blockers(&check, ids_text, 4);
    assert_string_equal(ids_text, "bri");
    assert_int_equal(check_ids_parse("bridge,cpu", &ids, &err), 0);
    check_ignore(&check, &ids);
    assert_int_equal(check_worst(&check), CHECK_BLOCKER);
    check_list_blockers(&check, ids_text, sizeof(ids_text));
    assert_string_equal(ids_text, "disk");
    check_list_ignored(&check, ids_text, sizeof(ids_text));
    assert_string_equal(ids_text, "bridge");

    out = open_memstream(&text, &nr_bytes);
    check_print_text(&check, CHECK_WARNING, out);
    fclose(out);
    assert_string_equal(text, "blocker  disk: no disk\n"
                              "ignored  bridge: no bridge a\n"
                              "ignored  bridge: no bridge b\n"
                              "warning  cpu: few\n");
    free(text);
    assert_int_equal(json_init(&json, &err), 0);
    out = open_memstream(&text, &nr_bytes);
    json_open_map(&json, NULL);
    check_print_json(&check, &json, "findings");
    json_close_map(&json);
    assert_int_equal(json_write(&json, out, &err), 0);
    fclose(out);
    json_done(&json);
    assert_non_null(strstr(text, "\"ignored\": true"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_keeps_the_worst),
        cmocka_unit_test(test_printed),
        cmocka_unit_test(test_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
