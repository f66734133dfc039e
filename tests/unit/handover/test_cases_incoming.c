/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which cases of a host keep a guest away, and which have had their time. */
#include "xl-migrate/handover/cases_incoming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/case_sample.h"
#include "unit/scratch.h"

#define OTHER  "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a00f"
#define KEEP_S 3600

/* A journal whose last entry was written so long ago. */
static void leave(struct journal *journal, enum journal_side side,
                  const char *boot, bool was_ready, enum handover_entry entry,
                  uint64_t age_s)
{
    uint64_t now_s = (uint64_t)time(NULL);
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/0a.%s.journal", scratch_dir,
             side == JOURNAL_SOURCE ? "source" : "target");
    umask(077);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"version\":1,\"id\":\"0a\",\"side\":\"%s\",\"uuid\":"
            "\"" CASE_SAMPLE_UUID "\",\"name\":\"guest\",\"peer\":\"host1\","
            "\"boot\":\"%s\"}\n",
            side == JOURNAL_SOURCE ? "source" : "target", boot);
    if (was_ready)
        fprintf(file, "{\"entry\":\"READY\",\"domid\":7,\"time_s\":%llu}\n",
                (unsigned long long)(now_s - age_s));
    if (entry)
        fprintf(file, "{\"entry\":\"%s\",\"domid\":7,\"time_s\":%llu}\n",
                handover_entry_name(entry),
                (unsigned long long)(now_s - age_s));
    assert_int_equal(fclose(file), 0);
    *journal = JOURNAL_INIT;
    snprintf(journal->path, sizeof(journal->path), "%s", path);
}

/* ---- what keeps a guest away --------------------------------------------- */

