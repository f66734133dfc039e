/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover: both ends played against each other through every order of steps
 * and up to NR_FAULTS faults, as tests/model/handover.pml does with the
 * protocol: here with the code that is shipped. A process dies, a host loses
 * power and with it domains and unsynced entries, the link loses what was
 * said; then all is quiet, and wherever no step is left, the guest runs once,
 * or both ends know where it ran last.
 *
 * Another program at the source suspends the guest, moves it to a third host,
 * saves or destroys it, or resumes it, at any time but two, which handover.h
 * names: it does not resume what was handed over, and power is not lost before
 * anybody has seen what the other program did.
 */
#include "xl-migrate/handover/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NR_FAULTS   3
#define TABLE_SLOTS (1u << 22)

enum { SOURCE, TARGET, NR_ENDS };

/* What was said and can be heard, a bit each; a word may be heard again. */
#define SAID(word)    (1u << (word))
#define SAID_COMPLETE 1u /* in the place of SAY_NOTHING: the whole stream */
#define SAID_BY_SOURCE                                                         \
    (SAID_COMPLETE | SAID(HANDOVER_SAY_GO) | SAID(HANDOVER_SAY_ABORT) |        \
     SAID(HANDOVER_SAY_DONE))

struct end {
    uint8_t up : 1, alive : 1, first : 1, synced : 1;
    uint8_t lost : 1; /* its host went down with a whole copy */
    uint8_t copy : 3;
    uint8_t entry : 4, on_disk : 4;
};

struct world {
    struct end end[NR_ENDS];
    uint16_t said;
    uint8_t faults;
    uint8_t link : 1, quiet : 1, fenced : 1;
    uint8_t went_on : 1, ran_there : 1; /* source resumed, target unpaused */
    uint8_t ended : 1;                  /* by another program, here */
    uint8_t elsewhere : 1; /* another program has it there, saved or running */
    uint8_t was_ready : 1, asked : 1; /* READY on disk, ABORT said */
};

/* Worlds seen, by open addressing; the ones up to nr are still to be left. */
struct search {
    struct world *worlds;
    uint32_t *slots; /* index + 1 */
    uint32_t nr, nr_ends;
    bool moved, stayed, took_over, lost_here, lost_there, fenced_back, declined;
    bool yielded, yielded_elsewhere;
};

static uint32_t hash(const struct world *world)
{
    const uint8_t *bytes = (const uint8_t *)world;
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < sizeof(*world); i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum ^ sum >> 15;
}

static void reach(struct search *search, const struct world *world)
{
    uint32_t slot = hash(world) % TABLE_SLOTS;

    assert_false(world->end[SOURCE].copy == HANDOVER_RUNNING &&
                 world->end[TARGET].copy == HANDOVER_RUNNING);
    assert_false(world->elsewhere &&
                 (world->end[SOURCE].copy == HANDOVER_RUNNING ||
                  world->end[TARGET].copy == HANDOVER_RUNNING));
    for (; search->slots[slot]; slot = (slot + 1) % TABLE_SLOTS)
        if (!memcmp(&search->worlds[search->slots[slot] - 1], world,
                    sizeof(*world)))
            return;
    assert_true(search->nr < TABLE_SLOTS / 4 * 3);
    search->worlds[search->nr] = *world;
    search->slots[slot] = ++search->nr;
}

/* ---- what an end does --------------------------------------------------- */

static bool hears(const struct world *world, enum handover_word word)
{
    return world->link && world->said & SAID(word);
}

static void act(struct world *world, int at, enum handover_act act)
{
    struct end *end = &world->end[at];

    switch (act) {
    case HANDOVER_DO_RESUME:
        end->copy = HANDOVER_RUNNING;
        world->went_on = 1;
        assert_true(!world->ran_there || world->fenced);
        break;
    case HANDOVER_DO_UNPAUSE:
        end->copy = HANDOVER_RUNNING;
        world->ran_there = 1;
        assert_false(world->went_on);
        break;
    case HANDOVER_DO_DESTROY:
        /* The target's could have been the only copy left. */
        assert_true(at == SOURCE || !world->was_ready || world->asked);
        end->copy = HANDOVER_ABSENT;
        break;
    case HANDOVER_DO_NOTHING:
        break;
    }
}

