/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_conf.h"

#include <ctype.h>
#include <string.h>

/*
 * Xen's dom0_mem= with at least one size: what xl looks for where the setting
 * is "auto".
 */
static bool has_dom0_mem(const char *command_line)
{
    static const char key[] = "dom0_mem=";
    const char *at = command_line;

    while ((at = strstr(at, key))) {
        const char *value = at + strlen(key);

        if (at == command_line || at[-1] == ' ') {
            if (strncmp(value, "min:", 4) == 0 ||
                strncmp(value, "max:", 4) == 0)
                value += 4;
            if (isdigit((unsigned char)value[value[0] == '-']))
                return true;
        }
        at = value;
    }
    return false;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* The line's value of the key, or NULL; *ret_length without its quotes. */
static const char *value_of(const char *line, const char *key,
                            size_t *ret_length)
{
    const char *at = skip_blanks(line);

    if (strncmp(at, key, strlen(key)) != 0)
        return NULL;
    at = skip_blanks(at + strlen(key));
    if (*at != '=')
        return NULL;
    at = skip_blanks(at + 1);
    if (*at == '"' || *at == '\'') {
        *ret_length = strcspn(at + 1, "\"'\n");
        return at + 1;
    }
    *ret_length = strcspn(at, " \t;#\n");
    return at;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

/* *ret is left alone where the text of xl.conf leaves it to "auto". */
static bool autoballoon_is_set(const char *xl_conf, bool *ret)
{
    bool set = false;

    for (const char *line = xl_conf; line && *line;) {
        size_t length;
        const char *value = value_of(line, "autoballoon", &length);

        if (value) {
            bool on =
                is_word(value, length, "on") || is_word(value, length, "1");

            set = on || is_word(value, length, "off") ||
                  is_word(value, length, "0");
            if (set)
                *ret = on;
        }
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return set;
}

bool xl_conf_autoballoon(const char *xl_conf, const char *xen_command_line)
{
    bool on;

    return autoballoon_is_set(xl_conf, &on) ? on
                                            : !has_dom0_mem(xen_command_line);
}
