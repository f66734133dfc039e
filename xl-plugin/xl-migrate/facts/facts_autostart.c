/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts_autostart.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <libxlutil.h>

#define MAX_FILE_BYTES (1 << 20)
#define MAX_FILES      4096

static bool is_guests(const XLU_Config *config, const struct facts_guest *guest)
{
    const char *value;

    if (xlu_cfg_get_string(config, "name", &value, 1) == 0 &&
        strcmp(value, guest->name) == 0)
        return true;
    return xlu_cfg_get_string(config, "uuid", &value, 1) == 0 &&
           strcasecmp(value, guest->uuid) == 0;
}

/* Whether a file starts the guest: one that xl cannot read starts nothing. */
static bool starts(const char *path, const struct facts_guest *guest)
{
    FILE *nowhere = fopen("/dev/null", "we");
    XLU_Config *config = nowhere ? xlu_cfg_init(nowhere, path) : NULL;
    struct stat st;
    bool found = false;

    if (config && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size <= MAX_FILE_BYTES && xlu_cfg_readfile(config, path) == 0)
        found = is_guests(config, guest);
    if (config)
        xlu_cfg_destroy(config);
    if (nowhere)
        fclose(nowhere);
    return found;
}

void facts_autostart(const char *dir, struct facts_guest *guest)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;

    guest->autostart[0] = 0;
    if (!folder)
        return;
    for (unsigned i = 0; i < MAX_FILES && (entry = readdir(folder)); i++) {
        char path[FACTS_PATH_BYTES];

        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >=
                (int)sizeof(path) ||
            !starts(path, guest))
            continue;
        memcpy(guest->autostart, path, sizeof(path));
        break;
    }
    closedir(folder);
}
