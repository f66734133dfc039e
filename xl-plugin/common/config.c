/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxlutil.h>

#include "config_lines.h"
#include "config_value.h"

#ifndef CONFIG_DEFAULT_PATH
#define CONFIG_DEFAULT_PATH "/etc/xen/xl-migrate.conf"
#endif

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* In the order of the enums they stand for. */
static const char *const on_slow_names[] = {
    [XCX_ON_SLOW_THROTTLE] = "throttle",
    [XCX_ON_SLOW_STOP] = "stop",
    [XCX_ON_SLOW_ABORT] = "abort",
    [XCX_ON_SLOW_THROTTLE_THEN_STOP] = "throttle-then-stop",
    NULL,
};
static const char *const log_level_names[] = {
    [XCX_LOG_DEBUG] = "debug",
    [XCX_LOG_INFO] = "info",
    [XCX_LOG_WARN] = "warn",
    [XCX_LOG_ERROR] = "error",
    NULL,
};
static const char *const restore_names[] = {
    [CONFIG_RESTORE_OURS] = "ours",
    [CONFIG_RESTORE_STOCK] = "stock",
    NULL,
};
static const char *const refuse_or_pause[] = {"refuse", "pause", NULL};

#define FIELD(field, of_type)                                                  \
    .name = #field, .type = (of_type), .offset = offsetof(struct config, field)
#define NUMBER(field, least, largest)                                          \
    {                                                                          \
        FIELD(field, CONFIG_NUMBER), .min = (least), .max = (largest)          \
    }
#define CHOICE(field, names)                                                   \
    {                                                                          \
        FIELD(field, CONFIG_CHOICE), .choices = (names)                        \
    }

static const struct config_key keys[] = {
    NUMBER(downtime_ms, 0, 3600000),
    NUMBER(time_budget_s, 0, 1000000),
    NUMBER(max_rounds, 0, 1000),
    NUMBER(bandwidth_mib_per_s, 0, 1000000),
    CHOICE(on_slow, on_slow_names),
    {FIELD(workers, CONFIG_NUMBER), .max = CONFIG_MAX_WORKERS, .word = "none"},
    CHOICE(log_level, log_level_names),
    CHOICE(pv_without_logdirty, refuse_or_pause),
    CHOICE(restore, restore_names),
    {FIELD(stats_dir, CONFIG_PATH)},
    NUMBER(stats_keep, 0, 1000000),
    {FIELD(run_dir, CONFIG_PATH)},
    {FIELD(lock_dir, CONFIG_PATH)},
    {FIELD(stock_helper, CONFIG_PATH)},
    {FIELD(remote_command, CONFIG_TEXT)},
    {FIELD(journal_dir, CONFIG_PATH), .required = true},
    {FIELD(hooks_dir, CONFIG_PATH)},
    NUMBER(hooks_timeout_s, 1, 3600),
    NUMBER(suspend_timeout_s, 1, 3600),
    NUMBER(blackout_timeout_s, 1, 3600),
    NUMBER(reconnect_timeout_s, 0, 86400),
    NUMBER(peer_timeout_s, 4, 3600),
    NUMBER(build_timeout_s, 1, 86400),
    NUMBER(decided_keep_h, 0, 87600),
    NUMBER(announce_rounds, 0, 1000),
    NUMBER(announce_initial_ms, 0, 100000),
    NUMBER(announce_step_ms, 0, 10000),
    NUMBER(announce_max_ms, 0, 100000),
    {FIELD(xenstore_keys, CONFIG_KEYS)},
};

void config_default(struct config *ret_config)
{
    struct xcx_policy_limits limits;

    xcx_policy_limits_default(&limits);
    *ret_config = (struct config){
        .downtime_ms = limits.downtime_target_ns / 1000000,
        .time_budget_s = limits.time_budget_ns / 1000000000,
        .max_rounds = limits.max_rounds,
        .bandwidth_mib_per_s = limits.bandwidth_bytes_per_s >> 20,
        .on_slow = limits.on_slow,
        .log_level = XCX_LOG_DEBUG,
        .restore = CONFIG_RESTORE_OURS,
        .stats_dir = "/var/log/xen/xl-migrate",
        .stats_keep = 1000,
        .run_dir = "/run/xl-migrate",
        .remote_command = "ssh",
        .journal_dir = "/var/lib/xl-migrate",
        .hooks_dir = "/etc/xen/xl-migrate.d",
        .hooks_timeout_s = 60,
        .suspend_timeout_s = 60,
        .blackout_timeout_s = 30,
        .reconnect_timeout_s = 60,
        .peer_timeout_s = 20,
        .build_timeout_s = 600,
        .decided_keep_h = 720,
        .announce_rounds = 5,
        .announce_initial_ms = 50,
        .announce_step_ms = 100,
        .announce_max_ms = 550,
    };
}

