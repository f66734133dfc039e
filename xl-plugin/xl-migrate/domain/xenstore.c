/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xenstore.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>
#include <xenstore_lib.h>

#define HOME_BYTES          80
#define FULL_BYTES          (HOME_BYTES + XENSTORE_MAX_PATH_BYTES + 2)
#define FIRST_ROOM          16
#define MAX_COMMIT_TRIES    100
#define LEFT_OUT_PATH_BYTES 80
#define SELF_TEXT           "self"

/* ---- trees -------------------------------------------------------------- */

static void entry_done(struct xenstore_entry *entry)
{
    free(entry->path);
    free(entry->value);
}

void xenstore_tree_done(struct xenstore_tree *tree)
{
    for (unsigned i = 0; i < tree->nr_entries; i++)
        entry_done(&tree->entries[i]);
    free(tree->entries);
    *tree = (struct xenstore_tree){.entries = NULL};
}

/* Relative, of xenstore's own letters, and without empty parts. */
static bool is_path(const char *path)
{
    size_t nr_bytes = strnlen(path, XENSTORE_MAX_PATH_BYTES + 1);

    if (!nr_bytes || nr_bytes > XENSTORE_MAX_PATH_BYTES || path[0] == '/' ||
        path[nr_bytes - 1] == '/' || strstr(path, "//"))
        return false;
    for (size_t i = 0; i < nr_bytes; i++) {
        if (!isalnum((unsigned char)path[i]) && !strchr("-/_@", path[i]))
            return false;
    }
    return true;
}

static int grow(struct xenstore_tree *tree, struct xcx_err *err)
{
    unsigned nr_room = tree->nr_room ? tree->nr_room * 2 : FIRST_ROOM;
    struct xenstore_entry *entries;

    if (tree->nr_entries < tree->nr_room)
        return 0;
    entries = realloc(tree->entries, nr_room * sizeof(*entries));
    if (!entries)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "xenstore entries");
    tree->entries = entries;
    tree->nr_room = nr_room;
    return 0;
}

static int check_bounds(const struct xenstore_tree *tree,
                        const struct xenstore_entry *entry,
                        enum xcx_err_kind kind, struct xcx_err *err)
{
    size_t bytes = strlen(entry->path) + entry->value_bytes;

    if (entry->value_bytes > XENSTORE_MAX_VALUE_BYTES)
        return xcx_err_set(err, kind, 0,
                           "xenstore: %.64s: a value of more than %d bytes",
                           entry->path, XENSTORE_MAX_VALUE_BYTES);
    if (tree->nr_entries >= XENSTORE_MAX_ENTRIES)
        return xcx_err_set(err, kind, 0,
                           "xenstore: more than %d nodes to carry",
                           XENSTORE_MAX_ENTRIES);
    if (bytes > XENSTORE_MAX_TOTAL_BYTES - tree->total_bytes)
        return xcx_err_set(err, kind, 0,
                           "xenstore: more than %u bytes to carry",
                           XENSTORE_MAX_TOTAL_BYTES);
    return 0;
}

/* Takes over what entry owns, upon an error too. */
static int append(struct xenstore_tree *tree, struct xenstore_entry *entry,
                  enum xcx_err_kind kind, struct xcx_err *err)
{
    if (check_bounds(tree, entry, kind, err) < 0 || grow(tree, err) < 0) {
        entry_done(entry);
        return -1;
    }
    tree->total_bytes += strlen(entry->path) + entry->value_bytes;
    tree->entries[tree->nr_entries++] = *entry;
    return 0;
}

static bool is_perm(const struct xenstore_perm *perm)
{
    return perm->access && strchr("nrwb", perm->access) &&
           (perm->domid == 0 || perm->domid == XENSTORE_SELF);
}

int xenstore_tree_add(struct xenstore_tree *tree,
                      const struct xenstore_entry *entry, struct xcx_err *err)
{
    struct xenstore_entry copy = *entry;

    if (!is_path(entry->path))
        return xcx_err_set(err, XCX_ERR_PEER, 0, "xenstore: not a path");
    if (!entry->nr_perms || entry->nr_perms > XENSTORE_MAX_PERMS)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "xenstore: %.64s: %u permissions, not 1 to %d",
                           entry->path, entry->nr_perms, XENSTORE_MAX_PERMS);
    for (unsigned i = 0; i < entry->nr_perms; i++) {
        if (!is_perm(&entry->perms[i]))
            return xcx_err_set(err, XCX_ERR_PEER, 0,
                               "xenstore: %.64s: a permission of another "
                               "domain",
                               entry->path);
    }
    if (check_bounds(tree, entry, XCX_ERR_PEER, err) < 0)
        return -1;
    copy.path = strdup(entry->path);
    copy.value = malloc(entry->value_bytes + 1);
    if (!copy.path || !copy.value) {
        entry_done(&copy);
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "xenstore entries");
    }
    memcpy(copy.value, entry->value, entry->value_bytes);
    copy.value[entry->value_bytes] = '\0';
    return append(tree, &copy, XCX_ERR_PEER, err);
}

