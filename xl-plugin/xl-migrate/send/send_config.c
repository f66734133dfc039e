/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_config.h"

#include <errno.h>
#include <fcntl.h>
#include <libxl.h>
#include <libxl_utils.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/deadline.h"
#include "common/lines.h"
#include "common/spawn.h"

#define LINE_BYTES     256
#define MAX_JSON_BYTES (1U << 20)

/* Until the end of what xl prints, into text; false: not in time. */
static bool read_all(int fd, uint64_t deadline_ns, char *text)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    size_t used = 0;
    ssize_t n = 1;

    while (n > 0) {
        int nr = poll(&readable, 1, deadline_left_ms(deadline_ns));

        if (nr == 0)
            return false;
        if (nr < 0)
            continue;
        n = read(fd, text + used, MAX_JSON_BYTES - used);
        used += n > 0 ? (size_t)n : 0;
    }
    text[used] = 0;
    return true;
}

/* With the first line that xl had to say, which is the one that tells. */
static int complain(const char *file, int said_fd, struct xcx_err *err)
{
    char said[LINE_BYTES];
    ssize_t n = pread(said_fd, said, sizeof(said) - 1, 0);

    said[n > 0 ? n : 0] = 0;
    said[strcspn(said, "\n")] = 0;
    lines_make_plain(said);
    return xcx_err_set(err, XCX_ERR_USAGE, 0,
                       "%.150s: xl does not take this configuration%s%s", file,
                       said[0] ? ": " : "", said);
}

/* Prints what xl makes of the file, without creating anything. */
static int start_xl(const char *file, int out_fd, int said_fd,
                    struct spawned *child, struct xcx_err *err)
{
    char path[PATH_MAX];
    const char *const argv[] = {"xl", "create", "-n", "-q", path, NULL};
    const struct spawn_order order = {.argv = argv,
                                      .fds = {-1, out_fd, said_fd}};

    /* To xl it would be an option. */
    if (snprintf(path, sizeof(path), "%s%s", file[0] == '-' ? "./" : "",
                 file) >= (int)sizeof(path))
        return xcx_err_set(err, XCX_ERR_USAGE, ENAMETOOLONG, "%.150s", file);
    return spawn_start(child, &order, err);
}

static int run_xl(const char *file, unsigned xl_ms, int said_fd, char *text,
                  struct xcx_err *err)
{
    uint64_t deadline_ns = deadline_in_ms(xl_ms);
    struct spawned child = SPAWNED_INIT;
    bool in_time = false;
    int fds[2], rc;

    if (pipe2(fds, O_CLOEXEC))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "pipe");
    rc = start_xl(file, fds[1], said_fd, &child, err);
    close(fds[1]);
    if (!rc)
        in_time = read_all(fds[0], deadline_ns, text);
    close(fds[0]);
    if (rc)
        return -1;
    in_time = in_time && spawn_wait(&child, deadline_ns);
    rc = spawn_exit_status(&child);
    spawn_kill(&child, 0);
    spawn_done(&child);
    if (!in_time)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "%.150s: xl has not read this configuration within "
                           "%u ms",
                           file, xl_ms);
    return rc ? complain(file, said_fd, err) : 0;
}

/* *ret is malloc'ed. */
static int parse_by_xl(const char *file, unsigned xl_ms, char **ret,
                       struct xcx_err *err)
{
    char *text = malloc(MAX_JSON_BYTES + 1);
    int said_fd, rc;

    if (!text)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "configuration");
    said_fd = memfd_create("xl", MFD_CLOEXEC);
    if (said_fd < 0) {
        free(text);
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "memfd");
    }
    rc = run_xl(file, xl_ms, said_fd, text, err);
    close(said_fd);
    if (rc)
        free(text);
    else
        *ret = text;
    return rc;
}

/* The case goes by the guest's name and UUID. */
static int fit(struct host *host, const struct domain *domain, bool keep_domid,
               char **json, struct xcx_err *err)
{
    libxl_domain_config config;
    char *fitted = NULL, *name = strdup(domain->name);

    libxl_domain_config_init(&config);
    if (name && !libxl_domain_config_from_json(host->ctx, &config, *json)) {
        free(config.c_info.name);
        config.c_info.name = name;
        name = NULL;
        libxl_uuid_from_string(&config.c_info.uuid, domain->uuid);
        config.c_info.domid = keep_domid ? domain->domid : INVALID_DOMID;
        fitted = libxl_domain_config_to_json(host->ctx, &config);
    }
    free(name);
    libxl_domain_config_dispose(&config);
    free(*json);
    *json = fitted;
    return fitted ? 0
                  : xcx_err_set(err, XCX_ERR_USAGE, 0,
                                "xl prints no configuration of a domain");
}

int send_config_json(struct host *host, const struct domain *domain,
                     const char *file, unsigned xl_ms, bool keep_domid,
                     char **ret_json, struct xcx_err *err)
{
    char *json = NULL;

    if (!file)
        return domain_config_json(host, domain->domid, keep_domid, ret_json,
                                  err);
    if (access(file, R_OK))
        return xcx_err_set(err, XCX_ERR_USAGE, errno, "%.150s", file);
    if (parse_by_xl(file, xl_ms, &json, err) ||
        fit(host, domain, keep_domid, &json, err))
        return -1;
    *ret_json = json;
    return 0;
}
