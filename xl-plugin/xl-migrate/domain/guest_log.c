/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lines of xl about a domain's end are far shorter. */
#define TAIL_BYTES (64 << 10)

/* Xen's SHUTDOWN_*. */
enum { REASON_POWEROFF, REASON_REBOOT, REASON_SUSPEND };

enum guest_end guest_end_of_reason(unsigned reason)
{
    switch (reason) {
    case REASON_POWEROFF:
        return GUEST_POWERED_OFF;
    case REASON_REBOOT:
        return GUEST_REBOOTED;
    case REASON_SUSPEND:
        return GUEST_TAKEN;
    default:
        return GUEST_CRASHED;
    }
}

/* The end of the file as text, malloc'ed; NULL: it cannot be read. */
static char *read_tail(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *text = NULL;
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        text = malloc(TAIL_BYTES + 1);
    if (text) {
        off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;

        n = pread(fd, text, TAIL_BYTES, from);
        text[n > 0 ? n : 0] = 0;
    }
    close(fd);
    return text;
}

/* A domain shuts down once: the last line about it is the one that counts. */
static enum guest_end search(const char *text, uint32_t domid)
{
    enum guest_end end = GUEST_DESTROYED;
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "Domain %u has shut down, reason code ",
             (unsigned)domid);
    while ((text = strstr(text, wanted))) {
        char *rest;
        unsigned long reason;

        text += strlen(wanted);
        reason = strtoul(text, &rest, 10);
        if (rest != text)
            end = guest_end_of_reason((unsigned)reason);
    }
    return end;
}

enum guest_end guest_log_end(const char *log_dir, const char *name,
                             uint32_t domid)
{
    static const char *const suffixes[] = {"", "--incoming"};
    enum guest_end end = GUEST_DESTROYED;

    if (strchr(name, '/'))
        return end;
    for (unsigned i = 0; i < 2 && end == GUEST_DESTROYED; i++) {
        char path[PATH_MAX], *text = NULL;

        if (snprintf(path, sizeof(path), "%s/xl-%s%s.log", log_dir, name,
                     suffixes[i]) < (int)sizeof(path))
            text = read_tail(path);
        if (text)
            end = search(text, domid);
        free(text);
    }
    return end;
}
