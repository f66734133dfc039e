/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* One bit a type of message. */
#define SAVE_CALLBACKS      0x88U  /* suspend, switch_qemu_logdirty */
#define SAVE_CHECKPOINTS    0x30U  /* postcopy, checkpoint */
#define RESTORE_CALLBACKS   0x300U /* static_data_done, restore_results */
#define RESTORE_CHECKPOINTS 0x20U  /* checkpoint */
#define FLAG_LIVE           1
#define FLAG_DEBUG          2
#define MAX_ARGS            12

/* A descriptor of ours as a path that any process of ours can open. */
static void fd_path(char path[64], int fd)
{
    snprintf(path, 64, "/proc/%d/fd/%d", (int)getppid(), fd);
}

/*
 * Settings that only our own helper knows: nothing of this machine is read
 * or written. What the caller has set already stays.
 */
static void set_private_places(const struct sim_run_options *options)
{
    setenv("XL_MIGRATE_CONF", "/dev/null", 0);
    setenv("XL_MIGRATE_LOCK_DIR", options->work_dir, 0);
    setenv("XL_MIGRATE_RUN_DIR", options->work_dir, 0);
    setenv("XL_MIGRATE_STATS_DIR", options->work_dir, 0);
    setenv("XL_MIGRATE_STOCK_HELPER", options->stock_helper, 0);
}

static void set_environment(const struct sim_helper *helper,
                            const struct sim_run_options *options)
{
    char path[64];

    fd_path(path, helper->world_fd);
    setenv("XCX_SIM_WORLD", path, 1);
    fd_path(path, helper->report_fd);
    setenv("XCX_SIM_REPORT", path, 1);
    setenv("XCX_SIM_FAULT", helper->faults ? helper->faults : "", 1);
    setenv("XCX_SIM_COST", options->cost ? options->cost : "", 1);
    set_private_places(options);
    setenv("LD_PRELOAD", options->preload, 1);
    /* A sanitized helper need not come first among the libraries. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
}

static void make_args(const struct sim_helper *helper,
                      const struct sim_run_options *options, int back_fd,
                      char text[5][16], char *args[MAX_ARGS])
{
    unsigned flags =
        (options->live ? FLAG_LIVE : 0) | (options->verify ? FLAG_DEBUG : 0);
    unsigned callbacks = helper->is_save ? SAVE_CALLBACKS : RESTORE_CALLBACKS;
    char *path = (char *)helper->path;
    char *type = options->nr_checkpoints ? "1" : "0";
    char *save[] = {path,    "--save-domain", text[0], text[1], text[2],
                    text[3], text[4],         type,    NULL};
    char *restore[] = {path,    "--restore-domain",
                       text[0], text[1],
                       text[2], "11",
                       "0",     "12",
                       "0",     text[4],
                       type,    NULL};

    if (options->nr_checkpoints)
        callbacks |= helper->is_save ? SAVE_CHECKPOINTS : RESTORE_CHECKPOINTS;
    snprintf(text[4], 16, "%u", callbacks);
    snprintf(text[0], 16, "%d", helper->io_fd);
    snprintf(text[1], 16, "%d", back_fd);
    snprintf(text[2], 16, "%u", helper->world->spec.domid);
    snprintf(text[3], 16, "%u", flags);
    if (helper->is_save)
        memcpy(args, save, sizeof(save));
    else
        memcpy(args, restore, sizeof(restore));
}

__attribute__((noreturn)) static void
become(const struct sim_helper *helper, const struct sim_run_options *options,
       int in, int out)
{
    int back_fd = open("/dev/null", O_RDWR);
    char text[5][16], *args[MAX_ARGS];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_args(helper, options, back_fd, text, args);
    set_environment(helper, options);
    if (!options->verbose)
        dup2(back_fd, 2);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
        fcntl(helper->io_fd, F_SETFD, 0) < 0)
        _exit(124);
    execv(helper->path, args);
    _exit(124);
}

int sim_helper_start(struct sim_helper *helper,
                     const struct sim_run_options *options, struct xcx_err *err)
{
    int in[2], out[2];

    if (pipe2(in, O_CLOEXEC) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "pipe");
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "pipe");
    }
    helper->to = in[1];
    helper->from = out[0];
    helper->pid = fork();
    if (helper->pid == 0)
        become(helper, options, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    close(helper->io_fd);
    helper->io_fd = -1;
    if (helper->pid < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "fork");
    return 0;
}

void sim_helper_answer(struct sim_helper *helper, int answer)
{
    ssize_t n = write(helper->to, &answer, sizeof(answer));

    if (n != sizeof(answer) && errno != EPIPE)
        snprintf(helper->result->broken, SIM_LINE_BYTES, "answer: %s",
                 strerror(errno));
}

static void gather_findings(struct sim_helper *helper)
{
    struct sim_side_result *result = helper->result;
    ssize_t n = pread(helper->report_fd, result->findings,
                      sizeof(result->findings) - 1, 0);

    result->findings[n > 0 ? n : 0] = 0;
    result->nr_findings = helper->world->nr_findings;
    result->nr_calls = helper->world->nr_calls;
    for (unsigned i = 0; i < SIM_MAX_CALLS; i++)
        result->calls[i] = helper->world->calls[i];
}

void sim_helper_end(struct sim_helper *helper)
{
    if (helper->from >= 0)
        close(helper->from);
    if (helper->to >= 0)
        close(helper->to);
    helper->from = helper->to = -1;
    if (helper->pid > 0)
        waitpid(helper->pid, &helper->result->wait_status, 0);
    helper->pid = 0;
    gather_findings(helper);
}

/* Anonymous memory of one process; 0 once it is gone. */
static uint64_t anonymous_bytes(int pid)
{
    unsigned long long kib = 0;
    char path[64], line[128];
    FILE *status;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    status = fopen(path, "re");
    while (status && !kib && fgets(line, sizeof(line), status))
        sscanf(line, "RssAnon: %llu", &kib);
    if (status)
        fclose(status);
    return kib * 1024;
}

void sim_helper_sample(struct sim_helper *helper)
{
    uint64_t bytes;
    char path[64];
    FILE *children;
    int child;

    if (helper->pid <= 0)
        return;
    bytes = anonymous_bytes(helper->pid);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", helper->pid,
             helper->pid);
    children = fopen(path, "re");
    while (children && fscanf(children, "%d", &child) == 1)
        bytes += anonymous_bytes(child);
    if (children)
        fclose(children);
    if (bytes > helper->result->peak_private_bytes)
        helper->result->peak_private_bytes = bytes;
}
