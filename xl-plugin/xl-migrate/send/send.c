/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xl-migrate/handover/cases.h"
#include "common/exit_status.h"
#include "common/deadline.h"
#include "xl-migrate/handover/handover_run.h"
#include "xl-migrate/control/hooks.h"
#include "send_check.h"
#include "send_config.h"
#include "send_outcome.h"
#include "send_same.h"
#include "send_session.h"
#include "xl-migrate/recover/settle.h"
#include "xl-migrate/recover/source_keys.h"

/*
 * A target that does not say that it is alive, and no word from it: its device
 * model and hotplug scripts.
 */
/* For a change that libxl is at just then. */
#define HOLD_MS   1000
#define ANSWER_NS (120 * NS_PER_S)
/* For a target that says it is alive: hooks may take that long. */
#define WATCHED_NS (1800 * NS_PER_S)
/* For a target that is to destroy its copy. */
#define WITHDRAWN_NS (60 * NS_PER_S)
/* From the user's wish to stop on. */
#define HURRY_NS (30 * NS_PER_S)
/* The target's Dom0 may free memory, or restore other guests, first. */
#define LIVE_STALL_NS (1800 * NS_PER_S)

/* ---- hooks --------------------------------------------------------------- */

static int run_hooks(const struct send_session *session, enum hooks_phase phase,
                     const char *error, struct xcx_err *err)
{
    const struct hooks hooks = {
        .dir = session->config.hooks_dir,
        .timeout_ms = session->config.hooks_timeout_s * 1000,
        .log = &session->log,
        .cancel_fd = phase == HOOKS_FAILED ? -1 : session->cancel.fd,
    };
    const struct hooks_case about = {
        .side = "source",
        .id = session->journal.about.id[0] ? session->journal.about.id : NULL,
        .uuid = session->domain.uuid,
        .name = session->domain.name,
        .domid = session->domain.domid,
        .source = session->host.name,
        .target = session->options->host,
        .error = error,
    };

    return hooks_run(&hooks, phase, &about, err);
}

/* ---- before anything is done --------------------------------------------- */

static int check_settled(struct send_session *session, struct xcx_err *err)
{
    if (!cases_check_settled(session->config.journal_dir, session->domain.uuid,
                             &session->log, err))
        return 0;
    session->unsettled = err->kind == XCX_ERR_GUEST;
    return -1;
}

static int check_state(struct send_session *session, struct xcx_err *err)
{
    static const char *const states[] = {
        [DOMAIN_PAUSED] = "paused: xl unpause it, unless xl-migrate recover "
                          "has a case of it",
        [DOMAIN_SUSPENDED] = "suspended: an earlier migration may not be "
                             "settled; see xl-migrate recover",
        [DOMAIN_SHUT_DOWN] = "shut down",
    };
    const struct domain *domain = &session->domain;

    if (domain->state != DOMAIN_RUNS) {
        /* A case that is there says best why. */
        if (check_settled(session, err))
            return -1;
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "%.100s is %s", domain->name,
                           states[domain->state]);
    }
    if (domain_is_away(domain->name))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%.100s is called as xl migrate calls a guest that "
                           "has moved: look at where it runs, and xl rename it",
                           domain->name);
    if (domain->old_device_model)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%.100s runs on qemu-traditional, whose state "
                           "cannot be taken: move it by xl migrate",
                           domain->name);
    return 0;
}

static void fill_names(struct send_session *session)
{
    const struct domain *domain = &session->domain;
    struct status *status = &session->progress.status;
    struct report *report = &session->report;

    status->domid = report->domid = domain->domid;
    snprintf(status->name, sizeof(status->name), "%s", domain->name);
    snprintf(status->uuid, sizeof(status->uuid), "%s", domain->uuid);
    snprintf(report->name, sizeof(report->name), "%s", domain->name);
    snprintf(report->uuid, sizeof(report->uuid), "%s", domain->uuid);
    report->kind = domain_kind_name(domain->kind);
}

static int find(struct send_session *session, struct xcx_err *err)
{
    const struct send_options *options = session->options;

    if (host_open(&session->host, &session->log, err) ||
        domain_find(&session->host, options->domain, &session->domain, err))
        return -1;
    fill_names(session);
    return check_state(session, err);
}

/*
 * The leftover of a save that died, a lowered scheduler cap, must not go to the
 * target. A dry run leaves it to the next save.
 */
static int undo_leftovers(const struct send_session *session,
                          struct xcx_err *err)
{
    if (session->options->dry_run)
        return 0;
    return source_domain_undo_leftovers(&session->source, session->domain.domid,
                                        err);
}

