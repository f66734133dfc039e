/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts_qemu.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/qmp.h"
#include "common/deadline.h"
#include "facts_path.h"
#include "common/lines.h"
#include "common/spawn.h"

#define RUN_DIR       "/var/run/xen"
#define LOCK_DIR      "/var/lib/xen"
#define PROC_DIR      "/proc"
#define QMP_MS        3000
#define PROGRAM_MS    5000
#define PLACE_BYTES   256
#define PRINTED_BYTES 512

/* ---- the guest's own ---------------------------------------------------- */

static yajl_val get(yajl_val from, const char *a, const char *b)
{
    const char *path[] = {a, b, NULL};

    return yajl_tree_get(from, path, yajl_t_any);
}

static void ask_version(struct qmp *qmp, struct facts_guest *guest)
{
    static const struct qmp_command command = {.name = "query-version",
                                               .send_fd = -1};
    const char *names[] = {"major", "minor", "micro"};
    long long number[3];
    yajl_val answer, qemu;

    if (qmp_run(qmp, &command, &answer, NULL))
        return;
    qemu = get(answer, "return", "qemu");
    for (size_t i = 0; i < 3; i++) {
        yajl_val value = qemu ? get(qemu, names[i], NULL) : NULL;

        number[i] = YAJL_IS_INTEGER(value) ? YAJL_GET_INTEGER(value) : -1;
    }
    yajl_tree_free(answer);
    for (size_t i = 0; i < 3; i++) {
        if (number[i] < 0 || number[i] > 100000)
            return;
    }
    snprintf(guest->qemu_version, sizeof(guest->qemu_version), "%lld.%lld.%lld",
             number[0], number[1], number[2]);
}

/* The first of the reasons: each has to be mended anyway. */
static void ask_blockers(struct qmp *qmp, struct facts_guest *guest)
{
    static const struct qmp_command command = {.name = "query-migrate",
                                               .send_fd = -1};
    yajl_val answer, reasons;

    if (qmp_run(qmp, &command, &answer, NULL))
        return;
    reasons = get(answer, "return", "blocked-reasons");
    if (YAJL_IS_ARRAY(reasons) && YAJL_GET_ARRAY(reasons)->len) {
        const char *text = YAJL_GET_STRING(YAJL_GET_ARRAY(reasons)->values[0]);

        snprintf(guest->qemu_blocker, sizeof(guest->qemu_blocker), "%s",
                 text && text[0] ? text : "no reason given");
        lines_make_plain(guest->qemu_blocker);
    }
    yajl_tree_free(answer);
}

static void find_path(struct facts_guest *guest, long pid, const char *proc_dir)
{
    char link[PLACE_BYTES];
    ssize_t n;

    snprintf(link, sizeof(link), "%s/%ld/exe", proc_dir, pid);
    n = readlink(link, guest->qemu_path, sizeof(guest->qemu_path) - 1);
    guest
        ->qemu_path[n > 0 && (size_t)n < sizeof(guest->qemu_path) - 1 ? n : 0] =
        0;
    /* " (deleted)" stands behind the name of one that was upgraded. */
    if (n > 0)
        guest->qemu_path[strcspn(guest->qemu_path, " ")] = 0;
}

void facts_qemu_ask(struct facts_guest *guest, long pid,
                    const struct facts_qemu_places *places)
{
    char socket_path[PLACE_BYTES], lock_path[PLACE_BYTES];
    struct qmp qmp = QMP_INIT;

    find_path(guest, pid, places->proc_dir ? places->proc_dir : PROC_DIR);
    snprintf(socket_path, sizeof(socket_path), "%s/qmp-libxl-%" PRIu32,
             places->run_dir ? places->run_dir : RUN_DIR, guest->domid);
    snprintf(lock_path, sizeof(lock_path),
             "%s/userdata-l.%" PRIu32 ".%s.qmp-socket-lock",
             places->lock_dir ? places->lock_dir : LOCK_DIR, guest->domid,
             guest->uuid);
    if (qmp_open(&qmp, socket_path, lock_path, QMP_MS, NULL) == 0) {
        ask_version(&qmp, guest);
        ask_blockers(&qmp, guest);
    }
    qmp_close(&qmp);
}

/* ---- a program ---------------------------------------------------------- */

static bool is_roots_own(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
           !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Reads what QEMU prints until it ends, or the buffer is full. */
static void read_printed(int fd, uint64_t deadline_ns, char *text, size_t bytes)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    size_t used = 0;
    ssize_t n = 1;

    while (n > 0 && used < bytes - 1) {
        if (poll(&readable, 1, deadline_left_ms(deadline_ns)) <= 0)
            break;
        n = read(fd, text + used, bytes - 1 - used);
        used += n > 0 ? (size_t)n : 0;
    }
    text[used] = 0;
}

void facts_qemu_version_of(const char *path, char *ret, size_t bytes)
{
    const char *const argv[] = {path, "--version", NULL};
    struct spawn_order order = {.argv = argv, .fds = {-1, -1, -1}};
    struct spawned child = SPAWNED_INIT;
    uint64_t deadline_ns = deadline_in_ms(PROGRAM_MS);
    char text[PRINTED_BYTES] = "";
    int fds[2], rc;

    ret[0] = 0;
    if (!facts_path_is_qemu(path) || !is_roots_own(path) ||
        pipe2(fds, O_CLOEXEC))
        return;
    order.fds[1] = fds[1];
    rc = spawn_start(&child, &order, NULL);
    close(fds[1]);
    if (rc == 0) {
        read_printed(fds[0], deadline_ns, text, sizeof(text));
        spawn_wait(&child, deadline_ns);
        spawn_kill(&child, 0);
        spawn_done(&child);
        facts_qemu_parse_version(text, ret, bytes);
    }
    close(fds[0]);
}
