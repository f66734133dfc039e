/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/config.h"
#include "common/config_lines.h"
#include "common/config_value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    char dir[32];
    char path[64];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->dir, "/tmp/test-config-XXXXXX");
    if (!mkdtemp(fixture->dir))
        return -1;
    snprintf(fixture->path, sizeof(fixture->path), "%s/c.conf", fixture->dir);
    setenv("XL_MIGRATE_CONF", fixture->path, 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    unlink(fixture->path);
    rmdir(fixture->dir);
    unsetenv("XL_MIGRATE_CONF");
    free(fixture);
    return 0;
}

static void write_file(const struct fixture *fixture, const char *text,
                       size_t nr_bytes)
{
    FILE *file = fopen(fixture->path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, nr_bytes, file), nr_bytes);
    assert_int_equal(fclose(file), 0);
}

static void defaults_are_as_documented(void **state)
{
    struct config config;
    struct xcx_save_params params = {.domid = 7};
    struct xcx_policy_limits limits;

    (void)state;
    config_default(&config);
    assert_int_equal(config.log_level, XCX_LOG_DEBUG);
    assert_int_equal(config.restore, CONFIG_RESTORE_OURS);
    assert_string_equal(config.stats_dir, "/var/log/xen/xl-migrate");
    assert_int_equal(config.stats_keep, 1000);
    assert_string_equal(config.run_dir, "/run/xl-migrate");
    assert_string_equal(config.stock_helper, "");
    assert_string_equal(config.remote_command, "ssh");
    assert_string_equal(config.journal_dir, "/var/lib/xl-migrate");
    assert_string_equal(config.hooks_dir, "/etc/xen/xl-migrate.d");
    assert_int_equal(config.suspend_timeout_s, 60);
    assert_int_equal(config.blackout_timeout_s, 30);
    assert_int_equal(config.reconnect_timeout_s, 60);
    assert_int_equal(config.peer_timeout_s, 20);
    assert_int_equal(config.xenstore_keys.nr, 0);
    config_apply(&config, &params);
    xcx_policy_limits_default(&limits);
    assert_memory_equal(&params.limits, &limits, sizeof(limits));
    assert_int_equal(params.domid, 7);
    assert_int_equal(params.nr_workers, 0);
    assert_false(params.pv_without_logdirty_pause);
    assert_null(params.lock_dir);
}

static void every_key_arrives(void **state)
{
    static const char text[] = "# all of them\n"
                               "downtime_ms = 50; time_budget_s=\"60\"\n"
                               "max_rounds = 9\n"
                               "on_slow = \"throttle-then-stop\"\n"
                               "bandwidth_mib_per_s = 100 # not Mbit\n"
                               "pv_without_logdirty = 'pause'\n"
                               "workers = 4\n"
                               "restore = \"stock\"\n"
                               "stats_dir = \"/a # b\"\n"
                               "run_dir = \"\"\n"
                               "lock_dir = \"/l\"\n"
                               "stock_helper = \"/s\"\n"
                               "remote_command = \"ssh -p 7\"\n"
                               "journal_dir = '/j'; hooks_dir = ''\n"
                               "hooks_timeout_s = 1; suspend_timeout_s = 2\n"
                               "reconnect_timeout_s = 0; peer_timeout_s = 4\n"
                               "announce_rounds = 3; announce_max_ms = 6\n"
                               "announce_initial_ms=4;announce_step_ms=5\n"
                               "xenstore_keys = [ 'a/b', \"c_@-d\" ]\n"
                               "log_level = \"warn\"";
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_save_params params = {.domid = 7};
    struct config config;

    write_file(*state, text, sizeof(text) - 1);
    config_load(&config, &err);
    assert_string_equal(err.msg, "");
    config_apply(&config, &params);
    assert_int_equal(params.limits.downtime_target_ns, 50000000);
    assert_int_equal(params.limits.time_budget_ns, 60000000000);
    assert_int_equal(params.limits.max_rounds, 9);
    assert_int_equal(params.limits.on_slow, XCX_ON_SLOW_THROTTLE_THEN_STOP);
    assert_int_equal(params.limits.bandwidth_bytes_per_s, 104857600);
    assert_true(params.pv_without_logdirty_pause);
    assert_int_equal(params.nr_workers, 4);
    assert_string_equal(params.lock_dir, "/l");
    assert_int_equal(config.restore, CONFIG_RESTORE_STOCK);
    assert_string_equal(config.stats_dir, "/a # b");
    assert_string_equal(config.run_dir, "");
    assert_string_equal(config.stock_helper, "/s");
    assert_int_equal(config.log_level, XCX_LOG_WARN);
    assert_string_equal(config.remote_command, "ssh -p 7");
    assert_string_equal(config.journal_dir, "/j");
    assert_string_equal(config.hooks_dir, "");
    assert_int_equal(config.hooks_timeout_s, 1);
    assert_int_equal(config.suspend_timeout_s, 2);
    assert_int_equal(config.reconnect_timeout_s, 0);
    assert_int_equal(config.peer_timeout_s, 4);
    assert_int_equal(config.announce_rounds, 3);
    assert_int_equal(config.announce_initial_ms, 4);
    assert_int_equal(config.announce_step_ms, 5);
    assert_int_equal(config.announce_max_ms, 6);
    assert_int_equal(config.xenstore_keys.nr, 2);
    assert_string_equal(config.xenstore_keys.key[0], "a/b");
    assert_string_equal(config.xenstore_keys.key[1], "c_@-d");
}

