/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settle.h"

#include <stdio.h>

#include "common/deadline.h"

#define NS_PER_MS UINT64_C(1000000)
/* How often is looked whether the user wants it back, or an act is retried. */
#define SLICE_NS       (500 * NS_PER_MS)
#define FIRST_PAUSE_NS (100 * NS_PER_MS)
#define LAST_PAUSE_NS  (5000 * NS_PER_MS)

struct settling {
    const struct settle_params *params;
    struct handover_outcome outcome;
    bool act_failed;      /* in this step */
    bool withdrawn;       /* WITHDRAW was taken: said again when reattached */
    bool forgotten;       /* the target has settled it */
    bool was_asked;       /* to stop, perhaps, by a process that is gone */
    bool is_gone;         /* as of the last look */
    bool cannot_ask_back; /* let go to a target that is without a journal */
    uint64_t start_ns;    /* of all of it */
    uint64_t hurried_ns;  /* since when somebody waits for its end; 0: not */
    uint64_t lost_ns;     /* when the connection was lost; 0: it was not */
    uint64_t pause_ns;    /* before the next try */
    uint64_t silent_ns;   /* when the last word came, or was said */
    uint64_t failing_ns;  /* when an act failed first; 0: none does */
    unsigned nr_silences; /* connections on which no word came in time */
    struct xcx_err why;
    struct xcx_err reason; /* the target's own, for having given it up */
};

enum verdict { GO_ON, LEAVE, BROKEN };

static struct peer *peer_of(const struct settling *settling)
{
    return *settling->params->peer;
}

static enum handover_entry entry_of(const struct settling *settling)
{
    return settling->params->journal->entry;
}

/* The newest reason is the one that tells why it is not settled. */
static void note(struct settling *settling, const struct xcx_err *why)
{
    if (xcx_err_is_set(why))
        settling->why = *why;
}

/* Tells the user what is being waited for. */
static void tell_of_loss(const struct settling *settling,
                         const struct xcx_err *why)
{
    const struct settle_params *params = settling->params;
    struct peer_message message = {.news = PEER_LOG, .level = XCX_LOG_WARN};

    if (!params->ops->told || !params->reconnect_ns)
        return;
    snprintf(message.text, sizeof(message.text),
             "lost: %.200s; trying it again for up to %u s", why->msg,
             (unsigned)(params->reconnect_ns / (1000 * NS_PER_MS)));
    params->ops->told(params->ops->opaque, &message);
}

static void lose(struct settling *settling, const struct xcx_err *why)
{
    note(settling, why);
    peer_close(settling->params->peer);
    if (!settling->lost_ns) {
        tell_of_loss(settling, why);
        settling->lost_ns = deadline_now_ns();
        settling->pause_ns = 0;
    }
}

/* ---- the seam of a step -------------------------------------------------- */

/* Back at the source, and not known to have gone on yet. */
static bool is_coming_back(const struct settling *settling)
{
    return entry_of(settling) == HANDOVER_RESUMED ||
           entry_of(settling) == HANDOVER_FENCED;
}

/* Whether the guest may yet stop for our request, and somebody waits for that.
 */
static bool may_stop_late(const struct settling *settling)
{
    const struct settle_ops *ops = settling->params->ops;

    return is_coming_back(settling) && ops->may_stop_late &&
           ops->may_stop_late(ops->opaque);
}

/* A guest that stops now does so for a request of ours. */
static bool stops_for_us(const struct settling *settling)
{
    const struct settle_ops *ops = settling->params->ops;

    if (!is_coming_back(settling) && !handover_is_undecided(entry_of(settling)))
        return false;
    return ops->may_stop_late ? ops->may_stop_late(ops->opaque)
                              : settling->was_asked;
}

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    struct settling *settling = opaque;
    const struct settle_ops *ops = settling->params->ops;

    if (ops->look(ops->opaque, ret_copy, ret_domid, err))
        return -1;
    settling->is_gone =
        *ret_copy == HANDOVER_ABSENT || *ret_copy == HANDOVER_GONE;
    if (*ret_copy == HANDOVER_RUNNING && stops_for_us(settling))
        *ret_copy = HANDOVER_ASKED;
    return 0;
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    struct settling *settling = opaque;
    const struct settle_ops *ops = settling->params->ops;

    settling->act_failed = ops->act(ops->opaque, act, err) != 0;
    if (settling->act_failed)
        return -1;
    /* The guest was asked once, and so it stops for us once. */
    if (act == HANDOVER_DO_RESUME)
        settling->was_asked = false;
    return 0;
}

