/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover at either end, over one domain that the test directs: which journal
 * asks for what, and that nobody else's domain is ever touched.
 */
#include "../../xl-plugin/xl-migrate/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../xl-plugin/xl-migrate/command.h"
#include "../../xl-plugin/xl-migrate/domain.h"
#include "../../xl-plugin/xl-migrate/host.h"
#include "../../xl-plugin/xl-migrate/monitor.h"
#include "scratch.h"

#define ID         "0a1b"
#define UUID       "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define BOOT       "0f9b1c1e-1111-4222-8333-444455556666"
#define OLD_BOOT   "0f9b1c1e-1111-4222-8333-444455557777"
#define TEXT_BYTES 2048

/* The only domain there is, and what was done, in order: "settle 7, ". */
static struct {
    enum handover_copy copy;
    uint32_t domid;
    bool settle_fails;
    unsigned nr_busy;          /* tries to settle that meet a save at work */
    enum handover_word answer; /* of the target to GO and to ABORT */
    enum handover_word heard;  /* the last that the source said */
    unsigned nr_lost;          /* connections, while keys are sent */
    enum peer_kind kind;       /* as which it was connected to */
    char done[512];
} fake;

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    size_t used = strlen(fake.done);
    va_list args;

    va_start(args, format);
    vsnprintf(fake.done + used, sizeof(fake.done) - used, format, args);
    va_end(args);
}

/* ---- the host and its domain --------------------------------------------- */

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    (void)log, (void)err;
    snprintf(host->boot, sizeof(host->boot), BOOT);
    return 0;
}

void host_close(struct host *host)
{
    (void)host;
}

bool domain_uuid_normalise(const char *text, char ret[DOMAIN_UUID_BYTES])
{
    (void)ret, (void)text;
    return false;
}

int domain_look_source(struct host *host, uint32_t domid, const char *uuid,
                       enum handover_copy *ret_copy, struct xcx_err *err)
{
    (void)host, (void)err;
    assert_string_equal(uuid, UUID);
    *ret_copy = domid == fake.domid ? fake.copy : HANDOVER_ABSENT;
    return 0;
}

int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err)
{
    (void)host, (void)name, (void)err;
    assert_string_equal(uuid, UUID);
    *ret_copy = fake.copy;
    *ret_domid = fake.copy ? fake.domid : 0;
    return 0;
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    (void)host, (void)err;
    *ret = (struct domain){.domid = domid};
    return 0;
}

static int become(enum handover_copy copy, const char *what, uint32_t domid)
{
    note("%s %u, ", what, (unsigned)domid);
    assert_int_equal(domid, fake.domid);
    fake.copy = copy;
    return 0;
}

int domain_unpause(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    return become(HANDOVER_RUNNING, "unpause", domid);
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    return become(HANDOVER_ABSENT, "destroy", domid);
}

int domain_resume(struct host *host, uint32_t domid, unsigned timeout_ms,
                  struct xcx_err *err)
{
    (void)host, (void)timeout_ms, (void)err;
    return become(HANDOVER_RUNNING, "resume", domid);
}

int monitor_start(const struct domain *domain, struct xcx_err *err)
{
    (void)err;
    note("watch %u, ", (unsigned)domain->domid);
    return 0;
}

int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err);
int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err)
{
    (void)log;
    assert_string_equal(lock_dir, "/locks");
    note("settle %u, ", (unsigned)domid);
    if (fake.nr_busy && fake.nr_busy--)
        return xcx_err_set(err, XCX_ERR_GUEST, EBUSY, "a save is at work");
    return fake.settle_fails
               ? xcx_err_set(err, XCX_ERR_GUEST, 0, "a save is running")
               : 0;
}

/* ---- its keys ------------------------------------------------------------ */

int xenstore_read(struct xs_handle *xs, uint32_t domid,
                  const char *const *subtrees, unsigned nr_subtrees,
                  struct xenstore_tree *ret, struct xcx_err *err)
{
    static struct xenstore_entry entry = {.path = (char *)"data/x"};

    (void)xs, (void)err;
    assert_int_equal(domid, fake.domid);
    assert_int_equal(nr_subtrees, 4);
    assert_string_equal(subtrees[0], "data");
    assert_string_equal(subtrees[3], "mine");
    *ret = (struct xenstore_tree){.entries = &entry, .nr_entries = 1};
    return 0;
}

