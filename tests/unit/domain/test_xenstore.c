/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest keeps arrives as it was, and nothing of anybody else's. */
#include "xl-migrate/domain/xenstore.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/fake_xenstore.h"

#define OLD "/local/domain/5"
#define NEW "/local/domain/9"

static int reset(void **state)
{
    (void)state;
    fake_xenstore_reset();
    return 0;
}

static void assert_fails(int rc, const struct xcx_err *err,
                         enum xcx_err_kind kind, const char *text)
{
    assert_int_equal(rc, -1);
    assert_int_equal(err->kind, kind);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err->msg);
}

static void test_a_subtree_arrives_with_its_permissions(void **state)
{
    static const char *const subtrees[] = {"data", "gone", "vm-data"};
    const struct xs_permissions perms[] = {
        {.id = 5, .perms = XS_PERM_NONE},
        {.id = 0, .perms = XS_PERM_READ | XS_PERM_WRITE},
        {.id = 7, .perms = XS_PERM_READ},
    };
    struct xenstore_tree tree = {.entries = NULL};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore_set(OLD "/data", "", 5);
    fake_xenstore_set(OLD "/data/a", "1", 5);
    fake_xenstore_set(OLD "/data/a/b", "two words", 5);
    fake_xenstore_set(OLD "/data/c", "3", 7);
    fake_xenstore_set(OLD "/vm-data", "v", 0);
    fake_xenstore_set(OLD "/device", "no", 0);
    fake_xenstore_set(NEW "/data", "old", 9);
    fake_xenstore_set_perms(OLD "/data/a", perms, 3);
    assert_int_equal(
        xenstore_read(fake_xenstore_handle(), 5, subtrees, 3, &tree, &err), 0);
    assert_int_equal(tree.nr_entries, 5);
    assert_string_equal(tree.entries[0].path, "data");

    fake_xenstore.nr_conflicts = 2;
    assert_int_equal(xenstore_write(fake_xenstore_handle(), 9, &tree, &err), 0);
    assert_int_equal(fake_xenstore.nr_commits, 1);
    assert_int_equal(fake_xenstore.nr_open, 0);
    assert_string_equal(fake_xenstore_get(NEW "/data"), "");
    assert_string_equal(fake_xenstore_get(NEW "/data/a/b"), "two words");
    assert_string_equal(fake_xenstore_get(NEW "/vm-data"), "v");
    assert_null(fake_xenstore_get(NEW "/device"));
    assert_string_equal(fake_xenstore_perms(NEW "/data"), "n9");
    assert_string_equal(fake_xenstore_perms(NEW "/data/a"), "n9 b0");
    assert_string_equal(fake_xenstore_perms(NEW "/data/c"), "n0");
    xenstore_tree_done(&tree);
    xenstore_tree_done(&tree);
}

