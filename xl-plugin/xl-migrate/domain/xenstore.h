/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstore: the keys that a guest, or an administrator, keeps below its home
 * (/local/domain/DOMID) and what xl leaves behind: read at the source, once
 * the guest is suspended, written at the target before it runs.
 *
 * Permissions go along, the guest's own domid as XENSTORE_SELF. Those of any
 * other domain but Dom0 do not: another host's domids mean nothing here. A
 * node that another domain owned becomes Dom0's.
 *
 * Bounds: see below; what a guest keeps beyond them is left out, and counted;
 * what the other end sends beyond them is an error.
 * Blocking: as xenstored answers. Threads: one at a time.
 */
#ifndef XL_MIGRATE_XENSTORE_H
#define XL_MIGRATE_XENSTORE_H

#include <stddef.h>
#include <stdint.h>

#include "xcext.h"

#define XENSTORE_MAX_ENTRIES     4096
#define XENSTORE_MAX_PERMS       16
#define XENSTORE_MAX_PATH_BYTES  1024 /* relative to home */
#define XENSTORE_MAX_VALUE_BYTES 4096
#define XENSTORE_MAX_TOTAL_BYTES (1U << 20) /* of paths and values */
#define XENSTORE_PERM_BYTES      16
#define XENSTORE_LEFT_OUT_BYTES  160

#define XENSTORE_SELF            UINT32_MAX /* the guest itself */

struct xs_handle;

struct xenstore_perm {
    char access; /* 'n', 'r', 'w', 'b' */
    uint32_t domid;
};

struct xenstore_entry {
    char *path;           /* owned; relative to home */
    char *value;          /* owned; any bytes; NUL-terminated besides */
    uint32_t value_bytes; /* without that NUL */
    unsigned nr_perms;    /* 1 at least; the first one's domain is the owner */
    struct xenstore_perm perms[XENSTORE_MAX_PERMS];
};

struct xenstore_tree {
    struct xenstore_entry *entries; /* owned; a parent before its children */
    unsigned nr_entries, nr_room;
    size_t total_bytes;
    unsigned nr_left_out; /* by reading; what lies below them is not counted */
    char left_out[XENSTORE_LEFT_OUT_BYTES]; /* the first: path, size, why */
};

/*
 * Reads these subtrees (relative paths) of the domain, those that are there,
 * in this order, behind what is in the tree. Errors: USAGE for a path that is
 * not one; IO for xenstored.
 */
int xenstore_read(struct xs_handle *xs, uint32_t domid,
                  const char *const *subtrees, unsigned nr_subtrees,
                  struct xenstore_tree *ret, struct xcx_err *err);

/*
 * Reads the nodes of a directory whose names begin so and which are not empty,
 * without what is below them.
 */
int xenstore_read_named(struct xs_handle *xs, uint32_t domid, const char *dir,
                        const char *begin, struct xenstore_tree *ret,
                        struct xcx_err *err);

/* Idempotent. */
void xenstore_tree_done(struct xenstore_tree *tree);

/*
 * Takes one entry into a tree, copying; what the other end sent. Errors: PEER
 * for a path, value or permission that is not allowed, or too many; RESOURCE.
 */
int xenstore_tree_add(struct xenstore_tree *tree,
                      const struct xenstore_entry *entry, struct xcx_err *err);

/*
 * Writes all entries below the domain's home, in one transaction. What is
 * there already gets the new value and permissions. Errors: IO.
 */
int xenstore_write(struct xs_handle *xs, uint32_t domid,
                   const struct xenstore_tree *tree, struct xcx_err *err);

/* As on the wire: "n0", "r0", "nself"; parsing fails with PEER. */
void xenstore_perm_text(const struct xenstore_perm *perm,
                        char ret[XENSTORE_PERM_BYTES]);
int xenstore_perm_parse(const char *text, struct xenstore_perm *ret,
                        struct xcx_err *err);

/*
 * Reads the keys of an old device model (physmap), as libxl sends them in
 * EMULATOR_XENSTORE_DATA: key, NUL, value, NUL, …; *ret_bytes 0: nothing.
 * *ret_pairs is malloc'ed, the caller's. IO, GUEST, RESOURCE.
 */
int xenstore_read_physmap(struct xs_handle *xs, uint32_t domid,
                          char **ret_pairs, size_t *ret_bytes,
                          struct xcx_err *err);

#endif
