/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_outcome.h"

#include <poll.h>
#include <stdio.h>

#include "common/deadline.h"
#include "common/lines.h"

#define NEW_DOMAIN_MS 5000
#define LOOK_AGAIN_MS 200

static uint64_t between(uint64_t from_ns, uint64_t to_ns)
{
    return from_ns && to_ns > from_ns ? to_ns - from_ns : REPORT_UNKNOWN;
}

static void fill_report(struct send_session *session)
{
    const struct send_times *times = &session->stream.times;
    struct report *report = &session->report;

    report->stats = session->stream.stats;
    report->bytes = session->stream.bytes;
    report->total_ns = deadline_now_ns() - session->start_ns;
    report->setup_ns = between(session->start_ns, times->start_ns);
    report->downtime_ns = between(times->asked_ns, session->starting_ns);
    report->suspend_ns = between(times->asked_ns, times->stopped_ns);
    report->device_model_ns = between(times->stopped_ns, times->model_ns);
    report->stream_ns = between(times->asked_ns, times->end_ns);
    report->ready_ns = between(times->end_ns, session->ready_ns);
    report->start_ns = between(session->ready_ns, session->starting_ns);
}

enum exit_status send_outcome_status(const struct settle_result *result)
{
    switch (result->place) {
    case HANDOVER_HERE:
        return EXIT_STATUS_AT_SOURCE;
    case HANDOVER_THERE:
        return result->settled ? EXIT_STATUS_DONE : EXIT_STATUS_AT_TARGET;
    case HANDOVER_UNDECIDED:
        return EXIT_STATUS_UNDECIDED;
    case HANDOVER_NOT_OURS:
        return EXIT_STATUS_TAKEN;
    default:
        return EXIT_STATUS_LOST;
    }
}

enum exit_status send_outcome_tell(struct send_session *session,
                                   enum exit_status status, const char *error)
{
    static const char *const results[] = {
        [EXIT_STATUS_DONE] = "done",
        [EXIT_STATUS_BROKEN] = "failed",
        [EXIT_STATUS_USAGE] = "failed",
        [EXIT_STATUS_REFUSED] = "refused",
        [EXIT_STATUS_AT_SOURCE] = "failed-guest-at-source",
        [EXIT_STATUS_AT_TARGET] = "failed-guest-at-target",
        [EXIT_STATUS_UNDECIDED] = "needs-recover",
        [EXIT_STATUS_LOST] = "lost",
        [EXIT_STATUS_TAKEN] = "taken",
    };
    struct report *report = &session->report;
    struct xcx_err err = XCX_ERR_INIT;

    progress_end(&session->progress);
    fill_report(session);
    report->result = results[status];
    if (status != EXIT_STATUS_DONE)
        snprintf(report->error, sizeof(report->error), "%s", error);
    if (report->id[0] && session->config.stats_dir[0] &&
        report_save(report, session->config.stats_dir,
                    session->config.stats_keep, &err))
        xcx_log(&session->log, XCX_LOG_WARN, "%s", err.msg);
    if (status != EXIT_STATUS_DONE)
        lines_print(stderr, "xl-migrate send: %s", error);
    err = XCX_ERR_INIT;
    if (session->options->json && report_print_json(report, stdout, &err))
        fprintf(stderr, "xl-migrate send: %s\n", err.msg);
    else if (!session->options->json && report->id[0] &&
             !session->options->quiet)
        report_print_text(report, stdout);
    return status;
}

/* Where the guest is, and what to type. */
void send_outcome_advise(const struct send_session *session,
                         const struct settle_result *result)
{
    char text[512];

    if (result->place == HANDOVER_NOT_OURS &&
        source_domain_way_out(&session->source, result->copy, text,
                              sizeof(text)))
        fprintf(stderr, "xl-migrate send: %s\n", text);
    if (result->place == HANDOVER_UNDECIDED)
        lines_print(
            stderr,
            "xl-migrate send: %s is suspended here and may be at %s: run "
            "xl-migrate recover %s",
            session->domain.name, session->options->host, session->report.id);
    else if (send_outcome_status(result) == EXIT_STATUS_LOST &&
             session->guest_end == GUEST_POWERED_OFF)
        lines_print(
            stderr,
            "xl-migrate send: %s has ended by itself: xl create starts it "
            "again",
            session->domain.name);
    else if (send_outcome_status(result) == EXIT_STATUS_LOST)
        lines_print(stderr,
                    "xl-migrate send: %s runs nowhere: start it from its disks "
                    "with xl create and its configuration",
                    session->domain.name);
    else if (!result->settled)
        lines_print(stderr,
                    "xl-migrate send: %s has not been told how it ended: run "
                    "xl-migrate recover %s",
                    session->options->host, session->report.id);
}

/* xl needs a moment to make a new domain of a guest that has ended. */
static bool has_ended_by_itself(const struct send_session *session)
{
    return session->guest_end == GUEST_REBOOTED ||
           session->guest_end == GUEST_CRASHED;
}

/* xl destroys the old domain first, and that alone may have been seen. */
static bool may_come_back(const struct send_session *session)
{
    return has_ended_by_itself(session) ||
           session->guest_end == GUEST_DESTROYED;
}

static enum handover_copy look_for_new(struct send_session *session,
                                       uint32_t *ret_domid)
{
    const struct domain *domain = &session->domain;
    enum handover_copy copy = HANDOVER_ABSENT;
    struct xcx_err err = XCX_ERR_INIT;

    if (domain_look_target(&session->host, domain->uuid, domain->name, &copy,
                           ret_domid, &err))
        xcx_log(&session->log, XCX_LOG_WARN, "%s", err.msg);
    return copy;
}

/* A new domain that is neither absent nor still being built. */
static bool is_there(enum handover_copy copy)
{
    return copy == HANDOVER_PAUSED || copy == HANDOVER_RUNNING;
}

/*
 * The domain that was to move is nowhere, but the guest may have rebooted
 * while it was copied: then xl has made a new domain of it, which runs here.
 */
void send_outcome_look_for_reboot(struct send_session *session,
                                  struct settle_result *result)
{
    uint64_t deadline_ns = deadline_in_ms(NEW_DOMAIN_MS);
    enum handover_copy copy;
    uint32_t domid = 0;

    if (send_outcome_status(result) != EXIT_STATUS_LOST &&
        send_outcome_status(result) != EXIT_STATUS_TAKEN)
        return;
    while (!is_there(copy = look_for_new(session, &domid)) &&
           may_come_back(session) && deadline_left_ms(deadline_ns))
        poll(NULL, 0, LOOK_AGAIN_MS);
    if (!is_there(copy) || domid == session->domain.domid) {
        /* The guest was seen to end by itself: no other program has it. */
        if (result->place == HANDOVER_NOT_OURS &&
            (has_ended_by_itself(session) ||
             session->guest_end == GUEST_POWERED_OFF))
            result->place = HANDOVER_LAST_HERE;
        return;
    }
    result->place = HANDOVER_HERE;
    lines_print(stderr,
                "xl-migrate send: %s is here as domain %u: it was started anew "
                "meanwhile",
                session->domain.name, (unsigned)domid);
}
