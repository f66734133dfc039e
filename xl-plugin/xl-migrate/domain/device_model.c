/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state goes into a memfd. QEMU opens it as /dev/fdset/N for writing only,
 * and takes none of its fdset that may do more: so it gets a second, write-only
 * description of the same memory.
 */
#include "device_model.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/qmp.h"

#define RUN_DIR    "/var/run/xen"
#define LOCK_DIR   "/var/lib/xen"
#define PATH_BYTES 256
#define LOOK_MS    20 /* at the size of a state that is being written */

struct device_model device_model_of(const struct domain *domain)
{
    struct device_model model = {.domid = domain->domid};

    memcpy(model.uuid, domain->uuid, sizeof(model.uuid));
    return model;
}

/* ---- conversations ------------------------------------------------------ */

static int failed(const struct device_model *model, struct xcx_err *err)
{
    return xcx_err_prefix(err, "domain %" PRIu32 ": device model",
                          model->domid);
}

static int talk(const struct device_model *model, unsigned default_ms,
                struct qmp *qmp, struct xcx_err *err)
{
    unsigned timeout_ms = model->timeout_ms ? model->timeout_ms : default_ms;
    char socket_path[PATH_BYTES], lock_path[PATH_BYTES];

    snprintf(socket_path, sizeof(socket_path), "%s/qmp-libxl-%" PRIu32,
             model->run_dir ? model->run_dir : RUN_DIR, model->domid);
    snprintf(lock_path, sizeof(lock_path),
             "%s/userdata-l.%" PRIu32 ".%s.qmp-socket-lock",
             model->lock_dir ? model->lock_dir : LOCK_DIR, model->domid,
             model->uuid);
    return qmp_open(qmp, socket_path, lock_path, timeout_ms, err);
}

/* Sends a command whose answer is empty. */
static int tell(const struct device_model *model,
                const struct qmp_command *command, struct xcx_err *err)
{
    struct qmp qmp = QMP_INIT;
    int rc = talk(model, DEVICE_MODEL_TIMEOUT_MS, &qmp, err);

    if (rc == 0)
        rc = qmp_run(&qmp, command, NULL, err);
    qmp_close(&qmp);
    return rc == 0 ? 0 : failed(model, err);
}

int device_model_cont(const struct device_model *model, struct xcx_err *err)
{
    static const struct qmp_command cont = {.name = "cont", .send_fd = -1};

    return tell(model, &cont, err);
}

static void log_dirty_arguments(yajl_gen gen, const void *opaque)
{
    qmp_argument_bool(gen, "enable", *(const bool *)opaque);
}

int device_model_set_log_dirty(const struct device_model *model, bool on,
                               struct xcx_err *err)
{
    struct qmp_command command = {.name = "xen-set-global-dirty-log",
                                  .arguments = log_dirty_arguments,
                                  .opaque = &on,
                                  .send_fd = -1};

    return tell(model, &command, err);
}

static void announce_arguments(yajl_gen gen, const void *opaque)
{
    const struct device_model_announce *announce = opaque;

    qmp_argument_count(gen, "initial", announce->initial_ms);
    qmp_argument_count(gen, "max", announce->max_ms);
    qmp_argument_count(gen, "step", announce->step_ms);
    qmp_argument_count(gen, "rounds", announce->rounds);
}

int device_model_announce_self(const struct device_model *model,
                               const struct device_model_announce *announce,
                               struct xcx_err *err)
{
    struct qmp_command command = {.name = "announce-self",
                                  .arguments = announce_arguments,
                                  .opaque = announce,
                                  .send_fd = -1};

    return tell(model, &command, err);
}

/* ---- saving ------------------------------------------------------------- */

struct save_arguments {
    long long fdset_id;
    bool has_live; /* it knows the argument */
    bool live;
};

static void save_arguments(yajl_gen gen, const void *opaque)
{
    const struct save_arguments *save = opaque;
    char path[64];

    snprintf(path, sizeof(path), "/dev/fdset/%lld", save->fdset_id);
    qmp_argument_text(gen, "filename", path);
    if (save->has_live)
        qmp_argument_bool(gen, "live", save->live);
}

static int add_fd(struct qmp *qmp, int fd, long long *ret_fdset_id,
                  struct xcx_err *err)
{
    struct qmp_command command = {.name = "add-fd", .send_fd = fd};
    const char *path[] = {"return", "fdset-id", NULL};
    yajl_val answer, id;
    int rc = 0;

    if (qmp_run(qmp, &command, &answer, err) < 0)
        return -1;
    id = yajl_tree_get(answer, path, yajl_t_number);
    if (YAJL_IS_INTEGER(id))
        *ret_fdset_id = YAJL_GET_INTEGER(id);
    else
        rc =
            xcx_err_set(err, XCX_ERR_PEER, 0, "add-fd: no fdset in the answer");
    yajl_tree_free(answer);
    return rc;
}

/*
 * QEMU has the argument "live" since 2.11. An older one refuses it before it
 * does anything, and is then asked as libxl asks it.
 */
