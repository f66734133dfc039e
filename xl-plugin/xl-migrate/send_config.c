/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "send_config.h"

#include <errno.h>
#include <fcntl.h>
#include <libxl.h>
#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "deadline.h"
#include "lines.h"
#include "spawn.h"

#define XL_MS          30000
#define LINE_BYTES     256
#define MAX_JSON_BYTES (1U << 20)

/* Until the end of what xl prints; malloc'ed. */
static int read_all(int fd, char **ret, struct xcx_err *err)
{
    size_t used = 0;
    char *text = malloc(MAX_JSON_BYTES + 1);

    if (!text)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "configuration");
    for (;;) {
        ssize_t n = read(fd, text + used, MAX_JSON_BYTES - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    text[used] = 0;
    *ret = text;
    return 0;
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

/* What xl makes of the file, without creating anything. */
static int run_xl(const char *file, int said_fd, char **ret,
                  struct xcx_err *err)
{
    const char *const argv[] = {"xl", "create", "-n", "-q", file, NULL};
    struct spawned child = SPAWNED_INIT;
    int fds[2], rc;

    if (pipe2(fds, O_CLOEXEC))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "pipe");

    const struct spawn_order order = {.argv = argv,
                                      .fds = {-1, fds[1], said_fd}};

    rc = spawn_start(&child, &order, err);
    close(fds[1]);
    if (!rc)
        rc = read_all(fds[0], ret, err);
    close(fds[0]);
    if (rc)
        return -1;
    spawn_wait(&child, deadline_in_ms(XL_MS));
    rc = spawn_exit_status(&child);
    spawn_kill(&child, 0);
    spawn_done(&child);
    if (rc == 0)
        return 0;
    free(*ret);
    return complain(file, said_fd, err);
}

static int parse_by_xl(const char *file, char **ret, struct xcx_err *err)
{
    int said_fd = memfd_create("xl", MFD_CLOEXEC);
    int rc;

    if (said_fd < 0)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "memfd");
    rc = run_xl(file, said_fd, ret, err);
    close(said_fd);
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
                     const char *file, bool keep_domid, char **ret_json,
                     struct xcx_err *err)
{
    char *json = NULL;

    if (!file)
        return domain_config_json(host, domain->domid, keep_domid, ret_json,
                                  err);
    if (access(file, R_OK))
        return xcx_err_set(err, XCX_ERR_USAGE, errno, "%.150s", file);
    if (parse_by_xl(file, &json, err) ||
        fit(host, domain, keep_domid, &json, err))
        return -1;
    *ret_json = json;
    return 0;
}
