/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saver: finds the process that saves or migrates a domain of this host.
 *
 * Other programs know nothing of our locks, and their log-dirty mode would be
 * lost if we switched on our own. libxl starts a save helper for each save and
 * each migration, the stock helper and ours alike, with the arguments
 *
 *   HELPER --save-domain IO_FD BACK_FD DOMID FLAGS CBFLAGS STREAM_TYPE
 *
 * so that a look through /proc finds the helper while it runs. A helper that
 * starts after the look is not found: who copies memory must also watch its
 * log-dirty bits (xcext.h).
 *
 * Only processes that have a handle on the hypervisor open and whose real user
 * is root or the caller's own count: otherwise any user of the host could keep
 * a domain from being saved. The caller itself and the processes above it (a
 * wrapper script, strace) do not count.
 */
#ifndef COMMON_SAVER_H
#define COMMON_SAVER_H

#include <stdint.h>
#include <sys/types.h>

#include "xcext.h"

#define SAVER_PROC       "/proc"
#define SAVER_NAME_BYTES 64

struct saver {
    pid_t pid;                   /* 0: there is none */
    char name[SAVER_NAME_BYTES]; /* of the program, printable ASCII */
};

/*
 * proc_dir: SAVER_PROC, or the test's. Several helpers: any one of them. Does
 * not block. Errors: RESOURCE when proc_dir cannot be read.
 */
int saver_find(const char *proc_dir, uint32_t domid, struct saver *ret_saver,
               struct xcx_err *err);

/* Fails with kind GUEST, EBUSY and the process's name while there is one. */
int saver_refuse(const char *proc_dir, uint32_t domid, struct xcx_err *err);

#endif
