/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check_ids.h"

#include <stdio.h>
#include <string.h>

#define ID_BYTES  32
#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* Why some cannot be ignored. */
static const char harms[] = "the guest could be lost";
static const char cannot[] = "send cannot make such a move";

static const struct {
    const char *id;
    const char *why_not; /* NULL: it can be ignored */
} table[] = {
    {"affinity", NULL},
    {"autoballoon", NULL},
    {"autostart", NULL},
    {"boot-files", NULL},
    {"bridge", NULL},
    {"clock", NULL},
    {"connection", cannot},
    {"cpu", NULL},
    {"cpupool", NULL},
    {"device-model", NULL},
    {"device-model-state", NULL},
    {"device-model-version", cannot},
    {"devices", NULL},
    {"dirty-rate", NULL},
    {"disk", NULL},
    {"domid", NULL},
    {"forecast", NULL},
    {"guest-kind", NULL},
    {"in-use", harms},
    {"link", NULL},
    {"log-dirty", NULL},
    {"max-memory", NULL},
    {"memory", NULL},
    {"name-clash", harms},
    {"nested-hvm", NULL},
    {"nomigrate", NULL},
    {"nr-cpus", NULL},
    {"paged-out", cannot},
    {"plugin", NULL},
    {"populate-on-demand", NULL},
    {"port", NULL},
    {"protocol", cannot},
    {"pv-width", cannot},
    {"qemu-disk", cannot},
    {"same-host", cannot},
    {"scheduler", NULL},
    {"script", NULL},
    {"state", harms},
    {"stub-domain", cannot},
    {"suspend", NULL},
    {"tsc", NULL},
    {"uuid-clash", harms},
    {"vnuma", cannot},
    {"way-back", NULL},
    {"xen-version", NULL},
    {"xenstore-keys", NULL},
};

_Static_assert(NR(table) <= 64, "a bit each");

const char *check_ids_name(size_t row)
{
    return row < NR(table) ? table[row].id : NULL;
}

static int find(const char *id)
{
    for (size_t i = 0; i < NR(table); i++) {
        if (strcmp(table[i].id, id) == 0)
            return (int)i;
    }
    return -1;
}

static int parse_one(const char *id, uint64_t *bits, struct xcx_err *err)
{
    int row = find(id);

    if (row < 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "--ignore: no finding has the id \"%.40s\"; see "
                           "xl-migrate(8)",
                           id);
    if (table[row].why_not)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "--ignore: \"%s\" cannot be ignored: %s", id,
                           table[row].why_not);
    *bits |= UINT64_C(1) << row;
    return 0;
}

int check_ids_parse(const char *text, struct check_ids *ids,
                    struct xcx_err *err)
{
    uint64_t bits = ids->bits;

    for (;;) {
        size_t length = strcspn(text, ",");
        char id[ID_BYTES];

        /* A longer one is cut, and then is none that is known. */
        snprintf(id, sizeof(id), "%.*s", (int)length, text);
        if (parse_one(id, &bits, err))
            return -1;
        if (!text[length])
            break;
        text += length + 1;
    }
    ids->bits = bits;
    return 0;
}

void check_ids_add(struct check_ids *ids, const char *id)
{
    int row = find(id);

    if (row >= 0)
        ids->bits |= UINT64_C(1) << row;
}

bool check_ids_have(const struct check_ids *ids, const char *id)
{
    int row = find(id);

    return row >= 0 && ids->bits >> row & 1;
}
