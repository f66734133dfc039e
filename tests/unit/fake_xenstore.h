/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_xenstore: a xenstore in this process, in the place of libxenstore for a
 * program that links it. A flat table of nodes; a transaction works on the
 * table itself and only counts as one. Watches fire at once and on each write
 * by fake_xenstore_set(). One connection, one thread.
 */
#ifndef FAKE_XENSTORE_H
#define FAKE_XENSTORE_H

#include <stdbool.h>
#include <stdint.h>

#include <xenstore.h>

struct fake_xenstore {
    unsigned nr_commits; /* transactions that succeeded */
    unsigned nr_aborts;
    unsigned nr_conflicts; /* set: so many commits fail with EAGAIN first */
    unsigned nr_open;      /* connections and transactions; 0 at the end */
    unsigned nr_writes;
    int fail_errno; /* set: reading fails so */
    /* Called on a write by the code under test; may be NULL. */
    void (*on_write)(const char *path, const char *value);
    /* Called when a transaction begins; may be NULL. */
    void (*on_transaction)(void);
};

extern struct fake_xenstore fake_xenstore;

/* Empty; everything of the last test is gone. */
void fake_xenstore_reset(void);

/* A node owned by a domain that others cannot see; fires the watches. */
void fake_xenstore_set(const char *path, const char *value, uint32_t owner);
void fake_xenstore_set_perms(const char *path,
                             const struct xs_permissions *perms, unsigned nr);

/* NULL: there is no such node. Perms as "n0 r5". */
const char *fake_xenstore_get(const char *path);
const char *fake_xenstore_perms(const char *path);

/* Fires the watch of that path. */
void fake_xenstore_fire(const char *path);

/* The connection that code under test gets. */
struct xs_handle *fake_xenstore_handle(void);

#endif
