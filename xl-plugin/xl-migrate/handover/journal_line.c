/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "journal_line.h"

#include <errno.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#define VERSION 1

static const char *const side_names[] = {
    [JOURNAL_SOURCE] = "source",
    [JOURNAL_TARGET] = "target",
};

/* Where each text of the first line stands in a case. */
static const struct {
    const char *key;
    size_t offset, nr_bytes;
} case_texts[] = {
    {"id", offsetof(struct journal_case, id), JOURNAL_ID_BYTES},
    {"uuid", offsetof(struct journal_case, uuid), JOURNAL_UUID_BYTES},
    {"name", offsetof(struct journal_case, name), JOURNAL_TEXT_BYTES},
    {"peer", offsetof(struct journal_case, peer), JOURNAL_TEXT_BYTES},
    {"boot", offsetof(struct journal_case, boot), JOURNAL_UUID_BYTES},
};

#define NR_CASE_TEXTS (sizeof(case_texts) / sizeof(case_texts[0]))

const char *journal_side_name(enum journal_side side)
{
    return side_names[side];
}

/* ---- to text ------------------------------------------------------------ */

static bool put_text(yajl_gen gen, const char *text)
{
    return yajl_gen_string(gen, (const unsigned char *)text, strlen(text)) ==
           yajl_gen_status_ok;
}

static bool put_pair(yajl_gen gen, const char *key, const char *text)
{
    return put_text(gen, key) && put_text(gen, text);
}

static bool put_number(yajl_gen gen, const char *key, uint64_t number)
{
    return put_text(gen, key) &&
           yajl_gen_integer(gen, (long long)number) == yajl_gen_status_ok;
}

static bool put_flag(yajl_gen gen, const char *key, bool flag)
{
    return put_text(gen, key) && yajl_gen_bool(gen, flag) == yajl_gen_status_ok;
}

static yajl_gen open_line(struct xcx_err *err)
{
    yajl_gen gen = yajl_gen_alloc(NULL);

    if (!gen) {
        xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "a journal's line");
        return NULL;
    }
    yajl_gen_config(gen, yajl_gen_validate_utf8, 1);
    yajl_gen_map_open(gen);
    return gen;
}

/* Frees gen. */
static int close_line(yajl_gen gen, bool ok, char *ret_line,
                      size_t *ret_nr_bytes, struct xcx_err *err)
{
    const unsigned char *text;
    size_t nr_bytes;
    int rc = -1;

    if (!ok || yajl_gen_map_close(gen) != yajl_gen_status_ok ||
        yajl_gen_get_buf(gen, &text, &nr_bytes) != yajl_gen_status_ok ||
        nr_bytes >= JOURNAL_LINE_BYTES) {
        xcx_err_set(err, XCX_ERR_USAGE, 0,
                    "a journal cannot hold these names: not UTF-8");
    } else {
        memcpy(ret_line, text, nr_bytes);
        ret_line[nr_bytes] = '\n';
        *ret_nr_bytes = nr_bytes + 1;
        rc = 0;
    }
    yajl_gen_free(gen);
    return rc;
}

int journal_line_of_case(const struct journal_case *about, char *ret_line,
                         size_t *ret_nr_bytes, struct xcx_err *err)
{
    yajl_gen gen = open_line(err);
    bool ok;

    if (!gen)
        return -1;
    ok = put_number(gen, "version", VERSION) &&
         put_pair(gen, "side", journal_side_name(about->side));
    for (size_t i = 0; i < NR_CASE_TEXTS; i++)
        ok = ok && put_pair(gen, case_texts[i].key,
                            (const char *)about + case_texts[i].offset);
    if (about->stay_paused)
        ok = ok && put_flag(gen, "stay_paused", true);
    /* A source that does not know which it was must not guess. */
    if (about->stock || about->side == JOURNAL_SOURCE)
        ok = ok && put_flag(gen, "stock", about->stock);
    /* This version writes SUSPENDING before it asks the guest to. */
    if (about->side == JOURNAL_SOURCE)
        ok = ok && put_flag(gen, "suspending", true);
    return close_line(gen, ok, ret_line, ret_nr_bytes, err);
}

int journal_line_of_entry(enum handover_entry entry, uint32_t domid,
                          uint64_t time_s, char *ret_line, size_t *ret_nr_bytes,
                          struct xcx_err *err)
{
    yajl_gen gen = open_line(err);
    bool ok;

    if (!gen)
        return -1;
    ok = put_pair(gen, "entry", handover_entry_name(entry)) &&
         put_number(gen, "domid", domid) && put_number(gen, "time_s", time_s);
    return close_line(gen, ok, ret_line, ret_nr_bytes, err);
}

int journal_line_of_built(uint32_t domid, const char *uuid, uint64_t time_s,
                          char *ret_line, size_t *ret_nr_bytes,
                          struct xcx_err *err)
{
    yajl_gen gen = open_line(err);
    bool ok;

    if (!gen)
        return -1;
    ok = put_number(gen, "built", domid) && put_pair(gen, "uuid", uuid) &&
         put_number(gen, "time_s", time_s);
    return close_line(gen, ok, ret_line, ret_nr_bytes, err);
}

/* ---- from text ---------------------------------------------------------- */

static const char *text_of(yajl_val root, const char *key)
{
    const char *path[] = {key, NULL};

    return YAJL_GET_STRING(yajl_tree_get(root, path, yajl_t_string));
}

/* Anything else than a flag is as if it were not there. */
static bool flag_of(yajl_val root, const char *key, bool *ret_is_there)
{
    const char *path[] = {key, NULL};
    yajl_val value = yajl_tree_get(root, path, yajl_t_any);

    *ret_is_there = YAJL_IS_TRUE(value) || YAJL_IS_FALSE(value);
    return YAJL_IS_TRUE(value);
}

