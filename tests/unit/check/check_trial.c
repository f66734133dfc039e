/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check_trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void check_trial_run(void)
{
    check_facts(&sample.guest, &sample.query, &sample.here, &sample.there,
                &sample.wishes, &sample.check);
}

unsigned check_trial_count(const char *id,
                           const struct check_finding **ret_last)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < sample.check.nr_findings; i++) {
        const struct check_finding *finding = &sample.check.findings[i];

        if (strcmp(finding->id, id) != 0 || finding->level == CHECK_OK)
            continue;
        nr++;
        *ret_last = finding;
    }
    return nr;
}

static void try_change(const struct check_change *change, size_t index)
{
    const struct check_finding *found = NULL;
    unsigned nr;

    change->change();
    check_trial_run();
    nr = check_trial_count(change->id, &found);
    if (nr != 1)
        fail_msg("change %zu: %u findings of %s", index, nr, change->id);
    if (found->level != change->level)
        fail_msg("change %zu: %s is %s", index, found->text,
                 check_level_name(found->level));
    if (!strstr(found->text, change->text))
        fail_msg("\"%s\" has no \"%s\"", found->text, change->text);
    if (!change->fix)
        assert_string_equal(found->fix, "");
    else if (!strstr(found->fix, change->fix))
        fail_msg("\"%s\" has no \"%s\"", found->fix, change->fix);
}

void check_trial_all(const struct check_change *changes, size_t nr_changes)
{
    for (size_t i = 0; i < nr_changes; i++) {
        check_sample_make();
        /* The second disk is none of Dom0's paths, and so never ok. */
        sample.guest.nr_disks = 1;
        try_change(&changes[i], i);
    }
}
