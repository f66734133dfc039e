/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines with what several commands have in common. */
#include "xl-migrate/cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define NR(array)  (sizeof(array) / sizeof((array)[0]))
#define MAX_WORDS  16
#define OPTION_OUR OPTION_OWN

static const struct option longs[] = {
    OPTIONS_LIMITS,
    {"reconnect-timeout", required_argument, NULL, OPTION_RECONNECT_TIMEOUT},
    {"our", no_argument, NULL, OPTION_OUR},
    {NULL, 0, NULL, 0},
};

struct line {
    char text[128];
    char *words[MAX_WORDS];
    int nr_words;
};

static void split(struct line *line, const char *text)
{
    memset(line, 0, sizeof(*line));
    snprintf(line->text, sizeof(line->text), "%s", text);
    for (char *word = strtok(line->text, " "); word; word = strtok(NULL, " "))
        line->words[line->nr_words++] = word;
    optind = 0;
}

/* As a command does it; ours: how often --our and -q stood there. */
static int parse(const char *text, struct config *config, unsigned *ret_ours,
                 struct xcx_err *err)
{
    const char *domain, *host;
    struct line line;
    int option;

    split(&line, text);
    *ret_ours = 0;
    config_default(config);
    while ((option = options_next(line.nr_words, line.words, "s:q", longs,
                                  err)) != -1) {
        if (option == '?')
            return -1;
        if (option == OPTION_OUR || option == 'q')
            ++*ret_ours;
        else if (option == OPTION_SSH)
            assert_string_equal(optarg, "rsh");
        else if (options_set(config, option, optarg, err))
            return -1;
    }
    if (options_domain_and_host(line.nr_words, line.words, &domain, &host, err))
        return -1;
    assert_string_equal(domain, "web");
    assert_string_equal(host, "host2");
    return 0;
}

static void limits_are_settings(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct config config;
    unsigned nr_ours;

    (void)state;
    assert_int_equal(parse("x --downtime 7 -q web --bandwidth=8 --on-slow stop "
                           "host2",
                           &config, &nr_ours, &err),
                     0);
    assert_int_equal(config.downtime_ms, 7);
    assert_int_equal(config.bandwidth_mib_per_s, 8);
    assert_int_equal(config.on_slow, XCX_ON_SLOW_STOP);
    assert_int_equal(nr_ours, 1);
    assert_int_equal(parse("x --timeout 9 --reconnect-timeout 10 -qs rsh --our "
                           "web host2",
                           &config, &nr_ours, &err),
                     0);
    assert_int_equal(config.time_budget_s, 9);
    assert_int_equal(config.reconnect_timeout_s, 10);
    assert_int_equal(nr_ours, 2);
}

static void each_limit_has_its_key(void **state)
{
    (void)state;
    assert_string_equal(options_key(OPTION_DOWNTIME), "downtime_ms");
    assert_string_equal(options_key(OPTION_BANDWIDTH), "bandwidth_mib_per_s");
    assert_string_equal(options_key(OPTION_ON_SLOW), "on_slow");
    assert_string_equal(options_key(OPTION_TIMEOUT), "time_budget_s");
    assert_string_equal(options_key(OPTION_RECONNECT_TIMEOUT),
                        "reconnect_timeout_s");
    assert_null(options_key(OPTION_OWN));
    assert_null(options_key(OPTION_SSH));
}

static void wrong_ones_are_named(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"x --fast web host2", "unknown option \"--fast\""},
        {"x --our=7 web host2", "unknown option \"--our=7\""},
        {"x --our -qx web host2", "unknown option \"-x\""},
        {"x --our -xq web host2", "unknown option \"-x\""},
        {"x web host2 --downtime", "--downtime needs a value"},
        {"x --our -s", "-s needs a value"},
        {"x --downtime fast web host2",
         "--downtime = \"fast\": expected a whole number from 0 to 3600000"},
        {"x web", "expected DOMAIN and HOST, not 1 arguments"},
        {"x web host2 host3", "expected DOMAIN and HOST, not 3 arguments"},
        {"x web -- -oProxyCommand=reboot",
         "\"-oProxyCommand=reboot\" is no HOST"},
    };

    (void)state;
    for (size_t i = 0; i < NR(cases); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct config config;
        unsigned nr_ours;

        assert_int_equal(parse(cases[i].line, &config, &nr_ours, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_USAGE);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void an_empty_host_is_none(void **state)
{
    char command[] = "x", domain[] = "web", host[] = "";
    char *words[] = {command, domain, host, NULL};
    const char *ret_domain, *ret_host;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    optind = 1;
    assert_int_equal(
        options_domain_and_host(3, words, &ret_domain, &ret_host, &err), -1);
    assert_string_equal(err.msg, "\"\" is no HOST");
}

static void an_option_without_a_setting_is_a_bug(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct config config;

    (void)state;
    config_default(&config);
    assert_int_equal(options_set(&config, OPTION_OWN, "7", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_BUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_settings),
        cmocka_unit_test(each_limit_has_its_key),
        cmocka_unit_test(wrong_ones_are_named),
        cmocka_unit_test(an_empty_host_is_none),
        cmocka_unit_test(an_option_without_a_setting_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
