/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/deadline.h"
#include "xl_conf.h"

#define CONF_BYTES     65536
#define LOCK_MS        60000
#define LOCK_AGAIN_NS  UINT64_C(200000000)
#define BALLOON_MS     30000
#define BALLOON_STEP_S 10
#define DOM0           0

static bool balloons_dom0(libxl_ctx *ctx, const char *conf)
{
    const libxl_version_info *version = libxl_get_version_info(ctx);
    char text[CONF_BYTES] = "";
    FILE *file = fopen(conf, "re");
    size_t nr_bytes = 0;

    if (file) {
        nr_bytes = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[nr_bytes] = 0;
    return version && version->commandline &&
           xl_conf_autoballoon(text, version->commandline);
}

/* xl waits for it in fcntl(), which no time limit ends. */
static int take_lock(const char *path, const struct xcx_log *log)
{
    uint64_t deadline_ns = deadline_in_ms(LOCK_MS);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && fcntl(fd, F_SETLK, &lock)) {
        if ((errno != EAGAIN && errno != EACCES && errno != EINTR) ||
            !deadline_left_ms(deadline_ns)) {
            close(fd);
            fd = -1;
            break;
        }
        deadline_sleep_ns(LOCK_AGAIN_NS);
    }
    if (fd < 0)
        xcx_log(log, XCX_LOG_WARN,
                "xl's lock %s cannot be taken: another xl may take the memory",
                path);
    return fd;
}

/* 1: there is enough; 0: Dom0 is asked for more; or libxl's error. */
static int ask_dom0(libxl_ctx *ctx, uint64_t need_kib)
{
    uint64_t free_kib;
    int rc = libxl_get_free_memory(ctx, &free_kib);

    if (rc)
        return rc;
    if (free_kib >= need_kib)
        return 1;
    rc = libxl_set_memory_target(ctx, DOM0, (int64_t)(free_kib - need_kib), 1,
                                 0);
    return rc ? rc : libxl_wait_for_memory_target(ctx, DOM0, BALLOON_STEP_S);
}

static void free_memory(libxl_ctx *ctx, libxl_domain_config *config,
                        const struct xcx_log *log)
{
    uint64_t deadline_ns = deadline_in_ms(BALLOON_MS), need_kib;
    int rc = libxl_domain_need_memory(ctx, config, INVALID_DOMID, &need_kib);

    while (!rc && deadline_left_ms(deadline_ns))
        rc = ask_dom0(ctx, need_kib);
    if (rc != 1)
        xcx_log(log, XCX_LOG_WARN,
                "Dom0 does not free the memory that the domain needs (%d)", rc);
}

int xl_memory_make_room(libxl_ctx *ctx, libxl_domain_config *config,
                        const struct xl_memory_paths *paths,
                        const struct xcx_log *log)
{
    int lock_fd;

    if (!balloons_dom0(ctx, paths->conf))
        return -1;
    lock_fd = take_lock(paths->lock, log);
    free_memory(ctx, config, log);
    return lock_fd;
}
