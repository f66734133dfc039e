/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec.h"

#include <stdbool.h>
#include <string.h>

#include "page.h"

#define SPEC_MAX_BYTES 256

struct spec_key {
    const char *name;
    size_t offset; /* of a uint64_t in struct spec */
    uint64_t min, max;
    uint64_t multiple;
    bool bytes; /* a quantity of bytes, which may have a suffix */
};

static const struct spec_key keys[] = {
    {"size", offsetof(struct spec, size_bytes), 64 << 10, UINT64_C(64) << 30,
     PAGE_BYTES, true},
    {"rate", offsetof(struct spec, rate_bytes_per_s), 0, UINT64_C(1) << 40, 1,
     true},
    {"verify", offsetof(struct spec, verify_bytes_per_s), PAGE_BYTES,
     UINT64_C(1) << 40, 1, true},
    {"seed", offsetof(struct spec, seed), 0, UINT64_MAX, 1, false},
    {"tick", offsetof(struct spec, tick_ms), 1, 1000, 1, false},
    {"period", offsetof(struct spec, period_ms), 100, 3600000, 1, false},
};

#define NR_KEYS (sizeof(keys) / sizeof(keys[0]))

static const char *const pattern_names[SPEC_NR_PATTERNS] = {
    [SPEC_IDLE] = "idle", [SPEC_SEQ] = "seq", [SPEC_UNIFORM] = "uniform",
    [SPEC_ZIPF] = "zipf", [SPEC_HOT] = "hot", [SPEC_BALLOON] = "balloon",
};

const char *spec_pattern_name(enum spec_pattern pattern)
{
    return (unsigned)pattern < SPEC_NR_PATTERNS ? pattern_names[pattern]
                                                : "unknown";
}

/* 0 for a character that is no suffix. */
static uint64_t suffix_factor(char c)
{
    switch (c) {
    case 'K':
        return 1024;
    case 'M':
        return 1024 * 1024;
    case 'G':
        return 1024 * 1024 * 1024;
    case 'P':
        return PAGE_BYTES;
    default:
        return 0;
    }
}

static int parse_value(const char *what, const char *text, bool suffix,
                       uint64_t *ret_value, struct xcx_err *err)
{
    const char *p = text;
    uint64_t value = 0, factor = 1;
    bool fits = true;

    for (; *p >= '0' && *p <= '9'; p++) {
        fits = fits && !__builtin_mul_overflow(value, 10, &value);
        fits = fits && !__builtin_add_overflow(value, *p - '0', &value);
    }
    if (p != text && suffix && suffix_factor(*p))
        factor = suffix_factor(*p++);
    if (p == text || *p)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: '%s' is not a number%s",
                           what, text, suffix ? " with K, M, G or P" : "");
    if (!fits || __builtin_mul_overflow(value, factor, &value))
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: '%s' is too large", what,
                           text);
    *ret_value = value;
    return 0;
}

int spec_parse_bytes(const char *what, const char *text, uint64_t *ret_bytes,
                     struct xcx_err *err)
{
    return parse_value(what, text, true, ret_bytes, err);
}

static int check_range(const char *what, uint64_t value, uint64_t min,
                       uint64_t max, struct xcx_err *err)
{
    if (value >= min && value <= max)
        return 0;
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: %llu is not in %llu..%llu",
                       what, (unsigned long long)value, (unsigned long long)min,
                       (unsigned long long)max);
}

int spec_parse_number(const char *what, const char *text, uint64_t min,
                      uint64_t max, uint64_t *ret_number, struct xcx_err *err)
{
    uint64_t value;

    if (parse_value(what, text, false, &value, err) ||
        check_range(what, value, min, max, err))
        return -1;
    *ret_number = value;
    return 0;
}

static int parse_key(const struct spec_key *key, const char *text,
                     struct spec *spec, struct xcx_err *err)
{
    uint64_t value;

    if (parse_value(key->name, text, key->bytes, &value, err) ||
        check_range(key->name, value, key->min, key->max, err))
        return -1;
    if (value % key->multiple)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%s: '%s' is not a multiple of %llu", key->name,
                           text, (unsigned long long)key->multiple);
    memcpy((char *)spec + key->offset, &value, sizeof(value));
    return 0;
}

/* One KEY=VALUE; *seen has a bit for each key. */
static int parse_pair(char *pair, struct spec *spec, unsigned *seen,
                      struct xcx_err *err)
{
    char *equals = strchr(pair, '=');

    if (!equals)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "workload: '%s' is not KEY=VALUE", pair);
    *equals = 0;
    for (unsigned k = 0; k < NR_KEYS; k++) {
        if (strcmp(pair, keys[k].name) != 0)
            continue;
        if (*seen & 1u << k)
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "workload: '%s' is given twice", pair);
        *seen |= 1u << k;
        return parse_key(&keys[k], equals + 1, spec, err);
    }
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "workload: unknown key '%s'",
                       pair);
}

static int parse_pattern(const char *name, enum spec_pattern *ret_pattern,
                         struct xcx_err *err)
{
    for (unsigned p = 0; p < SPEC_NR_PATTERNS; p++) {
        if (strcmp(name, pattern_names[p]) == 0) {
            *ret_pattern = (enum spec_pattern)p;
            return 0;
        }
    }
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "workload: unknown pattern '%s'",
                       name);
}

int spec_parse(const char *text, struct spec *ret_spec, struct xcx_err *err)
{
    struct spec spec = {
        .size_bytes = 32 << 20,
        .rate_bytes_per_s = 8 << 20,
        .verify_bytes_per_s = 8 << 20,
        .seed = 1,
        .tick_ms = 1,
        .period_ms = 5000,
    };
    char copy[SPEC_MAX_BYTES];
    char *rest = copy;
    unsigned seen = 0;

    if (strlen(text) >= sizeof(copy))
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "workload: longer than %d characters",
                           SPEC_MAX_BYTES - 1);
    memcpy(copy, text, strlen(text) + 1);
    if (parse_pattern(strsep(&rest, ","), &spec.pattern, err))
        return -1;
    while (rest)
        if (parse_pair(strsep(&rest, ","), &spec, &seen, err))
            return -1;
    *ret_spec = spec;
    return 0;
}
