/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yajl/yajl_gen.h>

#include "directory.h"
#include "record_prune.h"

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

    if (xcx_save_stats_json(stats, &json, err) < 0)
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

    if (xcx_restore_stats_json(stats, &json, err) < 0)
        return -1;
    free(record->stats_json);
    record->stats_json = json;
    return 0;
}

/* ---- the object -------------------------------------------------------- */

static void put_string(yajl_gen gen, const char *text)
{
    yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

static void put_text(yajl_gen gen, const char *key, const char *text)
{
    put_string(gen, key);
    put_string(gen, text);
}

static void put_count(yajl_gen gen, const char *key, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put_string(gen, key);
    yajl_gen_number(gen, digits, strlen(digits));
}

static void put_started(yajl_gen gen, const struct record *record)
{
    char text[40];
    struct tm tm;

    gmtime_r(&record->started.tv_sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    put_text(gen, "started", text);
}

static void put_head(yajl_gen gen, const struct record *record,
                     const char *state)
{
    yajl_gen_map_open(gen);
    put_count(gen, "version", 1);
    put_text(gen, "direction",
             record->direction == RECORD_RESTORE ? "restore" : "save");
    put_count(gen, "domid", record->domid);
    put_count(gen, "pid", (uint64_t)getpid());
    put_started(gen, record);
    put_text(gen, "state", state);
}

/* The statistics are JSON already; a "number" is copied as it stands. */
static void put_tail(yajl_gen gen, const struct record *record)
{
    put_string(gen, "stats");
    if (record->stats_json)
        yajl_gen_number(gen, record->stats_json, strlen(record->stats_json));
    else
        yajl_gen_null(gen);
    yajl_gen_map_close(gen);
}

/* ---- the file ---------------------------------------------------------- */

static int write_all(int fd, const unsigned char *bytes, size_t nr_bytes)
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
                   const unsigned char *bytes, size_t nr_bytes,
                   struct xcx_err *err)
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

/* Takes over gen: writes what it holds, and frees it. */
static int write_object(yajl_gen gen, const char *dir, mode_t dir_mode,
                        const char *name, struct xcx_err *err)
{
    const unsigned char *bytes;
    size_t nr_bytes;
    int rc;

    if (yajl_gen_get_buf(gen, &bytes, &nr_bytes) == yajl_gen_status_ok)
        rc = replace(dir, dir_mode, name, bytes, nr_bytes, err);
    else
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "%s", name);
    yajl_gen_free(gen);
    return rc;
}

static yajl_gen new_object(struct xcx_err *err)
{
    yajl_gen gen = yajl_gen_alloc(NULL);

    if (!gen) {
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "record");
        return NULL;
    }
    yajl_gen_config(gen, yajl_gen_beautify, 1);
    yajl_gen_config(gen, yajl_gen_indent_string, "  ");
    return gen;
}

static void running_name(const struct record *record, char ret_name[32])
{
    snprintf(ret_name, 32, "%" PRIu32 ".json", record->domid);
}

int record_running(struct record *record, const char *what, uint64_t done,
                   uint64_t total, struct xcx_err *err)
{
    char name[32];
    yajl_gen gen;

    if (!record->run_dir[0])
        return 0;
    gen = new_object(err);
    if (!gen)
        return -1;
    put_head(gen, record, "running");
    put_text(gen, "what", what);
    put_count(gen, "done", done);
    put_count(gen, "total", total);
    put_tail(gen, record);
    running_name(record, name);
    return write_object(gen, record->run_dir, 0755, name, err);
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
    yajl_gen gen;

    if (record->run_dir[0])
        remove_running(record);
    if (!record->stats_dir[0])
        return 0;
    gen = new_object(err);
    if (!gen)
        return -1;
    put_head(gen, record, xcx_err_is_set(outcome) ? "failed" : "done");
    if (xcx_err_is_set(outcome)) {
        put_text(gen, "error_kind", xcx_err_kind_name(outcome->kind));
        put_text(gen, "error", outcome->msg);
    }
    put_tail(gen, record);
    final_name(record, name);
    if (write_object(gen, record->stats_dir, 0700, name, err))
        return -1;
    return record_prune(record->stats_dir, record->nr_keep, err);
}
