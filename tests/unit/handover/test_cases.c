/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journals' folder: what is listed, and one process a domain. */
#include "xl-migrate/handover/cases.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/case_sample.h"
#include "unit/scratch.h"

#define UUID  CASE_SAMPLE_UUID
#define OTHER "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a002"

static char dir[64];

static void add(struct journal *journal, const char *id, enum journal_side side)
{
    struct journal_case about;

    case_sample_make(&about, side);
    snprintf(about.id, sizeof(about.id), "%s", id);
    assert_int_equal(journal_create(journal, dir, &about, NULL), 0);
}

static void no_folder_has_no_cases(void **state)
{
    struct case_name *names = NULL;
    unsigned nr = 9;

    (void)state;
    assert_int_equal(cases_list("/nowhere/at/all", &names, &nr, NULL), 0);
    assert_int_equal(nr, 0);
    free(names);
}

static void the_folder_is_roots_alone(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct stat st;

    (void)state;
    assert_int_equal(cases_make_dir(dir, NULL), 0);
    assert_int_equal(cases_make_dir(dir, NULL), 0);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(cases_make_dir("/dev/null/a", &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "/dev/null"));
}

static void journals_and_nothing_else_are_listed(void **state)
{
    static const char *const others[] = {"x.source.journal", ".source.journal",
                                         "ab.source.journal.new", "ab.lock"};
    struct journal first, second;
    struct case_name *names = NULL;
    unsigned nr = 0;
    char path[128];

    (void)state;
    add(&first, "ab", JOURNAL_TARGET);
    add(&second, "0c", JOURNAL_SOURCE);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, others[i]);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    assert_int_equal(cases_list(dir, &names, &nr, NULL), 0);
    assert_int_equal(nr, 2);
    assert_string_equal(names[0].id, "0c");
    assert_int_equal(names[0].side, JOURNAL_SOURCE);
    assert_string_equal(names[1].id, "ab");
    assert_int_equal(names[1].side, JOURNAL_TARGET);
    free(names);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, others[i]);
        unlink(path);
    }
    journal_remove(&first, NULL);
    journal_remove(&second, NULL);
}

static void one_process_works_on_a_domain(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    int first, second, other;

    (void)state;
    assert_int_equal(cases_lock_domain(dir, UUID, &first, NULL), 0);
    assert_int_equal(cases_lock_domain(dir, OTHER, &other, NULL), 0);
    assert_int_equal(cases_lock_domain(dir, UUID, &second, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "another xl-migrate works on"));
    close(first);
    assert_int_equal(cases_lock_domain(dir, UUID, &second, NULL), 0);
    cases_unlock_domain(dir, UUID, &second);
    cases_unlock_domain(dir, OTHER, &other);
}

static void a_lock_leaves_no_file_behind(void **state)
{
    char path[128];
    int fd = -1;

    (void)state;
    snprintf(path, sizeof(path), "%s/%s.lock", dir, UUID);
    cases_unlock_domain(dir, UUID, &fd);
    assert_int_equal(cases_lock_domain(dir, UUID, &fd, NULL), 0);
    assert_int_equal(access(path, F_OK), 0);
    cases_unlock_domain(dir, UUID, &fd);
    assert_int_equal(fd, -1);
    assert_int_equal(access(path, F_OK), -1);
}

/* flock() as another process has it: the first one removes the file. */
static const char *removed_path;
static bool made_again;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    if (removed_path)
        unlink(removed_path);
    /* And somebody else has come by since. */
    if (removed_path && made_again)
        close(open(removed_path, O_RDWR | O_CREAT, 0600));
    removed_path = NULL;
    return __real_flock(fd, operation);
}

static void a_lock_on_a_file_that_was_removed_is_none(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/%s.lock", dir, UUID);
    for (int i = 0; i < 2; i++) {
        struct xcx_err err = XCX_ERR_INIT;
        int first, second;

        removed_path = path;
        made_again = i;
        assert_int_equal(cases_lock_domain(dir, UUID, &first, NULL), 0);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(cases_lock_domain(dir, UUID, &second, &err), -1);
        assert_non_null(strstr(err.msg, "another xl-migrate works on"));
        cases_unlock_domain(dir, UUID, &first);
    }
}

