/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_source.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

char program[512];
static char dir[] = "/tmp/test-receive-XXXXXX";

/* ---- starting and ending ------------------------------------------------- */

void spawn_with(struct spawned *ret, int in_fd, int out_fd,
                const char *const *argv)
{
    const struct spawn_order order = {
        .argv = argv,
        .fds = {in_fd, out_fd, -1},
    };
    struct xcx_err err = XCX_ERR_INIT;

    if (spawn_start(ret, &order, &err))
        fail_msg("%s", err.msg);
}

void say(const struct source *source, const char *text)
{
    assert_int_equal(send(source->fd, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

/* The next message that is no log. */
struct message hear(struct source *source, const char *type)
{
    struct message message;
    struct xcx_err err = XCX_ERR_INIT;

    for (;;) {
        int rc = channel_receive(&source->channel, deadline_in_ms(WAIT_MS),
                                 &message, &err);

        if (rc != 1)
            fail_msg("no %s: %s", type, rc ? err.msg : "the end");
        if (strcmp(message.type, "log") != 0)
            break;
        message_done(&message);
    }
    if (strcmp(message.type, type) != 0) {
        const char *text = YAJL_GET_STRING(message_value(&message, "text"));

        fail_msg("%s instead of %s: %s", message.type, type, text ? text : "");
    }
    return message;
}

void expect_text(struct message message, const char *key, const char *want)
{
    const char *text = YAJL_GET_STRING(message_value(&message, key));

    assert_string_equal(text ? text : "none", want);
    message_done(&message);
}

void hear_word(struct source *source, const char *word)
{
    expect_text(hear(source, "word"), "word", word);
}

void hear_aborted(struct source *source, const char *why)
{
    struct message message = hear(source, "word");

    assert_string_equal(YAJL_GET_STRING(message_value(&message, "word")),
                        "ABORTED");
    expect_text(message, "text", why);
}

void connect_to(struct source *source)
{
    const char *const argv[] = {program, NULL};
    struct xcx_err err = XCX_ERR_INIT;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    spawn_with(&source->receive, fds[1], fds[1], argv);
    close(fds[1]);
    source->fd = fds[0];
    source->data = SPAWNED_INIT;
    source->data_fd = -1;
    assert_int_equal(
        channel_init(&source->channel, fds[0], fds[0], "target", &err), 0);
    expect_text(hear(source, "hello"), "host", "target");
}

static void bring_data(struct source *source)
{
    const char *const argv[] = {program, "--data", ID, NULL};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    spawn_with(&source->data, fds[1], -1, argv);
    close(fds[1]);
    source->data_fd = fds[0];
}

void say_data(const struct source *source, const char *text)
{
    assert_int_equal(send(source->data_fd, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

void begin(struct source *source, const char *how)
{
    connect_to(source);
    say(source, how);
    message_done((struct message[]){hear(source, "listening")});
    bring_data(source);
}

/* Both processes' exit statuses; -1: there was none for data. */
void expect_end(struct source *source, int receive, int data)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
    assert_true(spawn_wait(&source->receive, deadline_in_ms(WAIT_MS)));
    assert_int_equal(spawn_exit_status(&source->receive), receive);
    if (data >= 0) {
        assert_true(spawn_wait(&source->data, deadline_in_ms(WAIT_MS)));
        assert_int_equal(spawn_exit_status(&source->data), data);
    }
    if (source->data_fd >= 0)
        close(source->data_fd);
    spawn_done(&source->receive);
    spawn_done(&source->data);
    channel_done(&source->channel);
}

/* ---- what is left -------------------------------------------------------- */

static void read_file(const char *name, char *text, size_t room_bytes)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "r");
    text[file ? fread(text, 1, room_bytes - 1, file) : 0] = 0;
    if (file)
        fclose(file);
}

void expect_file(const char *name, const char *want)
{
    char text[1024];

    read_file(name, text, sizeof(text));
    assert_string_equal(text, want);
}

/* entry NULL: no journal at all. */
void expect_journal(const char *entry)
{
    char text[8192], want[64];

    read_file("journals/" ID ".target.journal", text, sizeof(text));
    if (!entry) {
        assert_string_equal(text, "");
        return;
    }
    snprintf(want, sizeof(want), "{\"entry\":\"%s\"", entry);
    assert_non_null(strstr(text, want));
}

void until_journal_has(const char *want)
{
    uint64_t deadline_ns = deadline_in_ms(WAIT_MS);
    char text[8192];

    do {
        read_file("journals/" ID ".target.journal", text, sizeof(text));
        assert_int_not_equal(deadline_left_ms(deadline_ns), 0);
        poll(NULL, 0, 1);
    } while (!strstr(text, want));
}

void until_domain_is(const char *want)
{
    uint64_t deadline_ns = deadline_in_ms(WAIT_MS);
    char text[64];

    do {
        read_file("domain", text, sizeof(text));
        assert_int_not_equal(deadline_left_ms(deadline_ns), 0);
        poll(NULL, 0, 1);
    } while (strcmp(text, want) != 0);
}

void until_ready(struct source *source, const char *how)
{
    begin(source, how);
    say_data(source, "ok\nmemory\ngo\n");
    hear_word(source, "READY");
}

void reattach(struct source *source)
{
    connect_to(source);
    say(source, REATTACH);
}

/* ---- the tests' own ------------------------------------------------------ */

int fake_source_clean(void **state)
{
    (void)state;
    unsetenv("FAKE_BOOT");
    unsetenv("FAKE_FAILS");
    unsetenv("FAKE_UUID");
    return system("rm -rf $FAKE_DOMAIN $FAKE_LOG $FAKE_DIR/journals/* "
                  "$FAKE_DIR/other");
}

static void set_path(const char *name, const char *file)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    setenv(name, path, 1);
}

int fake_source_set_up(void **state)
{
    char path[4096];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    setenv("FAKE_DIR", dir, 1);
    set_path("FAKE_DOMAIN", "domain");
    set_path("FAKE_LOG", "log");
    set_path("XL_MIGRATE_CONF", "conf");
    set_path("XL_MIGRATE_JOURNAL_DIR", "journals");
    set_path("XL_MIGRATE_RUN_DIR", "run");
    setenv("LIBXL_SAVE_HELPER", "true", 1);
    snprintf(path, sizeof(path), "%s:%s", dir, getenv("PATH"));
    setenv("PATH", path, 1);
    signal(SIGPIPE, SIG_IGN);
    return system("cp tests/unit/fake_xl $FAKE_DIR/xl && : >$FAKE_DIR/conf");
}

int fake_source_tear_down(void **state)
{
    (void)state;
    return system("rm -rf $FAKE_DIR");
}

void fake_source_find_program(const char *test)
{
    snprintf(program, sizeof(program),
             "%.*s/../../../bin/xl-migrate-receive-fake",
             (int)(strrchr(test, '/') - test), test);
}
