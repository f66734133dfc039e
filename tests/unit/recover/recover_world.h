/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover_world: the host, the domain and the target of tests of recover, and
 * one case of theirs. One world at a time; its journals are in scratch_dir.
 */
#ifndef TESTS_UNIT_RECOVER_WORLD_H
#define TESTS_UNIT_RECOVER_WORLD_H

#include "xl-migrate/cli/command.h"
#include "xl-migrate/recover/recover.h"

#define ID         "0a1b"
#define UUID       "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define BOOT       "0f9b1c1e-1111-4222-8333-444455556666"
#define OLD_BOOT   "0f9b1c1e-1111-4222-8333-444455557777"
#define TEXT_BYTES 2048

/* The only domain there is, and what was done, in order: "settle 7, ". */
extern struct recover_world {
    enum handover_copy copy;
    const char *suffix; /* of its name, g1; NULL: none */
    int saver;          /* another program's save helper; 0: none */
    uint32_t domid;
    uint32_t twin; /* another domain of its UUID; 0: none */
    bool is_other_uuid;
    bool settle_fails;
    unsigned nr_busy;          /* tries to settle that meet a save at work */
    enum handover_word answer; /* of the target to the first word, or none */
    unsigned nr_lost;          /* connections, while keys are sent */
    enum peer_kind kind;       /* as which it was connected to */
    char done[512];
} recover_world;

/* A case and a domain, and what is to come of them. */
struct recover_situation {
    const char *name;
    enum journal_side side;
    enum handover_entry entry;
    const char *boot;
    const char *guest; /* its name; NULL: g1 */
    bool stay_paused, stock, fenced;
    enum handover_copy copy;
    const char *suffix; /* of its name by now */
    int saver;          /* another program's save helper, its process */
    uint32_t domid;     /* the journal's is 7 */
    bool built;         /* as the journal has it, before its entry */
    bool is_other_uuid;
    bool unseen; /* its entry was written when there was no domain */
    bool settle_fails;
    unsigned nr_busy; /* tries to resume it that meet a save at work */
    enum handover_word answer;
    unsigned nr_lost;
    /* What then happens. */
    const char *done, *said;
    enum exit_status status;
    bool settled; /* else its journal ends with: */
    enum handover_entry then;
};

/* What of a case's journal at the source, or at the target, is most common. */
#define AT_SOURCE(entry_, copy_, domid_)                                       \
    .side = JOURNAL_SOURCE, .entry = HANDOVER_##entry_, .boot = BOOT,          \
    .copy = HANDOVER_##copy_, .domid = domid_, .settled = true

/* Leaves the case, its journal closed; nothing was done yet. */
void recover_world_begin(const struct recover_situation *at);

/* said: TEXT_BYTES, for what is printed by it, errors too. */
enum exit_status recover_world_run(const char *what, enum peer_kind kind,
                                   bool fenced, char *said);

/* Settled, or its journal as it must be, which is removed then. */
void recover_world_check_case(const struct recover_situation *at);

#endif
