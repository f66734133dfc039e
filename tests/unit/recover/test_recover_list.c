/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover --list: what is said of a case at either end, and nothing done. */
#include "xl-migrate/recover/recover_list.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>
#include <cmocka.h>

#include "xl-migrate/cli/command.h"
#include "xl-migrate/domain/domain.h"
#include "unit/case_sample.h"
#include "unit/scratch.h"

#define ID         CASE_SAMPLE_ID
#define TEXT_BYTES 4096

/* The only domain there is. */
static struct {
    enum handover_copy copy;
    enum domain_state state;
    uint32_t domid;
    const char *incoming; /* its UUID, of a half copy with domid 9; or NULL */
} there;

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    (void)log, (void)err;
    snprintf(host->boot, sizeof(host->boot), CASE_SAMPLE_UUID);
    return 0;
}

void host_close(struct host *host)
{
    (void)host;
}

bool domain_uuid_normalise(const char *text, char ret[DOMAIN_UUID_BYTES])
{
    snprintf(ret, DOMAIN_UUID_BYTES, "%s", text);
    return true;
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    (void)host;
    if (!there.copy || domid != there.domid)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "does not exist");
    *ret = (struct domain){.domid = domid, .state = there.state};
    snprintf(ret->uuid, sizeof(ret->uuid), CASE_SAMPLE_UUID);
    return 0;
}

int domain_look_copy(struct host *host, uint32_t domid, const char *uuid,
                     const char *name, enum handover_copy *ret_copy,
                     struct xcx_err *err)
{
    (void)host, (void)uuid, (void)name, (void)err;
    *ret_copy = domid == there.domid ? there.copy : HANDOVER_ABSENT;
    return 0;
}

int domain_find_other(struct host *host, const char *uuid, uint32_t but,
                      uint32_t *ret_domid, struct xcx_err *err)
{
    (void)host, (void)uuid, (void)err;
    *ret_domid = there.copy && there.domid != but ? there.domid : 0;
    return 0;
}

int domain_list_incoming(struct host *host, struct domain **ret,
                         unsigned *ret_nr, struct xcx_err *err)
{
    (void)host, (void)err;
    *ret = calloc(1, sizeof(**ret));
    *ret_nr = there.incoming != NULL;
    if (!there.incoming)
        return 0;
    (*ret)->domid = 9;
    strcpy((*ret)->name, "g1" DOMAIN_SUFFIX_INCOMING);
    strcpy((*ret)->uuid, there.incoming);
    return 0;
}

int domain_unpause(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    fail_msg("unpause %u", (unsigned)domid);
    return -1;
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    fail_msg("destroy %u", (unsigned)domid);
    return -1;
}

/* ---- listing ------------------------------------------------------------- */

