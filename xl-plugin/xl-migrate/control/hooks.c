/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/deadline.h"
#include "common/lines.h"
#include "common/safe_path.h"
#include "common/spawn.h"

#define MAX_HOOKS      64
#define MAX_LINES      200 /* of each one's output */
#define MAX_LINE_BYTES 512
#define MAX_READS      64   /* after its end */
#define GRACE_MS       2000 /* from SIGTERM to SIGKILL */
#define NR_VARIABLES   9
#define VARIABLE_BYTES 512

struct list {
    unsigned nr;
    char *names[MAX_HOOKS]; /* owned */
};

/* NAME=VALUE each. */
struct environment {
    unsigned nr;
    char text[NR_VARIABLES][VARIABLE_BYTES];
    const char *all[NR_VARIABLES + 1];
};

/* A hook that runs. */
struct run {
    const struct hooks *hooks;
    const char *name;
    struct spawned spawned;
    struct lines lines;
    unsigned nr_lines;
    char last_line[128]; /* for the error */
};

const char *hooks_phase_name(enum hooks_phase phase)
{
    static const char *const names[] = {
        [HOOKS_PRE_CHECK] = "pre-check", [HOOKS_PRE_SEND] = "pre-send",
        [HOOKS_PRE_START] = "pre-start", [HOOKS_POST_START] = "post-start",
        [HOOKS_FAILED] = "failed",
    };

    return names[phase];
}

/* ---- which there are ---------------------------------------------------- */

static bool is_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return false;
    return true;
}

/*
 * A hook is run by its path, so that a script knows its name and folder. The
 * path cannot lead elsewhere by then: only root may write to the folders on it.
 */
static int check_path(const struct hooks *hooks, const char *name,
                      struct xcx_err *err)
{
    char path[PATH_MAX];
    struct stat stat;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", hooks->dir, name);
    fd = safe_path_open(path, &stat, err);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

/* Whether it is to be run: 1, 0, or -1 with the error. */
static int judge(const struct hooks *hooks, int dir_fd, const char *name,
                 struct xcx_err *err)
{
    struct stat stat;

    if (name[0] == '.')
        return 0;
    if (!is_name(name)) {
        xcx_log(hooks->log, XCX_LOG_INFO,
                "%s/%s: not run: a name has letters, digits, - and _ only",
                hooks->dir, name);
        return 0;
    }
    if (fstatat(dir_fd, name, &stat, 0) < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s/%s", hooks->dir, name);
    if (!S_ISREG(stat.st_mode) || !(stat.st_mode & S_IXUSR))
        return 0;
    return check_path(hooks, name, err) ? -1 : 1;
}

static int add(struct list *list, const struct hooks *hooks, const char *name,
               struct xcx_err *err)
{
    if (list->nr == MAX_HOOKS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: more than %d hooks",
                           hooks->dir, MAX_HOOKS);
    list->names[list->nr] = strdup(name);
    if (!list->names[list->nr])
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "hooks");
    list->nr++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_list(struct list *list, const struct hooks *hooks, DIR *dir,
                     struct xcx_err *err)
{
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        int runs = judge(hooks, dirfd(dir), entry->d_name, err);

        if (runs < 0 || (runs && add(list, hooks, entry->d_name, err) < 0))
            return -1;
    }
    qsort(list->names, list->nr, sizeof(list->names[0]), by_name);
    return 0;
}

static int find(struct list *list, const struct hooks *hooks,
                struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct stat stat;
    int path_fd = safe_path_open(hooks->dir, &stat, &why), dir_fd, rc;
    DIR *dir;

    if (path_fd < 0)
        return why.os_errno == ENOENT
                   ? 0
                   : xcx_err_set(err, why.kind, 0, "%s", why.msg);
    dir_fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(path_fd);
    dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
    if (!dir) {
        xcx_err_set(err, XCX_ERR_IO, errno, "%s", hooks->dir);
        if (dir_fd >= 0)
            close(dir_fd);
        return -1;
    }
    rc = read_list(list, hooks, dir, err);
    closedir(dir);
    return rc;
}

static void list_done(struct list *list)
{
    for (unsigned i = 0; i < list->nr; i++)
        free(list->names[i]);
}

/* ---- the case ----------------------------------------------------------- */

/*
 * A guest and the other host choose some of these texts, and a hook prints
 * them. Bytes of UTF-8 stay, but for the control characters U+0080 to U+009F:
 * a hook may look the guest up by its name.
 */
static void replace_controls(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;

        if (is_c1)
            *at++ = '?';
        if (is_c1 || *at < ' ' || *at == 0x7f)
            *at = '?';
    }
}

/* A value that is too long is cut: it came from elsewhere. */
static void put(struct environment *environment, const char *name,
                const char *value)
{
    char *text = environment->text[environment->nr];

    snprintf(text, VARIABLE_BYTES, "XL_MIGRATE_%s=%s", name,
             value ? value : "");
    replace_controls(text);
    environment->all[environment->nr++] = text;
}

static void describe(struct environment *ret, enum hooks_phase phase,
                     const struct hooks_case *about)
{
    char domid[16] = "";

    if (about->domid)
        snprintf(domid, sizeof(domid), "%" PRIu32, about->domid);
    ret->nr = 0;
    put(ret, "PHASE", hooks_phase_name(phase));
    put(ret, "SIDE", about->side);
    put(ret, "ID", about->id);
    put(ret, "UUID", about->uuid);
    put(ret, "NAME", about->name);
    put(ret, "DOMID", domid);
    put(ret, "SOURCE", about->source);
    put(ret, "TARGET", about->target);
    put(ret, "ERROR", about->error);
    ret->all[ret->nr] = NULL;
}