/* One event; a step that writes ends there, so that a crash can follow. */
static bool take(struct world *world, int at, enum handover_event event)
{
    struct world before = *world;
    struct end *end = &world->end[at];
    struct handover_step step;
    struct xcx_err err = XCX_ERR_INIT;
    int rc =
        at == SOURCE
            ? handover_source_step(end->entry, end->copy, event, &step, &err)
            : handover_target_step(end->entry, end->copy, event, &step, &err);

    if (rc) {
        /* The user may be refused; the ends must not contradict. */
        assert_true(err.kind == XCX_ERR_USAGE || event == HANDOVER_SUSPEND);
        return false;
    }
    if (step.write) {
        /* Given up for lost, with nothing whole at the target. */
        assert_true(step.write != HANDOVER_LOST || world->fenced ||
                    world->end[TARGET].on_disk == HANDOVER_ABORTED);
        end->entry = step.write;
        end->synced = 0;
    } else {
        act(world, at, step.act);
        if (world->link && step.say)
            world->said |= SAID(step.say);
        world->asked |= hears(world, HANDOVER_SAY_ABORT);
    }
    return memcmp(&before, world, sizeof(before)) != 0;
}

/* Move n of an end; false when it changes nothing or cannot be. */
static bool source_move(struct world *world, int n)
{
    struct end *end = &world->end[SOURCE];

    switch (n) {
    case 0:
        return take(world, SOURCE, HANDOVER_LOOK);
    case 1:
        return world->link && end->first && end->entry == HANDOVER_NONE &&
               end->copy == HANDOVER_RUNNING &&
               take(world, SOURCE, HANDOVER_OFFER);
    case 2: /* the suspend, and the rest of the stream */
        if (!end->first || end->entry != HANDOVER_SUSPENDING || !world->link)
            return false;
        if (end->copy == HANDOVER_RUNNING)
            end->copy = HANDOVER_PAUSED;
        else if (end->copy == HANDOVER_PAUSED && !(world->said & SAID_COMPLETE))
            world->said |= SAID_COMPLETE;
        else
            return false;
        return true;
    case 3:
        return take(world, SOURCE, HANDOVER_WITHDRAW);
    case 4:
        return hears(world, HANDOVER_SAY_READY) &&
               take(world, SOURCE, HANDOVER_HEARD_READY);
    case 5:
        return hears(world, HANDOVER_SAY_STARTING) &&
               take(world, SOURCE, HANDOVER_HEARD_STARTING);
    case 6:
        return hears(world, HANDOVER_SAY_ABORTED) &&
               take(world, SOURCE, HANDOVER_HEARD_ABORTED);
    case 7:
        return hears(world, HANDOVER_SAY_FAILED) &&
               take(world, SOURCE, HANDOVER_HEARD_FAILED);
    case 8:
        return world->link && end->first && end->entry == HANDOVER_OFFERED &&
               take(world, SOURCE, HANDOVER_SUSPEND);
    default:
        return world->fenced && end->entry != HANDOVER_NONE &&
               take(world, SOURCE, HANDOVER_FENCE);
    }
}

static bool target_move(struct world *world, int n)
{
    struct end *end = &world->end[TARGET];
    bool receives = world->link && end->first && end->entry == HANDOVER_NONE;

    switch (n) {
    case 0:
        return take(world, TARGET, HANDOVER_LOOK);
    case 1:
        if (!receives || end->copy == HANDOVER_PAUSED)
            return false;
        if (end->copy == HANDOVER_ABSENT)
            end->copy = HANDOVER_BUILDING;
        else if (world->said & SAID_COMPLETE)
            end->copy = HANDOVER_PAUSED;
        else
            return false;
        return true;
    case 2:
        return receives && end->copy == HANDOVER_PAUSED &&
               take(world, TARGET, HANDOVER_COMPLETE);
    case 3:
        return take(world, TARGET, HANDOVER_GIVE_UP);
    case 4:
        return hears(world, HANDOVER_SAY_GO) &&
               take(world, TARGET, HANDOVER_HEARD_GO);
    case 5:
        return hears(world, HANDOVER_SAY_ABORT) &&
               take(world, TARGET, HANDOVER_HEARD_ABORT);
    case 6:
        if (!world->faults || !hears(world, HANDOVER_SAY_GO))
            return false;
        world->faults--;
        return take(world, TARGET, HANDOVER_CANNOT_START);
    default:
        return false;
    }
}

