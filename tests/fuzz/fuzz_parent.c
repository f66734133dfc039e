/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The save helper's talk with libxl, whatever libxl answers. An input is a
 * number of messages, a byte for each that says which, and what is in the
 * pipe from libxl, which is closed behind that. Those bytes also serve as
 * text of messages.
 *
 * What holds: what the helper says is one whole message of its type, as libxl
 * parses it (tests/sim/protocol.h), and fits into PIPE_BUF; an answer is the
 * next int and means what the contract says; from the first that is missing
 * on, all that is asked fails with PEER, and nothing is said any more.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xl-plugin/save-helper/parent.h"
#include "../sim/protocol.h"
#include "../unit/stream_sample.h"

#define MAX_MESSAGES 32
#define MAX_INBOUND  4096 /* a pipe takes so much without a reader */

struct talk {
    struct parent parent;
    int from_helper;
    const uint8_t *inbound;
    size_t nr_inbound, nr_taken;
    char text[MAX_INBOUND + 1];
    struct xcx_err err;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_parent: does not hold: %s\n", what);
        abort();
    }
}

/* The helper asks in one of these ways; good is the answer for success. */
static int suspend(struct talk *talk, unsigned number)
{
    (void)number;
    return parent_suspend(&talk->parent, &talk->err);
}

static int switch_qemu(struct talk *talk, unsigned number)
{
    return parent_switch_qemu_logdirty(&talk->parent, number, number & 1,
                                       &talk->err);
}

static int static_data_done(struct talk *talk, unsigned number)
{
    return parent_static_data_done(&talk->parent, number, &talk->err);
}

static int complete(struct talk *talk, unsigned number)
{
    return parent_complete(&talk->parent, -(int)(number & 1), (int)number,
                           &talk->err);
}

static int restore_results(struct talk *talk, unsigned number)
{
    return parent_restore_results(&talk->parent, number, number, &talk->err);
}

static int say_log(struct talk *talk, unsigned number)
{
    parent_log(&talk->parent, MESSAGE_LEVEL_DEBUG, (int)number - 1, talk->text);
    return 0;
}

static int say_progress(struct talk *talk, unsigned number)
{
    parent_progress(&talk->parent, talk->text + number % sizeof(talk->text),
                    number, 31);
    return 0;
}

static const struct {
    int (*say)(struct talk *talk, unsigned number);
    enum sim_message_type type;
    bool answered, any_answer; /* any: whatever it is, it is fine */
    int good;
    bool may_be_silent; /* news only, and failing is not told */
    enum xcx_err_kind bad;
} ways[] = {
    {suspend, SIM_MSG_SUSPEND, true, false, 1, false, XCX_ERR_GUEST},
    {switch_qemu, SIM_MSG_QEMU_LOGDIRTY, true, false, 0, false, XCX_ERR_PEER},
    {static_data_done, SIM_MSG_STATIC_DATA_DONE, true, false, 0, false,
     XCX_ERR_PEER},
    {complete, SIM_MSG_COMPLETE, true, true, 0, false, XCX_OK},
    {restore_results, SIM_MSG_RESTORE_RESULTS, false, true, 0, false, XCX_OK},
    {say_log, SIM_MSG_LOG, false, true, 0, true, XCX_OK},
    {say_progress, SIM_MSG_PROGRESS, false, true, 0, true, XCX_OK},
};
#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

/* What libxl gets: one message, or nothing where that is allowed. */
static void check_message(struct talk *talk, unsigned way, bool silent)
{
    uint8_t bytes[2 * PIPE_BUF];
    struct xcx_err err = XCX_ERR_INIT;
    struct sim_message message;
    ssize_t n = read(talk->from_helper, bytes, sizeof(bytes));

    if (n <= 0) {
        must(silent, "it is said");
        return;
    }
    must(n <= PIPE_BUF, "it fits into PIPE_BUF");
    must(sim_message_parse(bytes, (size_t)n, &message, &err) == n,
         "it is one whole message");
    must(message.type == ways[way].type, "of its type");
}

