/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/config.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
#define MS_PER_S  1000
#define MIB_BYTES (UINT64_C(1) << 20)

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* The numbers and texts of a status, by key. */
static const struct field {
    const char *key;
    size_t offset;
    size_t text_bytes; /* 0: a uint64_t */
} fields[] = {
#define COUNT(field)                                                           \
    {                                                                          \
#field, offsetof(struct status, field), 0                              \
    }
#define TEXT(field)                                                            \
    {                                                                          \
#field, offsetof(struct status, field),                                \
            sizeof(((struct status *)NULL)->field)                             \
    }
    TEXT(name),
    TEXT(uuid),
    TEXT(host),
    TEXT(phase),
    TEXT(what),
    COUNT(done_pages),
    COUNT(total_pages),
    COUNT(sent_bytes),
    COUNT(send_bytes_per_s),
    COUNT(dirty_bytes_per_s),
    COUNT(elapsed_ms),
    COUNT(left_ms),
    COUNT(downtime_ms),
    COUNT(throttle_percent),
};

static uint64_t *count_of(struct status *status, const struct field *field)
{
    return (uint64_t *)(void *)((char *)status + field->offset);
}

void status_init(struct status *ret_status)
{
    *ret_status = (struct status){.domid = 0};
    for (size_t i = 0; i < NR(fields); i++)
        if (!fields[i].text_bytes)
            *count_of(ret_status, &fields[i]) = STATUS_UNKNOWN;
    xcx_policy_limits_default(&ret_status->limits);
}

/* ---- limits ------------------------------------------------------------- */

static const char *const limit_keys[] = {
    "downtime_ms",         "time_budget_s", "max_rounds",
    "bandwidth_mib_per_s", "on_slow",
};

/* As the configuration has them, whose checks serve here, too. */
static void to_config(const struct xcx_policy_limits *limits,
                      struct config *ret_config)
{
    config_default(ret_config);
    ret_config->downtime_ms = limits->downtime_target_ns / NS_PER_MS;
    ret_config->time_budget_s = limits->time_budget_ns / NS_PER_S;
    ret_config->max_rounds = limits->max_rounds;
    ret_config->bandwidth_mib_per_s = limits->bandwidth_bytes_per_s / MIB_BYTES;
    ret_config->on_slow = limits->on_slow;
}

void status_put_limits(const struct xcx_policy_limits *limits,
                       struct json *json)
{
    struct config config;

    to_config(limits, &config);
    json_count(json, "downtime_ms", config.downtime_ms);
    json_count(json, "time_budget_s", config.time_budget_s);
    json_count(json, "max_rounds", config.max_rounds);
    json_count(json, "bandwidth_mib_per_s", config.bandwidth_mib_per_s);
    json_text(json, "on_slow", config_on_slow_name(limits->on_slow));
}

/* A whole number or a text, as text; NULL for anything else. */
static const char *text_of(yajl_val value)
{
    if (YAJL_IS_STRING(value))
        return YAJL_GET_STRING(value);
    return YAJL_IS_INTEGER(value) ? YAJL_GET_NUMBER(value) : NULL;
}

int status_take_limits(yajl_val object, struct xcx_policy_limits *limits,
                       unsigned *ret_nr, struct xcx_err *err)
{
    struct config config;
    unsigned nr = 0;

    to_config(limits, &config);
    for (size_t i = 0; i < NR(limit_keys); i++) {
        const char *path[] = {limit_keys[i], NULL};
        yajl_val value = yajl_tree_get(object, path, yajl_t_any);
        const char *text = text_of(value);

        if (!value)
            continue;
        if (config_set(&config, limit_keys[i], text ? text : "?", limit_keys[i],
                       err) < 0)
            return -1;
        nr++;
    }
    config_limits(&config, limits);
    *ret_nr = nr;
    return 0;
}

/* ---- a status ----------------------------------------------------------- */

