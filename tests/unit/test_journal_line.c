/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A case as a journal's first line, of this version and of others. */
#include "../../xl-plugin/xl-migrate/journal_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "case_sample.h"

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
    expect(FIRST "}", &about);
    expect(FIRST ",\"stock\":\"yes\"}", &about);
    about.tells_stock = true;
    expect(FIRST ",\"stock\":false}", &about);
    about.stock = true;
    expect(FIRST ",\"stock\":true,\"more\":{\"x\":[1]}}", &about);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_it_was_sent_is_kept),
        cmocka_unit_test(what_other_versions_write_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
