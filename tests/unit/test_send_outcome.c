/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How send ends, over one domain and a target that does what the test directs:
 * exit status, what is said, what is left in the journal.
 */
#include "../../xl-plugin/xl-migrate/send.h"

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

#include "../../xl-plugin/xl-migrate/cases.h"
#include "../../xl-plugin/xl-migrate/command.h"
#include "../../xl-plugin/xl-migrate/handover_run.h"
#include "../../xl-plugin/xl-migrate/hooks.h"
#include "../../xl-plugin/xl-migrate/monitor.h"
#include "../../xl-plugin/xl-migrate/send_check.h"
#include "../../xl-plugin/xl-migrate/send_config.h"
#include "case_sample.h"
#include "scratch.h"

#define UUID       "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define BOOT       "0f9b1c1e-1111-4222-8333-444455556666"
#define TEXT_BYTES 8192

/*
 * What the target does, in order; ENDS ends the connection for good, LOST only
 * that one. It knows of the case still when there is another.
 */
enum deed { ENDS, LOST, SETTLES, READY, STARTING, ABORTED };

/* How the target answers when it is to receive. */
enum answer { ACCEPTS, SAYS_NO, FALLS_SILENT };

static struct {
    enum domain_state state;
    enum handover_copy copy; /* of the domain that is to move, 7 */
    enum handover_copy anew; /* of one that it has become meanwhile, 9 */
    bool destroy_fails, refused, stock;
    const char *find_fails;   /* why; NULL: it does not */
    const char *stream_fails; /* the same */
    enum handover_copy copy_then;
    enum answer answer;
    const enum deed *deeds;
    bool journal_is_stock;
    char told[128]; /* what the target was, in order: keys and words */
} fake;

static void note_told(const char *what)
{
    size_t used = strlen(fake.told);

    snprintf(fake.told + used, sizeof(fake.told) - used, "%s%s",
             used ? " " : "", what);
}

/* ---- the host and its domains -------------------------------------------- */

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    (void)log, (void)err;
    snprintf(host->boot, sizeof(host->boot), BOOT);
    snprintf(host->name, sizeof(host->name), "host1");
    return 0;
}

void host_close(struct host *host)
{
    (void)host;
}

const char *domain_kind_name(enum domain_kind kind)
{
    (void)kind;
    return "pvh";
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    (void)host, (void)err;
    *ret = (struct domain){.domid = domid,
                           .uuid = UUID,
                           .name = "g1",
                           .kind = DOMAIN_PVH,
                           .state = fake.state};
    return 0;
}

int domain_find(struct host *host, const char *text, struct domain *ret,
                struct xcx_err *err)
{
    assert_string_equal(text, "g1");
    if (fake.find_fails)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s", fake.find_fails);
    return domain_get(host, 7, ret, err);
}

int domain_look_source(struct host *host, uint32_t domid, const char *uuid,
                       enum handover_copy *ret_copy, struct xcx_err *err)
{
    (void)host, (void)uuid, (void)err;
    assert_int_equal(domid, 7);
    *ret_copy = fake.copy;
    return 0;
}

int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err)
{
    (void)host, (void)err;
    assert_string_equal(uuid, UUID);
    assert_string_equal(name, "g1");
    *ret_copy = fake.anew;
    *ret_domid = fake.anew ? 9 : 0;
    return 0;
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)domid;
    if (fake.destroy_fails)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "cannot be destroyed");
    fake.copy = HANDOVER_ABSENT;
    return 0;
}

int domain_resume(struct host *host, uint32_t domid, unsigned timeout_ms,
                  struct xcx_err *err)
{
    (void)host, (void)domid, (void)timeout_ms, (void)err;
    fake.copy = HANDOVER_RUNNING;
    return 0;
}

int monitor_start(const struct domain *domain, struct xcx_err *err)
{
    (void)domain, (void)err;
    return 0;
}

int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err);
int __wrap_xcx_settle(uint32_t domid, const char *lock_dir,
                      const struct xcx_log *log, struct xcx_err *err)
{
    (void)domid, (void)lock_dir, (void)log, (void)err;
    return 0;
}