/*
 * A guest that went on and is not here any more may have been moved there
 * since: stock xl knows no cases, and would destroy it for an old one.
 */
static bool may_hit_another_copy(const struct settling *settling,
                                 enum handover_word word)
{
    return word == HANDOVER_SAY_ABORT && handover_is_back(entry_of(settling)) &&
           settling->is_gone && !peer_of(settling)->plugin;
}

/* xl may start its copy at any moment: it must not be destroyed meanwhile. */
static bool cannot_ask_back(const struct settling *settling,
                            enum handover_word word)
{
    return word == HANDOVER_SAY_ABORT && entry_of(settling) == HANDOVER_GO &&
           !peer_of(settling)->plugin;
}

static int on_say(void *opaque, enum handover_word word, const char *text,
                  struct xcx_err *err)
{
    struct settling *settling = opaque;
    struct peer *peer = peer_of(settling);

    (void)text;
    if (!peer)
        return xcx_err_set(err, XCX_ERR_IO, 0, "the target is not connected");
    if (may_hit_another_copy(settling, word)) {
        settling->forgotten = true;
        return 0;
    }
    if (cannot_ask_back(settling, word)) {
        settling->cannot_ask_back = true;
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "the target was let go, and cannot be asked back: "
                           "look at both hosts before anything is started");
    }
    peer->is_decided = handover_is_final(entry_of(settling));
    return peer->ops->say(peer, word, err);
}

/* An act that fails is tried again: the target may hold what it needs. */
static enum verdict act_again(struct settling *settling,
                              const struct xcx_err *why)
{
    uint64_t now = deadline_now_ns();

    /* Undecided where the guest is, unless it is the target's for good. */
    note(settling, why);
    settling->outcome = (struct handover_outcome){
        .copy = HANDOVER_PAUSED,
        .place = entry_of(settling) == HANDOVER_DONE ? HANDOVER_THERE
                                                     : HANDOVER_UNDECIDED,
    };
    if (!settling->failing_ns)
        settling->failing_ns = now;
    return now - settling->failing_ns < settling->params->reconnect_ns ? GO_ON
                                                                       : LEAVE;
}

static enum verdict step(struct settling *settling, enum handover_event event,
                         struct xcx_err *err)
{
    const struct settle_params *params = settling->params;
    const struct handover_seam seam = {
        .opaque = settling, .look = on_look, .act = on_act, .say = on_say};
    enum handover_entry before = entry_of(settling);
    struct xcx_err why = XCX_ERR_INIT;
    int rc;

    settling->act_failed = false;
    settling->withdrawn |=
        event == HANDOVER_WITHDRAW || event == HANDOVER_HEARD_FAILED;
    rc = handover_run(params->journal, &seam, event, &settling->outcome, &why);
    if (entry_of(settling) != before && params->ops->reached)
        params->ops->reached(params->ops->opaque, entry_of(settling));
    settling->silent_ns = deadline_now_ns();
    if (rc && settling->act_failed)
        return act_again(settling, &why);
    if (rc) {
        xcx_err_set(err, why.kind, 0, "%s", why.msg);
        return BROKEN;
    }
    settling->failing_ns = 0;
    /* Messages sent before the connection went are still to be read. */
    if (settling->outcome.word && !settling->outcome.said && peer_of(settling))
        note(settling, &settling->outcome.unsaid);
    return settling->cannot_ask_back ? LEAVE : GO_ON;
}

/*
 * After GO only a target that keeps a journal can give the guest back: xl might
 * unpause the copy while it is being destroyed.
 */
static bool may_withdraw(const struct settling *settling)
{
    enum handover_entry entry = entry_of(settling);

    return handover_is_undecided(entry) ||
           (entry == HANDOVER_GO && peer_of(settling) &&
            peer_of(settling)->plugin);
}

/* ---- the connection ------------------------------------------------------ */

