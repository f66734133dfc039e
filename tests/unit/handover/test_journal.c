/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A case's journal: cut at every byte, on a full disk, on a disk that fails,
 * held by another, hostile; and that all is synced before a call returns.
 */
#include "xl-migrate/handover/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define ID       "0a1b"
#define FILE_ID  ID ".source.journal"
#define MAX_TEXT 8192

static char dir[] = "/tmp/xl-journal-XXXXXX";
static char path[64];

static const struct journal_case sample = {
    .id = ID,
    .side = JOURNAL_SOURCE,
    .uuid = "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001",
    .name = "g\"1\n\xc3\xa9",
    .peer = "host2",
    .boot = "0f9b1c1e-1111-4222-8333-444455556666",
    .tells_stock = true,
};

/* ---- fsync, counted, and failing at the Nth ------------------------------ */

static int nr_syncs, failing_sync;
static off_t synced_bytes;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat st;

    nr_syncs++;
    if (nr_syncs == failing_sync) {
        errno = EIO;
        return -1;
    }
    if (!fstat(fd, &st) && S_ISREG(st.st_mode))
        synced_bytes = st.st_size;
    return __real_fsync(fd);
}

/* ---- fallocate, refused ------------------------------------------------- */

static int refused_errno; /* 0: it is not */

int __real_fallocate64(int fd, int mode, off_t offset, off_t nr_bytes);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t nr_bytes);
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t nr_bytes)
{
    if (!refused_errno)
        return __real_fallocate64(fd, mode, offset, nr_bytes);
    errno = refused_errno;
    return -1;
}

/* ---- the tests' own ------------------------------------------------------ */

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/" FILE_ID, dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

static int clean(void **state)
{
    (void)state;
    unlink(path);
    nr_syncs = failing_sync = refused_errno = 0;
    return 0;
}

static size_t read_file(char *text)
{
    int fd = open(path, O_RDONLY);
    ssize_t nr_bytes = read(fd, text, MAX_TEXT);

    assert_true(fd >= 0 && nr_bytes >= 0);
    close(fd);
    return (size_t)nr_bytes;
}

static void write_file(const char *text, size_t nr_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, nr_bytes), nr_bytes);
    close(fd);
}

static void create(struct journal *journal)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (journal_create(journal, dir, &sample, &err))
        fail_msg("%s", err.msg);
}

static void append(struct journal *journal, enum handover_entry entry)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (journal_append(journal, entry, 7, &err))
        fail_msg("%s", err.msg);
}

static void refuse_open(enum xcx_err_kind kind, const char *message)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    assert_int_equal(journal_open(&journal, dir, ID, JOURNAL_SOURCE, &err), -1);
    assert_non_null(strstr(err.msg, message));
    assert_non_null(strstr(err.msg, path));
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(err.kind, kind);
    assert_int_equal(journal.fd, -1);
    assert_int_equal(journal.dir_fd, -1);
}

static void check_open(enum handover_entry entry)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    if (journal_open(&journal, dir, ID, JOURNAL_SOURCE, &err))
        fail_msg("%s", err.msg);
    assert_memory_equal(&journal.about, &sample, sizeof(sample));
    assert_int_equal(journal.entry, entry);
    assert_int_equal(journal.domid, entry == HANDOVER_NONE ? 0 : 7);
    journal_close(&journal);
}

/* ---- what is written is there ------------------------------------------- */

static void what_is_appended_is_read_again(void **state)
{
    struct journal journal;

    (void)state;
    create(&journal);
    append(&journal, HANDOVER_OFFERED);
    append(&journal, HANDOVER_GO);
    journal_close(&journal);
    journal_close(&journal);
    check_open(HANDOVER_GO);
}

static void
a_journal_cut_at_any_byte_ends_with_its_last_whole_line(void **state)
{
    char text[MAX_TEXT];
    struct journal journal;

    (void)state;
    create(&journal);
    append(&journal, HANDOVER_OFFERED);
    append(&journal, HANDOVER_GO);
    append(&journal, HANDOVER_DONE);
    journal_close(&journal);

    size_t nr_bytes = read_file(text);
    static const enum handover_entry after[] = {HANDOVER_NONE, HANDOVER_NONE,
                                                HANDOVER_OFFERED, HANDOVER_GO,
                                                HANDOVER_DONE};
    unsigned nr_lines = 0;

    for (size_t cut = 0; cut <= nr_bytes; cut++) {
        struct xcx_err err = XCX_ERR_INIT;

        nr_lines += cut > 0 && text[cut - 1] == '\n';
        write_file(text, cut);
        if (!nr_lines) {
            refuse_open(XCX_ERR_STREAM, "has no whole line");
            continue;
        }
        check_open(after[nr_lines]);
        if (nr_lines == 4)
            continue;
        /* What follows half a line is not glued to it. */
        write_file(text, cut);
        assert_int_equal(journal_open(&journal, dir, ID, JOURNAL_SOURCE, &err),
                         0);
        append(&journal, HANDOVER_RESUMED);
        journal_close(&journal);
        check_open(HANDOVER_RESUMED);
    }
    assert_int_equal(nr_lines, 4);
}

