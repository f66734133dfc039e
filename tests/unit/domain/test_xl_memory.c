/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that Dom0 gives for a domain, under xl's lock. */
#include "xl-migrate/domain/xl_memory.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_xenlight.h"
#include "unit/scratch.h"

static char conf[64], lock[64], said[512];

static int set_up(void **state)
{
    if (scratch_make(state))
        return -1;
    snprintf(conf, sizeof(conf), "%s/xl.conf", scratch_dir);
    snprintf(lock, sizeof(lock), "%s/lock", scratch_dir);
    return 0;
}

static void keep(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque, (void)level;
    snprintf(said, sizeof(said), "%s", line);
}

static int make_room(void)
{
    const struct xl_memory_paths paths = {conf, lock};
    const struct xcx_log log = {keep, NULL};
    libxl_domain_config config;
    int fd;

    said[0] = 0;
    libxl_domain_config_init(&config);
    fd = xl_memory_make_room(NULL, &config, &paths, &log);
    libxl_domain_config_dispose(&config);
    return fd;
}

/* As another xl would find it. */
static bool is_locked(void)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        struct flock flock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(lock, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        _exit(fcntl(fd, F_SETLK, &flock) ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status) == 1;
}

static void dom0_balloons_under_the_lock(void **state)
{
    int fd;

    (void)state;
    fake_xenlight_reset();
    fake_xenlight.xen_command_line = "com1=115200";
    fake_xenlight.need_kib = 1000;
    fake_xenlight.free_kib = 400;
    fd = make_room();
    assert_true(fd >= 0);
    assert_true(is_locked());
    assert_string_equal(fake_xenlight.calls, "target:0:-600");
    assert_string_equal(said, "");
    close(fd);
    assert_false(is_locked());
}

static void nothing_is_asked_for_if_there_is_enough(void **state)
{
    int fd;

    (void)state;
    fake_xenlight_reset();
    fake_xenlight.xen_command_line = "";
    fake_xenlight.need_kib = fake_xenlight.free_kib = 1000;
    fd = make_room();
    assert_true(is_locked());
    assert_string_equal(fake_xenlight.calls, "");
    close(fd);
}

static void a_dom0_that_gives_none_is_named(void **state)
{
    int fd;

    (void)state;
    fake_xenlight_reset();
    fake_xenlight.xen_command_line = "";
    fake_xenlight.need_kib = 1000;
    fake_xenlight.dom0_keeps_all = true;
    fd = make_room();
    assert_true(is_locked());
    assert_string_equal(fake_xenlight.calls, "target:0:-1000");
    assert_non_null(strstr(said, "Dom0 does not free the memory"));
    close(fd);
}

static void a_fixed_dom0_is_left_alone(void **state)
{
    FILE *file;

    (void)state;
    fake_xenlight_reset();
    fake_xenlight.need_kib = 1000;
    assert_int_equal(make_room(), -1);
    fake_xenlight.xen_command_line = "";
    file = fopen(conf, "w");
    assert_non_null(file);
    fputs("autoballoon=\"off\"\n", file);
    fclose(file);
    assert_int_equal(make_room(), -1);
    assert_string_equal(fake_xenlight.calls, "");
    assert_false(is_locked());
    unlink(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dom0_balloons_under_the_lock),
        cmocka_unit_test(nothing_is_asked_for_if_there_is_enough),
        cmocka_unit_test(a_dom0_that_gives_none_is_named),
        cmocka_unit_test(a_fixed_dom0_is_left_alone),
    };

    return cmocka_run_group_tests(tests, set_up, scratch_remove);
}
