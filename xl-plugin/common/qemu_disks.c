/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu_disks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xengnttab.h>
#include <xenstore.h>

#include "qemu_socket.h"
#include "ring.h"

#define OWN_DOMID  0
#define MAX_DISKS  64 /* that QEMU serves and the guest may write */
#define PATH_BYTES 256
#define VDEV_BYTES 32
#define CONNECTED  "4" /* XenbusStateConnected */

struct disk {
    char vdev[VDEV_BYTES];
    char backend[PATH_BYTES];
    char frontend[PATH_BYTES];
};

struct found {
    unsigned nr;
    struct disk disks[MAX_DISKS];
    struct qemu_identity identity;
};

static unsigned limit_ms(const struct qemu_disks *disks, unsigned usual_ms)
{
    return disks->limit_ms ? disks->limit_ms : usual_ms;
}

static struct qemu_socket socket_of(const struct qemu_disks *disks)
{
    return (struct qemu_socket){.xs = disks->xs,
                                .domid = disks->domid,
                                .run_dir = disks->run_dir,
                                .lock_dir = disks->lock_dir};
}

/* ---- xenstore ------------------------------------------------------------ */

/* 1: QEMU serves it, and the guest may write; 0: not so. */
static int describe(const struct qemu_disks *disks, const char *dir,
                    const char *devid, struct disk *ret, struct xcx_err *err)
{
    char kind[16] = "", mode[8];
    unsigned domid = OWN_DOMID;

    qemu_socket_read_node(disks->xs, dir, "backend", ret->backend,
                          sizeof(ret->backend));
    qemu_socket_read_node(disks->xs, dir, "frontend", ret->frontend,
                          sizeof(ret->frontend));
    if (sscanf(ret->backend, "/local/domain/%u/backend/%15[^/]/", &domid,
               kind) != 2 ||
        strcmp(kind, "qdisk") != 0)
        return 0;
    qemu_socket_read_node(disks->xs, ret->backend, "mode", mode, sizeof(mode));
    qemu_socket_read_node(disks->xs, ret->backend, "dev", ret->vdev,
                          sizeof(ret->vdev));
    if (!ret->vdev[0])
        snprintf(ret->vdev, sizeof(ret->vdev), "%.16s", devid);
    if (mode[0] && !strchr(mode, 'w'))
        return 0;
    if (domid == OWN_DOMID)
        return 1;
    return xcx_err_set(err, XCX_ERR_GUEST, 0,
                       "disk %s is served by QEMU in driver domain %u, which "
                       "cannot be flushed from here: detach the disk, or "
                       "serve it from Dom0",
                       ret->vdev, domid);
}

static int add_disks(const struct qemu_disks *disks, const char *root,
                     char **names, unsigned nr_names, struct found *ret,
                     struct xcx_err *err)
{
    char dir[2 * PATH_BYTES];

    for (unsigned i = 0; i < nr_names; i++) {
        int served;

        if (ret->nr == MAX_DISKS)
            return xcx_err_set(err, XCX_ERR_GUEST, 0,
                               "QEMU serves more than %d disks", MAX_DISKS);
        snprintf(dir, sizeof(dir), "%s/%.64s", root, names[i]);
        served = describe(disks, dir, names[i], &ret->disks[ret->nr], err);
        if (served < 0)
            return -1;
        ret->nr += (unsigned)served;
    }
    return 0;
}

static int find(struct qemu_disks *disks, struct found *ret,
                struct xcx_err *err)
{
    const struct qemu_socket socket = socket_of(disks);
    char root[PATH_BYTES];
    unsigned nr_names = 0;
    char **names;
    int rc;

    ret->nr = 0;
    snprintf(root, sizeof(root), "/libxl/%" PRIu32 "/device/vbd", disks->domid);
    names = xs_directory(disks->xs, XBT_NULL, root, &nr_names);
    if (!names && errno != ENOENT)
        return xcx_err_set(err, XCX_ERR_IO, errno, "xenstore: %s", root);
    rc = add_disks(disks, root, names, nr_names, ret, err);
    free(names);
    disks->nr = ret->nr;
    if (rc == 0 && ret->nr)
        qemu_socket_identify(&socket, &ret->identity);
    return rc;
}

