/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/directory.h"
#include "xl-migrate/handover/cases.h"
#include "xl-migrate/handover/cases_incoming.h"
#include "xl-migrate/domain/device_model.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/control/hooks.h"

#define S_PER_H 3600

/* ---- begin -------------------------------------------------------------- */

static int read_announce(const struct message *part, struct announce *to,
                         struct xcx_err *err)
{
    return message_count(part, "rounds", 0, ANNOUNCE_MAX_ROUNDS, &to->rounds,
                         err) ||
                   message_count(part, "initial_ms", 0, ANNOUNCE_MAX_DELAY_MS,
                                 &to->initial_ms, err) ||
                   message_count(part, "step_ms", 0, ANNOUNCE_MAX_DELAY_MS,
                                 &to->step_ms, err) ||
                   message_count(part, "max_ms", 0, ANNOUNCE_MAX_DELAY_MS,
                                 &to->max_ms, err)
               ? -1
               : 0;
}

static int take_announce(struct receive *receive, const struct message *message,
                         struct xcx_err *err)
{
    const struct message part = {
        .root = message_value(message, "announce"),
        .type = "announce",
    };
    struct announce *to = &receive->announce;

    *to = (struct announce){
        .rounds = receive->config->announce_rounds,
        .initial_ms = receive->config->announce_initial_ms,
        .step_ms = receive->config->announce_step_ms,
        .max_ms = receive->config->announce_max_ms,
    };
    if (YAJL_IS_OBJECT(part.root) && read_announce(&part, to, err))
        return -1;
    announce_bound(to);
    return 0;
}

static int take_wishes(struct receive *receive, const struct message *message,
                       struct xcx_err *err)
{
    receive->monitor = true;
    return message_bool(message, "debug", &receive->debug, err) ||
                   message_bool(message, "pause", &receive->pause, err) ||
                   message_bool(message, "monitor", &receive->monitor, err) ||
                   take_announce(receive, message, err)
               ? -1
               : 0;
}

static int take_case(struct receive *receive, const struct message *message,
                     struct journal_case *ret, struct xcx_err *err)
{
    *ret = (struct journal_case){.side = JOURNAL_TARGET};
    if (message_hex(message, "id", ret->id, sizeof(ret->id), err) ||
        message_uuid(message, "uuid", ret->uuid, sizeof(ret->uuid), err) ||
        message_copy(message, "name", 1, ret->name, sizeof(ret->name), err) ||
        message_copy(message, "source", 1, ret->peer, sizeof(ret->peer), err) ||
        take_wishes(receive, message, err))
        return -1;
    ret->stay_paused = receive->pause;
    memcpy(ret->boot, receive->host.boot, sizeof(ret->boot));
    return 0;
}

static int check_absent(struct receive *receive,
                        const struct journal_case *about, struct xcx_err *err)
{
    enum handover_copy copy;
    uint32_t domid;

    if (domain_look_target(&receive->host, about->uuid, about->name, &copy,
                           &domid, err))
        return -1;
    if (copy != HANDOVER_ABSENT)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "domain %u here has the guest's UUID %s already",
                           (unsigned)domid, about->uuid);
    return 0;
}

static int say_listening(struct receive *receive, struct xcx_err *err)
{
    struct json json;
    int rc;

    if (message_begin(&json, "listening", err))
        return -1;
    json_text(&json, "socket", receive->rendezvous.path);
    rc = channel_send(&receive->channel, &json, deadline_in_ms(RECEIVE_SEND_MS),
                      err);
    json_done(&json);
    return rc;
}

/* Nothing has been built: there is nothing to remember either. */
static void forget_case(struct receive *receive)
{
    struct xcx_err err = XCX_ERR_INIT;

    rendezvous_close(&receive->rendezvous);
    if (journal_remove(&receive->journal, &err))
        xcx_log(&receive->log, XCX_LOG_WARN, "%s", err.msg);
    receive_unlock_uuid(receive);
    receive->has_case = false;
}

/* Says which case has the lock where that can be seen. */
static int lock_uuid(struct receive *receive, const struct journal_case *about,
                     struct xcx_err *err)
{
    const char *dir = receive->config->journal_dir;
    struct xcx_err why = XCX_ERR_INIT;

    if (!cases_lock_domain(dir, about->uuid, &receive->uuid_lock_fd, &why))
        return 0;
    receive->uuid_lock_fd = -1;
    if (cases_check_incoming(dir, about, &receive->log, err))
        return -1;
    return xcx_err_set(err, why.kind, 0, "%s", why.msg);
}

void receive_unlock_uuid(struct receive *receive)
{
    cases_unlock_domain(receive->config->journal_dir,
                        receive->journal.about.uuid, &receive->uuid_lock_fd);
}