void config_limits(const struct config *config,
                   struct xcx_policy_limits *ret_limits)
{
    *ret_limits = (struct xcx_policy_limits){
        .downtime_target_ns = config->downtime_ms * UINT64_C(1000000),
        .time_budget_ns = config->time_budget_s * UINT64_C(1000000000),
        .max_rounds = (unsigned)config->max_rounds,
        .bandwidth_bytes_per_s = (uint64_t)config->bandwidth_mib_per_s << 20,
        .on_slow = (enum xcx_on_slow)config->on_slow,
    };
}

const char *config_on_slow_name(enum xcx_on_slow on_slow)
{
    return (size_t)on_slow < NR(on_slow_names) ? on_slow_names[on_slow] : NULL;
}

void config_apply(const struct config *config, struct xcx_save_params *params)
{
    config_limits(config, &params->limits);
    params->nr_workers = config->workers > CONFIG_MAX_WORKERS
                             ? XCX_NO_WORKERS
                             : (unsigned)config->workers;
    params->pv_without_logdirty_pause = config->pv_without_logdirty == 1;
    params->lock_dir = config->lock_dir[0] ? config->lock_dir : NULL;
}

/* Where a value comes from, for messages: "FILE:LINE: key" and the like. */
#define ORIGIN_BYTES (CONFIG_PATH_BYTES / 8)

/* ---- the file ---------------------------------------------------------- */

static const struct config_key *find_key(const struct config_line *line)
{
    for (size_t i = 0; i < NR(keys); i++)
        if (strlen(keys[i].name) == line->key_nr_chars &&
            memcmp(keys[i].name, line->key, line->key_nr_chars) == 0)
            return &keys[i];
    return NULL;
}

/* Notes the line of each key; refuses what libxlutil would let pass. */
static int find_lines(const char *path, const char *text,
                      unsigned ret_lines[NR(keys)], struct xcx_err *err)
{
    struct config_lines lines;
    struct config_line line;

    config_lines_init(&lines, text);
    while (config_lines_next(&lines, &line)) {
        const struct config_key *key = find_key(&line);
        int nr_chars = line.key_nr_chars < 40 ? (int)line.key_nr_chars : 40;

        if (!key)
            return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s:%u: unknown key %.*s",
                               path, line.line, nr_chars, line.key);
        if (line.is_append)
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "%s:%u: %s takes \"=\", not \"+=\"", path,
                               line.line, key->name);
        if (ret_lines[key - keys] != 0)
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "%s:%u: %s is given twice, first on line %u",
                               path, line.line, key->name,
                               ret_lines[key - keys]);
        ret_lines[key - keys] = line.line;
    }
    return 0;
}

/* A list; one text with the keys in it is taken as well. */
static int take_keys(struct config_xenstore_keys *ret_keys,
                     const XLU_Config *parsed, const struct config_key *key,
                     const char *origin, struct xcx_err *err)
{
    XLU_ConfigList *list;
    const char *text;
    int nr;

    if (xlu_cfg_get_string(parsed, key->name, &text, 1) == 0)
        return config_value_split_keys(ret_keys, text, origin, err);
    if (xlu_cfg_get_list(parsed, key->name, &list, &nr, 1) != 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: expected a list of keys",
                           origin);
    for (int i = 0; i < nr; i++) {
        text = xlu_cfg_get_listitem(list, i);
        if (!text)
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "%s: expected texts only in the list", origin);
        if (config_value_add_key(ret_keys, text, origin, err) < 0)
            return -1;
    }
    return 0;
}

static int take_value(struct config *config, const XLU_Config *parsed,
                      const struct config_key *key, const char *origin,
                      struct xcx_err *err)
{
    const char *value;

    if (key->type == CONFIG_KEYS)
        return take_keys(&config->xenstore_keys, parsed, key, origin, err);
    if (xlu_cfg_get_string(parsed, key->name, &value, 1) != 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%s: expected one value, not a list", origin);
    return config_value_set(config, key, value, origin, err);
}

static int take_values(struct config *config, const XLU_Config *parsed,
                       const char *path, const unsigned lines[NR(keys)],
                       struct xcx_err *err)
{
    for (size_t i = 0; i < NR(keys); i++) {
        char origin[ORIGIN_BYTES];
        const char *value;

        if (xlu_cfg_get_string(parsed, keys[i].name, &value, 1) == ESRCH)
            continue;
        snprintf(origin, sizeof(origin), "%.80s:%u: %s", path, lines[i],
                 keys[i].name);
        if (take_value(config, parsed, &keys[i], origin, err) < 0)
            return -1;
    }
    return 0;
}

/* libxlutil's report, its first line: "FILE:LINE: what". */
static int syntax_error(const char *path, const char *report,
                        struct xcx_err *err)
{
    int nr_chars = (int)strcspn(report, "\n");

