/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/deadline.h"

/* flock() offers nothing to wait for with a limit. */
#define TRY_AGAIN_NS UINT64_C(2000000)

/* The last holder removes the file before it lets the lock go. */
static bool has_its_name(const char *path, int fd)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* 1: locked; 0: another has it, or had it when the file was opened. */
static int try_once(struct send_hold *hold, struct xcx_err *err)
{
    int fd = open(hold->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%.200s", hold->path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && has_its_name(hold->path, fd)) {
        hold->fd = fd;
        hold->named = true;
        hold->until_ns = deadline_in_ms(SEND_HOLD_MS);
        return 1;
    }
    close(fd);
    return 0;
}

int send_hold_take(struct send_hold *hold, const char *libxl_dir,
                   const struct domain *domain, unsigned timeout_ms,
                   struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_in_ms(timeout_ms);
    int rc;

    if (hold->fd >= 0 || access(libxl_dir, F_OK))
        return 0;
    snprintf(hold->path, sizeof(hold->path),
             "%s/userdata-l.%" PRIu32 ".%s.domain-userdata-lock", libxl_dir,
             domain->domid, domain->uuid);
    while ((rc = try_once(hold, err)) == 0 && deadline_left_ms(deadline_ns))
        deadline_sleep_ns(TRY_AGAIN_NS);
    if (rc == 0)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%.80s: another program is changing its "
                           "configuration: try again",
                           domain->name);
    return rc < 0 ? -1 : 0;
}

void send_hold_unname(struct send_hold *hold)
{
    if (hold->fd >= 0 && hold->named)
        unlink(hold->path);
    hold->named = false;
}

/* Removes the name first, as libxl does, not another's file later. */
void send_hold_release(struct send_hold *hold)
{
    send_hold_unname(hold);
    if (hold->fd >= 0) {
        /* A child that inherited the file would keep the lock else. */
        flock(hold->fd, LOCK_UN);
        close(hold->fd);
    }
    hold->fd = -1;
}

void send_hold_expire(struct send_hold *hold)
{
    if (hold->fd >= 0 && !deadline_left_ms(hold->until_ns))
        send_hold_release(hold);
}