/* From here on no other migration makes a copy of this guest here. */
static int open_new_case(struct receive *receive,
                         const struct journal_case *about, struct xcx_err *err)
{
    const char *dir = receive->config->journal_dir;

    if (directory_make(dir, 0700, err) || lock_uuid(receive, about, err))
        return -1;
    cases_expire(dir, receive->host.boot,
                 receive->config->decided_keep_h * S_PER_H,
                 target_domain_is_left, &receive->host, &receive->log);
    if (check_absent(receive, about, err) ||
        cases_check_incoming(dir, about, &receive->log, err) ||
        journal_create(&receive->journal, dir, about, err)) {
        cases_unlock_domain(dir, about->uuid, &receive->uuid_lock_fd);
        return -1;
    }
    receive->has_case = receive->begun = true;
    receive->data_due_ns = deadline_now_ns() + RECEIVE_DATA_NS;
    return 0;
}

int receive_begin(struct receive *receive, const struct message *message,
                  struct xcx_err *err)
{
    struct journal_case about;

    if (receive->has_case)
        return channel_unexpected(&receive->channel, message, err);
    if (receive_need_host(receive, err) ||
        take_case(receive, message, &about, err) ||
        open_new_case(receive, &about, err))
        return -1;
    if (!rendezvous_open(&receive->rendezvous, receive->config->run_dir,
                         about.id, err) &&
        !say_listening(receive, err))
        return 0;
    forget_case(receive);
    return -1;
}

/* ---- words -------------------------------------------------------------- */

static void announce_emulated(struct receive *receive)
{
    const struct announce *from = &receive->announce;
    const struct device_model_announce announce = {
        .initial_ms = (unsigned)from->initial_ms,
        .max_ms = (unsigned)from->max_ms,
        .step_ms = (unsigned)from->step_ms,
        .rounds = (unsigned)from->rounds,
    };
    struct domain domain;
    struct device_model model;
    struct xcx_err err = XCX_ERR_INIT;

    if (domain_get(&receive->host, receive->target.domid, &domain, &err) ||
        domain.kind != DOMAIN_HVM || !from->rounds)
        return;
    model = device_model_of(&domain);
    if (device_model_announce_self(&model, &announce, &err))
        xcx_log(&receive->log, XCX_LOG_WARN, "%s", err.msg);
}

static void announce_guest(struct receive *receive)
{
    struct announce_nic nics[ANNOUNCE_MAX_NICS];
    struct xcx_err err = XCX_ERR_INIT;
    unsigned nr_nics;

    if (announce_find_nics(&receive->host, receive->target.domid, nics,
                           &nr_nics, &err) ||
        announce_start(&receive->announce, nics, nr_nics, &err))
        xcx_log(&receive->log, XCX_LOG_WARN, "%s", err.msg);
    announce_emulated(receive);
}

static int settle(struct receive *receive, struct xcx_err *err)
{
    if (journal_remove(&receive->journal, err))
        return -1;
    receive_unlock_uuid(receive);
    receive->settled = true;
    if (receive_say(receive, "settled", err))
        return -1;
    receive->over = true;
    return 0;
}

static int hear_go(struct receive *receive, struct xcx_err *err)
{
    enum handover_entry before = receive->journal.entry;
    enum handover_event event = HANDOVER_HEARD_GO;
    struct handover_outcome outcome;

    receive->why = XCX_ERR_INIT;
    receive->times.go_ns = before == HANDOVER_READY ? deadline_now_ns() : 0;
    if (before == HANDOVER_READY &&
        (receive_check_alone(receive, &receive->why) ||
         receive_keys_write(receive, &receive->why)))
        event = HANDOVER_CANNOT_START;
    if (receive_step(receive, event, &outcome, err))
        return -1;
    if (outcome.entry == HANDOVER_STARTED)
        receive_unlock_uuid(receive);
    if (before == HANDOVER_READY && outcome.entry == HANDOVER_STARTED &&
        outcome.copy == HANDOVER_RUNNING) {
        announce_guest(receive);
        receive_run_late_hooks(receive, HOOKS_POST_START, NULL);
    }
    return 0;
}

/*
 * A source that is undecided acts upon the answer: should it die before it has
 * written the answer down, it asks once more. One that does not say whether it
 * is decided does not ask again.
 */
static int hear_abort(struct receive *receive, const struct message *message,
                      struct xcx_err *err)
{
    static const struct xcx_err asked = {
        .kind = XCX_ERR_CANCELLED,
        .msg = "the source has withdrawn the guest",
    };
    enum handover_entry before = receive->journal.entry;
    struct handover_outcome outcome;
    bool decided = true;

    if (message_bool(message, "decided", &decided, err))
        return -1;
    if (!xcx_err_is_set(&receive->why))
        receive->why = asked;
    receive_stop_building(receive);
    if (receive_step(receive, HANDOVER_HEARD_ABORT, &outcome, err))
        return -1;
    if (outcome.entry != HANDOVER_ABORTED)
        return 0;
    if (before != HANDOVER_ABORTED)
        receive_run_late_hooks(receive, HOOKS_FAILED, receive->why.msg);
    if (decided)
        return settle(receive, err);
    receive_unlock_uuid(receive);
    return 0;
}