/* The %s is where the path goes. */
static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"downtime_ms = \"fast\"\n",
         "%s:1: downtime_ms = \"fast\": expected a whole number from 0 to "
         "3600000"},
        {"\n\ndowntime_ms = 3600001\n",
         "%s:3: downtime_ms = \"3600001\": expected a whole number from 0 to "
         "3600000"},
        {"max_rounds = \"-1\"\n",
         "%s:1: max_rounds = \"-1\": expected a whole number from 0 to 1000"},
        {"max_rounds = \"\"\n",
         "%s:1: max_rounds = \"\": expected a whole number from 0 to 1000"},
        {"workers = \"4 \"\n", "%s:1: workers = \"4 \": expected a whole "
                               "number from 0 to 64, or none"},
        {"workers = 99999999999999999999\n",
         "%s:1: workers = \"99999999999999999999\": expected a whole number "
         "from 0 to 64, or none"},
        {"on_slow = \"panic\"\n",
         "%s:1: on_slow = \"panic\": expected \"throttle\" or \"stop\" or "
         "\"abort\" or \"throttle-then-stop\""},
        {"log_level = 3\n",
         "%s:1: log_level = \"3\": expected \"debug\" or \"info\" or \"warn\" "
         "or \"error\""},
        {"stats_dir = \"here\"\n",
         "%s:1: stats_dir = \"here\": expected an absolute path, or nothing"},
        {"journal_dir = \"\"\n",
         "%s:1: journal_dir = \"\": expected an absolute path"},
        {"blackout_timeout_s = 0\n",
         "%s:1: blackout_timeout_s = \"0\": expected a whole number from 1 to "
         "3600"},
        {"suspend_timeout_s = 0\n",
         "%s:1: suspend_timeout_s = \"0\": expected a whole number from 1 to "
         "3600"},
        {"xenstore_keys = [ 'a', '/b' ]\n",
         "%s:1: xenstore_keys = \"/b\": expected a key below the domain's own, "
         "such as \"data\""},
        {"xenstore_keys = [ [ 'a' ], 'b' ]\n",
         "%s:1: xenstore_keys: expected texts only in the list"},
        {"downtime_ms = [ 1, 2 ]\n",
         "%s:1: downtime_ms: expected one value, not a list"},
        {"# a\ndowntime = 300\n", "%s:2: unknown key downtime"},
        {"workers = [ 'a\\'#',\n '#', ]\nx = 1\n", "%s:3: unknown key x"},
        {"workers += 3\n", "%s:1: workers takes \"=\", not \"+=\""},
        {"workers = 3\nmax_rounds = 2; workers = 3\n",
         "%s:2: workers is given twice, first on line 1"},
        {"workers = 3\nworkers 4\n",
         "%s:2: config parsing error near `4': syntax error, unexpected "
         "NUMBER, expecting += or '='"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        char expected[512];
        struct config config = {.downtime_ms = 77};
        const char *rest = strstr(cases[i].message, "%s") + 2;

        write_file(fixture, cases[i].text, strlen(cases[i].text));
        assert_int_equal(config_load(&config, &err), -1);
        snprintf(expected, sizeof(expected), "%s%s", fixture->path, rest);
        assert_string_equal(err.msg, expected);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_int_equal(config.downtime_ms, 77);
    }
}