static void all_is_synced_before_a_call_returns(void **state)
{
    struct journal journal;

    (void)state;
    create(&journal);
    assert_int_equal(synced_bytes, journal.whole_bytes);
    assert_int_equal(nr_syncs, 4); /* file, directory, and both once named */
    nr_syncs = 0;
    append(&journal, HANDOVER_OFFERED);
    assert_int_equal(synced_bytes, journal.whole_bytes);
    assert_int_equal(nr_syncs, 1); /* the file's name is on disk already */
    journal_close(&journal);
    /* What somebody wrote and did not sync must not be acted upon. */
    synced_bytes = nr_syncs = 0;
    check_open(HANDOVER_OFFERED);
    assert_int_equal(nr_syncs, 2);
    assert_true(synced_bytes > 0);
}

/* ---- what goes wrong ----------------------------------------------------- */

static void a_full_disk_changes_nothing_and_may_pass(void **state)
{
    struct journal journal;
    struct rlimit before, full;

    (void)state;
    create(&journal);
    append(&journal, HANDOVER_OFFERED);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (unsigned room = 0; room < 10; room++) {
        struct xcx_err err = XCX_ERR_INIT;
        int rc;

        full = before;
        full.rlim_cur = journal.whole_bytes + room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
        rc = journal_append(&journal, HANDOVER_GO, 7, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(rc, -1);
        assert_non_null(strstr(err.msg, "cannot write"));
        assert_non_null(strstr(err.msg, path));
        assert_int_equal(err.kind, XCX_ERR_RESOURCE);
        assert_int_equal(journal.entry, HANDOVER_OFFERED);
    }
    append(&journal, HANDOVER_GO);
    journal_close(&journal);
    check_open(HANDOVER_GO);
}

static void no_case_begins_on_a_full_disk(void **state)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;
    struct rlimit before, full;
    int rc;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = before;
    full.rlim_cur = 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    rc = journal_create(&journal, dir, &sample, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(err.msg, "cannot write: No space left on device"));
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_int_equal(journal.fd, -1);
    refuse_open(XCX_ERR_USAGE, "no such case");
    create(&journal); /* nothing is in its way */
    journal_close(&journal);
}

static size_t reserved_bytes(void)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_blocks * 512;
}

/* Each entry then fits, on a disk that has filled up meanwhile. */
static void room_for_all_of_it_is_reserved_and_kept(void **state)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    create(&journal);
    assert_in_range(reserved_bytes(), JOURNAL_MAX_BYTES, 1 << 20);
    append(&journal, HANDOVER_OFFERED);
    assert_in_range(reserved_bytes(), JOURNAL_MAX_BYTES, 1 << 20);
    assert_int_equal(write(journal.fd, "{\"en", 4), 4);
    journal_close(&journal);
    assert_int_equal(journal_open(&journal, dir, ID, JOURNAL_SOURCE, &err), 0);
    assert_in_range(reserved_bytes(), JOURNAL_MAX_BYTES, 1 << 20);
    append(&journal, HANDOVER_GO);
    journal_close(&journal);
    check_open(HANDOVER_GO);
}

static void no_case_begins_without_room_for_all_of_it(void **state)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    refused_errno = ENOSPC;
    assert_int_equal(journal_create(&journal, dir, &sample, &err), -1);
    assert_non_null(strstr(err.msg, "no room for it: No space left on device"));
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_int_equal(journal.fd, -1);
    refuse_open(XCX_ERR_USAGE, "no such case");
}

/* An old one is worked on all the same: it is what is left to go by. */
static void what_cannot_reserve_is_taken_as_it_is(void **state)
{
    struct journal journal;

    (void)state;
    refused_errno = EOPNOTSUPP;
    create(&journal);
    append(&journal, HANDOVER_OFFERED);
    journal_close(&journal);
    refused_errno = ENOSPC;
    check_open(HANDOVER_OFFERED);
}

