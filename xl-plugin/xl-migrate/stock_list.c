/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stock_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_BYTES 1024
#define MAX_WORDS  32
/* Name, ID, Mem, VCPUs, State and Time(s) stand before the UUID. */
#define WORDS_BEFORE  6
#define STATE_LETTERS 6 /* r, b, p, s, c, d, or a dash each */
#define SUFFIX        "--incoming"

enum { WORD_NAME, WORD_ID, WORD_MEM, WORD_VCPUS, WORD_STATE };
enum { STATE_PAUSED = 2, STATE_DYING = 5 };

/* The word that is the UUID, or -1; *ret_nr words in all. */
static int split(char *line, const char *uuid, char **words)
{
    char *saved = NULL;
    int nr_words = 0;

    for (char *word = strtok_r(line, " \t", &saved);
         word && nr_words < MAX_WORDS; word = strtok_r(NULL, " \t", &saved)) {
        words[nr_words] = word;
        if (!strcasecmp(word, uuid))
            return nr_words;
        nr_words++;
    }
    return -1;
}

static bool is_incoming(const char *name)
{
    size_t nr_bytes = strlen(name);

    return nr_bytes > strlen(SUFFIX) &&
           !strcmp(name + nr_bytes - strlen(SUFFIX), SUFFIX);
}

static int take(char **words, int uuid_at, enum handover_copy *ret_copy,
                uint32_t *ret_domid, struct xcx_err *err)
{
    char **first = words + uuid_at - WORDS_BEFORE;
    unsigned long domid = 0;
    char *end = "x";

    if (uuid_at >= WORDS_BEFORE)
        domid = strtoul(first[WORD_ID], &end, 10);
    if (*end || !domid || domid >= 0x7ff0 ||
        strlen(first[WORD_STATE]) != STATE_LETTERS)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "xl list there says nothing that can be read of "
                           "the domain");
    *ret_domid = (uint32_t)domid;
    /*
     * It never runs again, though its memory may be held for long; another of
     * that UUID may stand below.
     */
    if (first[WORD_STATE][STATE_DYING] == 'd')
        *ret_copy = HANDOVER_ABSENT;
    else if (is_incoming(first[WORD_NAME]))
        *ret_copy = HANDOVER_BUILDING;
    else if (first[WORD_STATE][STATE_PAUSED] == 'p')
        *ret_copy = HANDOVER_PAUSED;
    else
        *ret_copy = HANDOVER_RUNNING;
    return 0;
}

int stock_list_find(const char *text, const char *uuid,
                    enum handover_copy *ret_copy, uint32_t *ret_domid,
                    struct xcx_err *err)
{
    bool is_list = false;

    for (size_t nr_bytes; *text; text += nr_bytes + (text[nr_bytes] != 0)) {
        char line[LINE_BYTES];
        char *words[MAX_WORDS];
        int uuid_at;

        nr_bytes = strcspn(text, "\n");
        if (nr_bytes >= sizeof(line))
            continue;
        memcpy(line, text, nr_bytes);
        line[nr_bytes] = 0;
        is_list |= !strncmp(line, "Name ", 5) && strstr(line, "UUID");
        uuid_at = is_list ? split(line, uuid, words) : -1;
        if (uuid_at < 0)
            continue;
        if (take(words, uuid_at, ret_copy, ret_domid, err))
            return -1;
        if (*ret_copy != HANDOVER_ABSENT)
            return 0;
    }
    if (!is_list)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "xl list there answers "
                           "nothing that can be read");
    *ret_copy = HANDOVER_ABSENT;
    *ret_domid = 0;
    return 0;
}