/* ---- the rings ----------------------------------------------------------- */

/* A disk that the guest's driver does not use now has none. */
static int look_at_ring(const struct qemu_disks *disks,
                        xengnttab_handle *gnttab, const struct disk *disk,
                        bool *ret_empty, struct xcx_err *err)
{
    char state[16], ref[16];

    *ret_empty = true;
    qemu_socket_read_node(disks->xs, disk->backend, "state", state,
                          sizeof(state));
    if (strcmp(state, CONNECTED) != 0)
        return 0;
    qemu_socket_read_node(disks->xs, disk->frontend, "ring-ref", ref,
                          sizeof(ref));
    if (!ref[0])
        qemu_socket_read_node(disks->xs, disk->frontend, "ring-ref0", ref,
                              sizeof(ref));
    if (ring_is_empty(gnttab, disks->domid, (uint32_t)strtoul(ref, NULL, 10),
                      ret_empty, err) == 0)
        return 0;
    return xcx_err_prefix(err, "disk %s", disk->vdev);
}

/* *ret_busy: the first disk with a request that is not answered, or NULL. */
static int look_at_rings(const struct qemu_disks *disks,
                         const struct found *found,
                         const struct disk **ret_busy, struct xcx_err *err)
{
    xengnttab_handle *gnttab = xengnttab_open(NULL, 0);
    int rc = 0;

    *ret_busy = NULL;
    if (!gnttab)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "grants cannot be mapped (modprobe xen-gntdev)");
    for (unsigned i = 0; rc == 0 && !*ret_busy && i < found->nr; i++) {
        bool empty = true;

        rc = look_at_ring(disks, gnttab, &found->disks[i], &empty, err);
        if (!empty)
            *ret_busy = &found->disks[i];
    }
    xengnttab_close(gnttab);
    return rc;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* QEMU tells nobody but the guest that it has answered: so look again. */
static void pause_shortly(void)
{
    struct timespec pause = {.tv_nsec = 1000000};

    nanosleep(&pause, NULL);
}

static int await_rings(const struct qemu_disks *disks,
                       const struct found *found, struct xcx_err *err)
{
    unsigned limit = limit_ms(disks, QEMU_DISKS_RINGS_MS);
    uint64_t end_ms = now_ms() + limit;
    const struct disk *busy;

    for (;;) {
        if (look_at_rings(disks, found, &busy, err) < 0)
            return -1;
        if (!busy)
            return 0;
        if (now_ms() >= end_ms)
            return xcx_err_set(err, XCX_ERR_GUEST, ETIMEDOUT,
                               "disk %s: QEMU has not answered all requests "
                               "of the guest within %u ms: look at the disk's "
                               "storage",
                               busy->vdev, limit);
        pause_shortly();
    }
}

/* ---- QEMU ---------------------------------------------------------------- */

static int talk(const struct qemu_disks *disks, const struct found *found,
                unsigned usual_ms, struct qmp *qmp, struct xcx_err *err)
{
    const struct qemu_socket socket = socket_of(disks);

    return qemu_socket_open(&socket, &found->identity,
                            limit_ms(disks, usual_ms), qmp, err);
}

static int failed(const struct found *found, struct xcx_err *err)
{
    return xcx_err_prefix(err, "disk %s: the QEMU that serves it",
                          found->disks[0].vdev);
}

static int flush(const struct qemu_disks *disks, const struct found *found,
                 unsigned usual_ms, struct xcx_err *err)
{
    static const struct qmp_command stop = {.name = "stop", .send_fd = -1};
    static const struct qmp_command cont = {.name = "cont", .send_fd = -1};
    struct qmp qmp = QMP_INIT;
    int rc = -1;

    if (talk(disks, found, usual_ms, &qmp, err) == 0 &&
        qmp_run(&qmp, &stop, NULL, err) == 0 &&
        qmp_run(&qmp, &cont, NULL, err) == 0)
        rc = 0;
    qmp_close(&qmp);
    return rc == 0 ? 0 : failed(found, err);
}

