/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer_parse.h"

#include <string.h>

#include "common/deadline.h"
#include "xl-migrate/handover/handover_run.h"

static enum xcx_log_level level_of(const char *text)
{
    if (!strcmp(text, "error"))
        return XCX_LOG_ERROR;
    if (!strcmp(text, "warning") || !strcmp(text, "warn"))
        return XCX_LOG_WARN;
    return strcmp(text, "debug") ? XCX_LOG_INFO : XCX_LOG_DEBUG;
}

/* An empty text is null, or not there. */
static int take_text(const struct message *message, struct peer_message *ret,
                     struct xcx_err *err)
{
    yajl_val text = message_value(message, "text");

    if (!text || YAJL_IS_NULL(text))
        return 0;
    if (message_copy(message, "text", 0, ret->text, sizeof(ret->text), err))
        return -1;
    lines_make_plain(ret->text);
    return 0;
}

/* Parses the times; a guest that is to stay paused has no start. */
static int take_times(struct peer_times *times, const struct message *message,
                      enum handover_word word, struct xcx_err *err)
{
    uint64_t start_ns = 0, answer_ns = 0;

    if (word == HANDOVER_SAY_READY) {
        times->ready_ns = deadline_now_ns();
        return message_count(message, "prepare_ns", 0, INT64_MAX,
                             &times->prepare_ns, err);
    }
    if (word != HANDOVER_SAY_STARTING || !times->go_ns)
        return 0;
    if (message_count(message, "start_ns", 0, INT64_MAX, &start_ns, err) ||
        message_count(message, "answer_ns", 0, INT64_MAX, &answer_ns, err))
        return -1;
    if (start_ns)
        times->started_ns = peer_started_ns(times->go_ns, deadline_now_ns(),
                                            start_ns, answer_ns);
    return 0;
}

static int take_word(const char *host, const struct message *message,
                     struct peer_times *times, struct peer_message *ret,
                     struct xcx_err *err)
{
    const char *word;

    if (message_text(message, "word", 1, 16, &word, err))
        return -1;
    ret->news = PEER_WORD;
    ret->word = handover_word_of_name(word);
    if (!ret->word)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "%.60s says \"%s\"", host,
                           word);
    return take_times(times, message, ret->word, err) ||
                   take_text(message, ret, err)
               ? -1
               : 0;
}

static int take_log(const struct message *message, struct peer_message *ret,
                    struct xcx_err *err)
{
    const char *level;

    if (message_text(message, "level", 1, 16, &level, err) ||
        take_text(message, ret, err))
        return -1;
    ret->news = PEER_LOG;
    ret->level = level_of(level);
    return 0;
}

int peer_parse(const struct channel *channel, const char *host,
               const struct message *message, struct peer_times *times,
               struct peer_message *ret, struct xcx_err *err)
{
    *ret = (struct peer_message){.news = PEER_NOTHING};
    if (!strcmp(message->type, "word"))
        return take_word(host, message, times, ret, err);
    if (!strcmp(message->type, "log"))
        return take_log(message, ret, err);
    if (!strcmp(message->type, "settled")) {
        ret->news = PEER_SETTLED;
        return 0;
    }
    /* Answers to a begin that was cancelled, or for people alone. */
    if (!strcmp(message->type, "listening") || !strcmp(message->type, "report"))
        return 0;
    if (!strcmp(message->type, "error"))
        return channel_take_error(channel, message, NULL, err);
    return channel_unexpected(channel, message, err);
}