int xenstore_read(struct xs_handle *xs, uint32_t domid,
                  const char *const *subtrees, unsigned nr_subtrees,
                  struct xenstore_tree *ret, struct xcx_err *err)
{
    static char path[] = "data/key";
    static struct xenstore_entry entry = {.path = path};

    (void)xs, (void)err;
    assert_int_equal(domid, 7);
    assert_int_equal(nr_subtrees, 3);
    assert_string_equal(subtrees[0], "data");
    *ret = (struct xenstore_tree){.entries = &entry, .nr_entries = 1};
    return 0;
}

void xenstore_tree_done(struct xenstore_tree *tree)
{
    (void)tree;
}

/* ---- what send does before and around it --------------------------------- */

int send_config_json(struct host *host, const struct domain *domain,
                     const char *file, unsigned xl_ms, bool keep_domid,
                     char **ret_json, struct xcx_err *err)
{
    (void)host, (void)domain, (void)file, (void)xl_ms, (void)keep_domid;
    (void)err;
    *ret_json = strdup("{}");
    return 0;
}

int send_check(struct send_session *session, struct xcx_err *ret_refusal,
               struct xcx_err *err)
{
    (void)session, (void)err;
    if (fake.refused)
        xcx_err_set(ret_refusal, XCX_ERR_GUEST, 0, "refused by a check: x");
    return 0;
}

void send_check_learn(struct send_session *session)
{
    (void)session;
}

int hooks_run(const struct hooks *hooks, enum hooks_phase phase,
              const struct hooks_case *about, struct xcx_err *err)
{
    (void)hooks, (void)phase, (void)about, (void)err;
    return 0;
}

int send_stream_run(struct send_stream *stream, struct xcx_err *err)
{
    (void)stream;
    fake.copy = fake.copy_then;
    return fake.stream_fails
               ? xcx_err_set(err, XCX_ERR_GUEST, 0, "%s", fake.stream_fails)
               : 0;
}

/* ---- the target ---------------------------------------------------------- */

static int on_begin(struct peer *peer, const struct peer_begin *begin,
                    int *ret_data_fd, struct xcx_err *err)
{
    fake.journal_is_stock = begin->about->stock;
    *ret_data_fd = -1;
    peer->refused = fake.answer == SAYS_NO;
    if (peer->refused)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "host2: no memory");
    if (fake.answer == FALLS_SILENT)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: no answer");
    return 0;
}

static int on_reattach(struct peer *peer, const struct journal_case *about,
                       bool *ret_known, struct xcx_err *err)
{
    (void)peer, (void)err;
    assert_string_equal(about->uuid, UUID);
    note_told("AGAIN");
    *ret_known = true;
    return 0;
}

static int on_put_entry(struct peer *peer, const struct xenstore_entry *entry,
                        struct xcx_err *err)
{
    (void)peer, (void)err;
    note_told(entry->path);
    return 0;
}

static int on_say(struct peer *peer, enum handover_word word,
                  struct xcx_err *err)
{
    (void)peer, (void)err;
    note_told(handover_word_name(word));
    return 0;
}

static int on_hear(struct peer *peer, uint64_t deadline_ns,
                   struct peer_message *ret, struct xcx_err *err)
{
    static const enum handover_word words[] = {
        [READY] = HANDOVER_SAY_READY,
        [STARTING] = HANDOVER_SAY_STARTING,
        [ABORTED] = HANDOVER_SAY_ABORTED,
    };

    (void)peer, (void)deadline_ns;
    if (*fake.deeds == ENDS || *fake.deeds == LOST)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: gone");
    if (*fake.deeds == SETTLES)
        *ret = (struct peer_message){.news = PEER_SETTLED};
    else
        *ret = (struct peer_message){.news = PEER_WORD,
                                     .word = words[*fake.deeds]};
    fake.deeds++;
    return 0;
}

static void on_end(struct peer *peer)
{
    (void)peer;
}

int peer_open(const struct peer_address *address, struct peer **ret,
              struct xcx_err *err)
{
    static struct peer_ops ops = {.begin = on_begin,
                                  .reattach = on_reattach,
                                  .say = on_say,
                                  .hear = on_hear,
                                  .end_data = on_end,
                                  .close = on_end};
    static struct peer peer;