void xenstore_tree_done(struct xenstore_tree *tree)
{
    (void)tree;
}

/* ---- the target, as the source sees it ----------------------------------- */

static int on_reattach(struct peer *peer, const struct journal_case *about,
                       bool *ret_known, struct xcx_err *err)
{
    (void)peer, (void)about, (void)err;
    *ret_known = true;
    return 0;
}

static int on_put_entry(struct peer *peer, const struct xenstore_entry *entry,
                        struct xcx_err *err)
{
    (void)peer;
    note("%s, ", entry->path);
    return fake.nr_lost && fake.nr_lost--
               ? xcx_err_set(err, XCX_ERR_IO, 0, "host2: gone")
               : 0;
}

static int on_say(struct peer *peer, enum handover_word word,
                  struct xcx_err *err)
{
    (void)peer, (void)err;
    note("%s, ", word == HANDOVER_SAY_GO      ? "GO"
                 : word == HANDOVER_SAY_ABORT ? "ABORT"
                                              : "DONE");
    fake.heard = word;
    return 0;
}

static int on_hear(struct peer *peer, uint64_t deadline_ns,
                   struct peer_message *ret, struct xcx_err *err)
{
    (void)peer, (void)deadline_ns, (void)err;
    *ret = (struct peer_message){.news = PEER_SETTLED};
    if (fake.heard == HANDOVER_SAY_GO) {
        *ret = (struct peer_message){.news = PEER_WORD, .word = fake.answer};
        fake.heard = HANDOVER_SAY_NOTHING;
    }
    return 0;
}

static void on_close(struct peer *peer)
{
    (void)peer;
}

int peer_open(const struct peer_address *address, struct peer **ret,
              struct xcx_err *err)
{
    static const struct peer_ops ops = {.reattach = on_reattach,
                                        .put_entry = on_put_entry,
                                        .say = on_say,
                                        .hear = on_hear,
                                        .close = on_close};
    static struct peer peer = {.ops = &ops, .plugin = true};

    (void)err;
    assert_string_equal(address->host, "host2");
    fake.kind = address->kind;
    *ret = &peer;
    return 0;
}

/* ---- a case -------------------------------------------------------------- */

struct situation {
    const char *name;
    enum journal_side side;
    enum handover_entry entry;
    const char *boot;
    bool stay_paused, stock, fenced;
    enum handover_copy copy;
    uint32_t domid; /* the journal's is 7 */
    bool settle_fails;
    unsigned nr_busy; /* tries to resume it that meet a save at work */
    enum handover_word answer;
    unsigned nr_lost;
    /* What then happens. */
    const char *done, *said;
    enum exit_status status;
    bool settled; /* else its journal ends with: */
    enum handover_entry then;
};

static void leave_case(const struct situation *at)
{
    struct journal_case about = {.id = ID,
                                 .side = at->side,
                                 .uuid = UUID,
                                 .name = "g1",
                                 .peer = "host2",
                                 .stay_paused = at->stay_paused,
                                 .stock = at->stock};
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    snprintf(about.boot, sizeof(about.boot), "%s", at->boot);
    if (journal_create(&journal, scratch_dir, &about, &err) ||
        (at->entry && journal_append(&journal, at->entry, 7, &err)))
        fail_msg("%s", err.msg);
    journal_close(&journal);
}