/* Once the hooks have run, which may have changed the guest. */
static int read_config(struct send_session *session, struct xcx_err *err)
{
    const struct send_options *options = session->options;
    struct domain *domain = &session->domain;

    if (domain_get(&session->host, domain->domid, domain, err) ||
        check_state(session, err) || undo_leftovers(session, err) ||
        send_same_note(&session->same, &session->host, domain, err))
        return -1;
    fill_names(session);
    return send_config_json(&session->host, domain, options->config_file,
                            SEND_CONFIG_XL_MS, options->keep_domid,
                            &session->config_json, err);
}

static int meet(struct send_session *session, struct xcx_err *err)
{
    int rc = run_hooks(session, HOOKS_PRE_CHECK, NULL, err);

    /* If the hooks folder was refused, no hook has run. */
    session->hooked = !rc || err->kind != XCX_ERR_USAGE;
    if (rc || read_config(session, err))
        return -1;
    progress_phase(&session->progress, "connecting", deadline_now_ns());
    if (peer_open(&session->address, &session->peer, err))
        return -1;
    session->report.target = session->peer->plugin ? "plugin" : "stock";
    return 0;
}

/* ---- OFFERED ------------------------------------------------------------- */

static int fill_case(const struct send_session *session,
                     struct journal_case *about, struct xcx_err *err)
{
    *about = (struct journal_case){
        .side = JOURNAL_SOURCE,
        .stay_paused = session->options->pause,
        .stock = !session->peer->plugin,
    };
    snprintf(about->uuid, sizeof(about->uuid), "%s", session->domain.uuid);
    snprintf(about->name, sizeof(about->name), "%s", session->domain.name);
    snprintf(about->boot, sizeof(about->boot), "%s", session->host.boot);
    if (snprintf(about->peer, sizeof(about->peer), "%s",
                 session->options->host) >= (int)sizeof(about->peer))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "HOST is too long");
    return cases_new_id(about->id, err);
}

static int before_suspend(void *opaque, struct xcx_err *err)
{
    struct send_session *session = opaque;

    return send_same_check(&session->same, &session->host, &session->domain,
                           err) ||
                   source_domain_note(&session->source, HANDOVER_SUSPEND, err)
               ? -1
               : 0;
}

static int offer(struct send_session *session, struct xcx_err *err)
{
    const char *dir = session->config.journal_dir;
    struct journal_case about;

    if (cases_make_dir(dir, err) ||
        cases_lock_domain(dir, session->domain.uuid, &session->lock_fd, err) ||
        check_settled(session, err) || fill_case(session, &about, err) ||
        journal_create(&session->journal, dir, &about, err))
        return -1;
    /* As its first entry will have it: that is what a look goes by. */
    session->journal.domid = session->domain.domid;
    snprintf(session->report.id, sizeof(session->report.id), "%s", about.id);
    if (!source_domain_note(&session->source, HANDOVER_OFFER, err))
        return 0;
    journal_remove(&session->journal, NULL);
    return -1;
}

/* ---- the data ------------------------------------------------------------ */

static int begin(struct send_session *session, struct xcx_err *err)
{
    const struct config *config = &session->config;
    const struct peer_begin begin = {
        .about = &session->journal.about,
        .source = session->host.name,
        .debug = session->options->debug,
        .monitor = !session->options->no_monitor,
        .announce_rounds = config->announce_rounds,
        .announce_initial_ms = config->announce_initial_ms,
        .announce_step_ms = config->announce_step_ms,
        .announce_max_ms = config->announce_max_ms,
    };

    session->params = (struct xcx_save_params){
        .domid = session->domain.domid,
        .cancel_fd = &session->cancel.fd,
        .live = true,
        .verify = session->options->debug,
        .live_stall_ns = LIVE_STALL_NS,
        .blackout_stall_ns = config->blackout_timeout_s * NS_PER_S,
    };
    config_apply(config, &session->params);
    send_session_open_control(session);
    session->begun = true;
    if (!session->peer->ops->begin(session->peer, &begin,
                                   &session->params.out_fd, err))
        return 0;
    session->begun = !session->peer->refused;
    return -1;
}

/* While the target gets ready, this costs the guest nothing. */
static int check_same(struct send_session *session, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (!send_same_check(&session->same, &session->host, &session->domain,
                         &why))
        return 0;
    if (why.kind == XCX_ERR_GUEST)
        return xcx_err_set(err, why.kind, 0, "%s", why.msg);
    /* The look before the suspension counts, and a glance at GO. */
    xcx_log(&session->log, XCX_LOG_WARN, "%s", why.msg);
    return 0;
}

