/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "restore.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "common/record.h"
#include "own_limits.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* Our own save lets a receiver be silent for as long. */
#define STALL_NS (1800 * NS_PER_S)

struct session {
    struct parent *parent;
    const struct arguments *arguments;
    const struct config *config;
};

/* ---- what the library calls -------------------------------------------- */

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    static const enum message_level levels[] = {
        [XCX_LOG_DEBUG] = MESSAGE_LEVEL_DEBUG,
        [XCX_LOG_INFO] = MESSAGE_LEVEL_DETAIL,
        [XCX_LOG_WARN] = MESSAGE_LEVEL_WARN,
        [XCX_LOG_ERROR] = MESSAGE_LEVEL_ERROR,
    };
    const struct session *session = opaque;

    if ((unsigned)level >= session->config->log_level)
        parent_log(session->parent, levels[level], MESSAGE_NO_ERRNO, line);
}

static void on_progress(void *opaque, const char *what, uint64_t done,
                        uint64_t total)
{
    const struct session *session = opaque;

    parent_progress(session->parent, what, done, total);
}

static int on_static_data_done(void *opaque, unsigned missing,
                               struct xcx_err *err)
{
    const struct session *session = opaque;

    return parent_static_data_done(session->parent, missing, err);
}

static void on_address_space(void *opaque, uint64_t more_bytes)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (own_limits_set_address_space(more_bytes, &err) < 0)
        on_log(opaque, XCX_LOG_WARN, err.msg);
}

/* ---- a restore ---------------------------------------------------------- */

static int engine(struct session *session,
                  struct xcx_restore_results *ret_results,
                  struct xcx_restore_stats *ret_stats, struct xcx_err *err)
{
    const struct arguments *arguments = session->arguments;
    const struct xcx_restore_params params = {
        .domid = arguments->domid,
        .stall_ns = STALL_NS,
        .in_fd = arguments->io_fd,
        .store_port = arguments->store_port,
        .store_domid = arguments->store_domid,
        .console_port = arguments->console_port,
        .console_domid = arguments->console_domid,
        .nr_workers = session->config->workers > CONFIG_MAX_WORKERS
                          ? XCX_NO_WORKERS
                          : (unsigned)session->config->workers,
    };
    struct xcx_restore_ops ops = {
        .opaque = session,
        .address_space = on_address_space,
        .log = on_log,
        .progress = on_progress,
    };

    if (arguments->callbacks & CALLBACK_STATIC_DATA_DONE)
        ops.static_data_done = on_static_data_done;
    if (parent_move_pipes(session->parent, err) < 0 ||
        parent_take_fds(arguments->io_fd, arguments->back_fd, err) < 0)
        return -1;
    if (xcx_restore(&params, &ops, ret_results, ret_stats, err) == 0)
        return 0;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "restore failed without a reason");
}

static void summarise(struct session *session,
                      const struct xcx_restore_stats *stats)
{
    char line[256];

    snprintf(line, sizeof(line),
             "restored %" PRIu64 " MiB in %" PRIu64 " ms; %" PRIu64
             " pages, %" PRIu64 " superpages, %" PRIu64
             " pages given back; %" PRIu64 " ms after the end of the stream",
             stats->total_bytes >> 20, stats->total_ns / NS_PER_MS,
             stats->nr_pfns_populated - stats->nr_pfns_given_back,
             stats->nr_superpages, stats->nr_pfns_given_back,
             stats->complete_ns / NS_PER_MS);
    on_log(session, XCX_LOG_INFO, line);
}

/* A record that cannot be written is worth a warning, never a failure. */
static void write_record(struct session *session,
                         const struct timespec *started,
                         const struct xcx_restore_stats *stats,
                         const struct xcx_err *outcome)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct record record;

    record_init(&record, RECORD_RESTORE, session->config->stats_dir, "",
                session->arguments->domid, started);
    record.nr_keep = session->config->stats_keep;
    if (record_restore_stats(&record, stats, &err) < 0 ||
        record_end(&record, outcome, &err) < 0) {
        xcx_err_prefix(&err, "no statistics");
        on_log(session, XCX_LOG_WARN, err.msg);
    }
    record_done(&record);
}

/* libxl wants both messages, whatever happened. */
static int report(struct parent *parent,
                  const struct xcx_restore_results *results,
                  const struct xcx_err *outcome)
{
    struct xcx_err err = XCX_ERR_INIT;
    bool failed = xcx_err_is_set(outcome);

    parent_restore_results(parent, results->store_frame, results->console_frame,
                           &err);
    if (parent_complete(parent, failed ? -1 : 0,
                        failed ? xcx_err_to_errno(outcome) : 0, &err) < 0)
        return 1;
    return 0;
}

int restore_refuse(struct parent *parent, const struct xcx_err *why)
{
    const struct xcx_restore_results none = {0};

    signal(SIGPIPE, SIG_IGN);
    parent_log(parent, MESSAGE_LEVEL_ERROR, MESSAGE_NO_ERRNO, why->msg);
    return report(parent, &none, why);
}

/* As libxl expects it, whatever we have inherited. */
static void let_sigterm_kill(void)
{
    sigset_t set;

    signal(SIGTERM, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int restore_run(const struct arguments *arguments, const struct config *config,
                struct parent *parent)
{
    struct session session = {
        .parent = parent, .arguments = arguments, .config = config};
    struct xcx_restore_results results = {0};
    struct xcx_restore_stats stats = {.domid = arguments->domid};
    struct xcx_err outcome = XCX_ERR_INIT;
    struct timespec started;

    let_sigterm_kill();
    signal(SIGPIPE, SIG_IGN);
    own_limits_offer_to_oom_killer();
    clock_gettime(CLOCK_REALTIME, &started);
    if (engine(&session, &results, &stats, &outcome) == 0)
        summarise(&session, &stats);
    else
        on_log(&session, XCX_LOG_ERROR, outcome.msg);
    /* First the file, since libxl reads no more after "complete". */
    write_record(&session, &started, &stats, &outcome);
    return report(parent, &results, &outcome);
}