/* ---- permissions -------------------------------------------------------- */

void xenstore_perm_text(const struct xenstore_perm *perm,
                        char ret[XENSTORE_PERM_BYTES])
{
    if (perm->domid == XENSTORE_SELF)
        snprintf(ret, XENSTORE_PERM_BYTES, "%c" SELF_TEXT, perm->access);
    else
        snprintf(ret, XENSTORE_PERM_BYTES, "%c%" PRIu32, perm->access,
                 perm->domid);
}

int xenstore_perm_parse(const char *text, struct xenstore_perm *ret,
                        struct xcx_err *err)
{
    struct xenstore_perm perm = {.access = text[0]};

    if (text[0] && strcmp(text + 1, SELF_TEXT) == 0)
        perm.domid = XENSTORE_SELF;
    else if (!text[0] || strcmp(text + 1, "0") != 0)
        perm.access = '\0';
    if (!is_perm(&perm))
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "xenstore: \"%.8s\" is no permission", text);
    *ret = perm;
    return 0;
}

static char access_of(unsigned perms)
{
    switch (perms & (XS_PERM_READ | XS_PERM_WRITE)) {
    case XS_PERM_READ:
        return 'r';
    case XS_PERM_WRITE:
        return 'w';
    case XS_PERM_READ | XS_PERM_WRITE:
        return 'b';
    default:
        return 'n';
    }
}

static unsigned perms_of(char access)
{
    switch (access) {
    case 'r':
        return XS_PERM_READ;
    case 'w':
        return XS_PERM_WRITE;
    case 'b':
        return XS_PERM_READ | XS_PERM_WRITE;
    default:
        return XS_PERM_NONE;
    }
}

/* The owner always has a place; other domains none. */
static void take_perms(const struct xs_permissions *perms, unsigned nr_perms,
                       uint32_t domid, struct xenstore_entry *entry)
{
    for (unsigned i = 0; i < nr_perms; i++) {
        struct xenstore_perm perm = {.access = access_of(perms[i].perms),
                                     .domid = perms[i].id};

        if (perm.domid == domid)
            perm.domid = XENSTORE_SELF;
        else if (perm.domid != 0 && i == 0)
            perm.domid = 0;
        else if (perm.domid != 0)
            continue;
        if (entry->nr_perms < XENSTORE_MAX_PERMS)
            entry->perms[entry->nr_perms++] = perm;
    }
}

/* ---- reading ------------------------------------------------------------ */

struct reader {
    struct xs_handle *xs;
    uint32_t domid;
    char home[HOME_BYTES];
    struct xenstore_tree *tree;
};

static void full_path(const char *home, const char *path, char ret[FULL_BYTES])
{
    snprintf(ret, FULL_BYTES, "%s/%s", home, path);
}

static int failed(const char *full, const char *what, struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_IO, errno, "xenstore: %s %.100s", what,
                       full);
}

/* The guest moves without it: none may keep its host from being emptied. */
static void leave_out(struct xenstore_tree *tree, const char *path,
                      size_t nr_bytes, const char *why)
{
    if (tree->nr_left_out++)
        return;
    snprintf(tree->left_out, sizeof(tree->left_out), "%.*s%s, %zu bytes: %s",
             LEFT_OUT_PATH_BYTES, path,
             strlen(path) > LEFT_OUT_PATH_BYTES ? "..." : "", nr_bytes, why);
}

/* NULL: it fits. */
static const char *why_not(const struct xenstore_tree *tree,
                           const struct xenstore_entry *entry)
{
    size_t bytes = strlen(entry->path) + entry->value_bytes;

    if (entry->value_bytes > XENSTORE_MAX_VALUE_BYTES)
        return "more than a value may have";
    if (tree->nr_entries >= XENSTORE_MAX_ENTRIES)
        return "more nodes than are carried";
    if (bytes > XENSTORE_MAX_TOTAL_BYTES - tree->total_bytes)
        return "more in all than is carried";
    return NULL;
}

static int append_if_it_fits(struct xenstore_tree *tree,
                             struct xenstore_entry *entry, struct xcx_err *err)
{
    const char *why = why_not(tree, entry);

    if (!why)
        return append(tree, entry, XCX_ERR_GUEST, err) < 0 ? -1 : 1;
    leave_out(tree, entry->path, strlen(entry->path) + entry->value_bytes, why);
    entry_done(entry);
    return 0;
}