static void files_that_cannot_be_read_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct xcx_err err = XCX_ERR_INIT;
    struct config config;
    char expected[256];
    char *large = calloc(1, CONFIG_FILE_MAX_BYTES + 1);

    assert_int_equal(config_load(&config, &err), -1);
    snprintf(expected, sizeof(expected), "%s: No such file or directory",
             fixture->path);
    assert_string_equal(err.msg, expected);
    assert_int_equal(err.kind, XCX_ERR_IO);

    err = XCX_ERR_INIT;
    setenv("XL_MIGRATE_CONF", fixture->dir, 1);
    assert_int_equal(config_load(&config, &err), -1);
    assert_int_equal(err.os_errno, EISDIR);

    err = XCX_ERR_INIT;
    setenv("XL_MIGRATE_CONF", fixture->path, 1);
    write_file(fixture, "a\0b", 3);
    assert_int_equal(config_load(&config, &err), -1);
    snprintf(expected, sizeof(expected), "%s: not a text file", fixture->path);
    assert_string_equal(err.msg, expected);

    err = XCX_ERR_INIT;
    memset(large, '\n', CONFIG_FILE_MAX_BYTES + 1);
    write_file(fixture, large, CONFIG_FILE_MAX_BYTES + 1);
    assert_int_equal(config_load(&config, &err), -1);
    snprintf(expected, sizeof(expected), "%s: longer than 65536 bytes",
             fixture->path);
    assert_string_equal(err.msg, expected);

    err = XCX_ERR_INIT;
    write_file(fixture, large, CONFIG_FILE_MAX_BYTES);
    assert_int_equal(config_load(&config, &err), 0);
    free(large);
}

static void the_environment_comes_last(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_save_params params = {.domid = 7};
    struct config config;

    write_file(*state, "workers = 3\nmax_rounds = 4\n", 27);
    setenv("XL_MIGRATE_WORKERS", "5", 1);
    assert_int_equal(config_load(&config, &err), 0);
    assert_int_equal(config.workers, 5);
    assert_int_equal(config.max_rounds, 4);
    setenv("XL_MIGRATE_WORKERS", "none", 1);
    assert_int_equal(config_load(&config, &err), 0);
    config_apply(&config, &params);
    assert_int_equal(params.nr_workers, XCX_NO_WORKERS);
    setenv("XL_MIGRATE_WORKERS", "many", 1);
    assert_int_equal(config_load(&config, &err), -1);
    assert_string_equal(err.msg,
                        "environment: XL_MIGRATE_WORKERS = \"many\": expected "
                        "a whole number from 0 to 64, or none");
    unsetenv("XL_MIGRATE_WORKERS");
}

static void a_list_in_the_environment_replaces_the_files(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct config config;

    write_file(*state, "xenstore_keys = ['a']\n", 22);
    setenv("XL_MIGRATE_XENSTORE_KEYS", " b, c/d ,e", 1);
    assert_int_equal(config_load(&config, &err), 0);
    assert_int_equal(config.xenstore_keys.nr, 3);
    assert_string_equal(config.xenstore_keys.key[0], "b");
    assert_string_equal(config.xenstore_keys.key[1], "c/d");
    assert_string_equal(config.xenstore_keys.key[2], "e");
    setenv("XL_MIGRATE_XENSTORE_KEYS", "", 1);
    assert_int_equal(config_load(&config, &err), 0);
    assert_int_equal(config.xenstore_keys.nr, 0);
    unsetenv("XL_MIGRATE_XENSTORE_KEYS");
}

