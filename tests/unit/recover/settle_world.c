/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settle_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/case_sample.h"
#include "unit/scratch.h"

static struct settle_world *the_world;

static int on_look(void *opaque, enum handover_copy *ret_copy,
                   uint32_t *ret_domid, struct xcx_err *err)
{
    struct settle_world *world = opaque;

    (void)err;
    if (world->stops_at_look && --world->stops_at_look == 0)
        world->copy = HANDOVER_PAUSED;
    world->nr_late_looks--;
    *ret_copy = world->copy;
    *ret_domid = 7;
    return 0;
}

static int on_act(void *opaque, enum handover_act act, struct xcx_err *err)
{
    struct settle_world *world = opaque;

    world->nr_acts++;
    if (world->nr_failing_acts && world->nr_failing_acts--)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "locks are held");
    world->nr_late_looks = 0;
    world->copy =
        act == HANDOVER_DO_DESTROY ? HANDOVER_ABSENT : HANDOVER_RUNNING;
    return 0;
}

static int on_connect(void *opaque, struct peer **ret, struct xcx_err *err)
{
    struct settle_world *world = opaque;

    if (!world->nr_connections)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: no route");
    world->nr_connections--;
    *ret = &world->peer;
    return 0;
}

static int on_let_go(void *opaque, struct peer *peer, struct xcx_err *err)
{
    struct settle_world *world = opaque;

    (void)err;
    assert_ptr_equal(peer, &world->peer);
    strcat(world->said, " (keys)");
    return 0;
}

static void on_told(void *opaque, const struct peer_message *message)
{
    struct settle_world *world = opaque;

    snprintf(world->told, sizeof(world->told), "%s", message->text);
}

static int on_may_go(void *opaque, struct xcx_err *err)
{
    const struct settle_world *world = opaque;

    return world->changed ? xcx_err_set(err, XCX_ERR_GUEST, 0, "it was renamed")
                          : 0;
}

static const char *on_seen(void *opaque)
{
    (void)opaque;
    return "what was seen";
}

static bool on_cancelled(void *opaque)
{
    return ((struct settle_world *)opaque)->cancelled;
}

static bool on_hurried(void *opaque)
{
    const struct settle_world *world = opaque;

    return world->hurried ||
           (world->hurries_when_back && world->copy == HANDOVER_RUNNING);
}

static bool on_may_stop_late(void *opaque)
{
    const struct settle_world *world = opaque;

    return world->nr_late_looks > 0;
}

static int peer_say(struct peer *peer, enum handover_word word,
                    struct xcx_err *err)
{
    size_t used = strlen(the_world->said);

    (void)peer;
    (void)err;
    snprintf(the_world->said + used, sizeof(the_world->said) - used, "%s%s",
             used ? " " : "", handover_word_name(word));
    return 0;
}

static int peer_hear(struct peer *peer, uint64_t deadline_ns,
                     struct peer_message *ret, struct xcx_err *err)
{
    struct settle_deed deed = *the_world->deeds;

    (void)peer;
    (void)deadline_ns;
    *ret = (struct peer_message){.news = PEER_NOTHING};
    if (deed.does != SILENT && deed.does != LOGS)
        the_world->deeds++;
    if (deed.does == IS_SLOW)
        usleep(2000);
    if (deed.does == SILENT || deed.does == LOGS)
        usleep(500);
    if (deed.does == LOGS)
        ret->news = PEER_LOG;
    if (deed.does == ENDS)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: gone");
    if (deed.does == NONSENSE)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "host2: nonsense");
    if (deed.does == SETTLES)
        ret->news = PEER_SETTLED;
    if (deed.does == SAYS || deed.does == REPEATS) {
        ret->news = PEER_WORD;
        ret->word = deed.word;
        strcpy(ret->text, deed.does == SAYS && deed.word == HANDOVER_SAY_ABORTED
                              ? "no memory"
                              : "");
    }
    return 0;
}

static int peer_reattach(struct peer *peer, const struct journal_case *about,
                         bool *ret_known, struct xcx_err *err)
{
    (void)peer;
    (void)err;
    assert_string_equal(about->id, CASE_SAMPLE_ID);
    *ret_known = !the_world->forgets;
    return 0;
}

static void peer_end(struct peer *peer)
{
    (void)peer;
}

static bool peer_is_watched(struct peer *peer)
{
    (void)peer;
    return the_world->watched;
}

static const struct peer_ops peer_ops = {
    .is_watched = peer_is_watched,
    .reattach = peer_reattach,
    .say = peer_say,
    .hear = peer_hear,
    .close = peer_end,
};

void settle_world_begin(struct settle_world *world, enum handover_entry entry)
{
    world->peer = (struct peer){.ops = &peer_ops, .plugin = true};
    the_world = world;
    case_sample_create(&world->journal, scratch_dir, JOURNAL_SOURCE, entry);
}

int settle_world_run(struct settle_world *world, enum handover_event first,
                     struct settle_result *ret, struct xcx_err *err)
{
    const struct settle_ops ops = {
        .opaque = world,
        .look = on_look,
        .act = on_act,
        .connect = on_connect,
        .let_go = on_let_go,
        .told = on_told,
        .may_go = on_may_go,
        .seen = on_seen,
        .cancelled = on_cancelled,
        .hurried = on_hurried,
        .may_stop_late = world->is_recover ? NULL : on_may_stop_late};
    struct peer *peer = &world->peer;
    const struct settle_params params = {
        .journal = &world->journal,
        .ops = &ops,
        .peer = &peer,
        .first = first,
        .begun = true,
        .reconnect_ns = world->reconnect_ns ? world->reconnect_ns : MS(1),
        .answer_ns = MS(1),
        .watched_ns = world->watched_ns ? world->watched_ns : MS(60000),
        .blackout_ns = world->blackout_ns,
        .withdrawn_ns = world->withdrawn_ns,
        .hurry_ns = MS(20),
    };

    return settle(&params, ret, err);
}
