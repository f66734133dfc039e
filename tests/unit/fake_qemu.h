/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_qemu: the QEMU of domain 5, played by a thread: it greets, then answers
 * the commands that come by its script, in which ID stands for the command's.
 */
#ifndef FAKE_QEMU_H
#define FAKE_QEMU_H

#include <pthread.h>
#include <stdbool.h>

#include "common/qmp.h"

#define UUID       "01234567-89ab-cdef-0123-456789abcdef"
#define GREETING   "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define OK         "{\"return\": {}, \"id\": ID}\r\n"
#define NR_STEPS   8
#define ROOM_BYTES 4096

struct step {
    const char *expect; /* in the command */
    const char *reply;  /* NULL: hangs up */
};

struct qemu {
    const char *greeting;
    struct step steps[NR_STEPS];
    bool saves_nothing;
    bool saves_for_ever; /* a byte every few ms, far behind the end */
    bool stays;          /* at the script's end, without a word */
    /* What it saw. */
    unsigned nr_commands;
    bool unexpected;
    bool was_stopped; /* while it did that */
    int got_flags;    /* of the fd that came; -1: none */
    bool saw_lock;    /* the lock's file was there during the last command */
};

/* Where its socket is and libxl's lock for it. For cmocka's groups. */
extern char fake_qemu_dir[];
int fake_qemu_make_dir(void **state);
int fake_qemu_remove_dir(void **state);
void fake_qemu_lock_path(char ret[QMP_PATH_BYTES + 128]);

/* One conversation. end(): it must have gone by the script. */
pthread_t fake_qemu_start(struct qemu *qemu);
void fake_qemu_end(pthread_t thread, const struct qemu *qemu);

#endif