    if (address->again && *fake.deeds != LOST)
        return xcx_err_set(err, XCX_ERR_IO, 0, "host2: no route");
    if (address->again)
        fake.deeds++;
    ops.put_entry = fake.stock ? NULL : on_put_entry;
    peer = (struct peer){.ops = &ops, .plugin = !fake.stock};
    *ret = &peer;
    return 0;
}

/* ---- running it ---------------------------------------------------------- */

/* Both what it prints and what it complains of. */
static int run(char *said)
{
    const struct send_options options = {
        .domain = "g1", .host = "host2", .json = true};
    struct config config;
    int fd = memfd_create("said", MFD_CLOEXEC), status;
    int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    ssize_t nr_bytes;

    config_default(&config);
    snprintf(config.journal_dir, sizeof(config.journal_dir), "%s", scratch_dir);
    config.run_dir[0] = config.stats_dir[0] = 0;
    config.reconnect_timeout_s = 0;
    fflush(NULL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    status = send_run(&options, &config);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    nr_bytes = pread(fd, said, TEXT_BYTES - 1, 0);
    said[nr_bytes < 0 ? 0 : nr_bytes] = 0;
    close(fd);
    close(out);
    close(errors);
    return status;
}

/* The entry of the case that is left, removed; NONE: none is. */
static enum handover_entry take_case(void)
{
    struct case_name *names = NULL;
    struct xcx_err err = XCX_ERR_INIT;
    enum handover_entry entry = HANDOVER_NONE;
    struct journal journal;
    unsigned nr = 0;

    if (cases_list(scratch_dir, &names, &nr, &err))
        fail_msg("%s", err.msg);
    assert_in_range(nr, 0, 1);
    if (nr) {
        if (journal_open(&journal, scratch_dir, names[0].id, names[0].side,
                         &err))
            fail_msg("%s", err.msg);
        entry = journal.entry;
        assert_int_equal(journal.about.stock, fake.stock);
        assert_int_equal(journal_remove(&journal, NULL), 0);
    }
    free(names);
    return entry;
}

struct situation {
    const char *name;
    enum handover_copy copy_then; /* once the stream has ended */
    const char *stream_fails;
    enum handover_copy anew;
    bool destroy_fails, refused, stock;
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
    {"it will not receive: nothing is left to be settled", HANDOVER_RUNNING,
     .answer = SAYS_NO, .deeds = {ENDS}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source",
     .said = "xl-migrate send: host2: no memory\n", .told = "ABORT"},
    {"it may have begun to receive", HANDOVER_RUNNING, .answer = FALLS_SILENT,
     .deeds = {ENDS}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source", .said = NEVER_TOLD, .told = "ABORT",
     .left = HANDOVER_RESUMED},
    {"refused", HANDOVER_RUNNING, .refused = true,
     .status = EXIT_STATUS_REFUSED, .result = "refused",
     .said = "xl-migrate send: refused by a check: x\n", .told = ""},
    {"given up there", HANDOVER_PAUSED, .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_AT_SOURCE, .result = "failed-guest-at-source",
     .said = "xl-migrate send: the target says ABORTED\n",
     .told = "data/key ABORT"},
    {"given up here", HANDOVER_RUNNING, .stream_fails = "too busy",
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_AT_SOURCE,
     .result = "failed-guest-at-source", .said = "xl-migrate send: too busy\n",
     .told = "ABORT ABORT"},
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
     .told = "ABORT"},
    {"it was shut down meanwhile", HANDOVER_ABSENT,
     .stream_fails = "domain 7 is gone", .deeds = {ABORTED, SETTLES},
     .status = EXIT_STATUS_LOST, .result = "lost",
     .said = "g1 runs nowhere: start it from its disks", .told = "ABORT"},
    {"it comes back from elsewhere meanwhile", HANDOVER_ABSENT,
     .stream_fails = "domain 7 is gone", .anew = HANDOVER_BUILDING,
     .deeds = {ABORTED, SETTLES}, .status = EXIT_STATUS_LOST, .result = "lost",
     .said = "g1 runs nowhere", .told = "ABORT"},
};

