/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "running_record.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <yajl/yajl_tree.h>

#define MAX_DEPTH 16
#define NS_PER_MS 1000000
#define NS_PER_S  UINT64_C(1000000000)

static bool is_too_deep(const char *text)
{
    unsigned depth = 0;

    for (; *text; text++) {
        if ((*text == '{' || *text == '[') && ++depth > MAX_DEPTH)
            return true;
        if ((*text == '}' || *text == ']') && depth)
            depth--;
    }
    return false;
}

static yajl_val value_of(yajl_val object, const char *key)
{
    const char *path[] = {key, NULL};

    return yajl_tree_get(object, path, yajl_t_any);
}

/* STATUS_UNKNOWN for what is no whole number, or negative. */
static uint64_t count_of(yajl_val object, const char *key)
{
    yajl_val value = value_of(object, key);

    if (!YAJL_IS_INTEGER(value) || YAJL_GET_INTEGER(value) < 0)
        return STATUS_UNKNOWN;
    return (uint64_t)YAJL_GET_INTEGER(value);
}

static void copy_text(yajl_val object, const char *key, char *ret, size_t bytes)
{
    const char *text = YAJL_GET_STRING(value_of(object, key));

    snprintf(ret, bytes, "%s", text ? text : "");
}

/* The newest round that is over says most of what is to come. */
static void take_rounds(yajl_val rounds, struct status *status)
{
    yajl_val last;
    uint64_t bytes, took_ns, blackout_ns;

    if (!YAJL_IS_ARRAY(rounds) || YAJL_GET_ARRAY(rounds)->len == 0)
        return;
    last = YAJL_GET_ARRAY(rounds)->values[YAJL_GET_ARRAY(rounds)->len - 1];
    bytes = count_of(last, "bytes");
    took_ns = count_of(last, "duration_ns");
    blackout_ns = count_of(last, "predicted_blackout_ns");
    if (bytes != STATUS_UNKNOWN && took_ns != STATUS_UNKNOWN && took_ns)
        status->send_bytes_per_s =
            (uint64_t)((unsigned __int128)bytes * NS_PER_S / took_ns);
    if (blackout_ns != STATUS_UNKNOWN)
        status->downtime_ms = blackout_ns / NS_PER_MS;
}

static void take_stats(yajl_val stats, struct status *status)
{
    if (!YAJL_IS_OBJECT(stats))
        return;
    status->sent_bytes = count_of(stats, "total_bytes");
    status->throttle_percent = count_of(stats, "throttle_percent_min");
    take_rounds(value_of(stats, "rounds"), status);
}

static void take_time(struct running_record *record, time_t now)
{
    struct tm tm = {.tm_sec = 0};
    const char *rest = strptime(record->started, "%Y-%m-%dT%H:%M:%SZ", &tm);
    time_t started = rest && !*rest ? timegm(&tm) : -1;

    if (started < 0)
        record->started[0] = 0;
    else if (now >= started)
        record->status.elapsed_ms = (uint64_t)(now - started) * 1000;
}

static int take(yajl_val root, time_t now, struct running_record *ret,
                struct xcx_err *err)
{
    uint64_t domid = count_of(root, "domid"), pid = count_of(root, "pid");
    const char *state = YAJL_GET_STRING(value_of(root, "state"));
    struct running_record record;

    if (domid > UINT32_MAX || pid == 0 || pid > INT_MAX || !state ||
        strcmp(state, "running") != 0)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "no record of a save");
    status_init(&record.status);
    record.pid = (pid_t)pid;
    record.status.domid = (uint32_t)domid;
    copy_text(root, "started", record.started, sizeof(record.started));
    copy_text(root, "what", record.status.what, sizeof(record.status.what));
    record.status.done_pages = count_of(root, "done");
    record.status.total_pages = count_of(root, "total");
    take_stats(value_of(root, "stats"), &record.status);
    take_time(&record, now);
    *ret = record;
    return 0;
}

int running_record_parse(const char *text, time_t now,
                         struct running_record *ret, struct xcx_err *err)
{
    char why[64];
    yajl_val root;
    int rc = -1;

    if (is_too_deep(text))
        return xcx_err_set(err, XCX_ERR_PEER, 0, "nested too deep");
    root = yajl_tree_parse(text, why, sizeof(why));
    if (YAJL_IS_OBJECT(root))
        rc = take(root, now, ret, err);
    else
        xcx_err_set(err, XCX_ERR_PEER, 0, "no JSON object");
    yajl_tree_free(root);
    return rc;
}
