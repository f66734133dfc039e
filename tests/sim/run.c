/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "calls.h"
#include "helper.h"
#include "protocol.h"
#include "pump.h"
#include "workload.h"

#define TARGET_SLACK_PAGES 1024
#define ERROR_LEVEL        8 /* xentoollog's XTL_ERROR */
#define POLL_MS            20
#define ORPHAN_MS          2000 /* what a worker may take to notice a death */

struct run {
    const struct sim_run_options *options;
    struct sim_result *result;
    struct sim_world *source, *target;
    int source_fd, target_fd, report_fd[2], keep_fd;
    struct sim_helper helper[2]; /* save, restore */
    struct sim_pump pump;
    bool pumping;
    int stream_flags_fd; /* a dup of the saver's end, to see its flags */
    uint64_t start_ns, suspend_ns;
};

void sim_run_options_init(struct sim_run_options *options)
{
    *options = (struct sim_run_options){
        .suspend_answer = 1, .live = true, .timeout_s = 60};
}

static int build_worlds(struct run *run, struct xcx_err *err)
{
    struct sim_spec spec = run->options->spec, target;
    uint64_t nr_max;

    sim_spec_settle(&spec);
    target = spec;
    target.domid += 1;
    target.busy = target.no_shadow = false;
    target.dirty_rate = target.balloon_rate = target.tables_rate = 0;
    nr_max = spec.nr_pages + spec.nr_special + SIM_NR_TOP_PAGES + SIM_GROW_PFNS;
    run->source_fd = memfd_create("sim-source", MFD_CLOEXEC);
    run->target_fd = memfd_create("sim-target", MFD_CLOEXEC);
    if (run->source_fd < 0 || run->target_fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "memfd");
    if (sim_world_create(run->source_fd, &spec, false, nr_max, &run->source,
                         err) ||
        sim_build_guest(run->source, err) ||
        sim_world_create(run->target_fd, &target, true,
                         nr_max + TARGET_SLACK_PAGES, &run->target, err))
        return -1;
    sim_build_target(run->target);
    return 0;
}

static int open_files(struct run *run, struct xcx_err *err)
{
    const char *path = run->options->stream_path;

    for (int i = 0; i < 2; i++) {
        run->report_fd[i] = memfd_create("sim-report", MFD_CLOEXEC);
        if (run->report_fd[i] < 0)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "memfd");
    }
    run->keep_fd =
        path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    if (path && run->keep_fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "%s", path);
    return 0;
}

/* [0] is read, [1] written. */
static int open_wire(enum sim_wire wire, int ret_fds[2], struct xcx_err *err)
{
    int type = SOCK_STREAM | SOCK_CLOEXEC;

    if (wire == SIM_WIRE_SOCKET ? socketpair(AF_UNIX, type, 0, ret_fds) < 0
                                : pipe2(ret_fds, O_CLOEXEC) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "the wire");
    return 0;
}

/* The saver's and the restorer's ends; with a pump between if need be. */
static int connect_stream(struct run *run, struct xcx_err *err)
{
    const struct sim_run_options *options = run->options;
    int up[2], down[2] = {-1, -1};

    if (open_wire(options->wire, up, err))
        return -1;
    run->helper[0].io_fd = up[1];
    run->stream_flags_fd = fcntl(up[1], F_DUPFD_CLOEXEC, 0);
    run->pumping =
        options->stream_path || options->cut_bytes || !options->restore_helper;
    if (!run->pumping) {
        run->helper[1].io_fd = up[0];
        return 0;
    }
    if (options->restore_helper && open_wire(options->wire, down, err))
        return -1;
    run->helper[1].io_fd = down[0];
    run->pump = (struct sim_pump){.in = up[0],
                                  .out = down[1],
                                  .keep_fd = run->keep_fd,
                                  .cut_bytes = options->cut_bytes};
    return 0;
}

static void fill_helpers(struct run *run)
{
    struct sim_helper *save = &run->helper[0], *restore = &run->helper[1];

    *save = (struct sim_helper){.path = run->options->save_helper,
                                .faults = run->options->save_faults,
                                .is_save = true,
                                .world = run->source,
                                .world_fd = run->source_fd,
                                .report_fd = run->report_fd[0],
                                .result = &run->result->save};
    *restore = (struct sim_helper){.path = run->options->restore_helper,
                                   .faults = run->options->restore_faults,
                                   .world = run->target,
                                   .world_fd = run->target_fd,
                                   .report_fd = run->report_fd[1],
                                   .result = &run->result->restore};
    for (int i = 0; i < 2; i++)
        run->helper[i].to = run->helper[i].from = run->helper[i].io_fd = -1;
}

