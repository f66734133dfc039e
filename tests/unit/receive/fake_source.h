/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_source: the source of a case, as a test plays it to xl-migrate receive,
 * which runs as a process with fake_target.c for a toolstack and fake_xl for
 * xl. What is not as expected fails the test.
 */
#ifndef FAKE_SOURCE_H
#define FAKE_SOURCE_H

#include "xl-migrate/wire/channel.h"
#include "common/spawn.h"

#define ID      "0123456789abcdef0123456789abcdef"
#define UUID    "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define WAIT_MS 30000

#define BEGIN                                                                  \
    "{\"type\":\"begin\",\"id\":\"" ID "\",\"uuid\":\"" UUID "\","             \
    "\"name\":\"guest\",\"source\":\"host1\",\"announce\":{\"rounds\":3,"      \
    "\"step_ms\":70}}\n"
/* Another migration of the same guest. */
#define OTHER_ID "fedcba9876543210fedcba9876543210"
#define OTHER_BEGIN                                                            \
    "{\"type\":\"begin\",\"id\":\"" OTHER_ID "\",\"uuid\":\"" UUID "\","       \
    "\"name\":\"guest\",\"source\":\"host3\"}\n"
#define KEY                                                                    \
    "{\"type\":\"xenstore\",\"path\":\"data/x\",\"value\":\"v\","              \
    "\"perms\":[\"nself\",\"r0\"]}\n"
#define REATTACH   "{\"type\":\"reattach\",\"id\":\"" ID "\"}\n"
#define WORD(word) "{\"type\":\"word\",\"word\":\"" word "\"}\n"

extern char program[512];

/* The source's end of a connection. */
struct source {
    struct spawned receive;
    struct channel channel;
    int fd;
    struct spawned data;
    int data_fd;
};

/* ---- talking ------------------------------------------------------------ */

/* Up to the hello. */
void connect_to(struct source *source);

/* From connecting until the data's process is there; how: the message. */
void begin(struct source *source, const char *how);

/* The same, and everything is sent. */
void until_ready(struct source *source, const char *how);

/* A new connection for the case. */
void reattach(struct source *source);

void say(const struct source *source, const char *text);
void say_data(const struct source *source, const char *text);

/* The next message that is no log; the caller's. */
struct message hear(struct source *source, const char *type);
void hear_word(struct source *source, const char *word);
void hear_aborted(struct source *source, const char *why); /* "none" */

/* A text of it, "none" if it has none; done with the message. */
void expect_text(struct message message, const char *key, const char *want);

/* Hangs up and expects these exit statuses; data -1: there was none. */
void expect_end(struct source *source, int receive, int data);

void spawn_with(struct spawned *ret, int in_fd, int out_fd,
                const char *const *argv);

/* ---- what is left ------------------------------------------------------- */

void expect_file(const char *name, const char *want); /* "": or no file */
void expect_journal(const char *entry);               /* NULL: there is none */
void until_journal_has(const char *want);
void until_domain_is(const char *want);

/* ---- for cmocka --------------------------------------------------------- */

int fake_source_set_up(void **state);
int fake_source_tear_down(void **state);
int fake_source_clean(void **state);             /* before each test */
void fake_source_find_program(const char *test); /* the test's argv[0] */

#endif