/* ---- one program -------------------------------------------------------- */

static void take_lines(struct run *run)
{
    struct xcx_err ignored = XCX_ERR_INIT;
    size_t nr_bytes;
    char *line;

    while (lines_next(&run->lines, &line, &nr_bytes, &ignored) > 0) {
        lines_make_plain(line);
        if (nr_bytes)
            snprintf(run->last_line, sizeof(run->last_line), ": %.100s", line);
        if (run->nr_lines < MAX_LINES)
            xcx_log(run->hooks->log, XCX_LOG_INFO, "hook %s: %s", run->name,
                    line);
        else if (run->nr_lines == MAX_LINES)
            xcx_log(run->hooks->log, XCX_LOG_INFO,
                    "hook %s: further lines are left out", run->name);
        run->nr_lines++;
    }
}

/* Reads the output so far; true if there may be more. */
static bool read_output(struct run *run)
{
    struct xcx_err ignored = XCX_ERR_INIT;
    size_t before = run->lines.used_bytes - run->lines.taken_bytes;

    if (lines_fill(&run->lines, &ignored) < 0)
        return false;
    if (run->lines.used_bytes == before && !run->lines.ended)
        return false;
    take_lines(run);
    return !run->lines.ended;
}

static int watch(struct run *run, uint64_t deadline_ns, struct xcx_err *err)
{
    struct pollfd fds[] = {
        {.fd = run->spawned.pid_fd, .events = POLLIN},
        {.fd = run->hooks->cancel_fd, .events = POLLIN},
        {.fd = run->lines.fd, .events = POLLIN},
    };

    while (!spawn_wait(&run->spawned, 0)) {
        int left_ms = deadline_left_ms(deadline_ns);

        if (left_ms == 0)
            return xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "hook %s: no end after %" PRIu64 " s", run->name,
                               run->hooks->timeout_ms / 1000);
        poll(fds, 3, left_ms);
        if (fds[1].revents)
            return xcx_err_set(err, XCX_ERR_CANCELLED, 0, "hook %s: cancelled",
                               run->name);
        if (fds[2].revents && !read_output(run) && run->lines.ended)
            fds[2].fd = -1;
    }
    return 0;
}

static int judge_end(const struct run *run, struct xcx_err *err)
{
    char how[64];

    if (spawn_exit_status(&run->spawned) == 0)
        return 0;
    spawn_status_text(&run->spawned, how, sizeof(how));
    return xcx_err_set(err, XCX_ERR_GUEST, 0, "hook %s: %s%s", run->name, how,
                       run->last_line);
}

static int start(struct run *run, enum hooks_phase phase,
                 const struct environment *environment, int out_fd,
                 struct xcx_err *err)
{
    char path[PATH_MAX];
    const char *argv[] = {path, hooks_phase_name(phase), NULL};
    struct spawn_order order = {
        .argv = argv,
        .env = environment->all,
        .fds = {-1, out_fd, out_fd},
        .ignore_terminal = true,
        .own_session = true,
    };

    snprintf(path, sizeof(path), "%s/%s", run->hooks->dir, run->name);
    return spawn_start(&run->spawned, &order, err);
}

/*
 * Ends the hook and all that it has started in its first process group. The
 * hook is reaped after the last signal, so that the group's number is its own.
 */
static void end_group(const struct spawned *spawned)
{
    struct pollfd end = {.fd = spawned->pid_fd, .events = POLLIN};

    kill(-spawned->pid, SIGTERM);
    poll(&end, 1, GRACE_MS);
    kill(-spawned->pid, SIGKILL);
}

static int run_one(struct run *run, enum hooks_phase phase,
                   const struct environment *environment, struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_in_ms(run->hooks->timeout_ms);
    int fds[2], rc;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "hook %s", run->name);
    /* Processes that the hook leaves behind may keep the pipe, not us. */
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    rc = lines_init(&run->lines, fds[0], MAX_LINE_BYTES, true, err);
    if (rc == 0)
        rc = start(run, phase, environment, fds[1], err);
    close(fds[1]);
    if (rc == 0) {
        rc = watch(run, deadline_ns, err);
        if (!run->spawned.ended)
            end_group(&run->spawned);
        spawn_wait(&run->spawned, DEADLINE_NEVER);
        for (unsigned i = 0; i < MAX_READS && read_output(run); i++)
            continue;
        if (rc == 0)
            rc = judge_end(run, err);
        spawn_done(&run->spawned);
    }
    lines_done(&run->lines);
    close(fds[0]);
    return rc;
}

/* ---- all of them -------------------------------------------------------- */

/* Too late to stop anything: all are told. */
static bool is_only_told(enum hooks_phase phase)
{
    return phase == HOOKS_POST_START || phase == HOOKS_FAILED;
}

int hooks_run(const struct hooks *hooks, enum hooks_phase phase,
              const struct hooks_case *about, struct xcx_err *err)
{
    struct list list = {.nr = 0};
    struct environment environment;
    int rc = 0;

    if (!hooks->dir[0])
        return 0;
    describe(&environment, phase, about);
    if (find(&list, hooks, err) < 0) {
        list_done(&list);
        return -1;
    }
    for (unsigned i = 0; i < list.nr && (rc == 0 || is_only_told(phase)); i++) {
        struct run run = {.hooks = hooks,
                          .name = list.names[i],
                          .spawned = SPAWNED_INIT,
                          .lines = LINES_INIT};

        if (run_one(&run, phase, &environment, err) < 0)
            rc = -1;
    }
    list_done(&list);
    return rc;
}
