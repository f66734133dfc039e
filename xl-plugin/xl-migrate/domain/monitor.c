/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>

#include "xl_memory.h"

#define DUMP_DIR       "/var/lib/xen/dump"
#define PATH_BYTES     (DOMAIN_NAME_BYTES + sizeof(DUMP_DIR) + 1)
#define SUFFIX_BYTES   32
#define CREATE_TRIES   5
#define CREATE_PAUSE_S 1

/* Pure decisions of the configuration and the reason. */
enum what {
    LEAVE,      /* as it is, and end */
    DESTROY,    /* and end */
    RESTART,    /* destroy, create anew */
    RENAME,     /* keep it under another name, create anew */
    SOFT_RESET, /* create anew in its place */
};

struct action {
    enum what what;
    bool dump; /* its memory into a file first */
};

struct monitor {
    struct host *host;
    const struct xcx_log *log;
    uint32_t domid;
    libxl_domain_config config;
    libxl_evgen_domain_death *death;
    libxl_evgen_disk_eject **ejects; /* owned; one a disk, NULL: none */
    int nr_ejects;
};

/* ---- what is to be done ------------------------------------------------- */

static struct action action_of(libxl_action_on_shutdown configured)
{
    static const struct action actions[] = {
        [LIBXL_ACTION_ON_SHUTDOWN_DESTROY] = {DESTROY, false},
        [LIBXL_ACTION_ON_SHUTDOWN_RESTART] = {RESTART, false},
        [LIBXL_ACTION_ON_SHUTDOWN_RESTART_RENAME] = {RENAME, false},
        [LIBXL_ACTION_ON_SHUTDOWN_PRESERVE] = {LEAVE, false},
        [LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_DESTROY] = {DESTROY, true},
        [LIBXL_ACTION_ON_SHUTDOWN_COREDUMP_RESTART] = {RESTART, true},
        [LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET] = {SOFT_RESET, false},
    };
    size_t i = (size_t)configured;

    return i && i < sizeof(actions) / sizeof(actions[0])
               ? actions[i]
               : (struct action){DESTROY, false};
}

/* A reason that nobody knows is one to clean up after. */
static struct action decide(const libxl_domain_config *config, int reason)
{
    switch (reason) {
    case LIBXL_SHUTDOWN_REASON_POWEROFF:
        return action_of(config->on_poweroff);
    case LIBXL_SHUTDOWN_REASON_REBOOT:
        return action_of(config->on_reboot);
    case LIBXL_SHUTDOWN_REASON_CRASH:
        return action_of(config->on_crash);
    case LIBXL_SHUTDOWN_REASON_WATCHDOG:
        return action_of(config->on_watchdog);
    case LIBXL_SHUTDOWN_REASON_SOFT_RESET:
        return action_of(config->on_soft_reset);
    case LIBXL_SHUTDOWN_REASON_SUSPEND:
        return (struct action){LEAVE, false};
    default:
        return (struct action){DESTROY, false};
    }
}

/* ---- watching ----------------------------------------------------------- */

static int failed(const struct monitor *monitor, const char *what, int rc,
                  struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "domain %" PRIu32 ": libxl cannot %s (%d)",
                       monitor->domid, what, rc);
}

static void stop_watching(struct monitor *monitor)
{
    libxl_ctx *ctx = monitor->host->ctx;
    libxl_event *event;

    if (monitor->death)
        libxl_evdisable_domain_death(ctx, monitor->death);
    monitor->death = NULL;
    for (int i = 0; i < monitor->nr_ejects; i++) {
        if (monitor->ejects[i])
            libxl_evdisable_disk_eject(ctx, monitor->ejects[i]);
    }
    free(monitor->ejects);
    monitor->ejects = NULL;
    monitor->nr_ejects = 0;
    /* Events of the domain that was must not be taken for the next one's. */
    while (libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0)
        libxl_event_free(ctx, event);
}