static yajl_val get(yajl_val from, const char *first, const char *second)
{
    const char *path[] = {first, second, NULL};

    return from ? yajl_tree_get(from, path, yajl_t_any) : NULL;
}

static bool has_persistent_bitmap(yajl_val inserted)
{
    yajl_val bitmaps = get(inserted, "dirty-bitmaps", NULL);

    for (size_t i = 0; YAJL_IS_ARRAY(bitmaps) && i < bitmaps->u.array.len; i++)
        if (YAJL_IS_TRUE(get(bitmaps->u.array.values[i], "persistent", NULL)))
            return true;
    return false;
}

/* Checks an image as query-block describes it. */
static int check_image(yajl_val image, struct xcx_err *err)
{
    yajl_val inserted = get(image, "inserted", NULL);
    yajl_val specific =
        get(get(inserted, "image", "format-specific"), "data", NULL);
    const char *node = YAJL_GET_STRING(get(inserted, "node-name", NULL));

    if (!inserted || YAJL_IS_TRUE(get(inserted, "ro", NULL)))
        return 0;
    if (YAJL_IS_TRUE(get(specific, "lazy-refcounts", NULL)))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "writes to image %.40s as it ends, when the target "
                           "has opened it (lazy refcounts): shut the guest "
                           "down, then qemu-img amend -o lazy_refcounts=off",
                           node ? node : "");
    if (has_persistent_bitmap(inserted))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "writes to image %.40s as it ends, when the target "
                           "has opened it (persistent bitmaps): remove them "
                           "by block-dirty-bitmap-remove",
                           node ? node : "");
    return 0;
}

static int check_images(struct qmp *qmp, struct xcx_err *err)
{
    static const struct qmp_command query = {.name = "query-block",
                                             .send_fd = -1};
    yajl_val answer, images;
    int rc = 0;

    if (qmp_run(qmp, &query, &answer, err) < 0)
        return -1;
    images = get(answer, "return", NULL);
    if (!YAJL_IS_ARRAY(images))
        rc = xcx_err_set(err, XCX_ERR_PEER, 0, "query-block: no list");
    for (size_t i = 0; rc == 0 && i < images->u.array.len; i++)
        rc = check_image(images->u.array.values[i], err);
    yajl_tree_free(answer);
    return rc;
}

static int look_at_qemu(const struct qemu_disks *disks,
                        const struct found *found, struct xcx_err *err)
{
    struct qmp qmp = QMP_INIT;
    int rc = -1;

    if (talk(disks, found, QEMU_DISKS_LOOK_MS, &qmp, err) == 0)
        rc = check_images(&qmp, err);
    qmp_close(&qmp);
    return rc == 0 ? 0 : failed(found, err);
}

/* ---- the calls ----------------------------------------------------------- */

int qemu_disks_check(struct qemu_disks *disks, struct xcx_err *err)
{
    const struct disk *busy;
    struct found found;

    if (find(disks, &found, err) < 0)
        return -1;
    if (found.nr == 0)
        return 0;
    /* The guest runs: that it can be looked at is what matters. */
    if (look_at_rings(disks, &found, &busy, err) < 0)
        return -1;
    return found.identity.hvm ? 0 : look_at_qemu(disks, &found, err);
}

int qemu_disks_flush_live(struct qemu_disks *disks, struct xcx_err *err)
{
    struct found found;

    if (find(disks, &found, err) < 0)
        return -1;
    if (found.nr == 0 || found.identity.hvm)
        return 0;
    return flush(disks, &found, QEMU_DISKS_LIVE_MS, err);
}

int qemu_disks_drain(struct qemu_disks *disks, struct xcx_err *err)
{
    struct found found;

    if (find(disks, &found, err) < 0)
        return -1;
    return found.nr ? await_rings(disks, &found, err) : 0;
}

int qemu_disks_settle(struct qemu_disks *disks, struct xcx_err *err)
{
    struct found found;

    if (find(disks, &found, err) < 0)
        return -1;
    if (found.nr == 0 || found.identity.hvm)
        return 0;
    if (await_rings(disks, &found, err) < 0)
        return -1;
    return flush(disks, &found, QEMU_DISKS_SETTLE_MS, err);
}