void status_put(const struct status *status, struct json *json)
{
    struct status copy = *status;

    json_count(json, "domid", status->domid);
    for (size_t i = 0; i < NR(fields); i++) {
        const char *text = (const char *)status + fields[i].offset;

        if (fields[i].text_bytes && *text)
            json_text(json, fields[i].key, text);
        if (!fields[i].text_bytes &&
            *count_of(&copy, &fields[i]) != STATUS_UNKNOWN)
            json_count(json, fields[i].key, *count_of(&copy, &fields[i]));
    }
    if (!status->has_limits)
        return;
    json_open_map(json, "limits");
    status_put_limits(&status->limits, json);
    json_close_map(json);
}

static int take_field(const struct message *message, const struct field *field,
                      struct status *status, struct xcx_err *err)
{
    if (!field->text_bytes)
        return message_count(message, field->key, 0, INT64_MAX,
                             count_of(status, field), err);
    if (!message_value(message, field->key))
        return 0;
    return message_copy(message, field->key, 0, (char *)status + field->offset,
                        field->text_bytes, err);
}

int status_take(const struct message *message, struct status *ret_status,
                struct xcx_err *err)
{
    yajl_val limits = message_value(message, "limits");
    struct status status;
    uint64_t domid = 0;
    unsigned nr;

    status_init(&status);
    if (message_count(message, "domid", 0, UINT32_MAX, &domid, err) < 0)
        return -1;
    status.domid = (uint32_t)domid;
    for (size_t i = 0; i < NR(fields); i++)
        if (take_field(message, &fields[i], &status, err) < 0)
            return -1;
    status.has_limits = limits != NULL;
    if (limits && status_take_limits(limits, &status.limits, &nr, err) < 0)
        return -1;
    *ret_status = status;
    return 0;
}

/* ---- for people --------------------------------------------------------- */

static void say(char *line, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends, after a comma if there is something before. */
static void say(char *line, const char *fmt, ...)
{
    size_t used = strlen(line);
    va_list ap;

    if (used && used + 2 < STATUS_LINE_BYTES) {
        memcpy(line + used, ", ", 3);
        used += 2;
    }
    va_start(ap, fmt);
    vsnprintf(line + used, STATUS_LINE_BYTES - used, fmt, ap);
    va_end(ap);
}

static void say_rate(char *line, uint64_t bytes_per_s, const char *after)
{
    if (bytes_per_s != STATUS_UNKNOWN)
        say(line, "%.1f MiB/s%s", (double)bytes_per_s / (double)MIB_BYTES,
            after);
}

static void say_time(char *line, const char *before, uint64_t ms,
                     const char *after)
{
    if (ms != STATUS_UNKNOWN)
        say(line, "%s%" PRIu64 " s%s", before, (ms + MS_PER_S / 2) / MS_PER_S,
            after);
}

static void say_pages(char *line, uint64_t done, uint64_t total)
{
    if (done == STATUS_UNKNOWN || total == STATUS_UNKNOWN || total == 0)
        return;
    if (done > total)
        done = total;
    say(line, "%" PRIu64 " %% of %" PRIu64 " pages",
        (uint64_t)((unsigned __int128)done * 100 / total), total);
}

void status_line(const struct status *status, char ret_line[STATUS_LINE_BYTES])
{
    ret_line[0] = 0;
    if (status->phase[0])
        say(ret_line, "%s", status->phase);
    if (status->what[0])
        say(ret_line, "%s", status->what);
    say_pages(ret_line, status->done_pages, status->total_pages);
    say_rate(ret_line, status->send_bytes_per_s, "");
    say_rate(ret_line, status->dirty_bytes_per_s, " dirtied");
    if (status->throttle_percent < 100)
        say(ret_line, "throttled to %" PRIu64 " %%", status->throttle_percent);
    say_time(ret_line, "", status->elapsed_ms, " so far");
    say_time(ret_line, "about ", status->left_ms, " left");
    if (status->downtime_ms != STATUS_UNKNOWN)
        say(ret_line, "downtime about %" PRIu64 " ms", status->downtime_ms);
}