static bool move(struct world *world, int at, int n)
{
    struct end *end = &world->end[at];

    if (!end->up || !end->alive)
        return false;
    if (!end->synced) { /* before anything else, whoever wrote it */
        end->on_disk = end->entry;
        end->synced = 1;
        world->was_ready |= at == TARGET && end->entry == HANDOVER_READY;
        return n == 0;
    }
    return at == SOURCE ? source_move(world, n) : target_move(world, n);
}

/* ---- what becomes of an end --------------------------------------------- */

/* Another program has it, or had it, and that is not on disk yet. */
static bool is_unseen(const struct end *end)
{
    return (end->copy == HANDOVER_GONE || end->copy == HANDOVER_TAKEN) &&
           end->on_disk <= HANDOVER_GO;
}

static void lose_power(struct end *end, bool unsynced_survives)
{
    end->lost |= end->copy >= HANDOVER_PAUSED && end->copy != HANDOVER_GONE;
    end->copy = HANDOVER_ABSENT;
    end->up = end->alive = 0;
    if (unsynced_survives)
        end->on_disk = end->entry;
    else
        end->entry = end->on_disk;
}

static bool breaks(struct world *world, int n)
{
    if (!world->faults)
        return false;
    world->faults--;
    struct end *end = &world->end[n % NR_ENDS];
    bool unseen = n % NR_ENDS == SOURCE && is_unseen(end);

    switch (n / NR_ENDS) {
    case 0:
        end->alive = 0;
        return true;
    case 1:
        lose_power(end, true);
        return !unseen;
    case 2:
        lose_power(end, false);
        return !unseen;
    case 3:
        world->link = 0;
        world->said &= n % NR_ENDS ? SAID_BY_SOURCE : ~SAID_BY_SOURCE;
        return true;
    default:
        world->link = 0;
        if (n % NR_ENDS)
            world->said = 0;
        return true;
    }
}

/* Another program takes the guest at the source: a fault each. */
static bool neighbour_takes(struct world *world, int n)
{
    struct end *source = &world->end[SOURCE];
    bool is_let_go =
        source->entry == HANDOVER_GO || source->entry == HANDOVER_DONE;

    if (!world->faults || !source->up)
        return false;
    world->faults--;
    switch (n) {
    case 0: /* suspends it, to save or move it */
        if (source->copy != HANDOVER_RUNNING)
            return false;
        source->copy = HANDOVER_TAKEN;
        return true;
    case 1: /* destroys it */
        if (source->copy != HANDOVER_RUNNING && source->copy != HANDOVER_PAUSED)
            return false;
        source->copy = HANDOVER_GONE;
        world->ended = 1;
        return true;
    default: /* resumes it, as xl does after a failure */
        if (source->copy != HANDOVER_PAUSED || is_let_go)
            return false;
        source->copy = HANDOVER_RUNNING;
        return true;
    }
}

/* What it has begun comes to an end. */
static bool neighbour_ends(struct world *world, int n)
{
    struct end *source = &world->end[SOURCE];

    if (source->copy != HANDOVER_TAKEN)
        return false;
    source->copy = n ? HANDOVER_GONE : HANDOVER_RUNNING;
    world->ended |= n;
    world->elsewhere |= n;
    return true;
}

static bool mends(struct world *world, int n)
{
    struct world before = *world;
    struct end *end = &world->end[n % NR_ENDS];

    switch (n / NR_ENDS) {
    case 0:
        end->up = 1;
        break;
    case 1: /* recover */
        if (!end->up || end->alive)
            return false;
        end->alive = 1;
        end->first = end->synced = 0;
        break;
    case 2:
        world->link = 1;
        break;
    case 3:
        world->quiet = 1;
        world->faults = 0;
        break;
    default:
        world->fenced |= !world->quiet && !world->end[TARGET].up;
        break;
    }
    return memcmp(&before, world, sizeof(before)) != 0;
}

/* ---- the search --------------------------------------------------------- */

