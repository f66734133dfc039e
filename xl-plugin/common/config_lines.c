/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config_lines.h"

#include <ctype.h>
#include <string.h>

void config_lines_init(struct config_lines *lines, const char *text)
{
    *lines = (struct config_lines){.at = text, .line = 1};
}

static void step(struct config_lines *lines)
{
    if (*lines->at == '\n')
        lines->line++;
    lines->at++;
}

/* Over a string, from its opening quote to behind the closing one. */
static void skip_string(struct config_lines *lines)
{
    char quote = *lines->at;

    for (step(lines); *lines->at && *lines->at != quote; step(lines)) {
        if (*lines->at == '\\' && lines->at[1])
            step(lines);
    }
    if (*lines->at)
        step(lines);
}

static void skip_comment(struct config_lines *lines)
{
    lines->at += strcspn(lines->at, "\n");
}

/* To where the next assignment may begin: behind a newline or ";". */
static void skip_value(struct config_lines *lines)
{
    unsigned depth = 0;

    while (*lines->at) {
        char c = *lines->at;

        if (c == '#') {
            skip_comment(lines);
        } else if (c == '"' || c == '\'') {
            skip_string(lines);
        } else {
            step(lines);
            if (c == '[')
                depth++;
            else if (c == ']' && depth > 0)
                depth--;
            else if ((c == '\n' || c == ';') && depth == 0)
                return;
        }
    }
}

static size_t name_length(const char *text)
{
    size_t nr_chars = 0;

    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return 0;
    while (isalnum((unsigned char)text[nr_chars]) || text[nr_chars] == '_')
        nr_chars++;
    return nr_chars;
}

bool config_lines_next(struct config_lines *lines, struct config_line *ret)
{
    const char *sign;

    while (*lines->at) {
        if (isspace((unsigned char)*lines->at) || *lines->at == ';') {
            step(lines);
            continue;
        }
        ret->key = lines->at;
        ret->key_nr_chars = name_length(lines->at);
        ret->line = lines->line;
        sign = ret->key + ret->key_nr_chars;
        sign += strspn(sign, " \t");
        ret->is_append = sign[0] == '+' && sign[1] == '=';
        skip_value(lines);
        if (ret->key_nr_chars > 0 && (ret->is_append || *sign == '='))
            return true;
    }
    return false;
}
