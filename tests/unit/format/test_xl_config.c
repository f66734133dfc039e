/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl-migrate/format/xl_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/saved_sample.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void what_matters_is_found(void **state)
{
    /* With and without the NUL that xl counts in. */
    for (size_t nul = 0; nul <= 1; nul++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct xl_config config;

        assert_int_equal(xl_config_parse(SAVED_CONFIG,
                                         strlen(SAVED_CONFIG) + nul, &config,
                                         &err),
                         0);
        assert_string_equal(config.name, "web-7");
        assert_string_equal(config.type, "hvm");
        assert_string_equal(config.uuid,
                            "6a3c4ed0-1111-4222-8333-944455556666");
        assert_int_equal(config.max_vcpus, 4);
        assert_int_equal(config.max_memory_kib, 524288);
        assert_int_equal(config.target_memory_kib, 262144);
        assert_int_equal(config.nr_disks, 2);
        assert_int_equal(config.nr_nics, 1);
        assert_int_equal(config.nr_pci_devices, 0);
    }
    (void)state;
}

static void other_shapes_are_harmless(void **state)
{
    static const char *const cases[] = {
        "{}",
        "{\"c_info\":[],\"b_info\":3,\"disks\":null,\"nics\":{}}",
        "{\"c_info\":{\"name\":null,\"type\":5,\"uuid\":[\"x\"]}}",
        "{\"b_info\":{\"max_vcpus\":\"4\",\"max_memkb\":[7]}}",
        "{\"c_info\":{\"x\":{\"name\":\"deeper\"}}}",
        "{\"name\":\"higher\",\"c_info\":{}}",
        "{\"other\":{\"name\":\"elsewhere\"}}",
        "{\"disks\":[1,[{}]],\"nics\":[]}",
        "{\"c_info\":{\"a key far longer than any that could be of use\":1}}",
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        static const struct xl_config empty;
        struct xcx_err err = XCX_ERR_INIT;
        struct xl_config config;

        memset(&config, 0xee, sizeof(config));
        assert_int_equal(
            xl_config_parse(cases[i], strlen(cases[i]), &config, &err), 0);
        assert_memory_equal(&config, &empty, sizeof(config));
    }
}

static void what_is_no_configuration_is_told(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "parse error: premature EOF at its byte 0"},
        {"{\"c_info\":", "parse error: premature EOF at its byte 10"},
        {"5", "is not an object"},
        {"[{}]", "is not an object"},
        {"{\"a\":1}}", "parse error: trailing garbage at its byte 8"},
        {"name = \"x\"", "lexical error: invalid string in json text. "
                         "at its byte 1"},
        {"{\"b_info\":{\"max_vcpus\":-1}}",
         "b_info.max_vcpus is not a number that libxl writes"},
        {"{\"b_info\":{\"max_memkb\":1.5}}",
         "b_info.max_memkb is not a number that libxl writes"},
        {"{\"b_info\":{\"max_memkb\":99999999999999999999}}",
         "b_info.max_memkb is not a number that libxl writes"},
        {"{\"b_info\":{\"max_memkb\":9999999999999999999999999999}}",
         "b_info.max_memkb is not a number that libxl writes"},
        {"{\"c_info\":{\"name\":\"a\\u0000b\"}}",
         "c_info.name has more than 255 bytes, or a NUL"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct xl_config config = {.max_vcpus = 99};

        assert_int_equal(xl_config_parse(cases[i].text, strlen(cases[i].text),
                                         &config, &err),
                         -1);
        assert_int_equal(err.kind, XCX_ERR_STREAM);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(config.max_vcpus, 99);
    }
}

static void a_long_name_is_refused(void **state)
{
    struct sample_buf text = {0};
    struct xcx_err err = XCX_ERR_INIT;
    struct xl_config config;
    char name[257];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[256] = 0;
    saved_put(&text, "{\"c_info\":{\"name\":\"", 19);
    saved_put(&text, name, 256);
    saved_put(&text, "\"}}", 3);
    assert_int_equal(xl_config_parse(text.data, text.bytes, &config, &err), -1);
    assert_string_equal(err.msg,
                        "c_info.name has more than 255 bytes, or a NUL");
    sample_buf_done(&text);
}

/* A stack of calls would not survive this. */
static void depth_is_no_danger(void **state)
{
    const size_t depth = 1 << 20;
    char *text = malloc(5 + depth);
    struct xcx_err err = XCX_ERR_INIT;
    struct xl_config config;

    (void)state;
    assert_non_null(text);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', depth);
    assert_int_equal(xl_config_parse(text, 5 + depth, &config, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_STREAM);
    assert_string_equal(err.msg,
                        "parse error: premature EOF at its byte 1048581");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matters_is_found),
        cmocka_unit_test(other_shapes_are_harmless),
        cmocka_unit_test(what_is_no_configuration_is_told),
        cmocka_unit_test(a_long_name_is_refused),
        cmocka_unit_test(depth_is_no_danger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