static void check_end(struct search *search, const struct world *world)
{
    const struct end *source = &world->end[SOURCE];
    const struct end *target = &world->end[TARGET];
    struct handover_step here, there;
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(handover_source_step(source->entry, source->copy,
                                          HANDOVER_LOOK, &here, &err),
                     0);
    assert_int_equal(handover_target_step(target->entry, target->copy,
                                          HANDOVER_LOOK, &there, &err),
                     0);
    assert_true(here.place != HANDOVER_UNDECIDED);
    assert_true(there.place != HANDOVER_UNDECIDED);
    if (here.place == HANDOVER_NOT_OURS) {
        assert_true(source->copy == HANDOVER_GONE ||
                    source->copy == HANDOVER_ABSENT);
        assert_int_equal(target->copy, HANDOVER_ABSENT);
        assert_true(there.place == HANDOVER_THERE || world->fenced);
    } else if (here.place == HANDOVER_HERE) {
        assert_int_equal(source->copy, HANDOVER_RUNNING);
        assert_int_equal(target->copy, HANDOVER_ABSENT);
        assert_true(there.place == HANDOVER_THERE || world->fenced);
    } else if (here.place == HANDOVER_THERE) {
        assert_true(source->copy == HANDOVER_ABSENT ||
                    source->copy == HANDOVER_GONE);
        assert_true(there.place == HANDOVER_HERE
                        ? target->copy == HANDOVER_RUNNING
                        : target->lost);
    } else {
        assert_true(source->lost || world->ended);
        assert_int_equal(target->copy, HANDOVER_ABSENT);
        assert_true(here.place == HANDOVER_LAST_HERE || world->fenced);
    }
    search->moved |= there.place == HANDOVER_HERE;
    search->stayed |= here.place == HANDOVER_HERE;
    search->took_over |= source->lost && there.place == HANDOVER_HERE;
    search->lost_here |= here.place == HANDOVER_LAST_HERE;
    search->lost_there |= there.place == HANDOVER_LAST_HERE;
    search->fenced_back |= source->entry == HANDOVER_FENCED;
    search->declined |= (world->said & SAID(HANDOVER_SAY_FAILED)) != 0;
    search->yielded |= source->entry == HANDOVER_YIELDED;
    search->yielded_elsewhere |= world->elsewhere;
    search->nr_ends++;
}

static void leave(struct search *search, const struct world *from)
{
    bool any = false;

    for (int n = 0; n < 45; n++) {
        struct world world = *from;
        bool moved = n < 10   ? move(&world, SOURCE, n)
                     : n < 20 ? move(&world, TARGET, n - 10)
                     : n < 30 ? mends(&world, n - 20)
                     : n < 40 ? breaks(&world, n - 30)
                     : n < 42 ? neighbour_ends(&world, n - 40)
                              : neighbour_takes(&world, n - 42);

        if (moved)
            reach(search, &world);
        any |= moved;
    }
    if (!any)
        check_end(search, from);
}

static void two_ends_never_run_two_copies_nor_get_stuck(void **state)
{
    struct search search = {
        .worlds = calloc(TABLE_SLOTS, sizeof(*search.worlds)),
        .slots = calloc(TABLE_SLOTS, sizeof(*search.slots)),
    };
    struct world world;

    (void)state;
    assert_true(search.worlds && search.slots);
    memset(&world, 0, sizeof(world)); /* worlds are compared as bytes */
    for (int at = 0; at < NR_ENDS; at++) {
        struct end *end = &world.end[at];

        end->up = end->alive = end->first = end->synced = 1;
    }
    world.end[SOURCE].copy = HANDOVER_RUNNING;
    world.link = 1;
    world.faults = NR_FAULTS;
    reach(&search, &world);
    for (uint32_t i = 0; i < search.nr; i++) {
        world = search.worlds[i];
        leave(&search, &world);
    }
    print_message("%u worlds, %u ends\n", search.nr, search.nr_ends);
    assert_true(search.moved && search.stayed && search.took_over);
    assert_true(search.declined && search.yielded && search.yielded_elsewhere);
    assert_true(search.lost_here && search.lost_there && search.fenced_back);
    free(search.worlds);
    free(search.slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ends_never_run_two_copies_nor_get_stuck),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