static int hear_done(struct receive *receive, struct xcx_err *err)
{
    enum handover_entry entry = receive->journal.entry;

    if (entry != HANDOVER_STARTING && entry != HANDOVER_STARTED)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "the other end says DONE, but the journal here %s",
                           handover_entry_name(entry));
    return settle(receive, err);
}

int receive_word(struct receive *receive, const struct message *message,
                 struct xcx_err *err)
{
    const char *name;

    if (!receive->has_case)
        return channel_unexpected(&receive->channel, message, err);
    if (message_text(message, "word", 1, 16, &name, err))
        return -1;
    switch (handover_word_of_name(name)) {
    case HANDOVER_SAY_GO:
        return hear_go(receive, err);
    case HANDOVER_SAY_ABORT:
        return hear_abort(receive, message, err);
    case HANDOVER_SAY_DONE:
        return hear_done(receive, err);
    default:
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "the source says a word that is not one of its "
                           "own");
    }
}

/* ---- a case that was begun before --------------------------------------- */

/* USAGE: there is no such case, and only then may the source hear so. */
static int open_once(struct receive *receive, const char *id,
                     struct xcx_err *ret_why)
{
    int rc = journal_open(&receive->journal, receive->config->journal_dir, id,
                          JOURNAL_TARGET, ret_why);

    receive->no_such_case = rc && ret_why->kind == XCX_ERR_USAGE;
    return rc;
}

static int open_journal(struct receive *receive, const char *id,
                        struct xcx_err *err)
{
    struct xcx_err first = XCX_ERR_INIT, unasked = XCX_ERR_INIT;

    if (!open_once(receive, id, &first))
        return 0;
    /*
     * The one that has it may be waiting on a connection that is dead. Only
     * the source asks, which has given that connection up, dead or not; had it
     * not, it would ask for the case again as we do.
     */
    if (first.kind == XCX_ERR_RESOURCE &&
        !rendezvous_ask_yield(receive->config->run_dir, id,
                              deadline_in_ms(CHANNEL_YIELD_MS), &unasked)) {
        first = XCX_ERR_INIT;
        if (!open_once(receive, id, &first))
            return 0;
    }
    return xcx_err_set(err, first.kind, 0, "%s", first.msg);
}

/*
 * A journal without an entry means that nobody builds any more. The copy may be
 * whole even so, but the guest's own keys, and which hooks have run, died with
 * the process that received them; and without READY the source cannot have let
 * its own copy go.
 */
static int take_up(struct receive *receive, struct xcx_err *err)
{
    static const struct xcx_err broken = {
        .kind = XCX_ERR_PEER,
        .msg = "the connection was lost before the guest was ready here",
    };
    struct handover_outcome outcome;

    return receive->journal.entry
               ? receive_step(receive, HANDOVER_LOOK, &outcome, err)
               : receive_give_up(receive, &broken, err);
}

int receive_reattach(struct receive *receive, const struct message *message,
                     struct xcx_err *err)
{
    char id[JOURNAL_ID_BYTES];

    if (receive->has_case)
        return channel_unexpected(&receive->channel, message, err);
    if (message_hex(message, "id", id, sizeof(id), err) ||
        take_wishes(receive, message, err) || receive_need_host(receive, err) ||
        open_journal(receive, id, err))
        return -1;
    receive->has_case = true;
    if (receive->journal.entry < HANDOVER_STARTED &&
        cases_lock_domain(receive->config->journal_dir,
                          receive->journal.about.uuid, &receive->uuid_lock_fd,
                          err))
        return -1;
    if (rendezvous_open(&receive->rendezvous, receive->config->run_dir, id,
                        err))
        return -1;
    return take_up(receive, err);
}

/* A journal of which no copy was ever begun would only stay behind. */
static void leave_unsettled(struct receive *receive, const struct xcx_err *why)
{
    static const struct xcx_err lost = {
        .kind = XCX_ERR_PEER,
        .msg = "the connection to the source was lost",
    };
    struct xcx_err err = XCX_ERR_INIT;

    if (receive_give_up(receive, xcx_err_is_set(why) ? why : &lost, &err))
        xcx_log(&receive->log, XCX_LOG_ERROR, "%s", err.msg);
    else if (receive->begun && !receive->fed)
        forget_case(receive);
}

void receive_leave(struct receive *receive, const struct xcx_err *why)
{
    receive->over = true;
    if (receive->has_case && !receive->settled && !receive->journal.entry)
        leave_unsettled(receive, why);
    receive_end_data(receive);
    xl_receiver_done(&receive->xl);
    rendezvous_close(&receive->rendezvous);
    receive_unlock_uuid(receive);
    journal_close(&receive->journal);
    xenstore_tree_done(&receive->keys);
    if (receive->yield_visit_fd >= 0)
        close(receive->yield_visit_fd);
    receive->yield_visit_fd = -1;
}