static int stream(struct send_session *session, struct xcx_err *err)
{
    struct xcx_save_ops ops = send_session_ops;
    int rc;

    ops.opaque = session;
    session->stream = (struct send_stream){
        .host = &session->host,
        .domain = &session->domain,
        .config_json = session->config_json,
        .params = &session->params,
        .ops = &ops,
        .suspend_timeout_s = (unsigned)session->config.suspend_timeout_s,
        .before_suspend = before_suspend,
        .opaque = session,
    };
    progress_phase(&session->progress, "copying memory", deadline_now_ns());
    send_session_set_copying(session, true);
    rc = send_stream_run(&session->stream, err);
    send_session_end_watch(session);
    send_session_set_copying(session, false);
    if (rc)
        return -1;
    session->peer->ops->end_data(session->peer);
    progress_phase(&session->progress, "handing over", deadline_now_ns());
    return source_keys_send(&session->source, &session->config.xenstore_keys,
                            session->peer, NULL, err) ||
                   check_same(session, err)
               ? -1
               : 0;
}

static int move(struct send_session *session, struct xcx_err *err)
{
    bool recorded;
    int rc;

    /* A guest that reboots while the target gets ready has its reason, too. */
    send_session_watch_guest(session);
    rc = run_hooks(session, HOOKS_PRE_SEND, NULL, err);
    recorded = !rc;
    if (!rc)
        rc = begin(session, err);
    if (!rc)
        rc = stream(session, err);
    send_session_end_watch(session);
    if (rc) {
        send_session_explain(session, err);
        /* The target would wait for the rest, and we for the target. */
        session->peer->ops->drop_data(session->peer);
    }
    if (recorded)
        send_session_end_record(session, err);
    return rc;
}

/* ---- the handover -------------------------------------------------------- */

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    struct send_session *session = opaque;

    return source_domain_look(&session->source, ret_copy, ret_domid, err);
}

/* The target has said that the guest runs there, or will never say more. */
static void note_start(struct send_session *session)
{
    const struct peer *peer = session->peer;

    if (session->starting_ns)
        return;
    session->starting_ns = peer && peer->times.started_ns
                               ? peer->times.started_ns
                               : deadline_now_ns();
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    struct send_session *session = opaque;
    int rc;

    if (act == HANDOVER_DO_DESTROY) {
        note_start(session);
        send_hold_unname(&session->hold);
    } else {
        send_hold_release(&session->hold);
    }
    rc = source_domain_act(&session->source, act, err);
    send_hold_release(&session->hold);
    if (rc)
        return -1;
    session->stream.suspend.may_stop_late = false;
    return 0;
}

static bool on_may_stop_late(void *opaque)
{
    const struct send_session *session = opaque;

    return session->stream.suspend.may_stop_late &&
           deadline_now_ns() < session->looked_after_ns;
}

static int on_connect(void *opaque, struct peer **ret, struct xcx_err *err)
{
    struct send_session *session = opaque;

    session->address.kind =
        session->report.target[0] == 's' ? PEER_STOCK : PEER_PLUGIN;
    session->address.again = true;
    session->address.cancel_fd = NULL;
    return peer_open(&session->address, ret, err);
}

static int on_let_go(void *opaque, struct peer *peer, struct xcx_err *err)
{
    struct send_session *session = opaque;

    return source_keys_send(&session->source, &session->config.xenstore_keys,
                            peer, &session->log, err);
}

static int on_may_go(void *opaque, struct xcx_err *err)
{
    struct send_session *session = opaque;

    if (!source_domain_may_go(&session->source, err) &&
        !send_hold_take(&session->hold, session->same.libxl_dir,
                        &session->domain, HOLD_MS, err) &&
        !send_same_glance(&session->same, &session->host, &session->domain,
                          err))
        return 0;
    send_hold_release(&session->hold);
    return -1;
}

static const char *on_seen(void *opaque)
{
    struct send_session *session = opaque;

    return source_domain_seen(&session->source);
}

static void on_reached(void *opaque, enum handover_entry entry)
{
    struct send_session *session = opaque;

    const struct peer *peer = session->peer;

    if (entry != HANDOVER_GO)
        return;
    session->ready_ns = deadline_now_ns();
    if (peer && peer->times.ready_ns)
        session->ready_ns = peer->times.ready_ns;
    if (peer && peer->times.ready_ns && peer->times.prepare_ns)
        session->report.prepare_ns = peer->times.prepare_ns;
}

static bool on_cancelled(void *opaque)
{
    struct send_session *session = opaque;

    control_serve(&session->control);
    send_hold_expire(&session->hold);
    return cancel_reason(&session->cancel) != NULL;
}

/* As opposed to a save that ends for what the target or the guest did. */
static bool on_hurried(void *opaque)
{
    const struct send_session *session = opaque;

    return session->stop_asked || cancel_by_signal(&session->cancel);
}

