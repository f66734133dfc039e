/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory: making a folder and those above it.
 */
#ifndef COMMON_DIRECTORY_H
#define COMMON_DIRECTORY_H

#include <sys/types.h>

#include "xcext.h"

/* A folder of the configuration, and a name in it. */
#define DIRECTORY_PATH_BYTES 1200

/*
 * mode is that of each folder that is made; what is there stays as it is.
 * Subject to the umask. Errors: IO; USAGE, others than root and this
 * user own the folder or may write to it. Each names the folder.
 */
int directory_make(const char *path, mode_t mode, struct xcx_err *err);

#endif