static void test_reading_has_bounds(void **state)
{
    static const char *const subtree = "data";
    static const char *const absolute = "/data";
    struct xenstore_tree tree = {.entries = NULL};
    struct xcx_err err = XCX_ERR_INIT;
    char path[80];

    (void)state;
    assert_fails(
        xenstore_read(fake_xenstore_handle(), 5, &absolute, 1, &tree, &err),
        &err, XCX_ERR_USAGE, "\"/data\" is no relative path");
    fake_xenstore_set(OLD "/data", "", 5);
    for (unsigned i = 0; i < XENSTORE_MAX_ENTRIES; i++) {
        snprintf(path, sizeof(path), OLD "/data/%u", i);
        fake_xenstore_set(path, "x", 5);
    }
    /* "data" and 4095 of them; a guest cannot veto its own move. */
    err = XCX_ERR_INIT;
    if (xenstore_read(fake_xenstore_handle(), 5, &subtree, 1, &tree, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(tree.nr_entries, XENSTORE_MAX_ENTRIES);
    assert_int_equal(tree.nr_left_out, 1);
    assert_string_equal(tree.left_out, "data/4095, 10 bytes: more nodes than "
                                       "are carried");
    xenstore_tree_done(&tree);

    fake_xenstore.fail_errno = EIO;
    err = XCX_ERR_INIT;
    assert_fails(
        xenstore_read(fake_xenstore_handle(), 5, &subtree, 1, &tree, &err),
        &err, XCX_ERR_IO, "reading " OLD "/data");
    xenstore_tree_done(&tree);
}

static void test_what_does_not_fit_is_left_out(void **state)
{
    static const char *const subtree = "data";
    static char letters[1101], big[1901];
    struct xenstore_tree tree = {.entries = NULL};
    struct xcx_err err = XCX_ERR_INIT;
    char path[1200];

    (void)state;
    memset(letters, 'a', sizeof(letters) - 1);
    memset(big, 'v', sizeof(big) - 1);
    fake_xenstore_set(OLD "/data", "", 5);
    snprintf(path, sizeof(path), OLD "/data/%s", letters);
    fake_xenstore_set(path, "x", 5);
    for (unsigned i = 0; i < 600; i++) {
        snprintf(path, sizeof(path), OLD "/data/%u", i);
        fake_xenstore_set(path, big, 5);
    }
    if (xenstore_read(fake_xenstore_handle(), 5, &subtree, 1, &tree, &err))
        fail_msg("%s", err.msg);
    assert_in_range(tree.nr_entries, 540, 560);
    assert_int_equal(tree.nr_entries + tree.nr_left_out, 602);
    assert_true(tree.total_bytes <= XENSTORE_MAX_TOTAL_BYTES);
    assert_int_equal(strncmp(tree.left_out, "data/aaaa", 9), 0);
    assert_non_null(
        strstr(tree.left_out, "..., 1105 bytes: not a path that is carried"));
    xenstore_tree_done(&tree);
}

/* Linux says so at boot alone: what is empty says nothing. */
static void test_what_a_guest_says_it_can_do(void **state)
{
    struct xenstore_tree tree = {.entries = NULL};
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore_set(OLD "/control", "", 0);
    fake_xenstore_set(OLD "/control/shutdown", "suspend", 5);
    fake_xenstore_set(OLD "/control/feature-suspend", "1", 5);
    fake_xenstore_set(OLD "/control/feature-s3", "", 5);
    fake_xenstore_set(OLD "/control/feature-poweroff", "1", 5);
    if (xenstore_read_named(fake_xenstore_handle(), 5, "control", "feature-",
                            &tree, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(tree.nr_entries, 2);
    assert_string_equal(tree.entries[0].path, "control/feature-suspend");
    assert_string_equal(tree.entries[1].path, "control/feature-poweroff");
    assert_int_equal(tree.entries[0].perms[0].domid, XENSTORE_SELF);
    xenstore_tree_done(&tree);
    if (xenstore_read_named(fake_xenstore_handle(), 6, "control", "feature-",
                            &tree, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(tree.nr_entries, 0);
}

static void test_what_a_peer_may_not_send(void **state)
{
    static char big[XENSTORE_MAX_VALUE_BYTES + 2];
    static const struct {
        char *path;
        uint32_t value_bytes;
        unsigned nr_perms;
        char access;
        uint32_t domid;
        const char *text;
    } cases[] = {
        {"/etc", 1, 1, 'n', 0, "not a path"},
        {"", 1, 1, 'n', 0, "not a path"},
        {"a//b", 1, 1, 'n', 0, "not a path"},
        {"a/../b", 1, 1, 'n', 0, "not a path"},
        {"a/", 1, 1, 'n', 0, "not a path"},
        {"a b", 1, 1, 'n', 0, "not a path"},
        {"a", 1, 0, 'n', 0, "0 permissions"},
        {"a", 1, XENSTORE_MAX_PERMS + 1, 'n', 0, "17 permissions"},
        {"a", 1, 1, 'x', 0, "a permission of another domain"},
        {"a", 1, 1, '\0', 0, "a permission of another domain"},
        {"a", 1, 1, 'r', 3, "a permission of another domain"},
        {"a", XENSTORE_MAX_VALUE_BYTES + 1, 1, 'n', 0, "a value of more"},
    };
    struct xenstore_tree tree = {.entries = NULL};

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xenstore_entry entry = {.path = cases[i].path,
                                       .value = big,
                                       .value_bytes = cases[i].value_bytes,
                                       .nr_perms = cases[i].nr_perms};
        struct xcx_err err = XCX_ERR_INIT;

        entry.perms[0].access = cases[i].access;
        entry.perms[0].domid = cases[i].domid;
        assert_fails(xenstore_tree_add(&tree, &entry, &err), &err, XCX_ERR_PEER,
                     cases[i].text);
        assert_int_equal(tree.nr_entries, 0);
    }
}

static void test_all_of_a_tree_has_a_bound(void **state)
{
    static char value[XENSTORE_MAX_VALUE_BYTES];
    struct xenstore_entry entry = {.path = "a",
                                   .value = value,
                                   .value_bytes = sizeof(value),
                                   .nr_perms = 1,
                                   .perms = {{'n', XENSTORE_SELF}}};
    struct xenstore_tree tree = {.entries = NULL};
    struct xcx_err err = XCX_ERR_INIT;
    unsigned nr = 0;

    (void)state;
    while (xenstore_tree_add(&tree, &entry, &err) == 0)
        nr++;
    assert_int_equal(err.kind, XCX_ERR_PEER);
    assert_non_null(strstr(err.msg, "more than 1048576 bytes"));
    assert_int_equal(nr, XENSTORE_MAX_TOTAL_BYTES / (sizeof(value) + 1));
    xenstore_tree_done(&tree);
}

static void test_permissions_as_text(void **state)
{
    static const struct xenstore_perm perms[] = {
        {'n', 0}, {'b', XENSTORE_SELF}, {'r', 0}, {'w', XENSTORE_SELF}};
    static const char *const bad[] = {"", "n", "n5", "x0", "r-1", "nselfish"};

    (void)state;
    for (size_t i = 0; i < sizeof(perms) / sizeof(perms[0]); i++) {
        char text[XENSTORE_PERM_BYTES];
        struct xenstore_perm back;

        xenstore_perm_text(&perms[i], text);
        assert_int_equal(xenstore_perm_parse(text, &back, NULL), 0);
        assert_memory_equal(&back, &perms[i], sizeof(back));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct xenstore_perm back;

        assert_fails(xenstore_perm_parse(bad[i], &back, &err), &err,
                     XCX_ERR_PEER, "is no permission");
    }
}

static void test_physmap_of_an_old_device_model(void **state)
{
    static const char want[] =
        "physmap/f000/start_addr\0f0\0physmap/f000/size\0008\0"
        "physmap/f000/name\0vga";
    const char *root = "/local/domain/0/device-model/5/physmap/f000";
    struct xcx_err err = XCX_ERR_INIT;
    char *pairs = NULL, path[80];
    size_t nr_bytes = 1;

    (void)state;
    assert_int_equal(xenstore_read_physmap(fake_xenstore_handle(), 5, &pairs,
                                           &nr_bytes, &err),
                     0);
    assert_int_equal(nr_bytes, 0);
    free(pairs);

    fake_xenstore_set("/local/domain/0/device-model/5/physmap", "", 0);
    fake_xenstore_set(root, "", 0);
    snprintf(path, sizeof(path), "%s/start_addr", root);
    fake_xenstore_set(path, "f0", 0);
    snprintf(path, sizeof(path), "%s/size", root);
    fake_xenstore_set(path, "8", 0);
    assert_fails(xenstore_read_physmap(fake_xenstore_handle(), 5, &pairs,
                                       &nr_bytes, &err),
                 &err, XCX_ERR_IO, "physmap/f000/name");
    snprintf(path, sizeof(path), "%s/name", root);
    fake_xenstore_set(path, "vga", 0);
    err = XCX_ERR_INIT;
    assert_int_equal(xenstore_read_physmap(fake_xenstore_handle(), 5, &pairs,
                                           &nr_bytes, &err),
                     0);
    assert_int_equal(nr_bytes, sizeof(want));
    assert_memory_equal(pairs, want, sizeof(want));
    free(pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_subtree_arrives_with_its_permissions,
                               reset),
        cmocka_unit_test_setup(test_reading_has_bounds, reset),
        cmocka_unit_test_setup(test_what_does_not_fit_is_left_out, reset),
        cmocka_unit_test_setup(test_what_a_guest_says_it_can_do, reset),
        cmocka_unit_test_setup(test_what_a_peer_may_not_send, reset),
        cmocka_unit_test_setup(test_all_of_a_tree_has_a_bound, reset),
        cmocka_unit_test(test_permissions_as_text),
        cmocka_unit_test_setup(test_physmap_of_an_old_device_model, reset),
    };

    return cmocka_run_group_tests(tests, NULL, reset);
}