/* The target knows nothing of the case. */
static enum verdict forgotten(struct settling *settling, struct xcx_err *err)
{
    if (handover_is_final(entry_of(settling))) {
        settling->forgotten = true;
        return GO_ON;
    }
    if (handover_is_undecided(entry_of(settling)))
        return step(settling, HANDOVER_HEARD_ABORTED, err);
    settling->why = XCX_ERR_INIT;
    xcx_err_set(&settling->why, XCX_ERR_PEER, 0,
                "the target knows nothing of the case, though it was told %s: "
                "recover with --stock if it was sent so, else look at both "
                "hosts before anything is started",
                handover_entry_name(entry_of(settling)));
    return LEAVE;
}

static int let_go_again(const struct settling *settling, struct xcx_err *err)
{
    const struct settle_ops *ops = settling->params->ops;

    return entry_of(settling) == HANDOVER_GO && ops->let_go
               ? ops->let_go(ops->opaque, peer_of(settling), err)
               : 0;
}

static enum verdict reattach(struct settling *settling, struct xcx_err *err)
{
    const struct settle_params *params = settling->params;
    struct xcx_err why = XCX_ERR_INIT;
    bool known = false;

    if (params->ops->connect(params->ops->opaque, params->peer, &why) ||
        peer_of(settling)->ops->reattach(
            peer_of(settling), &params->journal->about, &known, &why) ||
        (known && let_go_again(settling, &why))) {
        lose(settling, &why);
        return GO_ON;
    }
    settling->lost_ns = 0;
    settling->silent_ns = deadline_now_ns();
    if (!known)
        return forgotten(settling, err);
    return step(settling,
                settling->withdrawn && may_withdraw(settling)
                    ? HANDOVER_WITHDRAW
                    : HANDOVER_LOOK,
                err);
}

static enum verdict reconnect(struct settling *settling, struct xcx_err *err)
{
    /* The copy at the target may be free by now. */
    if (settling->failing_ns && is_coming_back(settling)) {
        enum verdict verdict = step(settling, HANDOVER_LOOK, err);

        if (verdict != GO_ON)
            return verdict;
    }
    if (!settling->lost_ns)
        settling->lost_ns = deadline_now_ns();
    if (settling->pause_ns) {
        if (deadline_now_ns() - settling->lost_ns >=
            settling->params->reconnect_ns)
            return LEAVE;
        deadline_sleep_ns(settling->pause_ns);
    }
    settling->pause_ns =
        settling->pause_ns ? settling->pause_ns * 2 : FIRST_PAUSE_NS;
    if (settling->pause_ns > LAST_PAUSE_NS)
        settling->pause_ns = LAST_PAUSE_NS;
    return reattach(settling, err);
}

/* ---- hearing ------------------------------------------------------------- */

static uint64_t patience_ns(const struct settling *settling)
{
    const struct settle_params *params = settling->params;
    struct peer *peer = peer_of(settling);

    if (!peer->ops->is_watched || !peer->ops->is_watched(peer))
        return params->answer_ns;
    return settling->withdrawn && params->withdrawn_ns ? params->withdrawn_ns
                                                       : params->watched_ns;
}

static enum verdict silence(struct settling *settling, struct xcx_err *err)
{
    struct xcx_err why = XCX_ERR_INIT;

    if (settling->failing_ns)
        return step(settling, HANDOVER_LOOK, err);
    if (deadline_now_ns() - settling->silent_ns < patience_ns(settling))
        return GO_ON;
    xcx_err_set(&why, XCX_ERR_IO, 0, "the target does not answer");
    /* A new connection has not helped. */
    if (settling->nr_silences++) {
        note(settling, &why);
        return LEAVE;
    }
    lose(settling, &why);
    return GO_ON;
}

/* Notes why the target refused: a new process there does not know. */
static void note_refusal(struct settling *settling,
                         const struct peer_message *message)
{
    struct xcx_err *reason = &settling->reason;

    settling->why = XCX_ERR_INIT;
    xcx_err_set(&settling->why, XCX_ERR_PEER, 0, "the target says %s%s%s",
                handover_word_name(message->word), message->text[0] ? ": " : "",
                message->text);
    if (!xcx_err_is_set(reason) && message->text[0])
        *reason = settling->why;
}

