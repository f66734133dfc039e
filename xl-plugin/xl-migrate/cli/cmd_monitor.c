/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl-migrate monitor [-F] DOMAIN: goes into the background before it opens
 * libxl, whose context does not live through a fork. The process that was
 * called waits until the other one watches, or could not:
 *
 *   caller ── fork ──▶ watcher: setsid, libxl, find, log file, watch
 *      ◀── "" or why not, over a pipe ──┘
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "xl-migrate/domain/monitor.h"

struct options {
    const char *domain;
    bool foreground;
};

struct watcher {
    const struct options *options;
    int report_fd; /* -1: in the foreground, or reported */
};

static void help(void)
{
    printf("usage: xl-migrate monitor [-F] DOMAIN\n\n"
           "Waits for DOMAIN (name, id or UUID) to shut down and does what its "
           "configuration\nsays (on_poweroff and so on), as xl does for a "
           "domain it has created. send and\nrecover start one where a "
           "migration has failed.\n\n"
           "  -F   stay in the foreground\n");
}

/* 1: go on; else the program ends with *ret_status. */
static int parse_options(int argc, char **argv, struct options *options,
                         int *ret_status)
{
    *ret_status = EXIT_STATUS_USAGE;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help();
            *ret_status = EXIT_STATUS_DONE;
            return 0;
        }
        if (strcmp(argv[i], "-F") == 0) {
            options->foreground = true;
        } else if (argv[i][0] == '-' || options->domain) {
            fprintf(stderr, "xl-migrate monitor: unexpected \"%.40s\"\n",
                    argv[i]);
            return 0;
        } else {
            options->domain = argv[i];
        }
    }
    if (!options->domain)
        fprintf(stderr, "xl-migrate monitor: expected a DOMAIN\n");
    return options->domain != NULL;
}

/* ---- the one that watches ----------------------------------------------- */

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    char when[32] = "";
    time_t now = time(NULL);
    struct tm tm;

    (void)opaque;
    if (level == XCX_LOG_DEBUG)
        return;
    if (gmtime_r(&now, &tm))
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
    printf("%s %s\n", when, line);
    fflush(stdout);
}

/* Standard output and error into the log that xl's monitor would have. */
static int take_log(struct host *host, const char *name, struct xcx_err *err)
{
    char log_name[DOMAIN_NAME_BYTES + sizeof(MONITOR_LOG_PREFIX)];
    char *path;
    int fd, null_fd, rc = 0;

    snprintf(log_name, sizeof(log_name), MONITOR_LOG_PREFIX "%s", name);
    if (libxl_create_logfile(host->ctx, log_name, &path))
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno, "log file of %s",
                           log_name);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        rc = xcx_err_set(err, XCX_ERR_RESOURCE, errno, "%s", path);
    if (fd >= 0)
        close(fd);
    if (null_fd >= 0)
        close(null_fd);
    free(path);
    return rc;
}

static void report(struct watcher *watcher, const char *text)
{
    if (watcher->report_fd < 0)
        return;
    /* The reader may be gone: nothing can be done about that. */
    if (write(watcher->report_fd, text, strlen(text) + 1) < 0)
        on_log(NULL, XCX_LOG_WARN, "nobody waits for this monitor");
    close(watcher->report_fd);
    watcher->report_fd = -1;
}

static void on_ready(void *opaque)
{
    report(opaque, "");
}

static int watch(struct watcher *watcher, struct xcx_err *err)
{
    static const struct xcx_log log = {.emit = on_log};
    struct domain domain;
    struct host host;
    int rc;

    if (host_open(&host, &log, err) < 0)
        return -1;
    rc = domain_find(&host, watcher->options->domain, &domain, err);
    if (rc == 0 && !watcher->options->foreground)
        rc = take_log(&host, domain.name, err);
    if (rc == 0)
        rc = monitor_run(&host, domain.domid, &log, on_ready, watcher, err);
    host_close(&host);
    return rc;
}

static int run(struct watcher *watcher)
{
    struct xcx_err err = XCX_ERR_INIT;

    if (watch(watcher, &err) == 0)
        return EXIT_STATUS_DONE;
    if (watcher->report_fd >= 0)
        report(watcher, err.msg);
    else
        fprintf(stderr, "xl-migrate monitor: %s\n", err.msg);
    return EXIT_STATUS_USAGE;
}

/* ---- the one that was called -------------------------------------------- */

static int wait_for_report(int fd)
{
    char text[XCX_ERR_MSG_BYTES] = "";
    size_t got = 0;
    ssize_t n;

    do {
        n = read(fd, text + got, sizeof(text) - 1 - got);
        if (n > 0)
            got += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    close(fd);
    text[got] = '\0';
    if (got == 1)
        return EXIT_STATUS_DONE;
    fprintf(stderr, "xl-migrate monitor: %s\n",
            got ? text : "ended before it watched");
    return EXIT_STATUS_USAGE;
}

static int go_to_the_background(const struct options *options)
{
    struct watcher watcher = {.options = options};
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        fprintf(stderr, "xl-migrate monitor: %s\n", strerror(errno));
        return EXIT_STATUS_USAGE;
    }
    if (pid > 0) {
        close(fds[1]);
        return wait_for_report(fds[0]);
    }
    close(fds[0]);
    setsid();
    watcher.report_fd = fds[1];
    return run(&watcher);
}

int cmd_monitor(int argc, char **argv)
{
    struct options options = {.domain = NULL};
    struct watcher watcher = {.options = &options, .report_fd = -1};
    int status;

    if (!parse_options(argc, argv, &options, &status))
        return status;
    return options.foreground ? run(&watcher) : go_to_the_background(&options);
}