static void keep_log(struct run *run, struct sim_helper *helper,
                     const struct sim_message *message)
{
    struct sim_side_result *result = helper->result;

    if (run->options->verbose)
        fprintf(stderr, "%s: %u: %s: %s\n",
                helper->is_save ? "save" : "restore", message->number[0],
                message->text[0], message->text[1]);
    if (message->number[0] < ERROR_LEVEL)
        return;
    if (!result->nr_errors++)
        snprintf(result->first_error, SIM_LINE_BYTES, "%s", message->text[1]);
    snprintf(result->last_error, SIM_LINE_BYTES, "%s", message->text[1]);
}

static int suspend(struct run *run)
{
    run->result->nr_suspends++;
    if (run->options->suspend_answer != 1)
        return run->options->suspend_answer;
    sim_lock(run->source);
    sim_workload_suspend(run->source);
    sim_unlock(run->source);
    run->suspend_ns = sim_now_ns();
    return 1;
}

static int switch_qemu(struct run *run, bool on)
{
    if (!run->options->qemu_answer)
        run->source->qemu_logdirty = on;
    return run->options->qemu_answer;
}

/*
 * Remus: after each checkpoint the guest runs on; at the last one it does
 * not, the stream ends there, and the target takes over what it has.
 */
static int postcopy(struct run *run)
{
    if (++run->result->nr_checkpoints >= run->options->nr_checkpoints)
        return 0;
    sim_lock(run->source);
    sim_workload_resume(run->source);
    sim_unlock(run->source);
    return 1;
}

static void complete(struct run *run, struct sim_helper *helper,
                     const struct sim_message *message)
{
    helper->result->nr_complete++;
    helper->result->retval = (int32_t)message->number[0];
    helper->result->errnoval = (int32_t)message->number[1];
    if (helper->is_save && run->suspend_ns)
        run->result->suspended_ns = sim_now_ns() - run->suspend_ns;
}

static void handle(struct run *run, struct sim_helper *helper,
                   const struct sim_message *message)
{
    int answer = 0;

    helper->result->nr_messages++;
    if (helper->is_save &&
        helper->result->nr_messages == run->options->sigterm_at)
        kill(helper->pid, SIGTERM);
    switch (message->type) {
    case SIM_MSG_LOG:
        keep_log(run, helper, message);
        break;
    case SIM_MSG_SUSPEND:
        answer = suspend(run);
        break;
    case SIM_MSG_POSTCOPY:
        answer = postcopy(run);
        break;
    case SIM_MSG_CHECKPOINT:
        answer = 1;
        break;
    case SIM_MSG_QEMU_LOGDIRTY:
        answer = switch_qemu(run, message->number[1]);
        break;
    case SIM_MSG_STATIC_DATA_DONE:
        answer = run->options->static_answer;
        break;
    case SIM_MSG_RESTORE_RESULTS:
        helper->result->store_gfn = message->big[0];
        helper->result->console_gfn = message->big[1];
        break;
    case SIM_MSG_COMPLETE:
        complete(run, helper, message);
        break;
    default:
        break;
    }
    if (sim_message_is_answered(message->type))
        sim_helper_answer(helper, answer);
}

static void drop_bytes(struct sim_helper *helper, size_t n)
{
    helper->nr_bytes -= n;
    memmove(helper->bytes, helper->bytes + n, helper->nr_bytes);
}

/* The helper must leave the flags of the shared descriptor as they were. */
static void look_at_flags(struct run *run)
{
    int fd = run->stream_flags_fd;

    run->result->flags_changed = fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK);
    if (fd >= 0)
        close(fd); /* or the other side would never see the end */
    run->stream_flags_fd = -1;
}

/* What is readable now; at the end of its output the helper is reaped. */
static void read_messages(struct run *run, struct sim_helper *helper)
{
    struct sim_message message;
    struct xcx_err err = XCX_ERR_INIT;
    ssize_t n = read(helper->from, helper->bytes + helper->nr_bytes,
                     sizeof(helper->bytes) - helper->nr_bytes);
    long taken;

    if (n > 0)
        helper->nr_bytes += (size_t)n;
    while ((taken = sim_message_parse(helper->bytes, helper->nr_bytes, &message,
                                      &err)) > 0) {
        handle(run, helper, &message);
        drop_bytes(helper, (size_t)taken);
    }
    if (taken < 0) {
        snprintf(helper->result->broken, SIM_LINE_BYTES, "%s", err.msg);
        kill(helper->pid, SIGKILL);
    }
    if (n <= 0 || taken < 0) {
        sim_helper_end(helper);
        if (helper->is_save)
            look_at_flags(run);
    }
}