static bool number_of(yajl_val root, const char *key, long long *ret)
{
    const char *path[] = {key, NULL};
    yajl_val value = yajl_tree_get(root, path, yajl_t_number);

    if (!YAJL_IS_INTEGER(value))
        return false;
    *ret = YAJL_GET_INTEGER(value);
    return true;
}

static bool side_of(yajl_val root, enum journal_side *ret)
{
    const char *side = text_of(root, "side");

    for (int i = JOURNAL_SOURCE; side && i <= JOURNAL_TARGET; i++) {
        if (!strcmp(side, side_names[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static int take_case(struct journal_case *about, yajl_val root,
                     struct xcx_err *err)
{
    struct journal_case taken = {.side = JOURNAL_SOURCE};
    long long version;
    bool unused;

    if (!number_of(root, "version", &version) || version != VERSION)
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "not the first line of a journal, version %d",
                           VERSION);
    if (!side_of(root, &taken.side))
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "says no side");
    for (size_t i = 0; i < NR_CASE_TEXTS; i++) {
        const char *text = text_of(root, case_texts[i].key);

        if (!text || strlen(text) >= case_texts[i].nr_bytes)
            return xcx_err_set(err, XCX_ERR_STREAM, 0,
                               "\"%s\" is not there, or too long",
                               case_texts[i].key);
        strcpy((char *)&taken + case_texts[i].offset, text);
    }
    taken.stay_paused = flag_of(root, "stay_paused", &unused);
    taken.stock = flag_of(root, "stock", &taken.tells_stock);
    taken.suspends_unnoted =
        taken.side == JOURNAL_SOURCE && !flag_of(root, "suspending", &unused);
    *about = taken;
    return 0;
}

static bool is_of_side(enum journal_side side, enum handover_entry entry)
{
    return side == JOURNAL_SOURCE
               ? entry >= HANDOVER_OFFERED && entry <= HANDOVER_YIELDED
               : entry >= HANDOVER_READY && entry < HANDOVER_NR_ENTRIES;
}

int journal_line_check(const struct journal *journal, enum handover_entry entry,
                       struct xcx_err *err)
{
    if (is_of_side(journal->about.side, entry) && entry > journal->entry)
        return 0;
    return xcx_err_set(err, XCX_ERR_BUG, 0, "%s cannot follow %s at a %s",
                       handover_entry_name(entry),
                       handover_entry_name(journal->entry),
                       journal_side_name(journal->about.side));
}

int journal_line_check_built(const struct journal *journal, struct xcx_err *err)
{
    if (journal->about.side == JOURNAL_TARGET && !journal->entry &&
        !journal->domid)
        return 0;
    return xcx_err_set(err, XCX_ERR_BUG, 0,
                       "a domain cannot be made after %s at a %s",
                       handover_entry_name(journal->entry),
                       journal_side_name(journal->about.side));
}

/* 0: none is told; it may have been left out by an older version. */
static uint64_t time_of(yajl_val root)
{
    long long time_s = 0;

    return number_of(root, "time_s", &time_s) && time_s > 0 ? (uint64_t)time_s
                                                            : 0;
}

static int take_built(struct journal *journal, yajl_val root,
                      struct xcx_err *err)
{
    const char *uuid = text_of(root, "uuid");
    struct xcx_err unfit = XCX_ERR_INIT;
    long long domid;

    if (!number_of(root, "built", &domid) || domid < 1 || domid > UINT16_MAX ||
        !uuid || !*uuid || strlen(uuid) >= sizeof(journal->built_uuid))
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "says no domain");
    if (journal_line_check_built(journal, &unfit))
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "%s", unfit.msg);
    strcpy(journal->built_uuid, uuid);
    journal->domid = (uint32_t)domid;
    journal->time_s = time_of(root);
    return 0;
}

static bool is_built(yajl_val root)
{
    const char *path[] = {"built", NULL};

    return yajl_tree_get(root, path, yajl_t_any) != NULL;
}

static int take_entry(struct journal *journal, yajl_val root,
                      struct xcx_err *err)
{
    const char *name = text_of(root, "entry");
    enum handover_entry entry = HANDOVER_OFFERED;
    struct xcx_err unfit = XCX_ERR_INIT;
    long long domid;

    while (name && entry < HANDOVER_NR_ENTRIES &&
           strcmp(name, handover_entry_name(entry)))
        entry++;
    if (!name || entry == HANDOVER_NR_ENTRIES)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "is not an entry");
    if (!number_of(root, "domid", &domid) || domid < 0 || domid > UINT16_MAX)
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "says no domain");
    if (journal_line_check(journal, entry, &unfit))
        return xcx_err_set(err, XCX_ERR_STREAM, 0, "%s", unfit.msg);
    journal->entry = entry;
    journal->domid = (uint32_t)domid;
    journal->was_ready |= entry == HANDOVER_READY;
    journal->time_s = time_of(root);
    return 0;
}

int journal_line_take(struct journal *journal, unsigned number,
                      const char *line, size_t nr_bytes, struct xcx_err *err)
{
    char why[64];
    yajl_val root = strlen(line) == nr_bytes
                        ? yajl_tree_parse(line, why, sizeof(why))
                        : NULL;
    int rc;

    if (!YAJL_IS_OBJECT(root))
        rc = xcx_err_set(err, XCX_ERR_STREAM, 0, "is not a JSON object");
    else if (number == 1)
        rc = take_case(&journal->about, root, err);
    else if (is_built(root))
        rc = take_built(journal, root, err);
    else
        rc = take_entry(journal, root, err);
    yajl_tree_free(root);
    return rc;
}