static int save_state(struct qmp *qmp, bool live, long long fdset_id,
                      struct xcx_err *err)
{
    struct save_arguments arguments = {
        .fdset_id = fdset_id, .has_live = true, .live = live};
    const struct qmp_command save = {.name = "xen-save-devices-state",
                                     .arguments = save_arguments,
                                     .opaque = &arguments,
                                     .send_fd = -1};
    struct xcx_err why = XCX_ERR_INIT;

    if (qmp_run(qmp, &save, NULL, &why) == 0)
        return 0;
    if (!strstr(why.msg, "'live'")) {
        *err = why;
        return -1;
    }
    arguments.has_live = false;
    return qmp_run(qmp, &save, NULL, err);
}

static int stop_and_save(struct qmp *qmp, bool live, int fd,
                         struct xcx_err *err)
{
    static const struct qmp_command stop = {.name = "stop", .send_fd = -1};
    long long fdset_id = -1;

    if (qmp_run(qmp, &stop, NULL, err) < 0 ||
        add_fd(qmp, fd, &fdset_id, err) < 0)
        return -1;
    return save_state(qmp, live, fdset_id, err);
}

/* -1, or memory to read from; *ret_write_fd only writes to it. */
static int make_memory(int *ret_write_fd, struct xcx_err *err)
{
    int fd = memfd_create("device-model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char path[32];

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "memory for its state");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *ret_write_fd = open(path, O_WRONLY | O_CLOEXEC);
    if (*ret_write_fd >= 0)
        return fd;
    xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s", path);
    close(fd);
    return -1;
}

/*
 * A hostile QEMU could fill this host's memory as long as it is waited for: a
 * thread looks at the state's size, and closes it to writing once it is beyond
 * all bounds. Not from the start: QEMU truncates the file when it opens it.
 */
struct guard {
    int fd, end_fd;
    pthread_t thread;
};

static bool is_too_large(int fd)
{
    struct stat status;

    return !fstat(fd, &status) &&
           (uint64_t)status.st_size > DEVICE_MODEL_MAX_STATE_BYTES;
}

static void *watch_size(void *opaque)
{
    const struct guard *guard = opaque;
    struct pollfd end = {.fd = guard->end_fd, .events = POLLIN};

    while (poll(&end, 1, LOOK_MS) <= 0) {
        if (is_too_large(guard->fd)) {
            fcntl(guard->fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE);
            break;
        }
    }
    return NULL;
}

static int guard_start(struct guard *guard, int fd, struct xcx_err *err)
{
    int rc;

    *guard = (struct guard){.fd = fd, .end_fd = eventfd(0, EFD_CLOEXEC)};
    if (guard->end_fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "eventfd");
    rc = pthread_create(&guard->thread, NULL, watch_size, guard);
    if (!rc)
        return 0;
    close(guard->end_fd);
    return xcx_err_set(err, XCX_ERR_RESOURCE, rc, "thread");
}

static void guard_end(struct guard *guard)
{
    eventfd_write(guard->end_fd, 1);
    pthread_join(guard->thread, NULL);
    close(guard->end_fd);
}

static int check_size(int fd, uint64_t *ret_bytes, struct xcx_err *err)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "its state");
    if (status.st_size == 0 ||
        (uint64_t)status.st_size > DEVICE_MODEL_MAX_STATE_BYTES)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "its state has %" PRIu64 " bytes, not 1 to %u",
                           (uint64_t)status.st_size,
                           DEVICE_MODEL_MAX_STATE_BYTES);
    *ret_bytes = (uint64_t)status.st_size;
    return 0;
}

/* The state's size counts for more than the error that its limit brings. */
static int save_into(const struct device_model *model, bool live, int fd,
                     int write_fd, uint64_t *ret_bytes, struct xcx_err *err)
{
    struct qmp qmp = QMP_INIT;
    struct xcx_err why = XCX_ERR_INIT;
    struct guard guard;
    int rc;

    if (guard_start(&guard, fd, err))
        return -1;
    rc = talk(model, DEVICE_MODEL_SAVE_TIMEOUT_MS, &qmp, &why);
    if (!rc)
        rc = stop_and_save(&qmp, live, write_fd, &why);
    qmp_close(&qmp);
    guard_end(&guard);
    if (!rc || is_too_large(fd))
        return check_size(fd, ret_bytes, err);
    return xcx_err_set(err, why.kind, 0, "%s", why.msg);
}

int device_model_save(const struct device_model *model, bool live, int *ret_fd,
                      uint64_t *ret_bytes, struct xcx_err *err)
{
    int write_fd = -1, rc;
    int fd = make_memory(&write_fd, err);

    if (fd < 0)
        return failed(model, err);
    rc = save_into(model, live, fd, write_fd, ret_bytes, err);
    close(write_fd);
    if (rc < 0) {
        close(fd);
        return failed(model, err);
    }
    *ret_fd = fd;
    return 0;
}
