/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "case_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

void case_sample_make(struct journal_case *ret, enum journal_side side)
{
    *ret = (struct journal_case){.id = CASE_SAMPLE_ID,
                                 .side = side,
                                 .uuid = CASE_SAMPLE_UUID,
                                 .boot = CASE_SAMPLE_UUID,
                                 .name = "guest",
                                 .peer = "host2"};
}

void case_sample_create(struct journal *journal, const char *dir,
                        enum journal_side side, enum handover_entry entry)
{
    struct journal_case about;

    case_sample_make(&about, side);
    assert_int_equal(journal_create(journal, dir, &about, NULL), 0);
    if (entry)
        assert_int_equal(journal_append(journal, entry, 7, NULL), 0);
}
