/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xl makes of its settings and of Xen's command line. */
#include "../../xl-plugin/xl-migrate/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_autoballoon(void **state)
{
    static const struct {
        const char *conf, *command_line;
        enum facts_answer answer;
    } cases[] = {
        {"", "", FACTS_YES},
        {"", "com1=115200 dom0_mem=1024M,max:1024M noreboot", FACTS_NO},
        {"", "dom0_mem=max:2G", FACTS_NO},
        {"", "dom0_mem=-256M", FACTS_NO},
        {"", "dom0_mem=", FACTS_YES},
        {"", "nodom0_mem=1G", FACTS_YES},
        {"", "xdom0_mem=1 dom0_mem=1G", FACTS_NO},
        {"autoballoon=\"off\"\n", "", FACTS_NO},
        {"autoballoon=0", "", FACTS_NO},
        {"# autoballoon=\"off\"\n", "", FACTS_YES},
        {" autoballoon = 'on' # yes\nvif.default.bridge=\"b\"\n", "dom0_mem=1G",
         FACTS_YES},
        {"autoballoon=1\nautoballoon=\"auto\"\n", "dom0_mem=1G", FACTS_NO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            facts_autoballoon(cases[i].conf, cases[i].command_line),
            cases[i].answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_autoballoon)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
