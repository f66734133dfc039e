/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A case as a journal's first line, of this version and of others. */
#include "xl-migrate/handover/journal_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "unit/case_sample.h"

#define FIRST                                                                  \
    "{\"version\":1,\"side\":\"source\",\"id\":\"" CASE_SAMPLE_ID              \
    "\",\"uuid\":\"" CASE_SAMPLE_UUID "\",\"name\":\"guest\","                 \
    "\"peer\":\"host2\",\"boot\":\"" CASE_SAMPLE_UUID "\""

static void expect(const char *line, const struct journal_case *want)
{
    struct journal journal = JOURNAL_INIT;
    struct xcx_err err = XCX_ERR_INIT;

    if (journal_line_take(&journal, 1, line, strlen(line), &err))
        fail_msg("%s", err.msg);
    assert_memory_equal(&journal.about, want, sizeof(*want));
}

static void how_it_was_sent_is_kept(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 8; flags++) {
        struct journal_case about;
        struct xcx_err err = XCX_ERR_INIT;
        char line[JOURNAL_LINE_BYTES];
        size_t nr_bytes;

        case_sample_make(&about, flags & 4 ? JOURNAL_TARGET : JOURNAL_SOURCE);
        about.stay_paused = flags & 1;
        about.stock = flags & 2;
        assert_int_equal(journal_line_of_case(&about, line, &nr_bytes, &err),
                         0);
        assert_int_equal(line[nr_bytes - 1], '\n');
        line[nr_bytes - 1] = 0;
        about.tells_stock = about.stock || about.side == JOURNAL_SOURCE;
        expect(line, &about);
    }
}

static void what_other_versions_write_is_read(void **state)
{
    struct journal_case about;

    (void)state;
    case_sample_make(&about, JOURNAL_SOURCE);
    about.suspends_unnoted = true;
    expect(FIRST "}", &about);
    expect(FIRST ",\"stock\":\"yes\"}", &about);
    about.tells_stock = true;
    expect(FIRST ",\"stock\":false}", &about);
    about.stock = true;
    expect(FIRST ",\"stock\":true,\"more\":{\"x\":[1]}}", &about);
    about.suspends_unnoted = false;
    expect(FIRST ",\"stock\":true,\"suspending\":true}", &about);
}

/* Lines behind the first one, of a target; the last one may be wrong. */
static void what_xl_has_made_is_told_once_and_first(void **state)
{
#define BUILT "{\"built\":7,\"uuid\":\"" CASE_SAMPLE_UUID "\",\"time_s\":5}"
#define READY "{\"entry\":\"READY\",\"domid\":7,\"time_s\":6}"
    static const struct {
        enum journal_side side;
        const char *lines[3];
        const char *why;
        uint32_t domid;
        const char *uuid;
        uint64_t time_s;
    } rows[] = {
        {JOURNAL_TARGET, {BUILT}, NULL, 7, CASE_SAMPLE_UUID, 5},
        {JOURNAL_TARGET, {BUILT, READY}, NULL, 7, CASE_SAMPLE_UUID, 6},
        /* As older versions wrote it. */
        {JOURNAL_TARGET, {READY}, NULL, 7, "", 6},
        {JOURNAL_TARGET, {"{\"entry\":\"READY\",\"domid\":7}"}, NULL, 7, "", 0},
        {JOURNAL_TARGET, {READY, BUILT}, "cannot be made after READY", 0, 0, 0},
        {JOURNAL_TARGET, {BUILT, BUILT}, "cannot be made after NONE", 0, 0, 0},
        {JOURNAL_SOURCE, {BUILT}, "at a source", 0, 0, 0},
        {JOURNAL_TARGET,
         {"{\"built\":0,\"uuid\":\"a\"}"},
         "no domain",
         0,
         0,
         0},
        {JOURNAL_TARGET,
         {"{\"built\":70000,\"uuid\":\"a\"}"},
         "no domain",
         0,
         0,
         0},
        {JOURNAL_TARGET,
         {"{\"built\":\"7\",\"uuid\":\"a\"}"},
         "no domain",
         0,
         0,
         0},
        {JOURNAL_TARGET, {"{\"built\":7}"}, "no domain", 0, 0, 0},
        {JOURNAL_TARGET, {"{\"built\":7,\"uuid\":\"\"}"}, "no domain", 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct journal journal = JOURNAL_INIT;
        struct xcx_err err = XCX_ERR_INIT;
        int rc = 0;

        journal.about.side = rows[i].side;
        for (unsigned nr = 0; nr < 3 && rows[i].lines[nr] && !rc; nr++)
            rc = journal_line_take(&journal, nr + 2, rows[i].lines[nr],
                                   strlen(rows[i].lines[nr]), &err);
        if (rows[i].why) {
            assert_int_equal(rc, -1);
            assert_int_equal(err.kind, XCX_ERR_STREAM);
            assert_non_null(strstr(err.msg, rows[i].why));
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(journal.domid, rows[i].domid);
        assert_string_equal(journal.built_uuid, rows[i].uuid);
        assert_int_equal(journal.time_s, rows[i].time_s);
        assert_int_equal(journal.was_ready, journal.entry == HANDOVER_READY);
    }
}

static void a_built_line_is_read_as_it_was_written(void **state)
{
    struct journal journal = JOURNAL_INIT;
    struct xcx_err err = XCX_ERR_INIT;
    char line[JOURNAL_LINE_BYTES];
    size_t nr_bytes;

    (void)state;
    assert_int_equal(
        journal_line_of_built(7, CASE_SAMPLE_UUID, 9, line, &nr_bytes, &err),
        0);
    assert_int_equal(line[nr_bytes - 1], '\n');
    line[nr_bytes - 1] = 0;
    journal.about.side = JOURNAL_TARGET;
    assert_int_equal(journal_line_take(&journal, 2, line, nr_bytes - 1, &err),
                     0);
    assert_int_equal(journal.domid, 7);
    assert_string_equal(journal.built_uuid, CASE_SAMPLE_UUID);
    assert_int_equal(journal.time_s, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_was_sent_is_kept),
        cmocka_unit_test(what_other_versions_write_is_read),
        cmocka_unit_test(what_xl_has_made_is_told_once_and_first),
        cmocka_unit_test(a_built_line_is_read_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