static int list(const char *what, bool json, char said[TEXT_BYTES])
{
    const struct recover_list_options options = {.what = what, .json = json};
    struct config config = {.reconnect_timeout_s = 5};
    int fd = memfd_create("said", MFD_CLOEXEC), status;
    int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
    ssize_t nr_bytes;

    snprintf(config.journal_dir, sizeof(config.journal_dir), "%s", scratch_dir);
    fflush(NULL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    status = recover_list(&options, &config);
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

static void leave(struct journal *journal, enum journal_side side,
                  enum handover_entry entry, bool built)
{
    struct journal_case about;

    case_sample_make(&about, side);
    assert_int_equal(journal_create(journal, scratch_dir, &about, NULL), 0);
    if (built)
        assert_int_equal(
            journal_append_built(journal, 7, CASE_SAMPLE_UUID, NULL), 0);
    if (entry)
        assert_int_equal(journal_append(journal, entry,
                                        side == JOURNAL_SOURCE || built ? 7 : 0,
                                        NULL),
                         0);
}

static void no_case_is_said_so(void **state)
{
    char said[TEXT_BYTES];

    (void)state;
    assert_int_equal(list(NULL, false, said), EXIT_STATUS_DONE);
    assert_non_null(strstr(said, "no case is open in"));
}

static void a_case_is_told_with_what_to_do(void **state)
{
    static const struct {
        enum journal_side side;
        enum handover_entry entry;
        bool built;
        enum handover_copy copy;
        enum domain_state domain_state;
        uint32_t domid;
        const char *head, *here, *next;
    } rows[] = {
        {JOURNAL_SOURCE, HANDOVER_OFFERED, false, HANDOVER_RUNNING, DOMAIN_RUNS,
         7, ID ": guest, to host2, source, OFFERED, 0 s old\n",
         "here: domain 7 runs",
         "next: only the other host's word decides: "
         "xl-migrate recover " ID ";"},
        {JOURNAL_SOURCE, HANDOVER_GO, false, HANDOVER_PAUSED, DOMAIN_SUSPENDED,
         7, "source, GO", "domain 7 is suspended", "--target-is-fenced"},
        {JOURNAL_SOURCE, HANDOVER_DONE, false, HANDOVER_ABSENT, 0, 0, "DONE",
         "domain 7 is gone", "has the guest"},
        {JOURNAL_SOURCE, HANDOVER_RESUMED, false, HANDOVER_RUNNING, DOMAIN_RUNS,
         7, "RESUMED", "domain 7 runs", "has to hear"},
        {JOURNAL_TARGET, HANDOVER_NONE, true, HANDOVER_BUILDING, 0, 7,
         ID ": guest, from host2, target, NONE", "domain 7 is half-built",
         "recover " ID " destroys the domain\n"},
        {JOURNAL_TARGET, HANDOVER_NONE, false, HANDOVER_BUILDING, 0, 9, "NONE",
         "no domain of it",
         "gives it up; domain 9 has the guest's UUID, and nothing shows that "
         "it is this migration's: if no other program receives or runs it, xl "
         "destroy 9\n"},
        {JOURNAL_TARGET, HANDOVER_READY, true, HANDOVER_PAUSED, 0, 7, "READY",
         "domain 7 is whole, and has never run",
         "only the source knows whether it may run"},
        {JOURNAL_TARGET, HANDOVER_READY, true, HANDOVER_RUNNING, 0, 7, "READY",
         "domain 7 runs, or has run", "was let run by hand"},
        {JOURNAL_TARGET, HANDOVER_STARTING, true, HANDOVER_PAUSED, 0, 7,
         "STARTING", "is whole", "here starts it"},
        {JOURNAL_TARGET, HANDOVER_ABORTED, true, HANDOVER_ABSENT, 0, 0,
         "ABORTED", "domain 7 is gone", "at the source settles it"},
        {JOURNAL_TARGET, HANDOVER_ABORTED, true, HANDOVER_BUILDING, 0, 7,
         "ABORTED", "half-built", "here destroys the domain"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const wants[] = {rows[i].head, rows[i].here, rows[i].next};
        struct journal journal;
        char said[TEXT_BYTES];

        leave(&journal, rows[i].side, rows[i].entry, rows[i].built);
        journal_close(&journal);
        there.copy = rows[i].copy;
        there.state = rows[i].domain_state;
        there.domid = rows[i].domid;
        assert_int_equal(list(NULL, false, said), EXIT_STATUS_DONE);
        for (size_t j = 0; j < 3; j++)
            if (!strstr(said, wants[j]))
                fail_msg("%zu: no \"%s\" in:\n%s", i, wants[j], said);
        unlink(journal.path);
    }
}

static void
a_case_at_which_a_process_works_is_told_and_not_disturbed(void **state)
{
    struct journal journal;
    char said[TEXT_BYTES], want[64];

    (void)state;
    there.copy = HANDOVER_ABSENT;
    leave(&journal, JOURNAL_TARGET, HANDOVER_NONE, false);
    assert_int_equal(list(NULL, false, said), EXIT_STATUS_DONE);
    assert_non_null(strstr(said, "next: wait: a process works on it"));
    assert_int_equal(list(NULL, true, said), EXIT_STATUS_DONE);
    snprintf(want, sizeof(want), "\"held_by\": %d", (int)getpid());
    assert_non_null(strstr(said, want));
    unlink(journal.path);
    journal_close(&journal);
}

static void only_what_is_asked_for_is_listed(void **state)
{
    static const struct {
        const char *what;
        bool found;
    } rows[] = {{ID, true},
                {"guest", true},
                {CASE_SAMPLE_UUID, true},
                {"g", false},
                {"7", false}};
    struct journal journal;

    (void)state;
    leave(&journal, JOURNAL_SOURCE, HANDOVER_GO, false);
    journal_close(&journal);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char said[TEXT_BYTES];

        assert_int_equal(list(rows[i].what, false, said), EXIT_STATUS_DONE);
        assert_int_equal(strstr(said, ID ": guest") != NULL, rows[i].found);
    }
    unlink(journal.path);
}

static void the_json_has_what_the_manual_promises(void **state)
{
    static const char *const keys[] = {
        "id",   "name",    "uuid", "side",  "entry",       "age_s",
        "peer", "held_by", "here", "domid", "other_domid", "next"};
    const char *cases[] = {"cases", NULL};
    struct journal journal;
    char said[TEXT_BYTES];
    yajl_val root, array;

    (void)state;
    there.copy = HANDOVER_BUILDING;
    there.domid = 9;
    leave(&journal, JOURNAL_TARGET, HANDOVER_READY, true);
    journal_close(&journal);
    assert_int_equal(list(NULL, true, said), EXIT_STATUS_DONE);
    root = yajl_tree_parse(said, NULL, 0);
    assert_non_null(root);
    array = yajl_tree_get(root, cases, yajl_t_array);
    assert_non_null(array);
    assert_int_equal(array->u.array.len, 1);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *path[] = {keys[i], NULL};

        if (!yajl_tree_get(array->u.array.values[0], path, yajl_t_any))
            fail_msg("no %s in %s", keys[i], said);
    }
    yajl_tree_free(root);
    unlink(journal.path);
}

static void a_journal_that_cannot_be_read_is_named(void **state)
{
    char path[128], said[TEXT_BYTES];
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "%s/0a.target.journal", scratch_dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "x\n", 2), 2);
    close(fd);
    assert_int_equal(list(NULL, false, said), EXIT_STATUS_DONE);
    assert_non_null(strstr(said, "0a.target.journal"));
    assert_non_null(strstr(said, "no case is open"));
    unlink(path);
}

