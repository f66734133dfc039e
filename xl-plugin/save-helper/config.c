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

#ifndef CONFIG_DEFAULT_PATH
#define CONFIG_DEFAULT_PATH "/etc/xen/xl-migrate.conf"
#endif

#define NR(array) (sizeof(array) / sizeof((array)[0]))

enum key_type {
    KEY_NUMBER, /* unsigned long; or max + 1 for the one word it takes */
    KEY_CHOICE, /* unsigned: an index of choices */
    KEY_PATH,   /* char[CONFIG_PATH_BYTES]: absolute, or empty */
};

struct key {
    const char *name;
    enum key_type type;
    size_t offset;
    unsigned long max;          /* KEY_NUMBER */
    const char *const *choices; /* KEY_CHOICE, ends with NULL */
    const char *word;           /* KEY_NUMBER; NULL: only numbers */
};

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

#define NUMBER(field, largest)                                                 \
    {                                                                          \
        .name = #field, .type = KEY_NUMBER,                                    \
        .offset = offsetof(struct config, field), .max = (largest)             \
    }
#define CHOICE(field, names)                                                   \
    {                                                                          \
        .name = #field, .type = KEY_CHOICE,                                    \
        .offset = offsetof(struct config, field), .choices = (names)           \
    }
#define PATH(field)                                                            \
    {                                                                          \
        .name = #field, .type = KEY_PATH,                                      \
        .offset = offsetof(struct config, field)                               \
    }

static const struct key keys[] = {
    NUMBER(downtime_ms, 3600000),
    NUMBER(time_budget_s, 1000000),
    NUMBER(max_rounds, 1000),
    NUMBER(bandwidth_mib_per_s, 1000000),
    {.name = "workers",
     .type = KEY_NUMBER,
     .offset = offsetof(struct config, workers),
     .max = CONFIG_MAX_WORKERS,
     .word = "none"},
    CHOICE(on_slow, on_slow_names),
    CHOICE(log_level, log_level_names),
    CHOICE(pv_without_logdirty, refuse_or_pause),
    CHOICE(restore, restore_names),
    PATH(stats_dir),
    PATH(run_dir),
    PATH(lock_dir),
    PATH(stock_helper),
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
        .run_dir = "/run/xl-migrate",
    };
}

void config_apply(const struct config *config, struct xcx_save_params *params)
{
    params->limits = (struct xcx_policy_limits){
        .downtime_target_ns = config->downtime_ms * UINT64_C(1000000),
        .time_budget_ns = config->time_budget_s * UINT64_C(1000000000),
        .max_rounds = (unsigned)config->max_rounds,
        .bandwidth_bytes_per_s = (uint64_t)config->bandwidth_mib_per_s << 20,
        .on_slow = (enum xcx_on_slow)config->on_slow,
    };
    params->nr_workers = config->workers > CONFIG_MAX_WORKERS
                             ? XCX_NO_WORKERS
                             : (unsigned)config->workers;
    params->pv_without_logdirty_pause = config->pv_without_logdirty == 1;
    params->lock_dir = config->lock_dir[0] ? config->lock_dir : NULL;
}

/* ---- one value --------------------------------------------------------- */

/* Where a value comes from, for messages: "FILE:LINE: key" and the like. */
struct origin {
    char text[CONFIG_PATH_BYTES / 8];
};

static int bad_value(const struct origin *origin, const char *value,
                     const char *expected, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s = \"%.40s\": expected %s",
                       origin->text, value, expected);
}

static int set_number(unsigned long *ret_number, const struct key *key,
                      const char *value, const struct origin *origin,
                      struct xcx_err *err)
{
    char expected[64];
    char *rest;
    unsigned long number;

    if (key->word && strcmp(value, key->word) == 0) {
        *ret_number = key->max + 1;
        return 0;
    }
    snprintf(expected, sizeof(expected), "a whole number from 0 to %lu%s%s",
             key->max, key->word ? ", or " : "", key->word ? key->word : "");
    errno = 0;
    number = strtoul(value, &rest, 10);
    if (!isdigit((unsigned char)value[0]) || *rest || errno ||
        number > key->max)
        return bad_value(origin, value, expected, err);
    *ret_number = number;
    return 0;
}

static int set_choice(unsigned *ret_index, const struct key *key,
                      const char *value, const struct origin *origin,
                      struct xcx_err *err)
{
    char expected[96] = "";

    for (unsigned i = 0; key->choices[i]; i++) {
        size_t used = strlen(expected);

        if (strcmp(value, key->choices[i]) == 0) {
            *ret_index = i;
            return 0;
        }
        snprintf(expected + used, sizeof(expected) - used, "%s\"%s\"",
                 i ? " or " : "", key->choices[i]);
    }
    return bad_value(origin, value, expected, err);
}

static int set_path(char *ret_path, const char *value,
                    const struct origin *origin, struct xcx_err *err)
{
    if ((value[0] && value[0] != '/') || strlen(value) >= CONFIG_PATH_BYTES)
        return bad_value(origin, value, "an absolute path, or nothing", err);
    snprintf(ret_path, CONFIG_PATH_BYTES, "%s", value);
    return 0;
}

static int set_value(struct config *config, const struct key *key,
                     const char *value, const struct origin *origin,
                     struct xcx_err *err)
{
    char *field = (char *)config + key->offset;

    switch (key->type) {
    case KEY_NUMBER:
        return set_number((unsigned long *)(void *)field, key, value, origin,
                          err);
    case KEY_CHOICE:
        return set_choice((unsigned *)(void *)field, key, value, origin, err);
    case KEY_PATH:
        return set_path(field, value, origin, err);
    }
    return xcx_err_set(err, XCX_ERR_BUG, 0, "key %s has no type", key->name);
}

/* ---- the file ---------------------------------------------------------- */

static const struct key *find_key(const struct config_line *line)
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
        const struct key *key = find_key(&line);
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

static int take_values(struct config *config, const XLU_Config *parsed,
                       const char *path, const unsigned lines[NR(keys)],
                       struct xcx_err *err)
{
    for (size_t i = 0; i < NR(keys); i++) {
        struct origin origin;
        const char *value;
        int rc = xlu_cfg_get_string(parsed, keys[i].name, &value, 1);

        if (rc == ESRCH)
            continue;
        snprintf(origin.text, sizeof(origin.text), "%.80s:%u: %s", path,
                 lines[i], keys[i].name);
        if (rc != 0)
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "%s: expected one value, not a list",
                               origin.text);
        if (set_value(config, &keys[i], value, &origin, err) < 0)
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

static int load_environment(struct config *config, struct xcx_err *err)
{
    for (size_t i = 0; i < NR(keys); i++) {
        char name[64];
        struct origin origin;
        const char *value;
        size_t used;

        snprintf(name, sizeof(name), "XL_MIGRATE_%s", keys[i].name);
        for (used = 0; name[used]; used++)
            name[used] = (char)toupper((unsigned char)name[used]);
        value = getenv(name);
        if (!value)
            continue;
        snprintf(origin.text, sizeof(origin.text), "environment: %s", name);
        if (set_value(config, &keys[i], value, &origin, err) < 0)
            return -1;
    }
    return 0;
}

int config_load(struct config *ret_config, struct xcx_err *err)
{
    const char *path = getenv("XL_MIGRATE_CONF");
    struct config config;

    config_default(&config);
    if (load_file(&config, path ? path : CONFIG_DEFAULT_PATH, path != NULL,
                  err) < 0)
        return -1;
    if (load_environment(&config, err) < 0)
        return -1;
    *ret_config = config;
    return 0;
}
