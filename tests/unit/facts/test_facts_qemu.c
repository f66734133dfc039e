/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU says of itself, a made-up one here, and programs that are none.
 */
#include "xl-migrate/facts/facts_qemu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/scratch.h"

static const char *answers[4]; /* to qmp_capabilities and what follows */
static int listen_fd;

static void *serve(void *unused)
{
    static const char greeting[] = "{\"QMP\": {}}\n";
    int fd = accept(listen_fd, NULL, NULL);
    char line[1024], answer[1024];
    FILE *in = fdopen(dup(fd), "r");

    (void)unused;
    (void)!write(fd, greeting, strlen(greeting));
    for (unsigned i = 0; i < 3 && fgets(line, sizeof(line), in);) {
        const char *id = strstr(line, "\"id\": ");

        if (!id)
            continue;
        snprintf(answer, sizeof(answer), "{%s, \"id\": %d}\n", answers[i++],
                 atoi(id + 6));
        (void)!write(fd, answer, strlen(answer));
    }
    fclose(in);
    close(fd);
    return NULL;
}

static void ask(struct facts_guest *guest)
{
    const struct facts_qemu_places places = {.run_dir = scratch_dir,
                                             .lock_dir = scratch_dir};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t server;

    memset(guest, 0, sizeof(*guest));
    guest->domid = 7;
    strcpy(guest->uuid, "11111111-2222-3333-4444-555555555555");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp-libxl-7",
             scratch_dir);
    unlink(address.sun_path);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listen_fd, 1), 0);
    assert_int_equal(pthread_create(&server, NULL, serve, NULL), 0);
    facts_qemu_ask(guest, getpid(), &places);
    pthread_join(server, NULL);
    close(listen_fd);
    unlink(address.sun_path);
}

static void test_asked(void **state)
{
    static struct facts_guest guest;

    (void)state;
    answers[0] = "\"return\": {}";
    answers[1] = "\"return\": {\"qemu\": {\"major\": 7, \"minor\": 2, "
                 "\"micro\": 22}}";
    answers[2] = "\"return\": {\"blocked-reasons\": [\"a device\\nof mine\"]}";
    ask(&guest);
    assert_string_equal(guest.qemu_version, "7.2.22");
    assert_string_equal(guest.qemu_blocker, "a device?of mine");
    assert_non_null(strstr(guest.qemu_path, "test_facts_qemu"));

    answers[1] = "\"return\": {\"qemu\": {\"major\": -7}}";
    answers[2] = "\"return\": {}";
    ask(&guest);
    assert_string_equal(guest.qemu_version, "");
    assert_string_equal(guest.qemu_blocker, "");
}

/* The guest may be of an xl whose QEMU does not answer: no more is known. */
static void test_silent(void **state)
{
    const struct facts_qemu_places places = {.run_dir = "/no/such/folder",
                                             .lock_dir = scratch_dir};
    static struct facts_guest guest;

    (void)state;
    facts_qemu_ask(&guest, 0, &places);
    assert_string_equal(guest.qemu_path, "");
    assert_string_equal(guest.qemu_version, "");
}

static void test_versions(void **state)
{
    static const struct {
        const char *text, *version;
    } rows[] = {
        {"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\n", "7.2.22"},
        {"QEMU emulator version 10.0.2\n", "10.0.2"},
        {"QEMU emulator version \n", ""},
        {"version 1111111111111111111111111111111111111111", ""},
        {"usage: reboot", ""},
        {"", ""},
    };
    char version[FACTS_WORD_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        facts_qemu_parse_version(rows[i].text, version, sizeof(version));
        assert_string_equal(version, rows[i].version);
    }
}

/* Not run is what others may have written, or has another name. */
static void test_programs(void **state)
{
    char path[512], ran[512], version[FACTS_WORD_BYTES];
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "%s/qemu-mine", scratch_dir);
    snprintf(ran, sizeof(ran), "%s/ran", scratch_dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\ntouch %s\necho QEMU emulator version 8.1.0\n",
            ran);
    fclose(file);
    assert_int_equal(chmod(path, 0777), 0);
    facts_qemu_version_of(path, version, sizeof(version));
    assert_string_equal(version, "");
    assert_int_equal(access(ran, F_OK), -1);
    facts_qemu_version_of("/bin/sh", version, sizeof(version));
    assert_string_equal(version, "");
    if (getuid() == 0) {
        assert_int_equal(chmod(path, 0755), 0);
        facts_qemu_version_of(path, version, sizeof(version));
        assert_string_equal(version, "8.1.0");
    }
    unlink(ran);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_programs),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
