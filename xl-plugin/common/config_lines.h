/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config_lines: the keys that a configuration text assigns, and their lines.
 *
 * libxlutil gives values by name, but neither tells which names there are
 * nor on which line. This walks over the same syntax (comments, strings,
 * brackets, ";" between assignments) and reports each assignment in order.
 * It judges no values. Pure.
 */
#ifndef COMMON_CONFIG_LINES_H
#define COMMON_CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct config_line {
    const char *key; /* into the text, not NUL-terminated */
    size_t key_nr_chars;
    unsigned line;  /* from 1 */
    bool is_append; /* "+=" */
};

struct config_lines {
    const char *at; /* the rest of the text, NUL-terminated */
    unsigned line;
};

/* The text must outlive the walk. */
void config_lines_init(struct config_lines *lines, const char *text);

/* The next assignment; false at the end. */
bool config_lines_next(struct config_lines *lines, struct config_line *ret);

#endif