    if (nr_chars == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: cannot be parsed", path);
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "%.*s", nr_chars, report);
}

static int parse_text(struct config *config, const char *path, const char *text,
                      struct xcx_err *err)
{
    unsigned lines[NR(keys)] = {0};
    char *report = NULL;
    size_t report_bytes = 0;
    FILE *report_file = open_memstream(&report, &report_bytes);
    XLU_Config *parsed = report_file ? xlu_cfg_init(report_file, path) : NULL;
    int rc = -1;

    if (!parsed) {
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "%s", path);
    } else if (xlu_cfg_readdata(parsed, text, (int)strlen(text)) != 0) {
        fflush(report_file);
        syntax_error(path, report, err);
    } else if (find_lines(path, text, lines, err) == 0) {
        rc = take_values(config, parsed, path, lines, err);
    }
    if (parsed)
        xlu_cfg_destroy(parsed);
    if (report_file)
        fclose(report_file);
    free(report);
    return rc;
}

/* Reads at most size - 1 bytes; returns how many, or -1 with errno. */
static ssize_t read_text(int fd, char *text, size_t size)
{
    size_t used = 0;

    while (used < size - 1) {
        ssize_t n = read(fd, text + used, size - 1 - used);

        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    text[used] = 0;
    return (ssize_t)used;
}

static int load_file(struct config *config, const char *path, bool must_exist,
                     struct xcx_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    ssize_t nr_bytes;
    int rc = -1;

    if (fd < 0 && errno == ENOENT && !must_exist)
        return 0;
    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", path);
    text = malloc(CONFIG_FILE_MAX_BYTES + 2);
    nr_bytes = text ? read_text(fd, text, CONFIG_FILE_MAX_BYTES + 2) : -1;
    if (nr_bytes < 0)
        xcx_err_set(err, XCX_ERR_IO, errno, "%s", path);
    else if (nr_bytes > CONFIG_FILE_MAX_BYTES)
        xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: longer than %d bytes", path,
                    CONFIG_FILE_MAX_BYTES);
    else if (strlen(text) != (size_t)nr_bytes)
        xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: not a text file", path);
    else
        rc = parse_text(config, path, text, err);
    free(text);
    close(fd);
    return rc;
}

/* ---- the environment --------------------------------------------------- */

/* A list is one text, which replaces the list of before. */
static int set_from_text(struct config *config, const struct config_key *key,
                         const char *value, const char *origin,
                         struct xcx_err *err)
{
    if (key->type != CONFIG_KEYS)
        return config_value_set(config, key, value, origin, err);
    config->xenstore_keys.nr = 0;
    return config_value_split_keys(&config->xenstore_keys, value, origin, err);
}

static int load_environment(struct config *config, struct xcx_err *err)
{
    for (size_t i = 0; i < NR(keys); i++) {
        char name[64];
        char origin[ORIGIN_BYTES];
        const char *value;
        size_t used;

        snprintf(name, sizeof(name), "XL_MIGRATE_%s", keys[i].name);
        for (used = 0; name[used]; used++)
            name[used] = (char)toupper((unsigned char)name[used]);
        value = getenv(name);
        if (!value)
            continue;
        snprintf(origin, sizeof(origin), "environment: %s", name);
        if (set_from_text(config, &keys[i], value, origin, err) < 0)
            return -1;
    }
    return 0;
}

int config_set(struct config *config, const char *key, const char *value,
               const char *origin, struct xcx_err *err)
{
    for (size_t i = 0; i < NR(keys); i++)
        if (strcmp(keys[i].name, key) == 0)
            return set_from_text(config, &keys[i], value, origin, err);
    return xcx_err_set(err, XCX_ERR_BUG, 0, "there is no key %s", key);
}

int config_load(struct config *ret_config, struct xcx_err *err)
{
    struct config config;

    config_default(&config);
    if (config_load_over(&config, err))
        return -1;
    *ret_config = config;
    return 0;
}

int config_load_over(struct config *defaults, struct xcx_err *err)
{
    const char *path = getenv("XL_MIGRATE_CONF");
    struct config config = *defaults;

    if (load_file(&config, path ? path : CONFIG_DEFAULT_PATH, path != NULL,
                  err) < 0)
        return -1;
    if (load_environment(&config, err) < 0)
        return -1;
    *defaults = config;
    return 0;
}
