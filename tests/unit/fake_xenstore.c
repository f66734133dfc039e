/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_xenstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_NODES   8192
#define NR_WATCHES 8
#define NR_PERMS   32
#define PATH_BYTES 2048

struct fake_xenstore fake_xenstore;

static struct node {
    char *path, *value;
    unsigned value_bytes;
    struct xs_permissions perms[NR_PERMS];
    unsigned nr_perms;
} nodes[NR_NODES];
static unsigned nr_nodes;

/* What a transaction that is going to fail has overwritten. */
static struct undo {
    char *path, *value;
} undos[NR_WATCHES];
static unsigned nr_undos;

static char *watches[NR_WATCHES];
static unsigned nr_watches;
static int fds[2] = {-1, -1};
static char handle;

static struct node *find(const char *path)
{
    for (unsigned i = 0; i < nr_nodes; i++) {
        if (strcmp(nodes[i].path, path) == 0)
            return &nodes[i];
    }
    return NULL;
}

static struct node *store(const char *path, const void *value, unsigned bytes)
{
    struct node *node = find(path);

    if (!node) {
        if (nr_nodes == NR_NODES)
            abort();
        node = &nodes[nr_nodes++];
        *node = (struct node){.path = strdup(path)};
    }
    free(node->value);
    node->value = calloc(1, bytes + 1);
    memcpy(node->value, value, bytes);
    node->value_bytes = bytes;
    return node;
}

void fake_xenstore_reset(void)
{
    for (unsigned i = 0; i < nr_nodes; i++) {
        free(nodes[i].path);
        free(nodes[i].value);
    }
    for (unsigned i = 0; i < nr_watches; i++)
        free(watches[i]);
    nr_nodes = nr_watches = 0;
    if (fds[0] >= 0) {
        close(fds[0]);
        close(fds[1]);
        fds[0] = fds[1] = -1;
    }
    fake_xenstore = (struct fake_xenstore){.nr_commits = 0};
}

struct xs_handle *fake_xenstore_handle(void)
{
    return (struct xs_handle *)&handle;
}

void fake_xenstore_fire(const char *path)
{
    for (unsigned i = 0; i < nr_watches; i++) {
        if (strcmp(watches[i], path) == 0 && write(fds[1], "w", 1) != 1)
            abort();
    }
}

void fake_xenstore_set(const char *path, const char *value, uint32_t owner)
{
    struct node *node = store(path, value, (unsigned)strlen(value));

    node->perms[0] = (struct xs_permissions){.id = owner};
    node->nr_perms = 1;
    fake_xenstore_fire(path);
}

void fake_xenstore_set_perms(const char *path,
                             const struct xs_permissions *perms, unsigned nr)
{
    struct node *node = find(path);

    memcpy(node->perms, perms, nr * sizeof(*perms));
    node->nr_perms = nr;
}

const char *fake_xenstore_get(const char *path)
{
    const struct node *node = find(path);

    return node ? node->value : NULL;
}

const char *fake_xenstore_perms(const char *path)
{
    static const char letters[] = "nrwb";
    static char text[256];
    const struct node *node = find(path);
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; node && i < node->nr_perms; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c%u",
                                 i ? " " : "", letters[node->perms[i].perms],
                                 node->perms[i].id);
    return text;
}

/* ---- libxenstore -------------------------------------------------------- */

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    fake_xenstore.nr_open++;
    return fake_xenstore_handle();
}

void xs_close(struct xs_handle *xsh)
{
    (void)xsh;
    fake_xenstore.nr_open--;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *len)
{
    const struct node *node = find(path);
    char *copy;

    (void)h;
    (void)t;
    if (fake_xenstore.fail_errno || !node) {
        errno = fake_xenstore.fail_errno ? fake_xenstore.fail_errno : ENOENT;
        return NULL;
    }
    copy = malloc(node->value_bytes + 1);
    memcpy(copy, node->value, node->value_bytes + 1);
    *len = node->value_bytes;
    return copy;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned int len)
{
    struct node *node = find(path);

    (void)h;
    if (t && node && fake_xenstore.nr_conflicts && nr_undos < NR_WATCHES)
        undos[nr_undos++] = (struct undo){strdup(path), strdup(node->value)};
    node = store(path, data, len);
    if (!node->nr_perms)
        node->nr_perms = 1;
    fake_xenstore.nr_writes++;
    if (fake_xenstore.on_write)
        fake_xenstore.on_write(path, node->value);
    return true;
}

/* The names of those one level below. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                    unsigned int *num)
{
    size_t path_bytes = strlen(path);
    char **names;
    char *room;

    (void)h;
    (void)t;
    *num = 0;
    names = calloc(1, nr_nodes * (sizeof(char *) + PATH_BYTES) + 1);
    room = (char *)(names + nr_nodes);
    for (unsigned i = 0; i < nr_nodes; i++) {
        const char *rest = nodes[i].path + path_bytes + 1;

        if (strncmp(nodes[i].path, path, path_bytes) != 0 ||
            nodes[i].path[path_bytes] != '/' || strchr(rest, '/'))
            continue;
        names[*num] = room;
        room += snprintf(room, PATH_BYTES, "%s", rest) + 1;
        ++*num;
    }
    if (*num || find(path))
        return names;
    free(names);
    errno = ENOENT;
    return NULL;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h,
                                          xs_transaction_t t, const char *path,
                                          unsigned int *num)
{
    const struct node *node = find(path);
    struct xs_permissions *copy;

    (void)h;
    (void)t;
    if (!node) {
        errno = ENOENT;
        return NULL;
    }
    *num = node->nr_perms;
    copy = malloc(sizeof(node->perms));
    memcpy(copy, node->perms, sizeof(node->perms));
    return copy;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
                        const char *path, struct xs_permissions *perms,
                        unsigned int num_perms)
{
    (void)h;
    (void)t;
    fake_xenstore_set_perms(path, perms, num_perms);
    return true;
}

static void undo(void)
{
    while (nr_undos) {
        struct undo *last = &undos[--nr_undos];

        store(last->path, last->value, (unsigned)strlen(last->value));
        free(last->path);
        free(last->value);
    }
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    (void)h;
    fake_xenstore.nr_open++;
    if (fake_xenstore.on_transaction)
        fake_xenstore.on_transaction();
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort_it)
{
    (void)h;
    (void)t;
    fake_xenstore.nr_open--;
    if (abort_it) {
        fake_xenstore.nr_aborts++;
        return true;
    }
    if (fake_xenstore.nr_conflicts) {
        fake_xenstore.nr_conflicts--;
        undo();
        errno = EAGAIN;
        return false;
    }
    fake_xenstore.nr_commits++;
    return true;
}

int xs_fileno(struct xs_handle *h)
{
    (void)h;
    if (fds[0] < 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    return fds[0];
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    (void)token;
    if (nr_watches == NR_WATCHES)
        abort();
    xs_fileno(h);
    watches[nr_watches++] = strdup(path);
    fake_xenstore_fire(path);
    return true;
}

char **xs_check_watch(struct xs_handle *h)
{
    char byte;

    if (read(xs_fileno(h), &byte, 1) == 1)
        return calloc(1, sizeof(char *));
    errno = EAGAIN;
    return NULL;
}