/* A change of any kind means that the copy at the target is not the guest. */
static enum verdict take_ready(struct settling *settling, struct xcx_err *err)
{
    const struct settle_ops *ops = settling->params->ops;
    struct xcx_err why = XCX_ERR_INIT;

    if (!handover_is_undecided(entry_of(settling)) || !ops->may_go ||
        !ops->may_go(ops->opaque, &why))
        return step(settling, HANDOVER_HEARD_READY, err);
    settling->reason = why;
    return step(settling, HANDOVER_WITHDRAW, err);
}

static enum verdict take_word(struct settling *settling,
                              const struct peer_message *message,
                              struct xcx_err *err)
{
    enum handover_event event =
        handover_event_of_word(JOURNAL_SOURCE, message->word);

    if (event == HANDOVER_LOOK) {
        settling->why = XCX_ERR_INIT;
        xcx_err_set(&settling->why, XCX_ERR_PEER, 0,
                    "the target says %s, which is the source's word",
                    handover_word_name(message->word));
        return LEAVE;
    }
    if (event == HANDOVER_HEARD_ABORTED || event == HANDOVER_HEARD_FAILED)
        note_refusal(settling, message);
    return event == HANDOVER_HEARD_READY ? take_ready(settling, err)
                                         : step(settling, event, err);
}

static enum verdict hear(struct settling *settling, struct xcx_err *err)
{
    const struct settle_ops *ops = settling->params->ops;
    struct peer *peer = peer_of(settling);
    struct xcx_err why = XCX_ERR_INIT;
    struct peer_message message;

    if (peer->ops->hear(peer, deadline_now_ns() + SLICE_NS, &message, &why)) {
        lose(settling, &why);
        return GO_ON;
    }
    switch (message.news) {
    case PEER_NOTHING:
        return silence(settling, err);
    case PEER_WORD:
        settling->nr_silences = 0;
        return take_word(settling, &message, err);
    case PEER_SETTLED:
        return forgotten(settling, err);
    default:
        if (ops->told)
            ops->told(ops->opaque, &message);
        return GO_ON;
    }
}

/* ---- limits -------------------------------------------------------------- */

/* The guest stands, and nothing was let go: only READY would be progress. */
static bool stands_too_long(struct settling *settling)
{
    uint64_t limit_ns = settling->params->blackout_ns;

    if (!limit_ns || settling->withdrawn ||
        !handover_is_undecided(entry_of(settling)) ||
        deadline_now_ns() - settling->start_ns < limit_ns)
        return false;
    settling->reason = XCX_ERR_INIT;
    xcx_err_set(&settling->reason, XCX_ERR_PEER, 0,
                "the target has all of the guest, but was not ready to start "
                "it within %u s: see blackout_timeout_s",
                (unsigned)(limit_ns / NS_PER_S));
    return true;
}

/* Whether the time is up, decided or not. */
static bool is_out_of_time(struct settling *settling)
{
    const struct settle_ops *ops = settling->params->ops;

    if (!ops->hurried || !ops->hurried(ops->opaque))
        return false;
    if (!settling->hurried_ns)
        settling->hurried_ns = deadline_now_ns();
    return deadline_now_ns() - settling->hurried_ns >=
           settling->params->hurry_ns;
}

/* ---- all of it ----------------------------------------------------------- */

/* Before GO nothing is to be waited for: the guest's time is running. */
static bool takes_it_back(const struct settling *settling)
{
    const struct settle_ops *ops = settling->params->ops;
    /* Asked in any case: who waits for an answer gets one. */
    bool cancelled = ops->cancelled && ops->cancelled(ops->opaque);

    if (settling->withdrawn || !may_withdraw(settling))
        return false;
    return cancelled ||
           (handover_is_undecided(entry_of(settling)) && settling->lost_ns);
}

static bool has_reason(const struct settling *settling)
{
    enum handover_entry entry = entry_of(settling);

    return xcx_err_is_set(&settling->reason) && !settling->failing_ns &&
           (entry == HANDOVER_RESUMED || entry == HANDOVER_RAN ||
            entry == HANDOVER_LOST);
}

/*
 * Once the guest is back, a connection lost since, or locks held, are not why.
 * Nor is anything else why another program has the guest.
 */
