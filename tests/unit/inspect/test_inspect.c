/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole save files through all their layers. */
#include "xl-migrate/inspect/inspect.h"
#include "xl-migrate/inspect/inspect_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <yajl/yajl_tree.h>

#include "unit/saved_sample.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Feeds in pieces and ends the input. */
static int run(struct inspect *inspect, const struct sample_buf *bytes,
               size_t nr_bytes, size_t piece)
{
    inspect_init(inspect);
    for (size_t at = 0; at < nr_bytes; at += piece) {
        size_t now = nr_bytes - at < piece ? nr_bytes - at : piece;

        if (inspect_feed(inspect, bytes->data + at, now) < 0)
            break;
    }
    return inspect_finish(inspect);
}

/* JSON and text, one after the other; malloc'ed. */
static char *print(struct inspect *inspect)
{
    struct xcx_err err = XCX_ERR_INIT;
    char *text = NULL;
    size_t nr_bytes;
    FILE *out = open_memstream(&text, &nr_bytes);

    assert_non_null(out);
    assert_int_equal(inspect_print_json(inspect, "f", out, &err), 0);
    inspect_print_text(inspect, "f", out);
    fclose(out);
    return text;
}

static long long number_at(yajl_val tree, const char *a, const char *b)
{
    const char *path[] = {a, b, NULL};
    yajl_val value = yajl_tree_get(tree, path, yajl_t_number);

    assert_non_null(value);
    return YAJL_GET_INTEGER(value);
}

static const char *text_at(yajl_val tree, const char *a, const char *b,
                           const char *c)
{
    const char *path[] = {a, b, c, NULL};
    yajl_val value = yajl_tree_get(tree, path, yajl_t_string);

    assert_non_null(value);
    return YAJL_GET_STRING(value);
}

static yajl_val json_of(struct inspect *inspect)
{
    struct xcx_err err = XCX_ERR_INIT;
    char *text = NULL, why[128];
    size_t nr_bytes;
    FILE *out = open_memstream(&text, &nr_bytes);
    yajl_val tree;

    assert_non_null(out);
    assert_int_equal(inspect_print_json(inspect, "f", out, &err), 0);
    fclose(out);
    tree = yajl_tree_parse(text, why, sizeof(why));
    assert_non_null(tree);
    free(text);
    return tree;
}

static void a_save_file_is_told_in_full(void **state)
{
    static const char *const no_path[] = {"error", NULL};
    static const char *const emulator_path[] = {"libxl", "emulators", NULL};
    struct saved_layout layout;
    struct sample_buf bytes = {0};
    struct inspect inspect;
    yajl_val tree, emulators;

    (void)state;
    saved_make(SAVED_XL, SAMPLE_HVM, 3, &bytes, &layout);
    assert_int_equal(run(&inspect, &bytes, bytes.bytes, SIZE_MAX / 2), 0);
    tree = json_of(&inspect);
    assert_string_equal(text_at(tree, "format", NULL, NULL), "xl");
    assert_non_null(yajl_tree_get(tree, (const char **)no_path, yajl_t_null));
    assert_int_equal(number_at(tree, "bytes", NULL), bytes.bytes);
    assert_int_equal(number_at(tree, "xl", "bytes"), layout.libxl_at);
    assert_int_equal(number_at(tree, "xl", "config_bytes"),
                     layout.config_bytes);
    assert_string_equal(text_at(tree, "xl", "config", "name"), "web-7");
    assert_int_equal(number_at(tree, "libxl", "offset"), layout.libxl_at);
    assert_int_equal(number_at(tree, "libxc", "offset"), layout.libxc_at);
    assert_int_equal(number_at(tree, "libxc", "bytes"), layout.libxc_bytes);
    assert_string_equal(text_at(tree, "libxc", "guest_type", NULL), "hvm");
    emulators = yajl_tree_get(tree, (const char **)emulator_path, yajl_t_array);
    assert_int_equal(YAJL_GET_ARRAY(emulators)->len, 1);
    assert_string_equal(
        text_at(YAJL_GET_ARRAY(emulators)->values[0], "emulator", NULL, NULL),
        "qemu-upstream");
    assert_int_equal(
        number_at(YAJL_GET_ARRAY(emulators)->values[0], "context_bytes", NULL),
        SAVED_CONTEXT_BYTES);
    assert_int_equal(number_at(YAJL_GET_ARRAY(emulators)->values[0],
                               "nr_xenstore_keys", NULL),
                     SAVED_NR_XENSTORE_KEYS);
    yajl_tree_free(tree);
    inspect_done(&inspect);
    inspect_done(&inspect);
    sample_buf_done(&bytes);
}