static void an_unsettled_case_is_named(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct journal journal, target;

    (void)state;
    assert_int_equal(cases_check_settled(dir, UUID, NULL, &err), 0);
    add(&journal, "0c", JOURNAL_SOURCE);
    add(&target, "0d", JOURNAL_TARGET);
    /* In use, by a recover that waits for the lock that is ours. */
    assert_int_equal(cases_check_settled(dir, OTHER, NULL, &err), 0);
    assert_int_equal(cases_check_settled(dir, UUID, NULL, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "another process works on this case"));
    err = XCX_ERR_INIT;
    journal_close(&journal);
    journal_close(&target);
    assert_int_equal(cases_check_settled(dir, OTHER, NULL, &err), 0);
    assert_int_equal(cases_check_settled(dir, UUID, NULL, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_non_null(strstr(err.msg, "recover 0c"));
    assert_int_equal(journal_open(&journal, dir, "0c", JOURNAL_SOURCE, NULL),
                     0);
    journal_remove(&journal, NULL);
    assert_int_equal(journal_open(&target, dir, "0d", JOURNAL_TARGET, NULL), 0);
    journal_remove(&target, NULL);
}

/* A journal of the right name with this text in it. */
static void leave_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void remove_all(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -f %s/*", dir);
    assert_int_equal(system(command), 0);
}

static void no_number_of_leftovers_stops_another_guest(void **state)
{
    enum { NR_LEFT = 1025 };
    struct xcx_err err = XCX_ERR_INIT;
    struct case_name *names = NULL;
    struct journal journal;
    unsigned nr = 0;

    (void)state;
    for (unsigned i = 0; i < NR_LEFT; i++) {
        char name[64], text[512];

        snprintf(name, sizeof(name), "%04x.target.journal", i);
        snprintf(text, sizeof(text),
                 "{\"version\":1,\"side\":\"target\",\"id\":\"%04x\","
                 "\"uuid\":\"" OTHER "\",\"name\":\"left\","
                 "\"peer\":\"host9\",\"boot\":\"" OTHER "\"}\n",
                 i);
        leave_file(name, text);
    }
    if (cases_check_settled(dir, UUID, NULL, &err))
        fail_msg("%s", err.msg);
    if (cases_list(dir, &names, &nr, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(nr, NR_LEFT);
    assert_string_equal(names[0].id, "0000");
    assert_string_equal(names[NR_LEFT - 1].id, "0400");
    free(names);
    add(&journal, "ffff", JOURNAL_SOURCE);
    journal_close(&journal);
    assert_int_equal(cases_check_settled(dir, UUID, NULL, &err), -1);
    assert_non_null(strstr(err.msg, "recover ffff"));
    remove_all();
}

static unsigned nr_warned;
static char warned[512];

static void on_warning(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque;
    assert_int_equal(level, XCX_LOG_WARN);
    nr_warned++;
    snprintf(warned, sizeof(warned), "%s", line);
}

static void a_journal_that_cannot_be_read_is_named_and_skipped(void **state)
{
    static const struct xcx_log log = {.emit = on_warning};
    static const struct {
        const char *text;
        mode_t mode;
        unsigned nr_warned;
    } rows[] = {
        {"nonsense\n", 0600, 1},
        {"", 0600, 1},
        {"{\"version\":1}\n", 0666, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct journal journal;
        char path[128];

        nr_warned = 0;
        leave_file("0a.source.journal", rows[i].text);
        leave_file("0b.target.journal", rows[i].text);
        snprintf(path, sizeof(path), "%s/0a.source.journal", dir);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        if (cases_check_settled(dir, UUID, &log, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(nr_warned, rows[i].nr_warned);
        assert_non_null(strstr(warned, "0a.source.journal"));
        add(&journal, "0c", JOURNAL_SOURCE);
        journal_close(&journal);
        assert_int_equal(cases_check_settled(dir, UUID, &log, &err), -1);
        assert_non_null(strstr(err.msg, "recover 0c"));
        remove_all();
    }
}

static void ids_differ(void **state)
{
    char first[JOURNAL_ID_BYTES], second[JOURNAL_ID_BYTES];

    (void)state;
    assert_int_equal(cases_new_id(first, NULL), 0);
    assert_int_equal(cases_new_id(second, NULL), 0);
    assert_int_equal(strlen(first), 32);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    assert_string_not_equal(first, second);
}

static int set_up(void **state)
{
    int rc = scratch_make(state);

    snprintf(dir, sizeof(dir), "%s/a/b", scratch_dir);
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_folder_has_no_cases),
        cmocka_unit_test(the_folder_is_roots_alone),
        cmocka_unit_test(journals_and_nothing_else_are_listed),
        cmocka_unit_test(one_process_works_on_a_domain),
        cmocka_unit_test(a_lock_leaves_no_file_behind),
        cmocka_unit_test(a_lock_on_a_file_that_was_removed_is_none),
        cmocka_unit_test(an_unsettled_case_is_named),
        cmocka_unit_test(no_number_of_leftovers_stops_another_guest),
        cmocka_unit_test(a_journal_that_cannot_be_read_is_named_and_skipped),
        cmocka_unit_test(ids_differ),
    };

    return cmocka_run_group_tests(tests, set_up, scratch_remove);
}
