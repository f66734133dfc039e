/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_type {
    F_U32,
    F_U64,
    F_BOOL,
    F_NOT,
    F_WORD,
    F_PAGES,
    F_PFNS,
    F_PATH
};

struct field {
    const char *key;
    enum field_type type;
    size_t offset;
    const char *words; /* F_WORD: the names of 0, 1, ... between bars */
};

#define AT(member) offsetof(struct sim_spec, member)

static const struct field fields[] = {
    {"kind", F_WORD, AT(kind), "hvm|pv|"},
    {"mem", F_PAGES, AT(nr_pages), NULL},
    {"p2m", F_PFNS, AT(nr_pfns), NULL},
    {"spread", F_BOOL, AT(spread), NULL},
    {"vcpus", F_U32, AT(nr_vcpus), NULL},
    {"domid", F_U32, AT(domid), NULL},
    {"seed", F_U64, AT(seed), NULL},
    {"content", F_WORD, AT(content), "zero|text|random|mix|file|"},
    {"file", F_PATH, AT(file), NULL},
    {"holes", F_U32, AT(holes_permille), NULL},
    {"broken", F_U32, AT(nr_broken), NULL},
    {"special", F_U32, AT(nr_special), NULL},
    {"silent", F_U32, AT(nr_silent), NULL},
    {"paged", F_U32, AT(nr_paged), NULL},
    {"rate", F_U64, AT(dirty_rate), NULL},
    {"pattern", F_WORD, AT(pattern), "uniform|seq|hot|"},
    {"balloon", F_U64, AT(balloon_rate), NULL},
    {"tables", F_U64, AT(tables_rate), NULL},
    {"clock", F_BOOL, AT(clock_calls), "time|calls|"},
    {"p2mform", F_BOOL, AT(p2m_tree), "list|tree|"},
    {"move", F_U32, AT(move_at), NULL},
    {"grow", F_U32, AT(grow_at), NULL},
    {"shadow", F_NOT, AT(no_shadow), NULL},
    {"busy", F_BOOL, AT(busy), NULL},
    {"rival", F_WORD, AT(rival), "none|off|cycle|clean|end|"},
    {"rivalat", F_U32, AT(rival_at), NULL},
    {"xsave", F_U32, AT(xsave_bytes), NULL},
    {"sched", F_WORD, AT(sched), "credit2|credit|none|"},
    {"cap", F_U32, AT(cap_percent), NULL},
    {"lose", F_U64, AT(lose_nth), NULL},
};

static bool parse_word(const char *words, const char *value, uint64_t *ret)
{
    size_t want = strlen(value);
    uint64_t index = 0;

    for (const char *p = words; *p; p = strchr(p, '|') + 1, index++) {
        size_t have = (size_t)(strchr(p, '|') - p);

        if (have == want && !memcmp(p, value, want)) {
            *ret = index;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *value, uint64_t *ret)
{
    static const char suffixes[] = "KMGT";
    const char *suffix;
    char *end;

    errno = 0;
    *ret = strtoull(value, &end, 0);
    if (end == value || errno)
        return false;
    if (!*end)
        return true;
    suffix = strchr(suffixes, *end);
    if (!suffix || end[1])
        return false;
    *ret <<= 10 * (suffix - suffixes + 1);
    return true;
}

static bool parse_value(const struct field *field, const char *value,
                        uint64_t *ret)
{
    if (field->words)
        return parse_word(field->words, value, ret);
    if (field->type == F_PFNS && !strcmp(value, "xl")) {
        *ret = SIM_XL_NR_PFNS;
        return true;
    }
    if (!parse_number(value, ret))
        return false;
    if (field->type == F_PAGES)
        *ret >>= SIM_PAGE_SHIFT;
    return true;
}

static int store(const struct field *field, const char *value,
                 struct sim_spec *spec, struct xcx_err *err)
{
    char *at = (char *)spec + field->offset;
    uint64_t number = 0;

    if (field->type == F_PATH) {
        if (snprintf(at, SIM_PATH_BYTES, "%s", value) >= SIM_PATH_BYTES)
            return xcx_err_set(err, XCX_ERR_USAGE, 0, "path too long");
        return 0;
    }
    if (!parse_value(field, value, &number))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "world: %s=%s: bad value",
                           field->key, value);
    switch (field->type) {
    case F_BOOL:
        *(bool *)at = number;
        break;
    case F_NOT:
        *(bool *)at = !number;
        break;
    case F_WORD:
    case F_U32:
        *(uint32_t *)at = (uint32_t)number;
        break;
    default:
        *(uint64_t *)at = number;
    }
    return 0;
}

static int parse_one(const char *item, struct sim_spec *spec,
                     struct xcx_err *err)
{
    const char *equals = strchr(item, '=');

    for (size_t i = 0; equals && i < sizeof(fields) / sizeof(fields[0]); i++) {
        size_t bytes = strlen(fields[i].key);

        if (bytes == (size_t)(equals - item) &&
            !memcmp(item, fields[i].key, bytes))
            return store(&fields[i], equals + 1, spec, err);
    }
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "world: unknown key in '%s'",
                       item);
}

static int check(const struct sim_spec *spec, struct xcx_err *err)
{
    if (spec->nr_pages < 256 || spec->nr_pages > SIM_MAX_NR_PFNS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "world: mem must be 1M to 1T");
    if (spec->nr_pfns > SIM_MAX_NR_PFNS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "world: p2m above 1T");
    if (!spec->nr_vcpus || spec->nr_vcpus > SIM_MAX_VCPUS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "world: vcpus: 1 to %u",
                           SIM_MAX_VCPUS);
    if (spec->xsave_bytes > 4096 - 16 || spec->holes_permille > 900)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "world: xsave or holes too large");
    return 0;
}

int sim_spec_parse(const char *text, struct sim_spec *ret_spec,
                   struct xcx_err *err)
{
    struct sim_spec spec = {
        .nr_pages = 4096,
        .nr_vcpus = 2,
        .domid = 7,
        .seed = 1,
        .content = SIM_MIX,
        .nr_silent = 2,
        .rival_at = 1,
        .xsave_bytes = 832,
        .cap_percent = 0,
    };
    char *copy = strdup(text), *save = NULL;
    int rc = 0;

    if (!copy)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "world");
    for (char *item = strtok_r(copy, ", \n", &save); item && !rc;
         item = strtok_r(NULL, ", \n", &save))
        rc = parse_one(item, &spec, err);
    free(copy);
    if (rc || check(&spec, err))
        return -1;
    *ret_spec = spec;
    return 0;
}