static int hand_over(struct send_session *session, bool failed,
                     struct settle_result *ret, struct xcx_err *err)
{
    const struct settle_ops ops = {
        .opaque = session,
        .look = on_look,
        .act = on_act,
        .connect = on_connect,
        .let_go = on_let_go,
        .may_go = on_may_go,
        .seen = on_seen,
        .told = send_session_told,
        .reached = on_reached,
        .cancelled = on_cancelled,
        .hurried = on_hurried,
        .may_stop_late = on_may_stop_late,
    };
    const struct settle_params params = {
        .journal = &session->journal,
        .ops = &ops,
        .peer = &session->peer,
        .first = failed ? HANDOVER_WITHDRAW : HANDOVER_LOOK,
        .begun = session->begun,
        .reconnect_ns = session->config.reconnect_timeout_s * NS_PER_S,
        .answer_ns = ANSWER_NS,
        .watched_ns = WATCHED_NS,
        .blackout_ns = session->config.blackout_timeout_s * NS_PER_S,
        .withdrawn_ns = WITHDRAWN_NS,
        .hurry_ns = HURRY_NS,
    };
    int rc;

    session->source.is_another_s = session->stream.suspend.by_another;
    send_session_look_after(session);
    rc = settle(&params, ret, err);
    /* Decided or not: hooks and whoever looks next may ask libxl. */
    send_hold_release(&session->hold);
    return rc;
}

/* ---- the end ------------------------------------------------------------- */

static void run_failed_hooks(const struct send_session *session,
                             const char *error)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (run_hooks(session, HOOKS_FAILED, error, &err))
        xcx_log(&session->log, XCX_LOG_WARN, "%s", err.msg);
}

static enum exit_status finish(struct send_session *session,
                               const struct xcx_err *failure)
{
    bool failed = xcx_err_is_set(failure);
    struct xcx_err err = XCX_ERR_INIT;
    struct settle_result result;
    enum exit_status status;
    const char *error;

    if (hand_over(session, failed, &result, &err)) {
        result = (struct settle_result){.place = HANDOVER_UNDECIDED};
        failed = false;
        result.why = err;
    }
    send_outcome_look_for_reboot(session, &result);
    status = send_outcome_status(&result);
    error = failed && (status != EXIT_STATUS_TAKEN || session->guest_end)
                ? failure->msg
                : result.why.msg;
    if (status == EXIT_STATUS_AT_SOURCE || status == EXIT_STATUS_TAKEN)
        run_failed_hooks(session, error);
    send_outcome_tell(session, status, error);
    if (status == EXIT_STATUS_DONE)
        send_check_learn(session);
    send_outcome_advise(session, &result);
    return status;
}

/* Why it ends before there is a case: nothing has been done to the guest. */
static enum exit_status status_early(const struct send_session *session,
                                     const struct xcx_err *err)
{
    enum domain_state state = session->domain.state;

    if (session->unsettled || state == DOMAIN_SUSPENDED)
        return EXIT_STATUS_UNDECIDED;
    if (err->kind == XCX_ERR_USAGE)
        return EXIT_STATUS_USAGE;
    return state == DOMAIN_RUNS ? EXIT_STATUS_AT_SOURCE : EXIT_STATUS_REFUSED;
}

/* No case is left. checked: what was found is printed in a dry run. */
static enum exit_status give_up(struct send_session *session, bool checked,
                                enum exit_status status, const char *why)
{
    if (session->hooked)
        run_failed_hooks(session, why);
    if (!checked || !session->options->dry_run)
        return send_outcome_tell(session, status, why);
    /* A dry run reports its findings, which are printed already. */
    progress_end(&session->progress);
    fprintf(stderr, "xl-migrate send: %s\n", why);
    return status;
}

static enum exit_status run(struct send_session *session)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_err refusal = XCX_ERR_INIT;

    if (find(session, &err) || meet(session, &err) ||
        send_check(session, &refusal, &err)) {
        send_session_explain(session, &err);
        return give_up(session, false, status_early(session, &err), err.msg);
    }
    if (xcx_err_is_set(&refusal))
        return give_up(session, true, EXIT_STATUS_REFUSED, refusal.msg);
    if (session->options->dry_run)
        return EXIT_STATUS_DONE;
    session->start_ns = deadline_now_ns(); /* looking is no part of the move */
    if (offer(session, &err))
        return give_up(session, false, status_early(session, &err), err.msg);
    move(session, &err);
    return finish(session, &err);
}

int send_run(const struct send_options *options, const struct config *config)
{
    struct send_session *session = malloc(sizeof(*session));
    struct xcx_err err = XCX_ERR_INIT;
    enum exit_status status;

    if (!session || send_session_init(session, options, config, &err)) {
        fprintf(stderr, "xl-migrate send: %s\n",
                session ? err.msg : "out of memory");
        free(session);
        return EXIT_STATUS_AT_SOURCE;
    }
    status = run(session);
    send_session_done(session);
    free(session);
    return (int)status;
}
