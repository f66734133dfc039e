/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <limits.h>
#include <stdio.h>

static const struct setting {
    const char *option, *key;
} settings[] = {
    {"--downtime", "downtime_ms"},
    {"--bandwidth", "bandwidth_mib_per_s"},
    {"--on-slow", "on_slow"},
    {"--timeout", "time_budget_s"},
    {"--reconnect-timeout", "reconnect_timeout_s"},
};

#define NR_SETTINGS ((int)(sizeof(settings) / sizeof(settings[0])))
#define MAX_SHORTS  32

/* A short one may stand among others in one word: optopt has it alone. */
static int wrong_option(char **argv, int answer, struct xcx_err *err)
{
    const char short_option[] = {'-', (char)optopt, 0};
    const char *text =
        optopt > 0 && optopt <= CHAR_MAX ? short_option : argv[optind - 1];

    if (answer == ':')
        xcx_err_set(err, XCX_ERR_USAGE, 0, "%.40s needs a value", text);
    else
        xcx_err_set(err, XCX_ERR_USAGE, 0, "unknown option \"%.40s\"", text);
    return '?';
}

int options_next(int argc, char **argv, const char *shorts,
                 const struct option *longs, struct xcx_err *err)
{
    char quiet_shorts[MAX_SHORTS];
    int answer;

    snprintf(quiet_shorts, sizeof(quiet_shorts), ":%s", shorts);
    opterr = 0;
    answer = getopt_long(argc, argv, quiet_shorts, longs, NULL);
    if (answer == ':' || answer == '?')
        return wrong_option(argv, answer, err);
    return answer;
}

static const struct setting *setting_of(int option)
{
    int nr = option - OPTION_DOWNTIME;

    return nr >= 0 && nr < NR_SETTINGS ? &settings[nr] : NULL;
}

const char *options_key(int option)
{
    const struct setting *setting = setting_of(option);

    return setting ? setting->key : NULL;
}

int options_set(struct config *config, int option, const char *value,
                struct xcx_err *err)
{
    const struct setting *setting = setting_of(option);

    if (!setting)
        return xcx_err_set(err, XCX_ERR_BUG, 0, "option %d is no setting",
                           option);
    return config_set(config, setting->key, value, setting->option, err);
}

int options_domain_and_host(int argc, char **argv, const char **ret_domain,
                            const char **ret_host, struct xcx_err *err)
{
    const char *host;

    if (argc - optind != 2)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "expected DOMAIN and HOST, not %d arguments",
                           argc - optind);
    host = argv[optind + 1];
    /* To ssh it would be an option. */
    if (!host[0] || host[0] == '-')
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "\"%.60s\" is no HOST", host);
    *ret_domain = argv[optind];
    *ret_host = host;
    return 0;
}