/* 1: in the tree; 0: not there (any more), or left out. */
static int read_entry(struct reader *reader, const char *path,
                      struct xcx_err *err)
{
    char full[FULL_BYTES];
    struct xenstore_entry entry = {.path = NULL};
    struct xs_permissions *perms;
    unsigned nr_perms = 0;

    full_path(reader->home, path, full);
    entry.value = xs_read(reader->xs, XBT_NULL, full, &entry.value_bytes);
    if (!entry.value)
        return errno == ENOENT ? 0 : failed(full, "reading", err);
    perms = xs_get_permissions(reader->xs, XBT_NULL, full, &nr_perms);
    if (!perms || !nr_perms) {
        bool gone = !perms && errno == ENOENT;

        free(perms);
        free(entry.value);
        return gone ? 0 : failed(full, "asking the permissions of", err);
    }
    take_perms(perms, nr_perms, reader->domid, &entry);
    free(perms);
    entry.path = strdup(path);
    if (!entry.path) {
        free(entry.value);
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "xenstore entries");
    }
    return append_if_it_fits(reader->tree, &entry, err);
}

/* The children of an entry go behind all that is there. */
static int read_children(struct reader *reader, const char *path,
                         struct xcx_err *err)
{
    char full[FULL_BYTES], child[FULL_BYTES];
    unsigned nr_names = 0;
    char **names;
    int rc = 0;

    full_path(reader->home, path, full);
    names = xs_directory(reader->xs, XBT_NULL, full, &nr_names);
    if (!names)
        return errno == ENOENT ? 0 : failed(full, "listing", err);
    for (unsigned i = 0; i < nr_names && rc >= 0; i++) {
        snprintf(child, sizeof(child), "%s/%s", path, names[i]);
        if (is_path(child))
            rc = read_entry(reader, child, err);
        else
            leave_out(reader->tree, child, strlen(path) + strlen(names[i]) + 1,
                      "not a path that is carried");
    }
    free(names);
    return rc < 0 ? -1 : 0;
}

static int read_subtree(struct reader *reader, const char *path,
                        struct xcx_err *err)
{
    unsigned next = reader->tree->nr_entries;
    int rc = read_entry(reader, path, err);

    if (rc <= 0)
        return rc;
    for (; next < reader->tree->nr_entries; next++) {
        char parent[XENSTORE_MAX_PATH_BYTES + 1];

        /* The tree may move while children are added to it. */
        snprintf(parent, sizeof(parent), "%s",
                 reader->tree->entries[next].path);
        if (read_children(reader, parent, err) < 0)
            return -1;
    }
    return 0;
}

static void home_of(uint32_t domid, char ret[HOME_BYTES])
{
    snprintf(ret, HOME_BYTES, "/local/domain/%" PRIu32, domid);
}

int xenstore_read(struct xs_handle *xs, uint32_t domid,
                  const char *const *subtrees, unsigned nr_subtrees,
                  struct xenstore_tree *ret, struct xcx_err *err)
{
    struct reader reader = {.xs = xs, .domid = domid, .tree = ret};

    home_of(domid, reader.home);
    for (unsigned i = 0; i < nr_subtrees; i++) {
        if (!is_path(subtrees[i]))
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "xenstore: \"%.64s\" is no relative path",
                               subtrees[i]);
        if (read_subtree(&reader, subtrees[i], err) < 0)
            return xcx_err_prefix(err, "domain %" PRIu32, domid);
    }
    return 0;
}

/* The keys of a guest without PV drivers, or after a stock move, are empty. */
static int read_if_set(struct reader *reader, const char *path,
                       struct xcx_err *err)
{
    char full[FULL_BYTES];
    unsigned nr_bytes = 0;
    char *value;

    full_path(reader->home, path, full);
    value = xs_read(reader->xs, XBT_NULL, full, &nr_bytes);
    if (!value && errno != ENOENT)
        return failed(full, "reading", err);
    free(value);
    return nr_bytes ? read_entry(reader, path, err) : 0;
}

int xenstore_read_named(struct xs_handle *xs, uint32_t domid, const char *dir,
                        const char *begin, struct xenstore_tree *ret,
                        struct xcx_err *err)
{
    struct reader reader = {.xs = xs, .domid = domid, .tree = ret};
    char full[FULL_BYTES], child[XENSTORE_MAX_PATH_BYTES + 2];
    unsigned nr_names = 0;
    char **names;
    int rc = 0;

    home_of(domid, reader.home);
    full_path(reader.home, dir, full);
    names = xs_directory(xs, XBT_NULL, full, &nr_names);
    if (!names)
        return errno == ENOENT ? 0 : failed(full, "listing", err);
    for (unsigned i = 0; i < nr_names && rc >= 0; i++) {
        snprintf(child, sizeof(child), "%s/%s", dir, names[i]);
        if (!strncmp(names[i], begin, strlen(begin)) && is_path(child))
            rc = read_if_set(&reader, child, err);
    }
    free(names);
    return rc < 0 ? -1 : 0;
}