static void a_disk_that_fails_leaves_it_open_until_read_again(void **state)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    create(&journal);
    nr_syncs = 0;
    failing_sync = 1;
    assert_int_equal(journal_append(&journal, HANDOVER_OFFERED, 7, &err), -1);
    assert_non_null(strstr(err.msg, "cannot be brought to disk"));
    assert_int_equal(err.kind, XCX_ERR_IO);
    assert_int_equal(journal.entry, HANDOVER_NONE);
    err = XCX_ERR_INIT;
    assert_int_equal(journal_append(&journal, HANDOVER_OFFERED, 7, &err), -1);
    assert_non_null(strstr(err.msg, "what is on disk is not known"));
    assert_int_equal(err.kind, XCX_ERR_IO);
    journal_close(&journal);
    check_open(HANDOVER_OFFERED);
}

static void a_disk_that_fails_begins_no_case(void **state)
{
    (void)state;
    for (int nth = 1; nth <= 4; nth++) {
        struct journal journal;
        struct xcx_err err = XCX_ERR_INIT;

        nr_syncs = 0;
        failing_sync = nth;
        assert_int_equal(journal_create(&journal, dir, &sample, &err), -1);
        assert_non_null(strstr(err.msg, "cannot be brought to disk"));
        assert_int_equal(err.kind, XCX_ERR_IO);
        assert_int_equal(journal.fd, -1);
        refuse_open(XCX_ERR_USAGE, "no such case");
    }
}

static void one_process_works_on_a_case(void **state)
{
    struct journal journal;

    (void)state;
    create(&journal);
    refuse_open(XCX_ERR_RESOURCE, "another process works on this case");
    journal_close(&journal);
    check_open(HANDOVER_NONE);
}

static void who_only_looks_is_in_nobody_s_way(void **state)
{
    struct journal journal, seen;

    (void)state;
    create(&journal);
    append(&journal, HANDOVER_OFFERED);
    dprintf(journal.fd, "{");
    assert_int_equal(journal_peek(&seen, dir, ID, JOURNAL_SOURCE, NULL), 0);
    assert_memory_equal(&seen.about, &sample, sizeof(sample));
    assert_int_equal(seen.entry, HANDOVER_OFFERED);
    assert_int_equal(lseek(journal.fd, 0, SEEK_END), journal.whole_bytes + 1);
    journal_close(&journal);
}

static void a_case_is_created_once(void **state)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    create(&journal);
    append(&journal, HANDOVER_OFFERED);
    journal_close(&journal);
    assert_int_equal(journal_create(&journal, dir, &sample, &err), -1);
    assert_non_null(strstr(err.msg, "File exists"));
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    check_open(HANDOVER_OFFERED);
}

static void entries_only_go_forward_and_at_their_end(void **state)
{
    static const struct {
        enum handover_entry entry;
        const char *message;
    } wrong[] = {
        {HANDOVER_OFFERED, "OFFERED cannot follow GO at a source"},
        {HANDOVER_GO, "GO cannot follow GO at a source"},
        {HANDOVER_READY, "READY cannot follow GO at a source"},
        {HANDOVER_NONE, "NONE cannot follow GO at a source"},
    };
    struct journal journal;

    (void)state;
    create(&journal);
    append(&journal, HANDOVER_GO);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(journal_append(&journal, wrong[i].entry, 7, &err), -1);
        assert_string_equal(err.msg, wrong[i].message);
        assert_int_equal(err.kind, XCX_ERR_BUG);
    }
    journal_close(&journal);
    check_open(HANDOVER_GO);
}

/* ---- what is no journal ---------------------------------------------------
 */

#define FIRST(side)                                                            \
    "{\"version\":1,\"side\":\"" side "\",\"id\":\"0a1b\",\"uuid\":\"u\","     \
    "\"name\":\"g1\",\"peer\":\"h\",\"boot\":\"b\"}\n"
#define ENTRY(name) "{\"entry\":\"" name "\",\"domid\":7,\"time_s\":1}\n"

static const struct {
    const char *text, *message;
} bad_files[] = {
    {"", "has no whole line"},
    {"\n", "line 1: is not a JSON object"},
    {"{}\n", "line 1: not the first line of a journal, version 1"},
    {"{\"version\":2}\n", "line 1: not the first line of a journal"},
    {"{\"version\":1}\n", "line 1: says no side"},
    {FIRST("middle"), "line 1: says no side"},
    {"{\"version\":1,\"side\":\"source\",\"id\":\"0a1b\"}\n",
     "line 1: \"uuid\" is not there, or too long"},
    {"{\"version\":1,\"side\":\"source\",\"id\":"
     "\"0123456789012345678901234567890123456789\"}\n",
     "line 1: \"id\" is not there, or too long"},
    {FIRST("target"), "of another case (0a1b, target)"},
    {FIRST("source") "[1]\n", "line 2: is not a JSON object"},
    {FIRST("source") "{\"entry\":\"GO\"\n", "line 2: is not a JSON object"},
    {FIRST("source") ENTRY("GONE"), "line 2: is not an entry"},
    {FIRST("source") ENTRY("NONE"), "line 2: is not an entry"},
    {FIRST("source") ENTRY("READY"), "line 2: READY cannot follow NONE"},
    {FIRST("source") "{\"entry\":\"GO\"}\n", "line 2: says no domain"},
    {FIRST("source") "{\"entry\":\"GO\",\"domid\":65536}\n",
     "line 2: says no domain"},
    {FIRST("source") ENTRY("DONE") ENTRY("GO"),
     "line 3: GO cannot follow DONE at a source"},
};

