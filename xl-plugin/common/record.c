/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "directory.h"
#include "json.h"
#include "record_prune.h"
#include "stats_json.h"

void record_init(struct record *record, enum record_direction direction,
                 const char *stats_dir, const char *run_dir, uint32_t domid,
                 const struct timespec *started)
{
    *record = (struct record){
        .direction = direction,
        .stats_dir = stats_dir,
        .run_dir = run_dir,
        .domid = domid,
        .started = *started,
    };
}

void record_done(struct record *record)
{
    free(record->stats_json);
    record->stats_json = NULL;
}

int record_stats(struct record *record, const struct xcx_save_stats *stats,
                 struct xcx_err *err)
{
    char *json;

    if (stats_json_save(stats, &json, err) < 0)
        return -1;
    free(record->stats_json);
    record->stats_json = json;
    return 0;
}

int record_restore_stats(struct record *record,
                         const struct xcx_restore_stats *stats,
                         struct xcx_err *err)
{
    char *json;

    if (stats_json_restore(stats, &json, err) < 0)
        return -1;
    free(record->stats_json);
    record->stats_json = json;
    return 0;
}

/* ---- the object -------------------------------------------------------- */

static void put_started(struct json *json, const struct record *record)
{
    char text[40];
    struct tm tm;

    gmtime_r(&record->started.tv_sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_text(json, "started", text);
}

static void put_head(struct json *json, const struct record *record,
                     const char *state)
{
    json_open_map(json, NULL);
    json_count(json, "version", 1);
    json_text(json, "direction",
              record->direction == RECORD_RESTORE ? "restore" : "save");
    json_count(json, "domid", record->domid);
    json_count(json, "pid", (uint64_t)getpid());
    put_started(json, record);
    json_text(json, "state", state);
}

static void put_tail(struct json *json, const struct record *record)
{
    if (record->stats_json)
        json_raw(json, "stats", record->stats_json);
    else
        json_null(json, "stats");
    json_close_map(json);
}

/* ---- the file ---------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t nr_bytes)
{
    while (nr_bytes > 0) {
        ssize_t n = write(fd, bytes, nr_bytes);

        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            bytes += n;
            nr_bytes -= (size_t)n;
        }
    }
    return 0;
}

static int try_create(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                0600);
}

/* The fd of a new file; its directory is made if need be. */
static int create(const char *dir, mode_t dir_mode, const char *path,
                  struct xcx_err *err)
{
    int fd = try_create(path);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        if (directory_make(dir, dir_mode, err) < 0)
            return -1;
        fd = try_create(path);
    } else if (fd < 0 && errno == EEXIST) {
        unlink(path); /* of a dead process with our pid, or not ours at all */
        fd = try_create(path);
    }
    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", path);
    return fd;
}

static int replace(const char *dir, mode_t dir_mode, const char *name,
                   const char *bytes, size_t nr_bytes, struct xcx_err *err)
{
    char path[DIRECTORY_PATH_BYTES], new_path[DIRECTORY_PATH_BYTES];
    int fd;
    bool written;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(new_path, sizeof(new_path), "%s/.%s.%d", dir, name, (int)getpid());
    fd = create(dir, dir_mode, new_path, err);
    if (fd < 0)
        return -1;
    written = write_all(fd, bytes, nr_bytes) == 0;
    if (!written || rename(new_path, path) < 0) {
        xcx_err_set(err, XCX_ERR_IO, errno, "%s", path);
        unlink(new_path);
        written = false;
    }
    close(fd);
    return written ? 0 : -1;
}

static int write_object(struct json *json, const char *dir, mode_t dir_mode,
                        const char *name, struct xcx_err *err)
{
    const char *text;
    size_t nr_bytes;

    return json_get(json, &text, &nr_bytes, err) ||
                   replace(dir, dir_mode, name, text, nr_bytes, err)
               ? -1
               : 0;
}

static void running_name(const struct record *record, char ret_name[32])
{
    snprintf(ret_name, 32, "%" PRIu32 ".json", record->domid);
}

int record_running(struct record *record, const char *what, uint64_t done,
                   uint64_t total, struct xcx_err *err)
{
    char name[32];
    struct json json;
    int rc;

    if (!record->run_dir[0])
        return 0;
    if (json_init(&json, err))
        return -1;
    put_head(&json, record, "running");
    json_text(&json, "what", what);
    json_count(&json, "done", done);
    json_count(&json, "total", total);
    put_tail(&json, record);
    running_name(record, name);
    rc = write_object(&json, record->run_dir, 0755, name, err);
    json_done(&json);
    return rc;
}

static void remove_running(const struct record *record)
{
    char path[DIRECTORY_PATH_BYTES], name[32];

    running_name(record, name);
    snprintf(path, sizeof(path), "%s/%s", record->run_dir, name);
    unlink(path);
}

static void final_name(const struct record *record, char ret_name[96])
{
    char text[40];
    struct tm tm;

    gmtime_r(&record->started.tv_sec, &tm);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &tm);
    snprintf(ret_name, 96, "%s.%03ldZ-dom%" PRIu32 ".json", text,
             record->started.tv_nsec / 1000000, record->domid);
}

int record_end(struct record *record, const struct xcx_err *outcome,
               struct xcx_err *err)
{
    char name[96];
    struct json json;
    int rc;

    if (record->run_dir[0])
        remove_running(record);
    if (!record->stats_dir[0])
        return 0;
    if (json_init(&json, err))
        return -1;
    put_head(&json, record, xcx_err_is_set(outcome) ? "failed" : "done");
    if (xcx_err_is_set(outcome)) {
        json_text(&json, "error_kind", xcx_err_kind_name(outcome->kind));
        json_text(&json, "error", outcome->msg);
    }
    put_tail(&json, record);
    final_name(record, name);
    rc = write_object(&json, record->stats_dir, 0700, name, err);
    json_done(&json);
    if (rc)
        return -1;
    return record_prune(record->stats_dir, record->nr_keep, err);
}
