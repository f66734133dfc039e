/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover --resume: which guests that stand suspended it lets go on. */
#include "recover_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "xl-migrate/recover/recover_resume.h"
#include "unit/scratch.h"

#define RESUMED "settle 7, resume 7, watch 7, "

struct resume_row {
    enum journal_side side;
    enum handover_entry entry;
    enum exit_status status;
    const char *done, *suffix, *boot;
    int saver;
    uint32_t twin;
    bool runs, absent, is_unreadable;
};

static void make_unreadable(bool there)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/ff.source.journal", scratch_dir);
    unlink(path);
    if (!there)
        return;
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("no journal\n", file);
    fclose(file);
}

static void one(const struct resume_row *row)
{
    const struct recover_situation at = {
        .side = row->side,
        .entry = row->entry,
        .boot = row->boot ? row->boot : BOOT,
        .copy = row->absent ? HANDOVER_ABSENT
                : row->runs ? HANDOVER_RUNNING
                            : HANDOVER_PAUSED,
        .suffix = row->suffix,
        .saver = row->saver,
        .domid = 7,
        .then = row->entry,
    };
    struct config config = {.lock_dir = "/locks"};

    snprintf(config.journal_dir, sizeof(config.journal_dir), "%s", scratch_dir);
    recover_world_begin(&at);
    recover_world.twin = row->twin;
    make_unreadable(row->is_unreadable);
    assert_int_equal(recover_resume("g1", &config), row->status);
    assert_string_equal(recover_world.done, row->done);
    make_unreadable(false);
    recover_world_check_case(&at);
}

static void only_a_guest_that_nobody_holds_goes_on(void **state)
{
#define SOURCE(entry_) JOURNAL_SOURCE, HANDOVER_##entry_
#define TARGET(entry_) JOURNAL_TARGET, HANDOVER_##entry_
    static const struct resume_row rows[] = {
        {SOURCE(YIELDED), EXIT_STATUS_DONE, .done = RESUMED},
        {SOURCE(RAN), EXIT_STATUS_DONE, .done = RESUMED},
        {TARGET(STARTED), EXIT_STATUS_DONE, .done = RESUMED},
        {TARGET(READY), EXIT_STATUS_DONE, .done = RESUMED, .boot = OLD_BOOT},
        {SOURCE(OFFERED), EXIT_STATUS_UNDECIDED, .done = ""},
        {SOURCE(SUSPENDING), EXIT_STATUS_UNDECIDED, .done = ""},
        {SOURCE(GO), EXIT_STATUS_UNDECIDED, .done = ""},
        {SOURCE(DONE), EXIT_STATUS_UNDECIDED, .done = ""},
        {SOURCE(RESUMED), EXIT_STATUS_UNDECIDED, .done = ""},
        {SOURCE(FENCED), EXIT_STATUS_UNDECIDED, .done = ""},
        {TARGET(READY), EXIT_STATUS_UNDECIDED, .done = ""},
        {TARGET(STARTING), EXIT_STATUS_UNDECIDED, .done = ""},
        {SOURCE(YIELDED), EXIT_STATUS_UNDECIDED, .done = "",
         .is_unreadable = true},
        {SOURCE(YIELDED), EXIT_STATUS_TAKEN, .done = "", .saver = 77},
        {SOURCE(YIELDED), EXIT_STATUS_TAKEN, .done = "",
         .suffix = "--migratedaway"},
        {SOURCE(YIELDED), EXIT_STATUS_TAKEN, .done = "",
         .suffix = "--incoming"},
        {SOURCE(YIELDED), EXIT_STATUS_TAKEN, .done = "", .twin = 9},
        {SOURCE(YIELDED), EXIT_STATUS_USAGE, .done = "", .runs = true},
        {SOURCE(YIELDED), EXIT_STATUS_USAGE, .done = "", .absent = true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        one(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_guest_that_nobody_holds_goes_on),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove_empty);
}