static int watch_disks(struct monitor *monitor, struct xcx_err *err)
{
    const libxl_domain_config *config = &monitor->config;
    int rc;

    if (!config->num_disks)
        return 0;
    monitor->ejects =
        calloc((size_t)config->num_disks, sizeof(libxl_evgen_disk_eject *));
    if (!monitor->ejects)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "disks to watch");
    monitor->nr_ejects = config->num_disks;
    for (int i = 0; i < config->num_disks; i++) {
        if (!config->disks[i].removable)
            continue;
        rc = libxl_evenable_disk_eject(monitor->host->ctx, monitor->domid,
                                       config->disks[i].vdev, 0,
                                       &monitor->ejects[i]);
        if (rc)
            return failed(monitor, "watch its removable disks", rc, err);
    }
    return 0;
}

static int start_watching(struct monitor *monitor, struct xcx_err *err)
{
    int rc = libxl_evenable_domain_death(monitor->host->ctx, monitor->domid, 0,
                                         &monitor->death);

    if (rc)
        return failed(monitor, "watch it", rc, err);
    xcx_log(monitor->log, XCX_LOG_INFO, "watching domain %" PRIu32 " (%s)",
            monitor->domid, monitor->config.c_info.name);
    return watch_disks(monitor, err);
}

/* ---- acting ------------------------------------------------------------- */

/* Reads the configuration anew, with later changes of memory or disks. */
static void renew_configuration(struct monitor *monitor)
{
    libxl_domain_config config;

    libxl_domain_config_init(&config);
    if (libxl_retrieve_domain_configuration(monitor->host->ctx, monitor->domid,
                                            &config, NULL)) {
        libxl_domain_config_dispose(&config);
        xcx_log(monitor->log, XCX_LOG_WARN,
                "its configuration cannot be read again: the one from before "
                "is used");
        return;
    }
    libxl_domain_config_dispose(&monitor->config);
    monitor->config = config;
}

static void dump(struct monitor *monitor)
{
    char path[PATH_BYTES];
    int rc;

    snprintf(path, sizeof(path), DUMP_DIR "/%s", monitor->config.c_info.name);
    xcx_log(monitor->log, XCX_LOG_INFO, "dumping its memory to %s", path);
    rc = libxl_domain_core_dump(monitor->host->ctx, monitor->domid, path, NULL);
    if (rc)
        xcx_log(monitor->log, XCX_LOG_ERROR, "the dump failed (%d)", rc);
}

/* The old one stays, shut down, under a name with the time in it. */
static int set_aside(struct monitor *monitor, struct xcx_err *err)
{
    char suffix[SUFFIX_BYTES];
    time_t now = time(NULL);
    libxl_uuid uuid;
    struct tm tm;
    int rc;

    if (!gmtime_r(&now, &tm) ||
        !strftime(suffix, sizeof(suffix), "-%Y%m%dT%H%MZ", &tm))
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "the time of day");
    libxl_uuid_generate(&uuid);
    rc = libxl_domain_preserve(monitor->host->ctx, monitor->domid,
                               &monitor->config.c_info, suffix, uuid);
    return rc ? failed(monitor, "set it aside", rc, err) : 0;
}

/* Devices of the one before may take a moment to go. */
static int try_to_create(struct monitor *monitor, struct xcx_err *err)
{
    libxl_ctx *ctx = monitor->host->ctx;
    struct timespec pause = {.tv_sec = CREATE_PAUSE_S};
    uint32_t domid;
    int rc = 0;

    for (unsigned i = 0; i < CREATE_TRIES; i++) {
        domid = INVALID_DOMID;
        monitor->config.c_info.domid = INVALID_DOMID;
        rc = libxl_domain_create_new(ctx, &monitor->config, &domid, NULL, NULL);
        if (!rc) {
            monitor->domid = domid;
            return 0;
        }
        if (domid != (uint32_t)INVALID_DOMID)
            libxl_domain_destroy(ctx, domid, NULL);
        nanosleep(&pause, NULL);
    }
    return failed(monitor, "create it anew", rc, err);
}

