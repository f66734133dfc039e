/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xl makes of its settings and of Xen's command line. */
#include "xl-migrate/domain/xl_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_autoballoon(void **state)
{
    static const struct {
        const char *conf, *command_line;
        bool takes_from_dom0;
    } cases[] = {
        {"", "", true},
        {"", "com1=115200 dom0_mem=1024M,max:1024M noreboot", false},
        {"", "dom0_mem=max:2G", false},
        {"", "dom0_mem=-256M", false},
        {"", "dom0_mem=", true},
        {"", "nodom0_mem=1G", true},
        {"", "xdom0_mem=1 dom0_mem=1G", false},
        {"autoballoon=\"off\"\n", "", false},
        {"autoballoon=0", "", false},
        {"# autoballoon=\"off\"\n", "", true},
        {" autoballoon = 'on' # yes\nvif.default.bridge=\"b\"\n", "dom0_mem=1G",
         true},
        {"autoballoon=1\nautoballoon=\"auto\"\n", "dom0_mem=1G", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(
            xl_conf_autoballoon(cases[i].conf, cases[i].command_line),
            cases[i].takes_from_dom0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_autoballoon)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