static void any_split_gives_the_same(void **state)
{
    static const size_t pieces[] = {1, 3, 8, 100, 5000};

    (void)state;
    for (unsigned outer = 0; outer < SAVED_NR_LAYERS; outer++) {
        for (unsigned kind = 0; kind < SAMPLE_NR_KINDS; kind++) {
            struct saved_layout layout;
            struct sample_buf bytes = {0};
            struct inspect inspect;
            char *whole;

            saved_make(outer, kind, 5, &bytes, &layout);
            saved_put(&bytes, "trailing", 8);
            assert_int_equal(run(&inspect, &bytes, bytes.bytes, SIZE_MAX / 2),
                             0);
            assert_int_equal(inspect.trailing_bytes, 8);
            assert_int_equal(inspect.nr_bytes, bytes.bytes - 8);
            whole = print(&inspect);
            inspect_done(&inspect);
            for (size_t i = 0; i < NR(pieces); i++) {
                char *cut;

                assert_int_equal(run(&inspect, &bytes, bytes.bytes, pieces[i]),
                                 0);
                cut = print(&inspect);
                assert_string_equal(cut, whole);
                free(cut);
                inspect_done(&inspect);
            }
            free(whole);
            sample_buf_done(&bytes);
        }
    }
}

/* In the header of a record, nothing is known of it but where it begins. */
static void check_place_of_header(struct inspect *inspect)
{
    static const char words[] = ", in the header of record ";
    const char *where = strstr(inspect->err.msg, words);
    struct inspect_place place = inspect_place(inspect);

    if (!where)
        return;
    assert_string_equal(place.record_name, "");
    assert_int_equal(place.record_index,
                     strtoul(where + strlen(words), NULL, 10));
    assert_in_range(place.offset - place.record_offset, 0, 7);
}

/* Every byte of the small layers, some of the large one. */
static void every_truncation_names_its_offset(void **state)
{
    (void)state;
    for (unsigned outer = 0; outer < SAVED_NR_LAYERS; outer++) {
        struct saved_layout layout;
        struct sample_buf bytes = {0};
        size_t step;

        saved_make(outer, SAMPLE_HVM_REMUS, 2, &bytes, &layout);
        for (size_t at = 0; at < bytes.bytes; at += step) {
            struct inspect inspect;
            char expect[64], *text;

            assert_int_equal(run(&inspect, &bytes, at, 1 << 16), -1);
            assert_int_equal(inspect.err.kind, XCX_ERR_STREAM);
            snprintf(expect, sizeof(expect), "truncated at byte %zu,", at);
            assert_non_null(strstr(inspect.err.msg, expect));
            assert_int_equal(inspect_place(&inspect).offset, at);
            check_place_of_header(&inspect);
            text = print(&inspect);
            assert_non_null(strstr(text, expect));
            free(text);
            inspect_done(&inspect);
            step = at > 2000 && at + 2000 < bytes.bytes ? 997 : 1;
        }
        sample_buf_done(&bytes);
    }
}