static void each_end_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        const struct situation *at = &situations[i];
        char said[TEXT_BYTES], result[64];
        int status;

        print_message("%s\n", at->name);
        memset(&fake, 0, sizeof(fake));
        fake.copy = HANDOVER_RUNNING;
        fake.anew = at->anew;
        fake.destroy_fails = at->destroy_fails;
        fake.refused = at->refused;
        fake.stock = at->stock;
        fake.stream_fails = at->stream_fails;
        fake.copy_then = at->copy_then;
        fake.answer = at->answer;
        fake.deeds = at->deeds;
        status = run(said);
        snprintf(result, sizeof(result), "\"result\": \"%s\"", at->result);
        if (status != (int)at->status || !strstr(said, at->said) ||
            !strstr(said, result))
            fail_msg("%d: %s", status, said);
        assert_string_equal(fake.told, at->told);
        assert_int_equal(fake.journal_is_stock, at->stock);
        assert_int_equal(take_case(), at->left);
    }
}

/* ---- it ends before there is a case ------------------------------------- */

/* An earlier one, which nobody has settled. */
static void leave_case(const char *id)
{
    struct journal_case about;
    struct journal journal;

    case_sample_make(&about, JOURNAL_SOURCE);
    snprintf(about.id, sizeof(about.id), "%s", id);
    assert_int_equal(journal_create(&journal, scratch_dir, &about, NULL), 0);
    journal_close(&journal);
}

#define UNSETTLED                                                              \
    "xl-migrate send: an earlier migration of this domain is not settled: "    \
    "run xl-migrate recover 0a\n"
static const struct {
    const char *name;
    enum domain_state state;
    bool unsettled;
    const char *find_fails;
    enum exit_status status;
    const char *result, *said;
} early[] = {
    {"paused", DOMAIN_PAUSED, .status = EXIT_STATUS_REFUSED,
     .result = "refused",
     .said = "xl-migrate send: g1 is paused: xl unpause it, unless xl-migrate "
             "recover has a case of it\n"},
    {"shut down", DOMAIN_SHUT_DOWN, .status = EXIT_STATUS_REFUSED,
     .result = "refused", .said = "xl-migrate send: g1 is shut down\n"},
    {"suspended", DOMAIN_SUSPENDED, .status = EXIT_STATUS_UNDECIDED,
     .result = "needs-recover",
     .said = "xl-migrate send: g1 is suspended: an earlier migration may not "
             "be settled; see xl-migrate recover\n"},
    {"suspended by a case that is known", DOMAIN_SUSPENDED, .unsettled = true,
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = UNSETTLED},
    {"paused with a case", DOMAIN_PAUSED, .unsettled = true,
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = UNSETTLED},
    {"it runs, but a case is not settled", DOMAIN_RUNS, .unsettled = true,
     .status = EXIT_STATUS_UNDECIDED, .result = "needs-recover",
     .said = UNSETTLED},
    {"no such domain", DOMAIN_RUNS, .find_fails = "there is no g1",
     .status = EXIT_STATUS_USAGE, .result = "failed",
     .said = "xl-migrate send: there is no g1\n"},
};

static void a_guest_that_does_not_run_is_not_said_to(void **state)
{
    static const enum deed deeds[] = {ENDS};

    (void)state;
    for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
        char said[TEXT_BYTES], result[64];
        int status;

        print_message("%s\n", early[i].name);
        memset(&fake, 0, sizeof(fake));
        fake.state = early[i].state;
        fake.find_fails = early[i].find_fails;
        fake.deeds = deeds;
        if (early[i].unsettled)
            leave_case("0a");
        status = run(said);
        snprintf(result, sizeof(result), "\"result\": \"%s\"", early[i].result);
        if (status != (int)early[i].status || !strstr(said, early[i].said) ||
            !strstr(said, result))
            fail_msg("%d: %s", status, said);
        assert_string_equal(fake.told, "");
        assert_int_equal(take_case(), HANDOVER_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_status),
        cmocka_unit_test(a_guest_that_does_not_run_is_not_said_to),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
