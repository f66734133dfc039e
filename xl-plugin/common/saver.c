/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "saver.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES    320
#define CMDLINE_BYTES 8192 /* a helper's is far shorter */
#define STATUS_BYTES  4096

#define SAVE_WORD     "--save-domain"
#define DOMID_BEHIND  3 /* words: IO_FD, BACK_FD, DOMID */

#define MAX_ANCESTORS 64

/* A process may end at any time: what cannot be read is as good as absent. */
static size_t read_file(const char *proc_dir, pid_t pid, const char *name,
                        char *buf, size_t buf_bytes)
{
    char path[PATH_BYTES];
    size_t used = 0;
    ssize_t n;
    int fd;

    buf[0] = '\0';
    if (snprintf(path, sizeof(path), "%s/%d/%s", proc_dir, (int)pid, name) >=
        (int)sizeof(path))
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    while (used < buf_bytes - 1) {
        n = read(fd, buf + used, buf_bytes - 1 - used);
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    close(fd);
    buf[used] = '\0';
    return used;
}

/* The first number of a line of /proc/PID/status; -1: there is none. */
static long status_number(const char *status, const char *key)
{
    size_t key_bytes = strlen(key);

    for (const char *line = status; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_bytes) == 0 && line[key_bytes] == ':')
            return strtol(line + key_bytes + 1, NULL, 10);
    }
    return -1;
}

static bool is_domid(const char *word, uint32_t domid)
{
    unsigned long number;
    char *rest;

    errno = 0;
    number = strtoul(word, &rest, 10);
    return isdigit((unsigned char)*word) && !*rest && !errno && number == domid;
}

static void copy_name(const char *word, char ret[SAVER_NAME_BYTES])
{
    const char *slash = strrchr(word, '/');
    size_t i;

    if (slash)
        word = slash + 1;
    for (i = 0; i < SAVER_NAME_BYTES - 1 && word[i]; i++)
        ret[i] = (char)(isprint((unsigned char)word[i]) ? word[i] : '?');
    ret[i] = '\0';
}

/* NULL: behind the last word. */
static const char *next_word(const char *word, const char *end)
{
    word += strlen(word) + 1;
    return word < end ? word : NULL;
}

/* Whether these arguments save the domain; the program's word is the name. */
static bool saves_domain(const char *cmdline, size_t nr_bytes, uint32_t domid,
                         char ret_name[SAVER_NAME_BYTES])
{
    const char *end = cmdline + nr_bytes;
    const char *program = cmdline;
    const char *word;

    if (nr_bytes == 0)
        return false;
    for (word = next_word(program, end); word; word = next_word(word, end)) {
        if (strcmp(word, SAVE_WORD) == 0)
            break;
        program = word;
    }
    for (int i = 0; word && i < DOMID_BEHIND; i++)
        word = next_word(word, end);
    if (!word || !is_domid(word, domid))
        return false;
    copy_name(program, ret_name);
    return true;
}

/* The real user chose the arguments of a setuid program. */
static bool is_trusted(const char *proc_dir, pid_t pid)
{
    char status[STATUS_BYTES];
    long uid;

    read_file(proc_dir, pid, "status", status, sizeof(status));
    uid = status_number(status, "Uid");
    return uid == 0 || uid == (long)getuid();
}

static bool is_hypervisor(const char *target)
{
    static const char *const devices[] = {"/xen/privcmd", "/xen/hypercall"};

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        const char *at = strstr(target, devices[i]);

        if (at && at[strlen(devices[i])] == '\0')
            return true;
    }
    return false;
}

/* A helper has one from its start to its end; the names are libxencall's. */
static bool has_hypervisor(const char *proc_dir, pid_t pid)
{
    char path[PATH_BYTES], target[PATH_BYTES];
    struct dirent *entry;
    bool has = false;
    DIR *folder;

    if (snprintf(path, sizeof(path), "%s/%d/fd", proc_dir, (int)pid) >=
        (int)sizeof(path))
        return false;
    folder = opendir(path);
    if (!folder)
        return false;
    while (!has && (entry = readdir(folder))) {
        ssize_t n = readlinkat(dirfd(folder), entry->d_name, target,
                               sizeof(target) - 1);

        target[n > 0 ? n : 0] = '\0';
        has = is_hypervisor(target);
    }
    closedir(folder);
    return has;
}

/* Fills in a process and those above it; how many. */
static unsigned list_ancestors(const char *proc_dir, pid_t of,
                               pid_t ret_pids[MAX_ANCESTORS])
{
    char status[STATUS_BYTES];
    long pid = of;
    unsigned nr = 0;

    while (pid > 0 && nr < MAX_ANCESTORS) {
        ret_pids[nr++] = (pid_t)pid;
        read_file(proc_dir, (pid_t)pid, "status", status, sizeof(status));
        pid = status_number(status, "PPid");
    }
    return nr;
}

static bool is_among(pid_t pid, const pid_t *pids, unsigned nr_pids)
{
    for (unsigned i = 0; i < nr_pids; i++) {
        if (pids[i] == pid)
            return true;
    }
    return false;
}

/* The workers of a helper are forks of it, and have its arguments. */
static bool is_our_own(const char *proc_dir, pid_t pid)
{
    pid_t ancestors[MAX_ANCESTORS];
    unsigned nr_ancestors = list_ancestors(proc_dir, pid, ancestors);

    return is_among(getpid(), ancestors, nr_ancestors);
}

/* 0: not a process's folder. */
static pid_t folder_pid(const char *name)
{
    char *rest;
    long pid;

    if (!isdigit((unsigned char)*name))
        return 0;
    errno = 0;
    pid = strtol(name, &rest, 10);
    return *rest || errno || pid != (pid_t)pid ? 0 : (pid_t)pid;
}

int saver_find(const char *proc_dir, uint32_t domid, struct saver *ret_saver,
               struct xcx_err *err)
{
    struct saver found = {.pid = 0};
    char cmdline[CMDLINE_BYTES];
    pid_t ancestors[MAX_ANCESTORS];
    unsigned nr_ancestors;
    struct dirent *entry;
    DIR *folder = opendir(proc_dir);

    if (!folder)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "%s: cannot look for other save helpers", proc_dir);
    nr_ancestors = list_ancestors(proc_dir, getpid(), ancestors);
    while (!found.pid && (entry = readdir(folder))) {
        pid_t pid = folder_pid(entry->d_name);
        size_t nr_bytes;

        if (!pid || is_among(pid, ancestors, nr_ancestors))
            continue;
        nr_bytes =
            read_file(proc_dir, pid, "cmdline", cmdline, sizeof(cmdline));
        if (saves_domain(cmdline, nr_bytes, domid, found.name) &&
            is_trusted(proc_dir, pid) && has_hypervisor(proc_dir, pid) &&
            !is_our_own(proc_dir, pid))
            found.pid = pid;
    }
    closedir(folder);
    *ret_saver = found;
    return 0;
}

int saver_refuse(const char *proc_dir, uint32_t domid, struct xcx_err *err)
{
    struct saver saver;

    if (saver_find(proc_dir, domid, &saver, err))
        return -1;
    if (!saver.pid)
        return 0;
    xcx_err_set(err, XCX_ERR_GUEST, 0,
                "domain %u: process %d (%s) is saving or migrating it "
                "already; try again once that has ended",
                domid, (int)saver.pid, saver.name);
    if (err)
        err->os_errno = EBUSY;
    return -1;
}