static void check_answer(struct talk *talk, unsigned way, int rc)
{
    int answer = ways[way].good;

    if (ways[way].answered) {
        if (talk->nr_inbound - talk->nr_taken < sizeof(answer)) {
            must(rc == -1 && talk->err.kind == XCX_ERR_PEER, "no answer");
            must(talk->parent.gone, "so it is gone");
            return;
        }
        memcpy(&answer, talk->inbound + talk->nr_taken, sizeof(answer));
        talk->nr_taken += sizeof(answer);
    }
    must(!talk->parent.gone, "it is still there");
    if (ways[way].any_answer || answer == ways[way].good)
        must(rc == 0 && !xcx_err_is_set(&talk->err), "success");
    else
        must(rc == -1 && talk->err.kind == ways[way].bad, "failure");
}

static void say(struct talk *talk, uint8_t byte)
{
    unsigned way = byte % NR_WAYS;
    bool was_gone = talk->parent.gone;
    int rc;

    talk->err = XCX_ERR_INIT;
    rc = ways[way].say(talk, byte / NR_WAYS);
    check_message(talk, way, was_gone || way == NR_WAYS - 1);
    if (!was_gone) {
        check_answer(talk, way, rc);
        return;
    }
    must(talk->parent.gone, "gone is gone");
    if (!ways[way].may_be_silent)
        must(rc == -1 && talk->err.kind == XCX_ERR_PEER, "nobody to ask");
}

/* Both pipes; the one from libxl is full of what it will ever say. */
static void connect_pipes(struct talk *talk)
{
    int in[2], out[2];

    must(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC | O_NONBLOCK),
         "there are pipes");
    must(write(in[1], talk->inbound, talk->nr_inbound) ==
             (ssize_t)talk->nr_inbound,
         "a pipe takes it");
    close(in[1]);
    talk->parent.in_fd = in[0];
    talk->parent.out_fd = out[1];
    talk->from_helper = out[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct talk talk = {.nr_taken = 0};
    size_t nr_messages;

    if (size < 1)
        return 0;
    nr_messages = data[0] % (MAX_MESSAGES + 1);
    if (nr_messages > size - 1)
        nr_messages = size - 1;
    talk.inbound = data + 1 + nr_messages;
    talk.nr_inbound = size - 1 - nr_messages;
    if (talk.nr_inbound > MAX_INBOUND)
        talk.nr_inbound = MAX_INBOUND;
    memcpy(talk.text, talk.inbound, talk.nr_inbound);
    connect_pipes(&talk);
    for (size_t i = 0; i < nr_messages; i++)
        say(&talk, data[1 + i]);
    close(talk.parent.in_fd);
    close(talk.parent.out_fd);
    close(talk.from_helper);
    return 0;
}

/* ---- random inputs: answers that are right more often than not --------- */

size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room)
{
    size_t nr_messages = (sample_random(seed) >> 32) % (MAX_MESSAGES + 1);
    size_t nr_bytes = 1 + nr_messages;
    bool long_text = sample_random(seed) >> 61 == 0;
    size_t nr_answers =
        long_text ? 1000 : (sample_random(seed) >> 32) % (MAX_MESSAGES + 1);

    if (room < nr_bytes + nr_answers * sizeof(int))
        return 0;
    buf[0] = (uint8_t)nr_messages;
    for (size_t i = 1; i <= nr_messages; i++)
        buf[i] = (uint8_t)(sample_random(seed) >> 56);
    for (size_t i = 0; i < nr_answers; i++) {
        int answer = (int)(sample_random(seed) >> 32);

        if (!long_text && sample_random(seed) >> 61)
            answer = answer & 1;
        memcpy(buf + nr_bytes, &answer, sizeof(answer));
        nr_bytes += sizeof(answer);
    }
    /* The last one may come in part. */
    return nr_answers ? nr_bytes - (sample_random(seed) >> 32) % 4 : nr_bytes;
}