static void undecided_cases_keep_a_guest_away(void **state)
{
    static const struct {
        enum journal_side side;
        const char *boot;
        bool was_ready;
        enum handover_entry entry;
        const char *why; /* NULL: it may come */
    } rows[] = {
        {JOURNAL_SOURCE, OTHER, false, HANDOVER_NONE, NULL},
        {JOURNAL_SOURCE, OTHER, false, HANDOVER_OFFERED, "recover 0a here"},
        {JOURNAL_SOURCE, OTHER, false, HANDOVER_GO, "recover 0a here"},
        {JOURNAL_SOURCE, OTHER, false, HANDOVER_DONE, NULL},
        {JOURNAL_SOURCE, OTHER, false, HANDOVER_RESUMED, NULL},
        {JOURNAL_TARGET, CASE_SAMPLE_UUID, false, HANDOVER_NONE, "receiver"},
        {JOURNAL_TARGET, CASE_SAMPLE_UUID, true, HANDOVER_NONE, "receiver"},
        {JOURNAL_TARGET, CASE_SAMPLE_UUID, true, HANDOVER_STARTING, "receiver"},
        {JOURNAL_TARGET, CASE_SAMPLE_UUID, true, HANDOVER_STARTED, NULL},
        {JOURNAL_TARGET, CASE_SAMPLE_UUID, true, HANDOVER_ABORTED, NULL},
        {JOURNAL_TARGET, OTHER, false, HANDOVER_NONE, NULL},
        {JOURNAL_TARGET, OTHER, true, HANDOVER_NONE, NULL},
        {JOURNAL_TARGET, OTHER, true, HANDOVER_STARTING, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct journal_case about;
        struct journal journal;
        struct xcx_err err = XCX_ERR_INIT;

        case_sample_make(&about, JOURNAL_TARGET);
        leave(&journal, rows[i].side, rows[i].boot, rows[i].was_ready,
              rows[i].entry, 0);
        assert_int_equal(cases_check_incoming(scratch_dir, &about, NULL, &err),
                         rows[i].why ? -1 : 0);
        if (rows[i].why) {
            assert_int_equal(err.kind, XCX_ERR_GUEST);
            assert_non_null(strstr(err.msg, rows[i].why));
        }
        /* Of another guest it says nothing. */
        snprintf(about.uuid, sizeof(about.uuid), OTHER);
        assert_int_equal(cases_check_incoming(scratch_dir, &about, NULL, &err),
                         0);
        unlink(journal.path);
    }
}

/* ---- what expires -------------------------------------------------------- */

static bool has_copy(void *opaque, const struct journal *journal)
{
    assert_string_equal(journal->about.name, "guest");
    return *(bool *)opaque;
}

static void what_is_decided_and_old_expires(void **state)
{
#define HERE CASE_SAMPLE_UUID
    static const struct {
        enum journal_side side;
        const char *boot;
        bool was_ready;
        enum handover_entry entry;
        uint64_t age_s, keep_s;
        bool has_copy, expires;
    } rows[] = {
        {JOURNAL_TARGET, HERE, false, HANDOVER_ABORTED, 0, KEEP_S, false,
         false},
        {JOURNAL_TARGET, HERE, false, HANDOVER_ABORTED, KEEP_S + 60, KEEP_S,
         false, true},
        {JOURNAL_TARGET, HERE, false, HANDOVER_ABORTED, KEEP_S + 60, KEEP_S,
         true, false},
        {JOURNAL_TARGET, HERE, true, HANDOVER_ABORTED, KEEP_S - 60, KEEP_S,
         false, false},
        {JOURNAL_TARGET, HERE, true, HANDOVER_ABORTED, KEEP_S + 60, KEEP_S,
         false, true},
        {JOURNAL_TARGET, HERE, true, HANDOVER_ABORTED, KEEP_S + 60, 0, false,
         false},
        {JOURNAL_TARGET, HERE, true, HANDOVER_STARTED, KEEP_S + 60, KEEP_S,
         true, true},
        {JOURNAL_TARGET, HERE, true, HANDOVER_STARTING, KEEP_S + 60, KEEP_S,
         false, false},
        {JOURNAL_TARGET, HERE, true, HANDOVER_NONE, KEEP_S + 60, KEEP_S, false,
         false},
        {JOURNAL_TARGET, HERE, false, HANDOVER_NONE, KEEP_S + 60, KEEP_S, false,
         false},
        {JOURNAL_TARGET, OTHER, false, HANDOVER_ABORTED, 0, 0, false, true},
        {JOURNAL_TARGET, OTHER, true, HANDOVER_ABORTED, 0, KEEP_S, false,
         false},
        {JOURNAL_TARGET, OTHER, true, HANDOVER_ABORTED, KEEP_S + 60, KEEP_S,
         false, true},
        {JOURNAL_TARGET, OTHER, true, HANDOVER_NONE, KEEP_S + 60, KEEP_S, false,
         false},
        {JOURNAL_SOURCE, OTHER, false, HANDOVER_RESUMED, KEEP_S + 60, KEEP_S,
         false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool copy = rows[i].has_copy;
        struct journal journal;

        leave(&journal, rows[i].side, rows[i].boot, rows[i].was_ready,
              rows[i].entry, rows[i].age_s);
        cases_expire(scratch_dir, HERE, rows[i].keep_s, has_copy, &copy, NULL);
        if ((access(journal.path, F_OK) != 0) != rows[i].expires)
            fail_msg("row %zu", i);
        unlink(journal.path);
    }
}

static void a_case_in_use_does_not_expire(void **state)
{
    bool copy = false;
    struct journal left, journal;

    (void)state;
    leave(&left, JOURNAL_TARGET, OTHER, false, HANDOVER_ABORTED, 0);
    assert_int_equal(
        journal_open(&journal, scratch_dir, "0a", JOURNAL_TARGET, NULL), 0);
    cases_expire(scratch_dir, HERE, KEEP_S, has_copy, &copy, NULL);
    assert_int_equal(access(left.path, F_OK), 0);
    journal_close(&journal);
    cases_expire(scratch_dir, HERE, KEEP_S, has_copy, &copy, NULL);
    assert_int_equal(access(left.path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undecided_cases_keep_a_guest_away),
        cmocka_unit_test(what_is_decided_and_old_expires),
        cmocka_unit_test(a_case_in_use_does_not_expire),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
