/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts_path.h"

#include <stddef.h>
#include <string.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const char *const secret[] = {"/proc", "/sys", "/run", "/var/run",
                                     "/etc"};
static const char *const open_within[] = {"/etc/xen"};
static const char *const of_programs[] = {"/etc/xen", "/usr", "/opt",  "/bin",
                                          "/sbin",    "/lib", "/lib64"};

static bool is_below(const char *path, const char *const *folders, size_t nr)
{
    for (size_t i = 0; i < nr; i++) {
        size_t length = strlen(folders[i]);

        if (strncmp(path, folders[i], length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

bool facts_path_is_told(const char *path, enum facts_file_kind kind)
{
    if (path[0] != '/' || strstr(path, "/.") || strstr(path, "//"))
        return false;
    if (kind == FACTS_KIND_SCRIPT || kind == FACTS_KIND_DEVICE_MODEL)
        return is_below(path, of_programs, NR(of_programs));
    return !is_below(path, secret, NR(secret)) ||
           is_below(path, open_within, NR(open_within));
}

bool facts_path_is_qemu(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    return strncmp(name, "qemu", 4) == 0 || strncmp(name, "xen-qemu", 8) == 0;
}