static void explain(struct settling *settling, struct xcx_err *ret)
{
    const struct settle_ops *ops = settling->params->ops;
    const char *seen = ops->seen && settling->outcome.place == HANDOVER_NOT_OURS
                           ? ops->seen(ops->opaque)
                           : "";

    if (seen[0]) {
        *ret = XCX_ERR_INIT;
        xcx_err_set(ret, XCX_ERR_GUEST, 0, "%s", seen);
        return;
    }
    *ret = has_reason(settling) ? settling->reason : settling->why;
}

/* Whether the guest stopped late; any later state is not this case's. */
static bool has_stopped_late(struct settling *settling)
{
    enum handover_copy copy;
    uint32_t domid;

    return !settling->failing_ns && is_coming_back(settling) &&
           stops_for_us(settling) && !on_look(settling, &copy, &domid, NULL) &&
           copy == HANDOVER_PAUSED;
}

/* Over, whether the target need not be asked or has said so. */
static bool has_nothing_to_hear(const struct settling *settling)
{
    return settling->forgotten || !settling->params->begun;
}

static bool is_settled(const struct settling *settling)
{
    return handover_is_final(entry_of(settling)) && !settling->failing_ns &&
           has_nothing_to_hear(settling) && !may_stop_late(settling);
}

static enum verdict next(struct settling *settling, struct xcx_err *err)
{
    if (is_out_of_time(settling))
        return LEAVE;
    if (takes_it_back(settling) || stands_too_long(settling))
        return step(settling, HANDOVER_WITHDRAW, err);
    if (has_stopped_late(settling))
        return step(settling, HANDOVER_LOOK, err);
    if (handover_is_final(entry_of(settling)) &&
        has_nothing_to_hear(settling)) {
        deadline_sleep_ns(SLICE_NS);
        /* An act of ours may still fail. */
        return settling->failing_ns ? step(settling, HANDOVER_LOOK, err)
                                    : GO_ON;
    }
    return peer_of(settling) ? hear(settling, err) : reconnect(settling, err);
}

/* The target is lost, but the guest may yet stop for us. */
static enum verdict look_after(struct settling *settling, struct xcx_err *err)
{
    enum verdict verdict = LEAVE;

    while (verdict != BROKEN && may_stop_late(settling)) {
        deadline_sleep_ns(SLICE_NS);
        if (settling->failing_ns || has_stopped_late(settling))
            verdict = step(settling, HANDOVER_LOOK, err);
    }
    return verdict;
}

/* Lets the guest run: if it stops from now on, that is not ours to undo. */
static enum verdict let_it_run(struct settling *settling, enum verdict verdict,
                               struct xcx_err *err)
{
    if (verdict == BROKEN || !is_coming_back(settling) || settling->failing_ns)
        return verdict;
    settling->was_asked = false;
    return step(settling, HANDOVER_LOOK, err);
}

/* Fenced: there is nobody to talk to, and it stays written down. */
static enum verdict alone(struct settling *settling, struct xcx_err *err)
{
    if (!settling->failing_ns)
        return LEAVE;
    deadline_sleep_ns(SLICE_NS);
    return step(settling, HANDOVER_LOOK, err);
}

int settle(const struct settle_params *params, struct settle_result *ret,
           struct xcx_err *err)
{
    const struct journal *journal = params->journal;
    struct settling settling = {
        .params = params,
        .start_ns = deadline_now_ns(),
        .was_asked = journal->entry == HANDOVER_SUSPENDING ||
                     (journal->entry == HANDOVER_OFFERED &&
                      journal->about.suspends_unnoted),
    };
    enum verdict verdict = step(&settling, params->first, err);

    while (verdict == GO_ON && !is_settled(&settling))
        verdict = params->first == HANDOVER_FENCE ? alone(&settling, err)
                                                  : next(&settling, err);
    if (verdict == LEAVE)
        verdict = look_after(&settling, err);
    if (!is_settled(&settling))
        verdict = let_it_run(&settling, verdict, err);
    if (verdict == BROKEN)
        return -1;
    *ret = (struct settle_result){
        .entry = entry_of(&settling),
        .copy = settling.outcome.copy,
        .place = settling.outcome.place,
        .settled = is_settled(&settling),
    };
    explain(&settling, &ret->why);
    return ret->settled ? journal_remove(params->journal, err) : 0;
}