#define UNOWNED                                                                \
    "g1--incoming (domain 9): no case of this host is about it\n"              \
    "    next: if no program receives it, xl destroy 9\n"

static void a_half_copy_without_a_case_is_listed(void **state)
{
    static const char other[] = "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a009";
    static const struct {
        const char *uuid, *what;
        bool listed;
    } rows[] = {
        {other, NULL, true},           {other, "g1", true},
        {other, "g1--incoming", true}, {other, other, true},
        {other, "g", false},           {CASE_SAMPLE_UUID, NULL, false},
    };
    struct journal journal;
    char said[TEXT_BYTES];

    (void)state;
    leave(&journal, JOURNAL_TARGET, HANDOVER_NONE, true);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        there.incoming = rows[i].uuid;
        assert_int_equal(list(rows[i].what, false, said), EXIT_STATUS_DONE);
        assert_int_equal(strstr(said, UNOWNED) != NULL, rows[i].listed);
    }
    there.incoming = other;
    assert_int_equal(list(NULL, true, said), EXIT_STATUS_DONE);
    assert_non_null(strstr(said, "\"unowned\""));
    assert_non_null(strstr(said, "xl destroy 9"));
    there.incoming = NULL;
    journal_remove(&journal, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_case_is_said_so),
        cmocka_unit_test(a_case_is_told_with_what_to_do),
        cmocka_unit_test(
            a_case_at_which_a_process_works_is_told_and_not_disturbed),
        cmocka_unit_test(only_what_is_asked_for_is_listed),
        cmocka_unit_test(the_json_has_what_the_manual_promises),
        cmocka_unit_test(a_journal_that_cannot_be_read_is_named),
        cmocka_unit_test(a_half_copy_without_a_case_is_listed),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
