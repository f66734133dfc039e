/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config_value: a value of xl-migrate.conf, checked and put where it
 * belongs. config.c has the keys; this knows only their types. Pure.
 *
 * Each error is of kind USAGE and reads ORIGIN = "VALUE": expected WHAT.
 */
#ifndef COMMON_CONFIG_VALUE_H
#define COMMON_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

enum config_type {
    CONFIG_NUMBER, /* unsigned long; or max + 1 for the one word it takes */
    CONFIG_CHOICE, /* unsigned: an index of choices */
    CONFIG_PATH,   /* char[CONFIG_PATH_BYTES]: absolute, or empty */
    CONFIG_TEXT,   /* char[CONFIG_TEXT_BYTES]: anything */
    CONFIG_KEYS,   /* struct config_xenstore_keys: a list, not one value */
};

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;              /* in struct config */
    unsigned long min, max;     /* NUMBER */
    const char *const *choices; /* CHOICE, ends with NULL */
    const char *word;           /* NUMBER; NULL: only numbers */
    bool required;              /* PATH: may not be empty */
};

/* For any type but CONFIG_KEYS. On failure the field is untouched. */
int config_value_set(struct config *config, const struct config_key *key,
                     const char *value, const char *origin,
                     struct xcx_err *err);

/*
 * Appends one xenstore key: relative, of the characters that xenstore allows,
 * without an empty part. It may name a whole subtree.
 */
int config_value_add_key(struct config_xenstore_keys *keys, const char *value,
                         const char *origin, struct xcx_err *err);

/* Splits a list in one text, separated by spaces or commas. */
int config_value_split_keys(struct config_xenstore_keys *keys, const char *text,
                            const char *origin, struct xcx_err *err);

#endif
