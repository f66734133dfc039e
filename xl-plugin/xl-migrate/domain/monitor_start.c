/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_DIR       "/var/log/xen"
#define LOG_BYTES     (DOMAIN_NAME_BYTES + 32)
#define LINK_BYTES    (LOG_BYTES + 32)
#define OWN_PROGRAM   "/proc/self/exe"
#define LEAVE_TRIES   30
#define LEAVE_WAIT_NS 100000000L

extern char **environ;

/* ---- who watches -------------------------------------------------------- */

/* A log that was moved aside has a number behind its name. */
static bool is_log(const char *target, const char *name, const char *suffix)
{
    char log[LOG_BYTES];
    size_t nr_bytes;

    snprintf(log, sizeof(log), LOG_DIR "/" MONITOR_LOG_PREFIX "%s%s.log", name,
             suffix);
    nr_bytes = strlen(log);
    return strncmp(target, log, nr_bytes) == 0 &&
           (!target[nr_bytes] || target[nr_bytes] == '.');
}

/* A guest that came by a migration is watched under the name it came with. */
static bool is_log_of(const char *target, const char *name)
{
    return is_log(target, name, "") ||
           is_log(target, name, DOMAIN_SUFFIX_INCOMING);
}

bool monitor_is_running(const char *proc_dir, const char *name)
{
    DIR *dir = opendir(proc_dir);
    bool found = false;
    struct dirent *entry;

    if (!dir)
        return false;
    while (!found && (entry = readdir(dir))) {
        char path[LINK_BYTES], target[LINK_BYTES];
        ssize_t n;

        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name))
            continue;
        snprintf(path, sizeof(path), "%s/%s/fd/1", proc_dir, entry->d_name);
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        found = is_log_of(target, name);
    }
    closedir(dir);
    return found;
}

/* xl's own ends by itself, soon after the guest suspended, if it noticed. */
static bool still_runs_after_a_while(const char *name)
{
    struct timespec pause = {.tv_nsec = LEAVE_WAIT_NS};

    for (unsigned i = 0; i < LEAVE_TRIES; i++) {
        if (!monitor_is_running("/proc", name))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* ---- starting one ------------------------------------------------------- */

static int wait_for(pid_t pid, uint32_t domid, struct xcx_err *err)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                               "domain %" PRIu32 ": waiting for its monitor",
                               domid);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "domain %" PRIu32 ": no monitor could be started: its "
                       "shutdown and reboot are handled by nobody; run "
                       "`xl-migrate monitor %" PRIu32 "`",
                       domid, domid);
}

/*
 * No signal is blocked or ignored in it: the device model of a guest that it
 * starts anew inherits that, and is ended by a signal. A terminal's reach it
 * no more than before: it is a group of its own.
 */
static int spawn(char *const argv[], pid_t *ret_pid)
{
    sigset_t all, none;
    posix_spawnattr_t attributes;
    int rc;

    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    rc = posix_spawnattr_init(&attributes);
    if (rc)
        return rc;
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    rc = posix_spawn(ret_pid, OWN_PROGRAM, NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

int monitor_start(const struct domain *domain, struct xcx_err *err)
{
    char domid[16];
    char *argv[] = {"xl-migrate", "monitor", domid, NULL};
    pid_t pid;
    int rc;

    if (still_runs_after_a_while(domain->name))
        return 0;
    snprintf(domid, sizeof(domid), "%" PRIu32, domain->domid);
    rc = spawn(argv, &pid);
    if (rc)
        return xcx_err_set(err, XCX_ERR_RESOURCE, rc,
                           "domain %" PRIu32 ": starting its monitor",
                           domain->domid);
    return wait_for(pid, domain->domid, err);
}
