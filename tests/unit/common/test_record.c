/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/record.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <yajl/yajl_tree.h>

/* 2026-01-02 03:04:05.678 UTC */
static const struct timespec started = {1767323045, 678000000};

#define FINAL_NAME "20260102T030405.678Z-dom7.json"

struct fixture {
    char dir[32];
    char stats_dir[64], run_dir[64];
    struct record record;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->dir, "/tmp/test-record-XXXXXX");
    if (!mkdtemp(fixture->dir))
        return -1;
    snprintf(fixture->stats_dir, 64, "%s/a", fixture->dir);
    snprintf(fixture->run_dir, 64, "%s/b/c", fixture->dir);
    record_init(&fixture->record, RECORD_SAVE, fixture->stats_dir,
                fixture->run_dir, 7, &started);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[64];

    record_done(&fixture->record);
    record_done(&fixture->record);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->dir);
    if (system(command) != 0)
        return -1;
    free(fixture);
    return 0;
}

/* The object in dir/name, which is the only file there; NULL: dir is empty. */
static yajl_val only_file(const char *dir, const char *name)
{
    char path[128], text[8192], message[128] = "";
    DIR *stream = opendir(dir);
    struct dirent *entry;
    yajl_val tree;
    size_t nr_bytes;
    bool found = false;
    FILE *file;

    assert_non_null(stream);
    while ((entry = readdir(stream))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        assert_string_equal(entry->d_name, name);
        found = true;
    }
    closedir(stream);
    if (!found)
        return NULL;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "r");
    assert_non_null(file);
    nr_bytes = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[nr_bytes] = 0;
    tree = yajl_tree_parse(text, message, sizeof(message));
    assert_string_equal(message, "");
    return tree;
}

static void is_text(yajl_val tree, const char *key, const char *text)
{
    const char *path[] = {key, NULL};
    yajl_val value = yajl_tree_get(tree, path, yajl_t_any);

    if (!text) {
        assert_null(value);
        return;
    }
    assert_true(YAJL_IS_STRING(value));
    assert_string_equal(YAJL_GET_STRING(value), text);
}

static void is_count(yajl_val tree, const char *outer, const char *key,
                     long long count)
{
    const char *path[] = {outer ? outer : key, outer ? key : NULL, NULL};
    yajl_val value = yajl_tree_get(tree, path, yajl_t_any);

    assert_true(YAJL_IS_INTEGER(value));
    assert_int_equal(YAJL_GET_INTEGER(value), count);
}

static void running_is_renewed_and_then_replaced_by_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct record *record = &fixture->record;
    const struct xcx_save_stats stats = {.domid = 7, .total_bytes = 99};
    const struct xcx_err well = XCX_ERR_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    const char *no_stats[] = {"stats", NULL};
    yajl_val tree;

    assert_int_equal(record_running(record, "round 0", 1, 2, &err), 0);
    tree = only_file(fixture->run_dir, "7.json");
    is_text(tree, "state", "running");
    is_text(tree, "started", "2026-01-02T03:04:05Z");
    is_text(tree, "what", "round 0");
    is_count(tree, NULL, "pid", getpid());
    is_count(tree, NULL, "done", 1);
    is_count(tree, NULL, "total", 2);
    assert_true(YAJL_IS_NULL(yajl_tree_get(tree, no_stats, yajl_t_any)));
    yajl_tree_free(tree);

    assert_int_equal(record_stats(record, &stats, &err), 0);
    assert_int_equal(record_running(record, "round \"1\"", 2, 2, &err), 0);
    tree = only_file(fixture->run_dir, "7.json");
    is_text(tree, "what", "round \"1\"");
    is_count(tree, "stats", "total_bytes", 99);
    yajl_tree_free(tree);

    assert_int_equal(record_end(record, &well, &err), 0);
    assert_null(only_file(fixture->run_dir, "7.json"));
    tree = only_file(fixture->stats_dir, FINAL_NAME);
    is_text(tree, "state", "done");
    is_text(tree, "direction", "save");
    is_text(tree, "what", NULL);
    is_text(tree, "error", NULL);
    is_count(tree, NULL, "domid", 7);
    is_count(tree, "stats", "total_bytes", 99);
    yajl_tree_free(tree);
}

static void a_failure_is_written_down(void **state)
{
    struct fixture *fixture = *state;
    struct xcx_err why = XCX_ERR_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    yajl_val tree;

    xcx_err_set(&why, XCX_ERR_GUEST, 0, "too \"busy\"");
    assert_int_equal(record_end(&fixture->record, &why, &err), 0);
    tree = only_file(fixture->stats_dir, FINAL_NAME);
    is_text(tree, "state", "failed");
    is_text(tree, "error_kind", "GUEST");
    is_text(tree, "error", "too \"busy\"");
    yajl_tree_free(tree);
}