/* Creates the guest anew; a domain that was set aside keeps its memory. */
static int create(struct monitor *monitor, struct xcx_err *err)
{
    int lock_fd = xl_memory_make_room(monitor->host->ctx, &monitor->config,
                                      &XL_MEMORY_PATHS, monitor->log);
    int rc = try_to_create(monitor, err);

    if (lock_fd >= 0)
        close(lock_fd);
    return rc;
}

static int make_anew(struct monitor *monitor, enum what what,
                     struct xcx_err *err)
{
    libxl_ctx *ctx = monitor->host->ctx;
    int rc;

    renew_configuration(monitor);
    stop_watching(monitor);
    if (what == SOFT_RESET) {
        rc = libxl_domain_soft_reset(ctx, &monitor->config, monitor->domid,
                                     NULL, NULL);
        if (rc)
            return failed(monitor, "reset it", rc, err);
    } else {
        if (what == RESTART)
            libxl_domain_destroy(ctx, monitor->domid, NULL);
        else if (set_aside(monitor, err) < 0)
            return -1;
        if (create(monitor, err) < 0)
            return -1;
    }
    if (start_watching(monitor, err) < 0)
        return -1;
    rc = libxl_domain_unpause(ctx, monitor->domid, NULL);
    return rc ? failed(monitor, "start it", rc, err) : 0;
}

/* 1: go on, 0: end. */
static int on_shutdown(struct monitor *monitor, int reason, struct xcx_err *err)
{
    struct action action = decide(&monitor->config, reason);

    xcx_log(monitor->log, XCX_LOG_INFO,
            "domain %" PRIu32 " has shut down (reason %d)", monitor->domid,
            reason);
    if (action.dump)
        dump(monitor);
    switch (action.what) {
    case LEAVE:
        return 0;
    case DESTROY:
        libxl_domain_destroy(monitor->host->ctx, monitor->domid, NULL);
        return 0;
    default:
        return make_anew(monitor, action.what, err) < 0 ? -1 : 1;
    }
}

/* ---- the loop ----------------------------------------------------------- */

/* 1: go on, 0: end. */
static int on_event(struct monitor *monitor, libxl_event *event,
                    struct xcx_err *err)
{
    if (event->domid != monitor->domid)
        return 1;
    switch (event->type) {
    case LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN:
        return on_shutdown(monitor, event->u.domain_shutdown.shutdown_reason,
                           err);
    case LIBXL_EVENT_TYPE_DOMAIN_DEATH:
        xcx_log(monitor->log, XCX_LOG_INFO,
                "domain %" PRIu32 " has been destroyed", monitor->domid);
        return 0;
    case LIBXL_EVENT_TYPE_DISK_EJECT:
        libxl_cdrom_insert(monitor->host->ctx, monitor->domid,
                           &event->u.disk_eject.disk, NULL);
        return 1;
    default:
        return 1;
    }
}

static int loop(struct monitor *monitor, struct xcx_err *err)
{
    libxl_ctx *ctx = monitor->host->ctx;
    int go_on = 1;

    while (go_on > 0) {
        libxl_event *event;
        int rc = libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);

        if (rc)
            return failed(monitor, "wait for events", rc, err);
        go_on = on_event(monitor, event, err);
        libxl_event_free(ctx, event);
    }
    return go_on;
}

int monitor_run(struct host *host, uint32_t domid, const struct xcx_log *log,
                void (*ready)(void *opaque), void *opaque, struct xcx_err *err)
{
    struct monitor monitor = {.host = host, .log = log, .domid = domid};
    int rc;

    libxl_domain_config_init(&monitor.config);
    rc = libxl_retrieve_domain_configuration(host->ctx, domid, &monitor.config,
                                             NULL);
    if (rc) {
        rc = failed(&monitor, "tell its configuration", rc, err);
    } else {
        rc = start_watching(&monitor, err);
        if (rc == 0) {
            ready(opaque);
            rc = loop(&monitor, err);
        }
    }
    stop_watching(&monitor);
    libxl_domain_config_dispose(&monitor.config);
    return rc;
}
