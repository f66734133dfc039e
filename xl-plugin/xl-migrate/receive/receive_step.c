/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receive.h"

#include <stdio.h>

static int look(void *opaque, enum handover_copy *ret_copy, uint32_t *ret_domid,
                struct xcx_err *err)
{
    struct receive *receive = opaque;

    return target_domain_look(&receive->target, ret_copy, ret_domid, err);
}

static int act(void *opaque, enum handover_act what, struct xcx_err *err)
{
    struct receive *receive = opaque;

    if (target_domain_act(&receive->target, what, err))
        return -1;
    if (what == HANDOVER_DO_UNPAUSE && !receive->journal.about.stay_paused)
        receive->times.start_ns = deadline_now_ns();
    return 0;
}

/* For the source's report: how long what it waits for has taken here. */
static void put_times(const struct receive *receive, enum handover_word word,
                      struct json *json)
{
    uint64_t now_ns = deadline_now_ns();

    if (word == HANDOVER_SAY_READY && receive->times.whole_ns)
        json_count(json, "prepare_ns", now_ns - receive->times.whole_ns);
    if (word != HANDOVER_SAY_STARTING || !receive->times.go_ns ||
        !receive->times.start_ns)
        return;
    json_count(json, "start_ns",
               receive->times.start_ns - receive->times.go_ns);
    json_count(json, "answer_ns", now_ns - receive->times.go_ns);
}

static int say(void *opaque, enum handover_word word, const char *text,
               struct xcx_err *err)
{
    struct receive *receive = opaque;
    char plain[XCX_ERR_MSG_BYTES];
    struct json json;
    int rc;

    if (receive->over)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "the source is gone");
    if (!text && (word == HANDOVER_SAY_ABORTED || word == HANDOVER_SAY_FAILED))
        text = receive->why.msg;
    if (message_begin(&json, "word", err))
        return -1;
    snprintf(plain, sizeof(plain), "%s", text ? text : "");
    lines_make_plain(plain);
    json_text(&json, "word", handover_word_name(word));
    if (*plain)
        json_text(&json, "text", plain);
    put_times(receive, word, &json);
    rc = channel_send(&receive->channel, &json, deadline_in_ms(RECEIVE_SEND_MS),
                      err);
    json_done(&json);
    return rc;
}

int receive_step(struct receive *receive, enum handover_event event,
                 struct handover_outcome *ret, struct xcx_err *err)
{
    const struct handover_seam seam = {
        .opaque = receive,
        .look = look,
        .act = act,
        .say = say,
    };

    return handover_run(&receive->journal, &seam, event, ret, err);
}

int receive_run_hooks(struct receive *receive, enum hooks_phase phase,
                      const char *why, struct xcx_err *err)
{
    const struct journal_case *about = &receive->journal.about;
    const struct hooks hooks = {
        .dir = receive->config->hooks_dir,
        .timeout_ms = receive->config->hooks_timeout_s * 1000,
        .log = &receive->log,
        .cancel_fd = -1,
    };
    const struct hooks_case about_hooks = {
        .side = "target",
        .id = about->id,
        .uuid = about->uuid,
        .name = about->name,
        .domid = receive->target.domid,
        .source = about->peer,
        .target = receive->host.name,
        .error = why,
    };

    return hooks_run(&hooks, phase, &about_hooks, err);
}

void receive_run_late_hooks(struct receive *receive, enum hooks_phase phase,
                            const char *why)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (receive_run_hooks(receive, phase, why, &err))
        xcx_log(&receive->log, XCX_LOG_WARN, "%s", err.msg);
}