/* ---- writing ------------------------------------------------------------ */

static int write_entry(struct xs_handle *xs, xs_transaction_t t, uint32_t domid,
                       const char *home, const struct xenstore_entry *entry,
                       struct xcx_err *err)
{
    struct xs_permissions perms[XENSTORE_MAX_PERMS];
    char full[FULL_BYTES];

    full_path(home, entry->path, full);
    for (unsigned i = 0; i < entry->nr_perms; i++) {
        perms[i].perms = perms_of(entry->perms[i].access);
        perms[i].id = entry->perms[i].domid == XENSTORE_SELF
                          ? domid
                          : entry->perms[i].domid;
    }
    if (!xs_write(xs, t, full, entry->value, entry->value_bytes))
        return failed(full, "writing", err);
    if (!xs_set_permissions(xs, t, full, perms, entry->nr_perms))
        return failed(full, "setting the permissions of", err);
    return 0;
}

/* 1: the transaction met another one. */
static int write_once(struct xs_handle *xs, uint32_t domid,
                      const struct xenstore_tree *tree, struct xcx_err *err)
{
    char home[HOME_BYTES];
    xs_transaction_t t = xs_transaction_start(xs);

    home_of(domid, home);
    if (t == XBT_NULL)
        return failed(home, "a transaction for", err);
    for (unsigned i = 0; i < tree->nr_entries; i++) {
        if (write_entry(xs, t, domid, home, &tree->entries[i], err) < 0) {
            xs_transaction_end(xs, t, true);
            return -1;
        }
    }
    if (xs_transaction_end(xs, t, false))
        return 0;
    return errno == EAGAIN ? 1 : failed(home, "a transaction for", err);
}

int xenstore_write(struct xs_handle *xs, uint32_t domid,
                   const struct xenstore_tree *tree, struct xcx_err *err)
{
    int rc = 1;

    for (unsigned i = 0; i < MAX_COMMIT_TRIES && rc > 0; i++)
        rc = write_once(xs, domid, tree, err);
    if (rc > 0)
        return xcx_err_set(err, XCX_ERR_IO, EAGAIN,
                           "xenstore: domain %" PRIu32 ": no transaction "
                           "succeeds",
                           domid);
    return rc;
}

/* ---- device model ------------------------------------------------------- */

/* Appends "key\0value\0" of one of a region's three keys. */
static int append_pair(struct xs_handle *xs, const char *root, const char *key,
                       FILE *out, struct xcx_err *err)
{
    char full[FULL_BYTES];
    unsigned nr_bytes;
    char *value;

    full_path(root, key, full);
    value = xs_read(xs, XBT_NULL, full, &nr_bytes);
    if (!value)
        return failed(full, "reading", err);
    fwrite(key, 1, strlen(key) + 1, out);
    fwrite(value, 1, strlen(value) + 1, out);
    free(value);
    return 0;
}

static int append_regions(struct xs_handle *xs, const char *root,
                          char **regions, unsigned nr_regions, FILE *out,
                          struct xcx_err *err)
{
    static const char *const keys[] = {"start_addr", "size", "name"};
    char key[XENSTORE_MAX_PATH_BYTES];

    if (nr_regions > XENSTORE_MAX_ENTRIES)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "xenstore: %s: %u regions of a device model", root,
                           nr_regions);
    for (unsigned i = 0; i < nr_regions; i++) {
        for (unsigned j = 0; j < sizeof(keys) / sizeof(keys[0]); j++) {
            snprintf(key, sizeof(key), "physmap/%s/%s", regions[i], keys[j]);
            if (append_pair(xs, root, key, out, err) < 0)
                return -1;
        }
    }
    return 0;
}

int xenstore_read_physmap(struct xs_handle *xs, uint32_t domid,
                          char **ret_pairs, size_t *ret_bytes,
                          struct xcx_err *err)
{
    char root[HOME_BYTES], full[FULL_BYTES];
    unsigned nr_regions = 0;
    char **regions;
    FILE *out;
    int rc;

    snprintf(root, sizeof(root), "/local/domain/0/device-model/%" PRIu32,
             domid);
    full_path(root, "physmap", full);
    regions = xs_directory(xs, XBT_NULL, full, &nr_regions);
    if (!regions && errno != ENOENT)
        return failed(full, "listing", err);
    out = open_memstream(ret_pairs, ret_bytes);
    if (!out) {
        free(regions);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "xenstore entries");
    }
    rc = append_regions(xs, root, regions, nr_regions, out, err);
    free(regions);
    if (fclose(out) != 0 && rc == 0)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "xenstore entries");
    if (rc < 0) {
        free(*ret_pairs);
        *ret_pairs = NULL;
    }
    return rc;
}
