/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stock_list.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_BYTES    1024
#define STATE_LETTERS 6 /* r, b, p, s, c, d, or a dash each */
#define SUFFIX        "--incoming"
#define DOMID_END     0x7ff0

enum { STATE_PAUSED = 2, STATE_DYING = 5 };

/*
 * The columns from the right, since the name, which is the first, is any text:
 * NAME ID MEM VCPUS STATE TIME UUID REASON LABEL
 */
enum {
    COLUMN_LABEL,
    COLUMN_REASON,
    COLUMN_UUID,
    COLUMN_TIME,
    COLUMN_STATE,
    COLUMN_VCPUS,
    COLUMN_MEM,
    COLUMN_ID,
    NR_COLUMNS
};

/* Cuts the last word off the text of nr_bytes; NULL: there is none. */
static char *cut_word(char *text, size_t *nr_bytes)
{
    while (*nr_bytes && strchr(" \t", text[*nr_bytes - 1]))
        text[--*nr_bytes] = 0;
    while (*nr_bytes && !strchr(" \t", text[*nr_bytes - 1]))
        --*nr_bytes;
    return text[*nr_bytes] ? text + *nr_bytes : NULL;
}

static bool is_incoming(const char *name, size_t nr_bytes)
{
    size_t suffix_bytes = strlen(SUFFIX);

    while (nr_bytes && name[nr_bytes - 1] == ' ')
        nr_bytes--;
    return nr_bytes > suffix_bytes &&
           !strncmp(name + nr_bytes - suffix_bytes, SUFFIX, suffix_bytes);
}

static bool parse_domid(const char *word, uint32_t *ret)
{
    char *end;
    unsigned long domid = strtoul(word, &end, 10);

    if (*word < '0' || *word > '9' || *end || domid >= DOMID_END)
        return false;
    *ret = (uint32_t)domid;
    return true;
}

/*
 * A dying domain never runs again, though its memory may be held for long;
 * another of that UUID may stand below.
 */
static enum handover_copy copy_of(const char *state, const char *name,
                                  size_t name_bytes)
{
    if (state[STATE_DYING] == 'd')
        return HANDOVER_ABSENT;
    if (is_incoming(name, name_bytes))
        return HANDOVER_BUILDING;
    return state[STATE_PAUSED] == 'p' ? HANDOVER_PAUSED : HANDOVER_RUNNING;
}

struct row {
    const char *uuid; /* within the line */
    uint32_t domid;
    enum handover_copy copy;
};

/* Changes the line. false: the line is no row of a list. */
static bool parse_row(char *line, struct row *ret)
{
    char *words[NR_COLUMNS];
    size_t nr_bytes = strlen(line);

    for (int i = 0; i < NR_COLUMNS; i++) {
        words[i] = cut_word(line, &nr_bytes);
        if (!words[i])
            return false;
    }
    if (!parse_domid(words[COLUMN_ID], &ret->domid) ||
        strlen(words[COLUMN_STATE]) != STATE_LETTERS)
        return false;
    ret->uuid = words[COLUMN_UUID];
    ret->copy = copy_of(words[COLUMN_STATE], line, nr_bytes);
    return true;
}

static int refuse(const char *why, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_PEER, 0, "xl list there %s", why);
}

static bool has_text(const char *line, const char *text)
{
    size_t nr_bytes = strlen(text);

    for (; *line; line++) {
        if (!strncasecmp(line, text, nr_bytes))
            return true;
    }
    return false;
}

/* Copies one line and returns the text behind; true in *ret_fits. */
static const char *take_line(const char *text, char line[LINE_BYTES],
                             bool *ret_fits)
{
    size_t nr_bytes = strcspn(text, "\n");

    *ret_fits = nr_bytes < LINE_BYTES;
    snprintf(line, LINE_BYTES, "%.*s", (int)nr_bytes, text);
    return text + nr_bytes + (text[nr_bytes] != 0);
}

static bool is_head(const char *line)
{
    return !strncmp(line, "Name ", 5) && strstr(line, "UUID");
}

/* Adds a line that names the UUID to what was found. */
static int take(char *line, const char *uuid, struct row *found,
                struct xcx_err *err)
{
    struct row row;

    if (!parse_row(line, &row))
        return refuse("says nothing that can be read of the domain", err);
    if (strcasecmp(row.uuid, uuid) != 0 || row.copy == HANDOVER_ABSENT)
        return 0;
    if (!row.domid)
        return refuse("says nothing that can be read of the domain", err);
    if (found->domid)
        return refuse("has two domains of one UUID: look at that host", err);
    *found = row;
    return 0;
}

int stock_list_find(const char *text, const char *uuid,
                    enum handover_copy *ret_copy, uint32_t *ret_domid,
                    struct xcx_err *err)
{
    struct row found = {.copy = HANDOVER_ABSENT};
    bool is_list = false;

    while (*text) {
        char line[LINE_BYTES];
        bool fits;

        text = take_line(text, line, &fits);
        is_list |= is_head(line);
        if (!is_list || !has_text(line, uuid))
            continue;
        if (!fits)
            return refuse("has a line that is too long", err);
        if (take(line, uuid, &found, err))
            return -1;
    }
    if (!is_list)
        return refuse("answers nothing that can be read", err);
    *ret_copy = found.copy;
    *ret_domid = found.domid;
    return 0;
}

int stock_list_confirm(const char *text, const char *uuid, uint32_t domid,
                       enum handover_copy *ret_copy, struct xcx_err *err)
{
    char line[LINE_BYTES] = "";
    bool fits = true, is_list = false;
    struct row row;

    while (*text) {
        text = take_line(text, line, &fits);
        is_list |= is_head(line);
    }
    /* Lines above can be the first lines of the name. */
    if (!is_list || !fits || !parse_row(line, &row) || row.domid != domid)
        return refuse("says nothing that can be read of the domain", err);
    *ret_copy = strcasecmp(row.uuid, uuid) ? HANDOVER_ABSENT : row.copy;
    return 0;
}
