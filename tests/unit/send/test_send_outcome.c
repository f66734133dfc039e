/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How send ends, over one domain and a target that does what the test directs:
 * exit status, what is said, what is left in the journal.
 */
#include "xl-migrate/send/send.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/scratch.h"
#include "send_world.h"

struct situation {
    const char *name;
    enum handover_copy copy_then; /* once the stream has ended */
    const char *stream_fails;
    enum handover_copy anew;
    enum guest_end end, logged; /* as looked, and by xl's log */
    bool destroy_fails, refused, stock, left_out, hold_fails;
    bool stops_unasked, by_another, ends_at_ready; /* see send_world.h */
    bool saver_at_ready;
    const char *renamed_at_ready;
    unsigned failing_read, changes;
    enum answer answer;
    enum deed deeds[6];
    /* What then happens. */
    enum exit_status status;
    const char *result, *said, *told;
    enum handover_entry left;
};

#define NEVER_TOLD                                                             \
    "host2 has not been told how it ended: run xl-migrate recover "
static const struct situation situations[] = {
    {"done", HANDOVER_PAUSED, .deeds = {READY, STARTING, SETTLES},
     .status = EXIT_STATUS_DONE, .result = "done", .said = "",
     .told = "data/key GO DONE"},
    {"done, but for keys that are too much: told once", HANDOVER_PAUSED,
     .left_out = true, .deeds = {READY, LOST, STARTING, SETTLES},
     .status = EXIT_STATUS_DONE, .result = "done",
     .said = "2 of the guest's own keys in xenstore do not move with it, the "
             "first: data/aaa, 1105 bytes: too long\n{",
     .told = "data/key GO AGAIN data/key GO DONE"},
    {"done, to a stock target", HANDOVER_PAUSED, .stock = true,
     .deeds = {READY, STARTING, SETTLES}, .status = EXIT_STATUS_DONE,
     .result = "done", .said = "", .told = "GO DONE"},
    {"lost at GO and found again: the keys are sent again before it",
     HANDOVER_PAUSED, .deeds = {READY, LOST, STARTING, SETTLES},
     .status = EXIT_STATUS_DONE, .result = "done", .said = "",
     .told = "data/key GO AGAIN data/key GO DONE"},
    {"the same, a stock target: it has no place for keys", HANDOVER_PAUSED,
     .stock = true, .deeds = {READY, LOST, STARTING, SETTLES},
     .status = EXIT_STATUS_DONE, .result = "done", .said = "",
     .told = "GO AGAIN GO DONE"},
    {"its keys cannot be read again: the target may have them", HANDOVER_PAUSED,
     .failing_read = 2, .deeds = {READY, LOST, STARTING, SETTLES},
     .status = EXIT_STATUS_DONE, .result = "done",
     .said = "keys in xenstore are not sent again: xenstored is gone\n",
     .told = "data/key GO AGAIN GO DONE"},
    {"its keys cannot be read: it does not go without", HANDOVER_PAUSED,
     .failing_read = 1, .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_AT_SOURCE, .result = "failed-guest-at-source",
     .said = "xl-migrate send: xenstored is gone\n",
     .told = "(drop) ABORT ABORT"},
    {"it will not receive: nothing is left to be settled", HANDOVER_RUNNING,
     .answer = SAYS_NO, .deeds = {ENDS}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "xl-migrate send: host2: no memory\n", .told = "(drop) ABORT"},
    {"it may have begun to receive", HANDOVER_RUNNING, .answer = FALLS_SILENT,
     .deeds = {ENDS}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source", .said = NEVER_TOLD,
     .told = "(drop) ABORT", .left = HANDOVER_RAN},
    {"refused", HANDOVER_RUNNING, .refused = true,
     .status = EXIT_STATUS_REFUSED, .result = "refused",
     .said = "xl-migrate send: refused by a check: x\n", .told = ""},
    {"it was changed before it is asked to suspend: it is not", HANDOVER_PAUSED,
     .changes = 1, .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "xl-migrate send: g1 was changed (disks)\n",
     .told = "(drop) ABORT ABORT"},
    {"it is being changed at GO", HANDOVER_PAUSED, .hold_fails = true,
     .deeds = {READY, ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source", .said = "g1: another changes it",
     .told = "data/key ABORT ABORT"},
    {"it was changed while it was written", HANDOVER_PAUSED, .changes = 2,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "xl-migrate send: g1 was changed (disks)\n",
     .told = "data/key (drop) ABORT ABORT"},
    {"it was changed by the time of GO", HANDOVER_PAUSED,
     .changes = SEND_WORLD_GLANCE, .deeds = {READY, ABORTED, SETTLES},
     .status = EXIT_STATUS_AT_SOURCE, .result = "failed-guest-at-source",
     .said = "xl-migrate send: g1 was changed (disks)\n",
     .told = "data/key ABORT ABORT"},
    {"given up there", HANDOVER_PAUSED, .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_AT_SOURCE, .result = "failed-guest-at-source",
     .said = "xl-migrate send: the target says ABORTED\n",
     .told = "data/key ABORT"},
    {"given up here", HANDOVER_RUNNING, .stream_fails = "too busy",
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source", .said = "xl-migrate send: too busy\n",
     .told = "(drop) ABORT ABORT"},
    {"lost once it runs there", HANDOVER_PAUSED,
     .deeds = {READY, STARTING, ENDS}, .status = EXIT_STATUS_AT_TARGET,
     .result = "failed-guest-at-target", .said = NEVER_TOLD,
     .told = "data/key GO DONE", .left = HANDOVER_DONE},
    {"the same, a stock target", HANDOVER_PAUSED, .stock = true,
     .deeds = {READY, STARTING, ENDS}, .status = EXIT_STATUS_AT_TARGET,
     .result = "failed-guest-at-target", .said = NEVER_TOLD, .told = "GO DONE",
     .left = HANDOVER_DONE},
    {"its copy here is left over", HANDOVER_PAUSED, .destroy_fails = true,
     .deeds = {READY, STARTING, ENDS}, .status = EXIT_STATUS_AT_TARGET,
     .result = "failed-guest-at-target", .said = NEVER_TOLD,
     .told = "data/key GO", .left = HANDOVER_DONE},
    {"lost while it is let go", HANDOVER_PAUSED, .deeds = {READY, ENDS},
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = "g1 is suspended here and may be at host2: run xl-migrate "
             "recover ",
     .told = "data/key GO", .left = HANDOVER_GO},
    {"it has rebooted meanwhile", HANDOVER_ABSENT,
     .stream_fails = "domain 7 is gone", .anew = HANDOVER_RUNNING,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "g1 is here as domain 9: it was started anew meanwhile\n",
     .told = "(drop) ABORT ABORT"},
    {"it was seen to reboot, and xl takes a moment", HANDOVER_ABSENT,
     .stream_fails = "cancelled", .anew = HANDOVER_RUNNING,
     .end = GUEST_REBOOTED, .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_AT_SOURCE, .result = "failed-guest-at-source",
     .said = "g1 is here as domain 9: it was started anew meanwhile\n"
             "xl-migrate send: g1 rebooted while its memory was copied\n",
     .told = "(drop) ABORT ABORT"},
    {"it reboots while the target gets ready", HANDOVER_ABSENT,
     .anew = HANDOVER_RUNNING, .end = GUEST_REBOOTED, .answer = GUEST_ENDS,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "g1 is here as domain 9: it was started anew meanwhile\n"
             "xl-migrate send: g1 rebooted before its memory was copied\n",
     .told = "(drop) ABORT"},
    {"its old domain is seen to be destroyed, and xl takes a moment",
     HANDOVER_ABSENT, .anew = HANDOVER_RUNNING, .end = GUEST_DESTROYED,
     .stream_fails = "cancelled", .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_AT_SOURCE, .result = "failed-guest-at-source",
     .said = "g1 is here as domain 9: it was started anew meanwhile\n"
             "xl-migrate send: g1 was destroyed while its memory was copied\n",
     .told = "(drop) ABORT ABORT"},
    {"it crashed, and xl destroyed it before that was seen", HANDOVER_ABSENT,
     .end = GUEST_DESTROYED, .logged = GUEST_CRASHED,
     .stream_fails = "cancelled", .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_LOST, .result = "lost",
     .said = "xl-migrate send: g1 crashed while its memory was copied\n",
     .told = "(drop) ABORT ABORT"},
    {"it was seen to power off, and xl keeps the domain", HANDOVER_RUNNING,
     .stream_fails = "cancelled", .end = GUEST_POWERED_OFF,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "xl-migrate send: g1 powered off while its memory was copied\n",
     .told = "(drop) ABORT ABORT"},
    {"it was seen to power off, and is gone", HANDOVER_ABSENT,
     .stream_fails = "cancelled", .end = GUEST_POWERED_OFF,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_LOST, .result = "lost",
     .said = "g1 has ended by itself: xl create starts it again",
     .told = "(drop) ABORT ABORT"},
    {"it was shut down meanwhile", HANDOVER_ABSENT,
     .stream_fails = "domain 7 is gone", .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "xl-migrate send: g1 (domain 7) is not on this host any more: "
             "another program has destroyed, saved or moved it, or it has "
             "shut down\n",
     .told = "(drop) ABORT ABORT"},
    {"it comes back from elsewhere meanwhile", HANDOVER_ABSENT,
     .stream_fails = "domain 7 is gone", .anew = HANDOVER_BUILDING,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_TAKEN,
     .result = "taken", .said = "is not on this host any more",
     .told = "(drop) ABORT ABORT"},
    {"destroyed before the target is ready", HANDOVER_PAUSED,
     .ends_at_ready = true, .deeds = {READY, ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "another program has destroyed, saved or moved it",
     .told = "data/key ABORT ABORT"},
    {"the same, a stock target", HANDOVER_PAUSED, .stock = true,
     .ends_at_ready = true, .deeds = {READY, ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "another program has destroyed, saved or moved it",
     .told = "ABORT ABORT"},
    {"xl moves it, too", HANDOVER_PAUSED,
     .renamed_at_ready = "g1--migratedaway", .deeds = {READY, ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "g1 (domain 7) is called g1--migratedaway: xl migrate has moved "
             "it, or is about to\n",
     .told = "data/key ABORT ABORT"},
    {"saved by another program before the target is ready", HANDOVER_PAUSED,
     .saver_at_ready = true, .deeds = {READY, ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "g1 (domain 7) is being saved or moved by process 77 "
             "(libxl-save-helper)\nxl-migrate send: if that program has died: "
             "where g1 runs nowhere else, xl-migrate recover --resume 7 lets",
     .told = "data/key ABORT ABORT"},
    {"renamed meanwhile", HANDOVER_PAUSED, .renamed_at_ready = "web",
     .deeds = {READY, ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "g1 is called web by now: it was renamed while it moved\n",
     .told = "data/key ABORT ABORT"},
    {"resumed by another program meanwhile", HANDOVER_RUNNING,
     .deeds = {READY, ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "xl-migrate send: g1 (domain 7) does not stand still any more: "
             "another program has resumed it\n",
     .told = "ABORT ABORT"},
    {"it does not take our request, but another's", HANDOVER_PAUSED,
     .stream_fails = "domain 7 has suspended without taking the request",
     .by_another = true, .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "g1 (domain 7) is suspended, and not for this migration",
     .told = "(drop) ABORT ABORT"},
    {"suspended by another program before it was asked", HANDOVER_PAUSED,
     .stops_unasked = true, .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_TAKEN, .result = "taken",
     .said = "g1 (domain 7) is suspended, and not for this migration: "
             "another program saves or moves it\n",
     .told = "(drop) ABORT ABORT"},
};

static void each_end_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        const struct situation *at = &situations[i];
        char said[SEND_WORLD_BYTES], result[64];
        int status;

        print_message("%s\n", at->name);
        send_world_reset();
        fake.copy = HANDOVER_RUNNING;
        fake.anew = at->anew;
        fake.guest_end = at->end;
        fake.logged_end = at->logged;
        fake.anew_after =
            at->end == GUEST_REBOOTED || at->end == GUEST_DESTROYED ? 2 : 0;
        fake.destroy_fails = at->destroy_fails;
        fake.refused = at->refused;
        fake.stock = at->stock;
        fake.left_out = at->left_out;
        fake.hold_fails = at->hold_fails;
        fake.stream_fails = at->stream_fails;
        fake.copy_then = at->copy_then;
        fake.failing_read = at->failing_read;
        fake.stops_unasked = at->stops_unasked;
        fake.by_another = at->by_another;
        fake.ends_at_ready = at->ends_at_ready;
        fake.saver_at_ready = at->saver_at_ready;
        fake.renamed_at_ready = at->renamed_at_ready;
        fake.changes = at->changes;
        fake.answer = at->answer;
        fake.deeds = at->deeds;
        status = send_world_run(said);
        snprintf(result, sizeof(result), "\"result\": \"%s\"", at->result);
        if (status != (int)at->status || !strstr(said, at->said) ||
            !strstr(said, result))
            fail_msg("%d: %s", status, said);
        assert_string_equal(fake.told, at->told);
        assert_int_equal(fake.journal_is_stock, at->stock);
        assert_int_equal(send_world_take_case(), at->left);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_status),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