static void what_is_no_journal_is_refused_by_line(void **state)
{
    char text[MAX_TEXT + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
        print_message("%zu: %s\n", i, bad_files[i].message);
        write_file(bad_files[i].text, strlen(bad_files[i].text));
        refuse_open(XCX_ERR_STREAM, bad_files[i].message);
    }
    write_file("{}\0\n", 4);
    refuse_open(XCX_ERR_STREAM, "line 1: is not a JSON object");
    memset(text, '[', sizeof(text));
    write_file(text, sizeof(text));
    refuse_open(XCX_ERR_STREAM, "longer than any journal");
}

static void what_others_may_have_put_there_is_refused(void **state)
{
    char other[80];
    struct journal journal;

    (void)state;
    create(&journal);
    journal_close(&journal);
    assert_int_equal(chmod(path, 0620), 0);
    refuse_open(XCX_ERR_RESOURCE, "not a plain file that only this user");
    assert_int_equal(chmod(path, 0600), 0);
    snprintf(other, sizeof(other), "%s/other", dir);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    refuse_open(XCX_ERR_RESOURCE, "cannot open: Too many levels");
    unlink(path);
    assert_int_equal(link(other, path), 0);
    refuse_open(XCX_ERR_RESOURCE, "not a plain file that only this user");
    unlink(other);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refuse_open(XCX_ERR_RESOURCE, "not a plain file that only this user");
}

static void bad_names_are_refused(void **state)
{
    static const char *const ids[] = {
        "",     "../x", "0A",
        "0a.b", "0a/",  "0123456789012345678901234567890123456789"};
    struct journal_case about = sample;
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        err = XCX_ERR_INIT;
        assert_int_equal(
            journal_open(&journal, dir, ids[i], JOURNAL_SOURCE, &err), -1);
        assert_non_null(strstr(err.msg, "is not the ID of a case"));
        assert_int_equal(err.kind, XCX_ERR_USAGE);
    }
    strcpy(about.name, "\xff");
    err = XCX_ERR_INIT;
    assert_int_equal(journal_create(&journal, dir, &about, &err), -1);
    assert_string_equal(err.msg,
                        "a journal cannot hold these names: not UTF-8");
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    err = XCX_ERR_INIT;
    assert_int_equal(journal_create(&journal, "/nowhere", &sample, &err), -1);
    assert_string_equal(err.msg, "cannot open the journals' directory "
                                 "/nowhere: No such file or directory");
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
}

static void a_settled_case_is_removed(void **state)
{
    struct journal journal;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    create(&journal);
    assert_int_equal(journal_remove(&journal, &err), 0);
    assert_int_equal(journal.fd, -1);
    refuse_open(XCX_ERR_USAGE, "no such case");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean)
    const struct CMUnitTest tests[] = {
        TEST(what_is_appended_is_read_again),
        TEST(a_journal_cut_at_any_byte_ends_with_its_last_whole_line),
        TEST(all_is_synced_before_a_call_returns),
        TEST(a_full_disk_changes_nothing_and_may_pass),
        TEST(no_case_begins_on_a_full_disk),
        TEST(room_for_all_of_it_is_reserved_and_kept),
        TEST(no_case_begins_without_room_for_all_of_it),
        TEST(what_cannot_reserve_is_taken_as_it_is),
        TEST(a_disk_that_fails_leaves_it_open_until_read_again),
        TEST(a_disk_that_fails_begins_no_case),
        TEST(one_process_works_on_a_case),
        TEST(a_case_is_created_once),
        TEST(who_only_looks_is_in_nobody_s_way),
        TEST(entries_only_go_forward_and_at_their_end),
        TEST(what_is_no_journal_is_refused_by_line),
        TEST(what_others_may_have_put_there_is_refused),
        TEST(bad_names_are_refused),
        TEST(a_settled_case_is_removed),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
