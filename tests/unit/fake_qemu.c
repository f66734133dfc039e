/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_qemu.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

char fake_qemu_dir[] = "/tmp/xcx-qmp-XXXXXX";
static int listen_fd = -1;

static void path_of(const char *name, char ret[QMP_PATH_BYTES])
{
    snprintf(ret, QMP_PATH_BYTES, "%s/%s", fake_qemu_dir, name);
}

void fake_qemu_lock_path(char ret[QMP_PATH_BYTES + 128])
{
    snprintf(ret, QMP_PATH_BYTES + 128,
             "%s/userdata-l.5." UUID ".qmp-socket-lock", fake_qemu_dir);
}

int fake_qemu_make_dir(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    if (!mkdtemp(fake_qemu_dir))
        return -1;
    path_of("qmp-libxl-5", address.sun_path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                   listen(listen_fd, 1) < 0
               ? -1
               : 0;
}

int fake_qemu_remove_dir(void **state)
{
    char path[QMP_PATH_BYTES];

    (void)state;
    close(listen_fd);
    path_of("qmp-libxl-5", path);
    unlink(path);
    return rmdir(fake_qemu_dir); /* fails if a lock file is left behind */
}

/* ---- the QEMU ----------------------------------------------------------- */

/* One command, which ends when its braces are balanced; false: hung up. */
static bool receive(struct qemu *qemu, int fd, char *text, int *ret_fd)
{
    size_t used = 0;
    int depth = 0;

    do {
        char control[CMSG_SPACE(sizeof(int))];
        struct iovec iov = {text + used, 1};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};

        if (used == ROOM_BYTES - 1 || recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) != 1)
            return false;
        if (CMSG_FIRSTHDR(&msg)) {
            memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(*ret_fd));
            qemu->got_flags = fcntl(*ret_fd, F_GETFL);
        }
        depth += text[used] == '{' ? 1 : text[used] == '}' ? -1 : 0;
        used++;
    } while (depth > 0 || text[used - 1] != '}');
    text[used] = '\0';
    return true;
}

static void reply(int fd, const char *command, const char *text)
{
    const char *id = strstr(command, "\"id\": ");
    const char *mark = strstr(text, "ID");

    if (mark && id)
        dprintf(fd, "%.*s%d%s", (int)(mark - text), text, atoi(id + 6),
                mark + 2);
    else
        dprintf(fd, "%s", text);
}

/* Sparse, so that it takes no memory. true: it was kept from it. */
static bool write_for_ever(int fd)
{
    struct timespec pause = {.tv_nsec = 5000000};

    for (unsigned i = 0; i < 600; i++) {
        if (pwrite(fd, "x", 1, 200 << 20) < 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static void *run_qemu(void *opaque)
{
    struct qemu *qemu = opaque;
    char command[ROOM_BYTES], lock[QMP_PATH_BYTES + 128];
    int state_fd = -1;
    int fd = accept(listen_fd, NULL, NULL);

    dprintf(fd, "%s", qemu->greeting);
    for (const struct step *step = qemu->steps; step->expect; step++) {
        if (!receive(qemu, fd, command, &state_fd))
            break;
        qemu->nr_commands++;
        fake_qemu_lock_path(lock);
        qemu->saw_lock = access(lock, F_OK) == 0;
        if (!strstr(command, step->expect))
            qemu->unexpected = true;
        if (strstr(command, "xen-save") && qemu->saves_for_ever)
            qemu->was_stopped = write_for_ever(state_fd);
        else if (strstr(command, "xen-save") && !qemu->saves_nothing)
            dprintf(state_fd, "STATE");
        if (!step->reply)
            break;
        reply(fd, command, step->reply);
    }
    if (!qemu->stays)
        shutdown(fd, SHUT_WR);
    while (read(fd, command, sizeof(command)) > 0)
        ;
    close(fd);
    if (state_fd >= 0)
        close(state_fd);
    return NULL;
}

pthread_t fake_qemu_start(struct qemu *qemu)
{
    pthread_t thread;

    if (!qemu->greeting)
        qemu->greeting = GREETING;
    qemu->got_flags = -1;
    assert_int_equal(pthread_create(&thread, NULL, run_qemu, qemu), 0);
    return thread;
}

void fake_qemu_end(pthread_t thread, const struct qemu *qemu)
{
    pthread_join(thread, NULL);
    assert_false(qemu->unexpected);
}