static void a_restore_has_its_own_statistics(void **state)
{
    struct fixture *fixture = *state;
    const struct xcx_restore_stats stats = {.domid = 7, .nr_superpages = 5};
    const struct xcx_err well = XCX_ERR_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    struct record record;
    yajl_val tree;

    record_init(&record, RECORD_RESTORE, fixture->stats_dir, "", 7, &started);
    assert_int_equal(record_restore_stats(&record, &stats, &err), 0);
    assert_int_equal(record_restore_stats(&record, &stats, &err), 0);
    assert_int_equal(record_end(&record, &well, &err), 0);
    record_done(&record);
    tree = only_file(fixture->stats_dir, FINAL_NAME);
    is_text(tree, "direction", "restore");
    is_text(tree, "state", "done");
    is_count(tree, "stats", "nr_superpages", 5);
    yajl_tree_free(tree);
}

static void empty_directories_mean_no_files(void **state)
{
    struct fixture *fixture = *state;
    const struct xcx_err well = XCX_ERR_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    struct record record;

    record_init(&record, RECORD_SAVE, "", "", 7, &started);
    assert_int_equal(record_running(&record, "x", 0, 0, &err), 0);
    assert_int_equal(record_end(&record, &well, &err), 0);
    assert_null(only_file(fixture->dir, ""));
}

static void check_mode(const char *dir, const char *name, mode_t mode)
{
    char path[128];
    struct stat stat_;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 07777, mode);
}

/* Names, hosts and UUIDs are in them. */
static void only_root_can_read_them(void **state)
{
    struct fixture *fixture = *state;
    const struct xcx_err well = XCX_ERR_INIT;
    mode_t mask = umask(0);

    assert_int_equal(record_running(&fixture->record, "x", 0, 0, NULL), 0);
    check_mode(fixture->run_dir, "7.json", 0600);
    assert_int_equal(record_end(&fixture->record, &well, NULL), 0);
    check_mode(fixture->stats_dir, FINAL_NAME, 0600);
    check_mode(fixture->stats_dir, "", 0700);
    umask(mask);
}

static void put_file(const char *dir, const char *name)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static bool is_there(const char *dir, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void the_oldest_files_go(void **state)
{
    static const struct {
        const char *name;
        bool stays;
    } files[] = {
        {"20250101T000000.000Z-dom7.json", false},
        {"20250102T000000Z-migration-dom7.json", false},
        {"20250102T000001Z-migration-dom7.json", true},
        /* Not ours, however old. */
        {"20250101T000000.000Z-dom7.json.gz", true},
        {"20250101T000000.json", true},
        {"2025-dom7.json", true},
        {"notes", true},
    };
    struct fixture *fixture = *state;
    const struct xcx_err well = XCX_ERR_INIT;

    assert_int_equal(mkdir(fixture->stats_dir, 0700), 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        put_file(fixture->stats_dir, files[i].name);
    assert_int_equal(record_end(&fixture->record, &well, NULL), 0);
    assert_true(is_there(fixture->stats_dir, files[0].name));
    fixture->record.nr_keep = 2;
    assert_int_equal(record_end(&fixture->record, &well, NULL), 0);
    assert_true(is_there(fixture->stats_dir, FINAL_NAME));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (is_there(fixture->stats_dir, files[i].name) != files[i].stays)
            fail_msg("%s", files[i].name);
    }
}

static void what_cannot_be_written_is_named(void **state)
{
    struct fixture *fixture = *state;
    const struct xcx_err well = XCX_ERR_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    char path[128], expected[256];
    FILE *file;

    /* A file where a directory should be. */
    snprintf(path, sizeof(path), "%s/b", fixture->dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(record_running(&fixture->record, "x", 0, 0, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_IO);
    snprintf(expected, sizeof(expected), "%s/b/c: Not a directory",
             fixture->dir);
    assert_string_equal(err.msg, expected);

    /* A directory where the file should be: the new one is removed again. */
    err = XCX_ERR_INIT;
    mkdir(fixture->stats_dir, 0755);
    snprintf(path, sizeof(path), "%s/%s", fixture->stats_dir, FINAL_NAME);
    mkdir(path, 0755);
    assert_int_equal(record_end(&fixture->record, &well, &err), -1);
    snprintf(expected, sizeof(expected), "%s: Is a directory", path);
    assert_string_equal(err.msg, expected);
    rmdir(path);
    assert_null(only_file(fixture->stats_dir, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            running_is_renewed_and_then_replaced_by_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_written_down, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_restore_has_its_own_statistics,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_directories_mean_no_files, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_root_can_read_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_files_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_named, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