static void stop_overdue(struct run *run)
{
    uint64_t limit_ns = run->options->timeout_s * 1000000000ULL;

    if (sim_now_ns() - run->start_ns < limit_ns)
        return;
    for (int i = 0; i < 2; i++) {
        if (run->helper[i].pid > 0) {
            run->helper[i].result->timed_out = true;
            kill(run->helper[i].pid, SIGKILL);
        }
    }
}

static void converse(struct run *run)
{
    while (run->helper[0].from >= 0 || run->helper[1].from >= 0) {
        struct pollfd fds[2] = {
            {.fd = run->helper[0].from, .events = POLLIN},
            {.fd = run->helper[1].from, .events = POLLIN},
        };

        if (poll(fds, 2, POLL_MS) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents)
                read_messages(run, &run->helper[i]);
            sim_helper_sample(&run->helper[i]);
        }
        stop_overdue(run);
    }
}

static int start_all(struct run *run, struct xcx_err *err)
{
    if (connect_stream(run, err))
        return -1;
    run->start_ns = sim_now_ns();
    if (sim_helper_start(&run->helper[0], run->options, err))
        return -1;
    if (run->options->restore_helper &&
        sim_helper_start(&run->helper[1], run->options, err))
        return -1;
    return run->pumping ? sim_pump_start(&run->pump, err) : 0;
}

/* Both helpers are reaped: children that are left are their workers. */
static void look_for_orphans(struct run *run)
{
    pid_t pid;

    for (int waited_ms = 0; waited_ms < ORPHAN_MS; waited_ms++) {
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0)
            return;
        poll(NULL, 0, 1);
    }
    run->result->nr_orphans = 1;
}

static void look_at_source(struct run *run)
{
    struct sim_result *result = run->result;
    const struct sim_world *w = run->source;

    result->logdirty_left = w->logdirty && !w->spec.busy && !w->rival_owns;
    result->rival_hurt = !w->logdirty && (w->spec.busy || w->rival_owns);
    result->qemu_logdirty_left = w->qemu_logdirty;
    result->cap_left = w->cap_percent != w->spec.cap_percent;
    result->nr_cap_changes = w->nr_cap_changes;
    result->nr_writes = w->work.nr_writes;
    result->nr_cleans = w->nr_cleans;
    if (result->save.retval || !result->save.nr_complete)
        sim_workload_resume(run->source);
}

static void look_at_target(struct run *run)
{
    const struct sim_side_result *restore = &run->result->restore;

    if (!run->options->restore_helper || restore->nr_complete != 1 ||
        restore->retval || run->result->save.retval)
        return;
    run->result->compared = true;
    sim_compare(run->source, run->target, &run->result->diff);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void run_done(struct run *run)
{
    sim_world_unmap(run->source);
    sim_world_unmap(run->target);
    close_fd(run->source_fd);
    close_fd(run->target_fd);
    close_fd(run->report_fd[0]);
    close_fd(run->report_fd[1]);
    close_fd(run->keep_fd);
    close_fd(run->stream_flags_fd);
}

int sim_run(const struct sim_run_options *options,
            struct sim_result *ret_result, struct xcx_err *err)
{
    struct run run = {.options = options,
                      .result = ret_result,
                      .source_fd = -1,
                      .target_fd = -1,
                      .report_fd = {-1, -1},
                      .keep_fd = -1,
                      .stream_flags_fd = -1};
    uint64_t begin_ns = sim_now_ns();
    int rc = -1;

    memset(ret_result, 0, sizeof(*ret_result));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (build_worlds(&run, err) || open_files(&run, err))
        goto out;
    fill_helpers(&run);
    ret_result->setup_ns = sim_now_ns() - begin_ns;
    run.source->work.last_ns = sim_now_ns();
    if (start_all(&run, err))
        goto out;
    converse(&run);
    ret_result->total_ns = sim_now_ns() - run.start_ns;
    if (run.pumping) {
        sim_pump_end(&run.pump);
        ret_result->stream_bytes = run.pump.nr_bytes;
    }
    look_for_orphans(&run);
    look_at_source(&run);
    look_at_target(&run);
    rc = 0;
out:
    run_done(&run);
    return rc;
}
