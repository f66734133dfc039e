/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS " ,\t\n"

static int bad_value(const char *origin, const char *value,
                     const char *expected, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s = \"%.40s\": expected %s",
                       origin, value, expected);
}

static int set_number(unsigned long *ret_number, const struct config_key *key,
                      const char *value, const char *origin,
                      struct xcx_err *err)
{
    char expected[64];
    char *rest;
    unsigned long number;

    if (key->word && strcmp(value, key->word) == 0) {
        *ret_number = key->max + 1;
        return 0;
    }
    snprintf(expected, sizeof(expected), "a whole number from %lu to %lu%s%s",
             key->min, key->max, key->word ? ", or " : "",
             key->word ? key->word : "");
    errno = 0;
    number = strtoul(value, &rest, 10);
    if (!isdigit((unsigned char)value[0]) || *rest || errno ||
        number < key->min || number > key->max)
        return bad_value(origin, value, expected, err);
    *ret_number = number;
    return 0;
}

static int set_choice(unsigned *ret_index, const struct config_key *key,
                      const char *value, const char *origin,
                      struct xcx_err *err)
{
    char expected[96] = "";

    for (unsigned i = 0; key->choices[i]; i++) {
        size_t used = strlen(expected);

        if (strcmp(value, key->choices[i]) == 0) {
            *ret_index = i;
            return 0;
        }
        snprintf(expected + used, sizeof(expected) - used, "%s\"%s\"",
                 i ? " or " : "", key->choices[i]);
    }
    return bad_value(origin, value, expected, err);
}

static int set_path(char *ret_path, const struct config_key *key,
                    const char *value, const char *origin, struct xcx_err *err)
{
    bool ok = value[0] ? value[0] == '/' : !key->required;

    if (!ok || strlen(value) >= CONFIG_PATH_BYTES)
        return bad_value(origin, value,
                         key->required ? "an absolute path"
                                       : "an absolute path, or nothing",
                         err);
    snprintf(ret_path, CONFIG_PATH_BYTES, "%s", value);
    return 0;
}

static int set_text(char *ret_text, const char *value, const char *origin,
                    struct xcx_err *err)
{
    if (strlen(value) >= CONFIG_TEXT_BYTES)
        return bad_value(origin, value, "a shorter text", err);
    snprintf(ret_text, CONFIG_TEXT_BYTES, "%s", value);
    return 0;
}

int config_value_set(struct config *config, const struct config_key *key,
                     const char *value, const char *origin, struct xcx_err *err)
{
    char *field = (char *)config + key->offset;

    switch (key->type) {
    case CONFIG_NUMBER:
        return set_number((unsigned long *)(void *)field, key, value, origin,
                          err);
    case CONFIG_CHOICE:
        return set_choice((unsigned *)(void *)field, key, value, origin, err);
    case CONFIG_PATH:
        return set_path(field, key, value, origin, err);
    case CONFIG_TEXT:
        return set_text(field, value, origin, err);
    case CONFIG_KEYS:
        break;
    }
    return xcx_err_set(err, XCX_ERR_BUG, 0, "key %s takes no single value",
                       key->name);
}

/* ---- xenstore keys ------------------------------------------------------ */

static bool is_relative_key(const char *text)
{
    size_t nr_chars = strlen(text);

    if (nr_chars == 0 || nr_chars >= CONFIG_XENSTORE_KEY_BYTES)
        return false;
    if (text[0] == '/' || text[nr_chars - 1] == '/' || strstr(text, "//"))
        return false;
    for (size_t i = 0; i < nr_chars; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("-/_@", text[i]))
            return false;
    return true;
}

int config_value_add_key(struct config_xenstore_keys *keys, const char *value,
                         const char *origin, struct xcx_err *err)
{
    if (!is_relative_key(value))
        return bad_value(origin, value,
                         "a key below the domain's own, such as \"data\"", err);
    if (keys->nr == CONFIG_MAX_XENSTORE_KEYS)
        return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: more than %d keys",
                           origin, CONFIG_MAX_XENSTORE_KEYS);
    snprintf(keys->key[keys->nr++], CONFIG_XENSTORE_KEY_BYTES, "%s", value);
    return 0;
}

int config_value_split_keys(struct config_xenstore_keys *keys, const char *text,
                            const char *origin, struct xcx_err *err)
{
    text += strspn(text, SEPARATORS);
    while (*text) {
        size_t nr_chars = strcspn(text, SEPARATORS);
        char key[CONFIG_XENSTORE_KEY_BYTES + 1];

        snprintf(key, sizeof(key), "%.*s", (int)nr_chars, text);
        if (config_value_add_key(keys, key, origin, err) < 0)
            return -1;
        text += nr_chars;
        text += strspn(text, SEPARATORS);
    }
    return 0;
}
