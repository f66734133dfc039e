/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"

static const struct {
    const char *name;
    enum sim_fault_kind kind;
    int number;
} whats[] = {
    {"EIO", SIM_FAULT_ERRNO, EIO},
    {"EINTR", SIM_FAULT_ERRNO, EINTR},
    {"EAGAIN", SIM_FAULT_ERRNO, EAGAIN},
    {"EINVAL", SIM_FAULT_ERRNO, EINVAL},
    {"ENOMEM", SIM_FAULT_ERRNO, ENOMEM},
    {"EPERM", SIM_FAULT_ERRNO, EPERM},
    {"EBUSY", SIM_FAULT_ERRNO, EBUSY},
    {"ESRCH", SIM_FAULT_ERRNO, ESRCH},
    {"EFAULT", SIM_FAULT_ERRNO, EFAULT},
    {"ENOENT", SIM_FAULT_ERRNO, ENOENT},
    {"ENOSYS", SIM_FAULT_ERRNO, ENOSYS},
    {"EOPNOTSUPP", SIM_FAULT_ERRNO, EOPNOTSUPP},
    {"page", SIM_FAULT_PAGE, EINVAL},
    {"SIGTERM", SIM_FAULT_SIGNAL, SIGTERM},
    {"SIGKILL", SIM_FAULT_SIGNAL, SIGKILL},
};

static bool parse_what(const char *text, struct sim_fault *fault)
{
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        if (!strcmp(text, whats[i].name)) {
            fault->kind = whats[i].kind;
            fault->number = whats[i].number;
            return true;
        }
    }
    return false;
}

static bool parse_one(char *item, struct sim_fault *ret_fault)
{
    struct sim_fault fault = {.call = SIM_NR_CALLS};
    char *save = NULL, *end;
    const char *name = strtok_r(item, ":", &save);
    const char *nth = strtok_r(NULL, ":", &save);
    const char *what = strtok_r(NULL, ":", &save);
    const char *always = strtok_r(NULL, ":", &save);

    if (!name || !nth || !what || (always && strcmp(always, "always")))
        return false;
    if (strcmp(name, "any")) {
        fault.call = sim_call_find(name, strlen(name));
        if (fault.call == SIM_NR_CALLS)
            return false;
    }
    fault.nth = strtoull(nth, &end, 10);
    fault.always = always != NULL;
    if (*end || !fault.nth || !parse_what(what, &fault))
        return false;
    *ret_fault = fault;
    return true;
}

int sim_faults_parse(const char *text, struct sim_faults *ret_faults,
                     struct xcx_err *err)
{
    struct sim_faults faults = {.nr = 0};
    char *copy = strdup(text ? text : ""), *save = NULL;
    bool ok = copy != NULL;

    for (char *item = ok ? strtok_r(copy, ",", &save) : NULL; item && ok;
         item = strtok_r(NULL, ",", &save)) {
        ok = faults.nr < SIM_MAX_FAULTS &&
             parse_one(item, &faults.fault[faults.nr]);
        faults.nr++;
    }
    free(copy);
    if (!ok)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "bad fault in '%s'", text);
    *ret_faults = faults;
    return 0;
}

const struct sim_fault *sim_fault_match(const struct sim_faults *faults,
                                        unsigned call, uint64_t nth,
                                        uint64_t nth_any)
{
    for (unsigned i = 0; i < faults->nr; i++) {
        const struct sim_fault *fault = &faults->fault[i];
        uint64_t n = fault->call == SIM_NR_CALLS ? nth_any : nth;

        if (fault->call != SIM_NR_CALLS && fault->call != call)
            continue;
        if (n == fault->nth || (fault->always && n > fault->nth))
            return fault;
    }
    return NULL;
}
