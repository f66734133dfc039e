/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_same.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>
#include <yajl/yajl_tree.h>

#include "common/lines.h"

#define TEXT_BYTES  256
#define PATH_BYTES  192
#define VALUE_BYTES 64

/* ---- two configurations -------------------------------------------------- */

/* Where in the configuration: a path that grows and shrinks. */
struct place {
    char path[PATH_BYTES];
    char *text; /* of the first difference */
    size_t text_bytes;
};

static void value_text(yajl_val value, char ret[VALUE_BYTES])
{
    if (!value || YAJL_IS_NULL(value))
        snprintf(ret, VALUE_BYTES, "nothing");
    else if (YAJL_IS_STRING(value))
        snprintf(ret, VALUE_BYTES, "\"%.50s\"", YAJL_GET_STRING(value));
    else if (YAJL_IS_NUMBER(value))
        snprintf(ret, VALUE_BYTES, "%.50s", YAJL_GET_NUMBER(value));
    else if (YAJL_IS_TRUE(value) || YAJL_IS_FALSE(value))
        snprintf(ret, VALUE_BYTES, YAJL_IS_TRUE(value) ? "true" : "false");
    else if (YAJL_IS_ARRAY(value))
        snprintf(ret, VALUE_BYTES, "%zu of them", YAJL_GET_ARRAY(value)->len);
    else
        snprintf(ret, VALUE_BYTES, "a setting");
    lines_make_plain(ret);
}

static bool differ(struct place *place, yajl_val before, yajl_val now)
{
    char was[VALUE_BYTES], is[VALUE_BYTES];

    value_text(before, was);
    value_text(now, is);
    snprintf(place->text, place->text_bytes, "%s: %s before, %s now",
             place->path, was, is);
    return false;
}

static bool same_value(struct place *place, yajl_val before, yajl_val now);

/* Behind the path for the time of the comparison. */
static bool same_below(struct place *place, const char *name, yajl_val before,
                       yajl_val now)
{
    size_t used = strlen(place->path);
    bool same;

    snprintf(place->path + used, sizeof(place->path) - used, "%s%.60s",
             used && *name != '[' ? "." : "", name);
    lines_make_plain(place->path);
    same = same_value(place, before, now);
    place->path[used] = 0;
    return same;
}

static yajl_val member(yajl_val map, const char *name)
{
    const char *path[] = {name, NULL};

    return yajl_tree_get(map, path, yajl_t_any);
}

static bool same_map(struct place *place, yajl_val before, yajl_val now)
{
    for (size_t i = 0; i < YAJL_GET_OBJECT(before)->len; i++) {
        const char *name = YAJL_GET_OBJECT(before)->keys[i];

        if (!same_below(place, name, YAJL_GET_OBJECT(before)->values[i],
                        member(now, name)))
            return false;
    }
    for (size_t i = 0; i < YAJL_GET_OBJECT(now)->len; i++) {
        const char *name = YAJL_GET_OBJECT(now)->keys[i];

        if (!member(before, name) &&
            !same_below(place, name, NULL, YAJL_GET_OBJECT(now)->values[i]))
            return false;
    }
    return true;
}

static bool same_array(struct place *place, yajl_val before, yajl_val now)
{
    if (YAJL_GET_ARRAY(before)->len != YAJL_GET_ARRAY(now)->len)
        return differ(place, before, now);
    for (size_t i = 0; i < YAJL_GET_ARRAY(before)->len; i++) {
        char name[32];

        snprintf(name, sizeof(name), "[%zu]", i);
        if (!same_below(place, name, YAJL_GET_ARRAY(before)->values[i],
                        YAJL_GET_ARRAY(now)->values[i]))
            return false;
    }
    return true;
}