static void errors_name_layer_record_and_offset(void **state)
{
    static const struct {
        enum { CONFIG, LIBXL, LIBXC, CONTEXT } part;
        size_t at; /* the byte to damage, in this part */
        const char *layer, *record, *message;
    } cases[] = {
        {CONFIG, 0, "xl", "",
         "xl header: configuration at byte 52: lexical error: "},
        {LIBXL, 0, "libxl", "", "libxl stream: header at byte "},
        {LIBXL, 19, "libxl", "unknown",
         "libxl stream: record 0 (unknown) at byte "},
        {LIBXC, 0, "libxc", "", "libxc stream: image header at byte "},
        {LIBXC, 24, "libxc", "", "libxc stream: domain header at byte "},
        {LIBXC, 41, "libxc", "unknown",
         "libxc stream: record 0 (unknown) at byte "},
        {CONTEXT, 2, "libxl", "unknown",
         "libxl stream: record 3 (unknown) at byte "},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct saved_layout layout;
        struct sample_buf bytes = {0};
        struct inspect inspect;
        struct inspect_place place;
        size_t at[4], record_at;

        saved_make(SAVED_XL, SAMPLE_HVM, 1, &bytes, &layout);
        at[CONFIG] = layout.config_at;
        at[LIBXL] = layout.libxl_at;
        at[LIBXC] = layout.libxc_at;
        at[CONTEXT] = layout.context_at;
        bytes.data[at[cases[i].part] + cases[i].at] ^= (char)0xda;
        assert_int_equal(run(&inspect, &bytes, bytes.bytes, 11), -1);
        place = inspect_place(&inspect);
        assert_int_equal(inspect.err.kind, XCX_ERR_STREAM);
        assert_memory_equal(inspect.err.msg, cases[i].message,
                            strlen(cases[i].message));
        assert_string_equal(place.layer, cases[i].layer);
        assert_string_equal(place.record_name, cases[i].record);
        if (cases[i].part != CONFIG) {
            record_at =
                strtoul(inspect.err.msg + strlen(cases[i].message), NULL, 10);
            assert_int_equal(record_at, place.record_offset);
            assert_in_range(at[cases[i].part] + cases[i].at, record_at,
                            place.offset);
        }
        inspect_done(&inspect);
        sample_buf_done(&bytes);
    }
}

static void what_is_none_of_these_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t nr_bytes;
        const char *message;
    } cases[] = {
        {"", 0, "truncated at byte 0, too short to tell what it is"},
        {"LibxlFm", 7, "truncated at byte 7, too short to tell what it is"},
        {"\177ELF\2\1\1\0 and so on", 18,
         "neither an xl, a libxl nor a libxc stream of version 2 or later "
         "begins at byte 0"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct sample_buf bytes = {0};
        struct inspect inspect;
        char *text;

        saved_put(&bytes, cases[i].bytes, cases[i].nr_bytes);
        assert_int_equal(run(&inspect, &bytes, bytes.bytes, 5), -1);
        assert_int_equal(inspect.err.kind, XCX_ERR_STREAM);
        assert_string_equal(inspect.err.msg, cases[i].message);
        assert_int_equal(inspect_feed(&inspect, "more", 4), -1);
        text = print(&inspect);
        assert_non_null(strstr(text, "not a saved domain"));
        free(text);
        inspect_done(&inspect);
        sample_buf_done(&bytes);
    }
}

/* A name must not be able to steer the terminal. */
static void control_characters_are_not_printed(void **state)
{
    static const char config[] = "{\"c_info\":{\"name\":\"a\\u001b[2Jb\"}}";
    struct sample_buf bytes = {0};
    struct inspect inspect;
    char *text;

    (void)state;
    saved_put_xl_header(&bytes, 3, config, sizeof(config));
    assert_int_equal(run(&inspect, &bytes, bytes.bytes, 64), -1);
    assert_string_equal(inspect.config.name, "a\033[2Jb");
    text = print(&inspect);
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "a?[2Jb"));
    free(text);
    inspect_done(&inspect);
    sample_buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_file_is_told_in_full),
        cmocka_unit_test(any_split_gives_the_same),
        cmocka_unit_test(every_truncation_names_its_offset),
        cmocka_unit_test(errors_name_layer_record_and_offset),
        cmocka_unit_test(what_is_none_of_these_is_told),
        cmocka_unit_test(control_characters_are_not_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