static void check_case(const struct situation *at)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;
    char path[PATH_MAX];

    if (at->settled) {
        assert_int_equal(
            journal_open(&journal, scratch_dir, ID, at->side, &err), -1);
        assert_non_null(strstr(err.msg, "no such case"));
        return;
    }
    if (journal_open(&journal, scratch_dir, ID, at->side, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(journal.entry, at->then);
    snprintf(path, sizeof(path), "%s", journal.path);
    journal_close(&journal);
    unlink(path);
}

/* What is printed by it, errors too. */
static enum exit_status run(enum peer_kind kind, bool fenced, char *said)
{
    const struct recover_options options = {
        .what = fenced ? "g1" : NULL, .kind = kind, .target_is_fenced = fenced};
    struct config config = {.lock_dir = "/locks",
                            .reconnect_timeout_s = 5,
                            .xenstore_keys = {.nr = 1, .key = {"mine"}}};
    int fd = memfd_create("said", MFD_CLOEXEC), status;
    int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    ssize_t nr_bytes;

    snprintf(config.journal_dir, sizeof(config.journal_dir), "%s", scratch_dir);
    fflush(NULL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    status = recover_run(&options, &config);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    nr_bytes = pread(fd, said, TEXT_BYTES - 1, 0);
    said[nr_bytes < 0 ? 0 : nr_bytes] = 0;
    close(fd);
    close(out);
    close(errors);
    return (enum exit_status)status;
}

static void check(const struct situation *all, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        const struct situation *at = &all[i];
        char said[TEXT_BYTES];
        enum exit_status status;

        print_message("%s\n", at->name);
        memset(&fake, 0, sizeof(fake));
        fake.copy = at->copy;
        fake.domid = at->domid;
        fake.settle_fails = at->settle_fails;
        fake.nr_busy = at->nr_busy;
        fake.answer = at->answer;
        fake.nr_lost = at->nr_lost;
        leave_case(at);
        status = run(PEER_FIND_OUT, at->fenced, said);
        assert_string_equal(fake.done, at->done);
        if (!strstr(said, at->said))
            fail_msg("%s", said);
        assert_int_equal(status, at->status);
        check_case(at);
    }
}

/* ---- the target's end ---------------------------------------------------- */

static void the_target_acts_on_the_case_s_own_copy_alone(void **state)
{
#define AT_TARGET(entry_, copy_, domid_)                                       \
    .side = JOURNAL_TARGET, .entry = HANDOVER_##entry_, .boot = BOOT,          \
    .copy = HANDOVER_##copy_, .domid = domid_
    static const struct situation all[] = {
        {"let go, not unpaused yet", AT_TARGET(STARTING, PAUSED, 7),
         .done = "unpause 7, ", .said = "g1 runs here",
         .then = HANDOVER_STARTED},
        {"let go, to stay paused", AT_TARGET(STARTING, PAUSED, 7),
         .stay_paused = true, .done = "", .said = "g1 runs here",
         .then = HANDOVER_STARTED},
        {"let go, another domain of this UUID", AT_TARGET(STARTING, PAUSED, 9),
         .done = "", .said = "g1 is here as domain 9: it was started anew",
         .then = HANDOVER_STARTED},
        {"rebooted since", AT_TARGET(STARTED, RUNNING, 9), .done = "",
         .said = "g1 is here as domain 9: it was started anew",
         .then = HANDOVER_STARTED},
        {"comes again", AT_TARGET(STARTED, BUILDING, 9), .done = "",
         .said = "is not here any more", .then = HANDOVER_STARTED},
        {"ended since", AT_TARGET(STARTED, ABSENT, 0), .done = "",
         .said = "is not here any more: it was shut down, destroyed or moved",
         .then = HANDOVER_STARTED},
        {"whole", AT_TARGET(READY, PAUSED, 7), .done = "",
         .said = "a whole copy of g1 is paused here",
         .status = EXIT_STATUS_UNDECIDED, .then = HANDOVER_READY},
        {"given up, not destroyed yet", AT_TARGET(ABORTED, PAUSED, 7),
         .done = "destroy 7, ", .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"given up, another domain", AT_TARGET(ABORTED, PAUSED, 9), .done = "",
         .said = "was given up here", .then = HANDOVER_ABORTED},
        {"half-built", AT_TARGET(NONE, BUILDING, 9), .done = "destroy 9, ",
         .said = "was given up here", .then = HANDOVER_ABORTED},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void a_target_that_was_off_has_no_copy_any_more(void **state)
{
#define REBOOTED_TARGET(entry_)                                                \
    .side = JOURNAL_TARGET, .entry = HANDOVER_##entry_, .boot = OLD_BOOT,      \
    .done = ""
    static const struct situation all[] = {
        {"let go", REBOOTED_TARGET(STARTING),
         .said = "copy of g1; unless it was moved on since, it runs nowhere",
         .status = EXIT_STATUS_LOST, .then = HANDOVER_STARTED},
        {"started anew by now", REBOOTED_TARGET(STARTED),
         .copy = HANDOVER_RUNNING, .domid = 7,
         .said = "g1 is here as domain 7: it was started anew",
         .then = HANDOVER_STARTED},
        {"whole", REBOOTED_TARGET(READY), .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"given up", REBOOTED_TARGET(ABORTED), .said = "was given up here",
         .then = HANDOVER_ABORTED},
        {"half-built", REBOOTED_TARGET(NONE), .said = "was given up here",
         .then = HANDOVER_ABORTED},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

/* ---- the source's end ---------------------------------------------------- */

static void the_source_lifts_what_a_dead_save_has_left(void **state)
{
#define AT_SOURCE(entry_, copy_, domid_)                                       \
    .side = JOURNAL_SOURCE, .entry = HANDOVER_##entry_, .boot = BOOT,          \
    .copy = HANDOVER_##copy_, .domid = domid_, .settled = true
    static const struct situation all[] = {
        {"runs on", AT_SOURCE(OFFERED, RUNNING, 7),
         .done = "settle 7, ABORT, watch 7, ", .said = "g1 runs here"},
        {"runs on, throttled", AT_SOURCE(OFFERED, RUNNING, 7),
         .settle_fails = true, .done = "settle 7, ABORT, watch 7, ",
         .said = "is still there: a save is running"},
        {"suspended", AT_SOURCE(OFFERED, PAUSED, 7),
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
        {"suspended, a save is at work", AT_SOURCE(OFFERED, PAUSED, 7),
         .nr_busy = 1,
         .done = "settle 7, settle 7, resume 7, watch 7, ABORT, "
                 "watch 7, ",
         .said = "g1 runs here"},
        {"suspended, cannot be settled", AT_SOURCE(OFFERED, PAUSED, 7),
         .settle_fails = true,
         .done = "settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "is still there: a save is running"},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void after_go_the_source_goes_by_the_target_s_word(void **state)
{
    static const struct situation all[] = {
        {"it has started", AT_SOURCE(GO, PAUSED, 7),
         .answer = HANDOVER_SAY_STARTING,
         .done = "data/x, GO, destroy 7, DONE, ", .said = "g1 is at host2"},
        {"the same, lost before GO could be said", AT_SOURCE(GO, PAUSED, 7),
         .answer = HANDOVER_SAY_STARTING, .nr_lost = 1,
         .done = "data/x, data/x, GO, destroy 7, DONE, ",
         .said = "g1 is at host2"},
        {"it has not", AT_SOURCE(GO, PAUSED, 7), .answer = HANDOVER_SAY_ABORTED,
         .done = "data/x, GO, settle 7, resume 7, watch 7, ABORT, watch 7, ",
         .said = "g1 runs here"},
        {"it has not, and this is another domain", AT_SOURCE(GO, PAUSED, 9),
         .answer = HANDOVER_SAY_ABORTED, .done = "GO, ABORT, ",
         .said = "g1 is here as domain 9: it was started anew"},
        {"it has not, and this is gone", AT_SOURCE(GO, ABSENT, 0),
         .answer = HANDOVER_SAY_ABORTED, .done = "GO, ABORT, ",
         .said = "this host had the last complete copy of g1; it runs nowhere",
         .status = EXIT_STATUS_LOST},
        {"went on and ended", AT_SOURCE(RESUMED, ABSENT, 0), .done = "ABORT, ",
         .said = "is not here any more: it was shut down, destroyed or moved"},
        {"went on and rebooted", AT_SOURCE(RESUMED, RUNNING, 9),
         .done = "ABORT, ", .said = "g1 is here as domain 9"},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void a_target_that_is_fenced_is_not_asked(void **state)
{
    static const struct situation all[] = {
        {"after GO", .side = JOURNAL_SOURCE, .entry = HANDOVER_GO, .boot = BOOT,
         .copy = HANDOVER_PAUSED, .domid = 7, .fenced = true,
         .done = "settle 7, resume 7, watch 7, watch 7, ",
         .said = "g1 runs here; the target was not told yet",
         .then = HANDOVER_FENCED},
        {"after GO, and this copy is gone", .side = JOURNAL_SOURCE,
         .entry = HANDOVER_GO, .boot = BOOT, .fenced = true, .done = "",
         .said = "g1 ran last here or at host2, which was fenced",
         .status = EXIT_STATUS_LOST, .then = HANDOVER_FENCED},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

static void a_source_that_was_off_has_no_copy_any_more(void **state)
{
#define REBOOTED_SOURCE(entry_)                                                \
    .side = JOURNAL_SOURCE, .entry = HANDOVER_##entry_, .boot = OLD_BOOT,      \
    .settled = true
    static const struct situation all[] = {
        {"started there", REBOOTED_SOURCE(GO), .answer = HANDOVER_SAY_STARTING,
         .done = "GO, DONE, ", .said = "g1 is at host2"},
        {"not started there", REBOOTED_SOURCE(GO),
         .answer = HANDOVER_SAY_ABORTED, .done = "GO, ABORT, ",
         .said = "this host had the last complete copy",
         .status = EXIT_STATUS_LOST},
        {"gone back", REBOOTED_SOURCE(RESUMED), .done = "ABORT, ",
         .said = "this host had the last complete copy",
         .status = EXIT_STATUS_LOST},
    };

    (void)state;
    check(all, sizeof(all) / sizeof(all[0]));
}

/* As an older version wrote it: the flag, which is false, is left out. */
static void make_case_old(void)
{
    static const char flag[] = ",\"stock\":false";
    char path[PATH_MAX], text[TEXT_BYTES], *at;
    FILE *file;
    size_t nr_bytes;

    snprintf(path, sizeof(path), "%s/%s.source.journal", scratch_dir, ID);
    file = fopen(path, "r+");
    assert_non_null(file);
    nr_bytes = fread(text, 1, sizeof(text) - 1, file);
    text[nr_bytes] = 0;
    at = strstr(text, flag);
    assert_non_null(at);
    memmove(at, at + strlen(flag), strlen(at + strlen(flag)) + 1);
    rewind(file);
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The guest stands still for a move that was begun after it went on. */
static void an_older_case_waits_for_a_newer_one(void **state)
{
    static const struct situation at = {AT_SOURCE(RESUMED, PAUSED, 7)};
    struct journal_case newer = {
        .id = "ff", .uuid = UUID, .name = "g1", .peer = "host3", .boot = BOOT};
    struct journal journal;
    char said[TEXT_BYTES];

    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.copy = at.copy;
    fake.domid = at.domid;
    leave_case(&at);
    assert_int_equal(journal_create(&journal, scratch_dir, &newer, NULL), 0);
    assert_int_equal(journal_append(&journal, HANDOVER_OFFERED, 7, NULL), 0);
    assert_int_equal(journal_append(&journal, HANDOVER_GO, 7, NULL), 0);
    assert_int_equal(run(PEER_FIND_OUT, false, said), EXIT_STATUS_UNDECIDED);
    assert_non_null(strstr(said, "g1 stands still, and case ff comes first"));
    assert_string_equal(fake.done, "");
    journal_remove(&journal, NULL);
    assert_int_equal(run(PEER_FIND_OUT, false, said), EXIT_STATUS_DONE);
    assert_string_equal(fake.done, "settle 7, resume 7, watch 7, ABORT, "
                                   "watch 7, ");
}

static void the_target_is_of_the_kind_that_it_was_sent_to(void **state)
{
    static const struct {
        bool stock, old; /* in the journal; by an older version */
        enum peer_kind asked, kind;
    } all[] = {
        {true, false, PEER_FIND_OUT, PEER_STOCK},
        {false, false, PEER_FIND_OUT, PEER_PLUGIN},
        {false, false, PEER_STOCK, PEER_PLUGIN},
        {false, true, PEER_FIND_OUT, PEER_FIND_OUT},
        {false, true, PEER_STOCK, PEER_STOCK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct situation at = {AT_SOURCE(GO, PAUSED, 7),
                                     .stock = all[i].stock};
        char said[TEXT_BYTES];

        memset(&fake, 0, sizeof(fake));
        fake.copy = at.copy;
        fake.domid = at.domid;
        fake.answer = HANDOVER_SAY_STARTING;
        leave_case(&at);
        if (all[i].old)
            make_case_old();
        assert_int_equal(run(all[i].asked, false, said), EXIT_STATUS_DONE);
        assert_int_equal(fake.kind, all[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_acts_on_the_case_s_own_copy_alone),
        cmocka_unit_test(a_target_that_was_off_has_no_copy_any_more),
        cmocka_unit_test(the_source_lifts_what_a_dead_save_has_left),
        cmocka_unit_test(after_go_the_source_goes_by_the_target_s_word),
        cmocka_unit_test(a_target_that_is_fenced_is_not_asked),
        cmocka_unit_test(a_source_that_was_off_has_no_copy_any_more),
        cmocka_unit_test(an_older_case_waits_for_a_newer_one),
        cmocka_unit_test(the_target_is_of_the_kind_that_it_was_sent_to),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