static bool same_value(struct place *place, yajl_val before, yajl_val now)
{
    char was[VALUE_BYTES], is[VALUE_BYTES];

    if (!before || !now || before->type != now->type)
        return before == now ? true : differ(place, before, now);
    if (YAJL_IS_OBJECT(before))
        return same_map(place, before, now);
    if (YAJL_IS_ARRAY(before))
        return same_array(place, before, now);
    if (YAJL_IS_STRING(before))
        return !strcmp(before->u.string, now->u.string) ||
               differ(place, before, now);
    value_text(before, was);
    value_text(now, is);
    return !strcmp(was, is) || differ(place, before, now);
}

bool send_same_config(const char *before, const char *now, char *text,
                      size_t text_bytes)
{
    struct place place = {.text = text, .text_bytes = text_bytes};
    char why[TEXT_BYTES];
    yajl_val was, is;
    bool same;

    if (!strcmp(before, now))
        return true;
    was = yajl_tree_parse(before, why, sizeof(why));
    is = yajl_tree_parse(now, why, sizeof(why));
    same = same_value(&place, was, is);
    if (!was || !is) {
        snprintf(text, text_bytes, "libxl prints it differently");
        same = false;
    }
    yajl_tree_free(was);
    yajl_tree_free(is);
    return same;
}

/* ---- what is left of a change -------------------------------------------- */

static void read_target(struct host *host, uint32_t domid, char *ret,
                        size_t bytes)
{
    char path[64], *value;
    unsigned nr_bytes;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/memory/target",
             domid);
    value = host->xs ? xs_read(host->xs, XBT_NULL, path, &nr_bytes) : NULL;
    snprintf(ret, bytes, "%s", value ? value : "");
    free(value);
}

static void make_mark(const struct send_same *same, struct host *host,
                      const struct domain *domain, struct send_same_mark *ret)
{
    char path[PATH_BYTES];
    struct stat st;

    memset(ret, 0, sizeof(*ret));
    snprintf(path, sizeof(path), "%s/userdata-d.%" PRIu32 ".%s.libxl-json",
             same->libxl_dir, domain->domid, domain->uuid);
    ret->has_file = !stat(path, &st);
    if (ret->has_file) {
        ret->inode = st.st_ino;
        ret->written = st.st_mtim;
    }
    read_target(host, domain->domid, ret->memory_target,
                sizeof(ret->memory_target));
}

static bool is_same_file(const struct send_same_mark *before,
                         const struct send_same_mark *now)
{
    return before->has_file == now->has_file && before->inode == now->inode &&
           before->written.tv_sec == now->written.tv_sec &&
           before->written.tv_nsec == now->written.tv_nsec;
}

/* ---- a guest ------------------------------------------------------------- */

int send_same_note(struct send_same *same, struct host *host,
                   const struct domain *domain, struct xcx_err *err)
{
    free(same->json);
    same->json = NULL;
    make_mark(same, host, domain, &same->mark);
    return domain_config_json(host, domain->domid, false, &same->json, err);
}

static int changed(const struct domain *domain, const char *what,
                   struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "%.80s was changed while it was copied (%.200s): it is "
                       "not moved without that change; try again",
                       domain->name, what);
}

int send_same_check(struct send_same *same, struct host *host,
                    const struct domain *domain, struct xcx_err *err)
{
    struct send_same_mark mark;
    char text[TEXT_BYTES], *now = NULL;
    bool same_config;

    /* Before it is read: what changes in between is seen the next time. */
    make_mark(same, host, domain, &mark);
    if (domain_config_json(host, domain->domid, false, &now, err))
        return -1;
    same_config = send_same_config(same->json, now, text, sizeof(text));
    free(now);
    if (!same_config)
        return changed(domain, text, err);
    same->mark = mark;
    return 0;
}

int send_same_glance(const struct send_same *same, struct host *host,
                     const struct domain *domain, struct xcx_err *err)
{
    struct send_same_mark mark;

    make_mark(same, host, domain, &mark);
    if (!is_same_file(&same->mark, &mark))
        return changed(domain, "libxl has stored its configuration anew", err);
    if (strcmp(same->mark.memory_target, mark.memory_target) != 0)
        return changed(domain, "its memory target", err);
    return 0;
}

void send_same_done(struct send_same *same)
{
    free(same->json);
    same->json = NULL;
}