static void xenstore_keys_are_bounded(void **state)
{
    static const char *const wrong[] = {"/",   "a//b", "a/",       "/a",
                                        "a b", "a\n",  "\xc3\xa4", ""};
    struct config_xenstore_keys keys = {.nr = 0};
    char longest[CONFIG_XENSTORE_KEY_BYTES + 1];
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < NR(wrong); i++)
        assert_int_equal(config_value_add_key(&keys, wrong[i], "x", NULL), -1);
    memset(longest, 'a', sizeof(longest));
    longest[CONFIG_XENSTORE_KEY_BYTES] = 0;
    assert_int_equal(config_value_add_key(&keys, longest, "x", NULL), -1);
    assert_int_equal(config_value_split_keys(&keys, longest, "x", NULL), -1);
    assert_int_equal(keys.nr, 0);
    longest[CONFIG_XENSTORE_KEY_BYTES - 1] = 0;
    for (int i = 0; i < CONFIG_MAX_XENSTORE_KEYS; i++)
        assert_int_equal(config_value_add_key(&keys, longest, "x", &err), 0);
    assert_int_equal(config_value_add_key(&keys, "a", "x", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_string_equal(err.msg, "x: more than 32 keys");
}

static void options_are_set_as_keys_are(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_policy_limits limits;
    struct config config;

    (void)state;
    config_default(&config);
    assert_int_equal(config_set(&config, "downtime_ms", "7", "--d", &err), 0);
    assert_int_equal(config_set(&config, "on_slow", "stop", "--o", &err), 0);
    config_limits(&config, &limits);
    assert_int_equal(limits.downtime_target_ns, 7000000);
    assert_int_equal(limits.on_slow, XCX_ON_SLOW_STOP);
    assert_string_equal(config_on_slow_name(limits.on_slow), "stop");
    assert_null(config_on_slow_name(99));
    assert_int_equal(config_set(&config, "downtime_ms", "x", "--d", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_string_equal(err.msg, "--d = \"x\": expected a whole number from 0 "
                                 "to 3600000");
    assert_int_equal(config.downtime_ms, 7);
    err = XCX_ERR_INIT;
    assert_int_equal(config_set(&config, "no", "x", "--n", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_BUG);
}

/* The file that is installed has every key, with its default, commented out. */
static void the_installed_file_says_the_defaults(void **state)
{
    FILE *file = fopen("configs/xl-migrate.conf", "r");
    struct xcx_err err = XCX_ERR_INIT;
    struct config config, defaults;
    char line[256], text[8192] = "";
    unsigned nr_keys = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        assert_int_equal(line[0] == '#' || line[0] == '\n', 1);
        if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z') {
            assert_true(strlen(text) + strlen(line) < sizeof(text));
            strcat(text, line + 1);
            nr_keys++;
        }
    }
    fclose(file);
    assert_int_equal(nr_keys, 29);
    write_file(*state, text, strlen(text));
    memset(&config, 0, sizeof(config));
    config_load(&config, &err);
    assert_string_equal(err.msg, "");
    config_default(&defaults);
    assert_memory_equal(&config, &defaults,
                        offsetof(struct config, xenstore_keys));
    assert_int_equal(config.xenstore_keys.nr, 0);
}

static void lines_of_keys_are_found(void **state)
{
    static const struct {
        const char *text;
        const char *keys; /* "key@line" each, + for an append */
    } cases[] = {
        {"", ""},
        {"a=1", "a@1 "},
        {"a = 1 ; b\t=2\n c += 3", "a@1 b@1 c@2+ "},
        {"# x=1\na=1 # y=2\nb=2", "a@2 b@3 "},
        {"a='x\\'; b=1'\nc=1", "a@1 c@2 "},
        {"a=[ 1,\n  [ 2 ],\n 3 ]\nb=1", "a@1 b@4 "},
        {"a=\"never closed", "a@1 "},
        {"a=[ never closed\n", "a@1 "},
        {"a=1\\", "a@1 "},
        {"a='\\", "a@1 "},
        {"1a=1\n_b9=2", "_b9@2 "},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct config_lines lines;
        struct config_line line;
        char found[256] = "";

        config_lines_init(&lines, cases[i].text);
        while (config_lines_next(&lines, &line)) {
            size_t used = strlen(found);

            snprintf(found + used, sizeof(found) - used, "%.*s@%u%s ",
                     (int)line.key_nr_chars, line.key, line.line,
                     line.is_append ? "+" : "");
        }
        assert_string_equal(found, cases[i].keys);
    }
}

/* Whatever the text: it ends, in bounds, with lines in order. */
static void any_text_is_walked_to_its_end(void **state)
{
    static const char alphabet[] = "a1_ =+;#'\"[]\\\n\t,";
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        char *text = malloc(24);
        struct config_lines lines;
        struct config_line line;
        unsigned last_line = 1, nr_keys = 0;

        assert_non_null(text);
        for (unsigned n = 0; n < 23; n++) {
            seed = seed * 1664525u + 1013904223u;
            text[n] = alphabet[(seed >> 16) % sizeof(alphabet)];
        }
        text[23] = 0;
        config_lines_init(&lines, text);
        while (config_lines_next(&lines, &line)) {
            assert_in_range(line.line, last_line, 24);
            assert_in_range(line.key_nr_chars, 1, 23);
            last_line = line.line;
            assert_in_range(++nr_keys, 1, 23);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_as_documented),
        cmocka_unit_test_setup_teardown(every_key_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_read_are_named,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_comes_last, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_installed_file_says_the_defaults,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_list_in_the_environment_replaces_the_files, set_up, tear_down),
        cmocka_unit_test(xenstore_keys_are_bounded),
        cmocka_unit_test(options_are_set_as_keys_are),
        cmocka_unit_test(lines_of_keys_are_found),
        cmocka_unit_test(any_text_is_walked_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
