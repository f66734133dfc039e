/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "running.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "xl-migrate/domain/guest_name.h"
#include "running_record.h"

#define ANSWER_MS        1000
#define MAX_RECORD_BYTES (1U << 20)

/* The kernel knows programs by 15 characters of their names. */
static const char *const programs[] = {"xl-save-helper", "xl-migrate"};

/* ---- a process ---------------------------------------------------------- */

void running_program(pid_t pid, char ret_name[RUNNING_PROGRAM_BYTES])
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    ret_name[0] = 0;
    file = fopen(path, "re");
    if (!file)
        return;
    if (fgets(ret_name, RUNNING_PROGRAM_BYTES, file))
        ret_name[strcspn(ret_name, "\n")] = 0;
    fclose(file);
}

static bool is_ours(const char *program)
{
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (strncmp(program, programs[i], strlen(programs[i])) == 0)
            return true;
    return false;
}

/* ---- a record ----------------------------------------------------------- */

static char *read_file(int fd)
{
    char *text = malloc(MAX_RECORD_BYTES + 1);
    size_t used = 0;
    ssize_t n = -1;

    while (text && used < MAX_RECORD_BYTES &&
           (n = read(fd, text + used, MAX_RECORD_BYTES - used)) > 0)
        used += (size_t)n;
    if (text && n == 0) {
        text[used] = 0;
        return text;
    }
    free(text);
    return NULL;
}

/* NULL: none, or not written by who may be believed. */
static char *read_record(int dir_fd, uint32_t domid)
{
    char name[32], *text = NULL;
    struct stat stat;
    int fd;

    snprintf(name, sizeof(name), "%" PRIu32 ".json", domid);
    fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
        (stat.st_uid == 0 || stat.st_uid == geteuid()))
        text = read_file(fd);
    close(fd);
    return text;
}

static void take_record(struct running *running, int dir_fd)
{
    struct xcx_err ignored = XCX_ERR_INIT;
    struct running_record record;
    char *text = read_record(dir_fd, running->domid);

    if (!text)
        return;
    if (running_record_parse(text, time(NULL), &record, &ignored) < 0 ||
        record.status.domid != running->domid) {
        free(text);
        return;
    }
    running->pid = record.pid;
    running->status = record.status;
    running->record = text;
    snprintf(running->started, sizeof(running->started), "%s", record.started);
}

/* ---- one of them -------------------------------------------------------- */

static void ask(struct running *running, const char *run_dir)
{
    struct xcx_err ignored = XCX_ERR_INIT;
    bool absent = true;

    if (control_call_open(&running->call, run_dir, running->domid, &absent,
                          &ignored) < 0 ||
        absent)
        return;
    running->has_control = true;
    running->pid = running->call.pid;
    running->answered =
        control_call_status(&running->call, deadline_in_ms(ANSWER_MS),
                            &running->status, &ignored) == 0;
    running->status.domid = running->domid;
}

static void done(struct running *running)
{
    control_call_close(&running->call);
    free(running->record);
    *running = (struct running){.call = CONTROL_CALL_INIT};
}

/* false: there is nothing that runs. */
static bool look(struct running *running, const char *run_dir, int dir_fd,
                 uint32_t domid)
{
    *running = (struct running){.domid = domid, .call = CONTROL_CALL_INIT};
    status_init(&running->status);
    running->status.domid = domid;
    take_record(running, dir_fd);
    ask(running, run_dir);
    if (running->pid)
        running_program(running->pid, running->program);
    if (running->has_control || (running->pid && is_ours(running->program))) {
        if (!running->status.name[0])
            guest_name(domid, running->status.name, running->status.uuid);
        return true;
    }
    done(running);
    return false;
}

/* ---- all of them -------------------------------------------------------- */

/* DOMID.json or DOMID.sock, written as we write them. */
static bool parse_name(const char *name, uint32_t *ret_domid)
{
    char *rest;
    unsigned long domid;

    if (!isdigit((unsigned char)name[0]) || strlen(name) > 16)
        return false;
    domid = strtoul(name, &rest, 10);
    if (domid > UINT32_MAX || (strcmp(rest, ".json") && strcmp(rest, ".sock")))
        return false;
    *ret_domid = (uint32_t)domid;
    return true;
}

static int by_domid(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* Each once, in order; RUNNING_MAX at most. */
static unsigned list_domids(DIR *dir, uint32_t domids[2 * RUNNING_MAX])
{
    unsigned nr = 0, nr_kept = 0;
    struct dirent *entry;

    while (nr < 2 * RUNNING_MAX && (entry = readdir(dir)))
        if (parse_name(entry->d_name, &domids[nr]))
            nr++;
    qsort(domids, nr, sizeof(domids[0]), by_domid);
    for (unsigned i = 0; i < nr && nr_kept < RUNNING_MAX; i++)
        if (nr_kept == 0 || domids[nr_kept - 1] != domids[i])
            domids[nr_kept++] = domids[i];
    return nr_kept;
}

int running_find(const char *run_dir, struct running_list *ret_list,
                 struct xcx_err *err)
{
    DIR *dir = opendir(run_dir);
    struct running_list list = {.nr = 0};
    uint32_t domids[2 * RUNNING_MAX];
    unsigned nr;

    if (!dir && errno != ENOENT)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", run_dir);
    nr = dir ? list_domids(dir, domids) : 0;
    list.all = calloc(nr + 1, sizeof(*list.all));
    for (unsigned i = 0; list.all && i < nr; i++)
        if (look(&list.all[list.nr], run_dir, dirfd(dir), domids[i]))
            list.nr++;
    if (dir)
        closedir(dir);
    if (!list.all)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "%s", run_dir);
    *ret_list = list;
    return 0;
}

int running_load(struct running_list *ret_list, struct xcx_err *err)
{
    struct config config;

    if (config_load(&config, err) < 0)
        return -1;
    if (!config.run_dir[0])
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "run_dir is empty in the configuration: nothing is "
                           "known of what runs");
    return running_find(config.run_dir, ret_list, err);
}

void running_done(struct running_list *list)
{
    for (unsigned i = 0; i < list->nr; i++)
        done(&list->all[i]);
    free(list->all);
    *list = (struct running_list){.nr = 0};
}

static bool is_named(const struct running *running, const char *text)
{
    char domid[16];

    snprintf(domid, sizeof(domid), "%" PRIu32, running->domid);
    return strcmp(text, domid) == 0 ||
           strcmp(text, running->status.name) == 0 ||
           strcasecmp(text, running->status.uuid) == 0;
}

struct running *running_pick(const struct running_list *list, const char *text,
                             struct xcx_err *err)
{
    struct running *found = NULL;

    for (unsigned i = 0; text[0] && i < list->nr; i++) {
        if (!is_named(&list->all[i], text))
            continue;
        if (found) {
            xcx_err_set(err, XCX_ERR_USAGE, 0,
                        "%.60s: domains %" PRIu32 " and %" PRIu32
                        " are both called so: name one by its number, %" PRIu32
                        " or %" PRIu32,
                        text, found->domid, list->all[i].domid, found->domid,
                        list->all[i].domid);
            return NULL;
        }
        found = &list->all[i];
    }
    if (!found)
        xcx_err_set(err, XCX_ERR_USAGE, 0,
                    "%.60s: no such domain is being moved or saved", text);
    return found;
}

void running_label(const struct running *running, char *ret, size_t bytes)
{
    if (running->status.name[0])
        snprintf(ret, bytes, "%s (%" PRIu32 ")", running->status.name,
                 running->domid);
    else
        snprintf(ret, bytes, "domain %" PRIu32, running->domid);
}
