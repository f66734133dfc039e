/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration from a file, read by an xl that is a script of the test's. */
#include "xl-migrate/send/send_config.h"

#include <fcntl.h>
#include <libxl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/deadline.h"
#include "unit/scratch.h"

#define SHORT_MS 200
#define UUID     "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"

/*
 * Says what it was asked; what it does hangs on the file's name. "go" is a
 * FIFO that the test opens.
 */
static const char xl[] =
    "#!/bin/sh\n"
    "echo \"$*\" >asked\n"
    "case $4 in\n"
    "*silent*) exec sleep 20 ;;\n"
    "*held*) read go <go & ;;\n"
    "*bad*) echo 'bad:3: no such key' >&2; echo more >&2; exit 1 ;;\n"
    "esac\n"
    "echo '{}'\n";

static const struct domain domain = {.domid = 7, .uuid = UUID, .name = "guest"};

static struct host the_host;

/* ---- libxl, as far as it is asked ---------------------------------------- */

void libxl_domain_config_init(libxl_domain_config *config)
{
    memset(config, 0, sizeof(*config));
}

void libxl_domain_config_dispose(libxl_domain_config *config)
{
    free(config->c_info.name);
}

int libxl_domain_config_from_json(libxl_ctx *ctx, libxl_domain_config *config,
                                  const char *text)
{
    (void)ctx, (void)config;
    return strcmp(text, "{}\n");
}

char *libxl_domain_config_to_json(libxl_ctx *ctx, libxl_domain_config *config)
{
    char *text;

    (void)ctx;
    return asprintf(&text, "%s %d", config->c_info.name,
                    (int)config->c_info.domid) < 0
               ? NULL
               : text;
}

int libxl_uuid_from_string(libxl_uuid *uuid, const char *text)
{
    (void)uuid;
    assert_string_equal(text, UUID);
    return 0;
}

int domain_config_json(struct host *host, uint32_t domid, bool keep_domid,
                       char **ret_json, struct xcx_err *err)
{
    (void)host, (void)keep_domid, (void)err;
    assert_int_equal(domid, 7);
    *ret_json = strdup("its own");
    return 0;
}

/* ---- the tests' own ------------------------------------------------------ */

static void put(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(name, mode), 0);
}

static void expect_asked(const char *want)
{
    char text[256] = "";
    FILE *file = fopen("asked", "r");

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_string_equal(text, want);
}

static int make_xl(void **state)
{
    char path[4096];
    const char *before = getenv("PATH");

    if (scratch_make(state) || !before || chdir(scratch_dir))
        return -1;
    snprintf(path, sizeof(path), "%s:%.4000s", scratch_dir, before);
    setenv("PATH", path, 1);
    put("xl", xl, 0700);
    return 0;
}

static int remove_xl(void **state)
{
    return chdir("/") ? -1 : scratch_remove(state);
}

/* ---- tests --------------------------------------------------------------- */

static void a_file_is_what_xl_makes_of_it(void **state)
{
    static const struct {
        const char *file, *asked;
    } rows[] = {
        {"guest.cfg", "create -n -q guest.cfg\n"},
        {"-n", "create -n -q ./-n\n"},
        {"--help", "create -n -q ./--help\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        char *json = NULL;

        put(rows[i].file, "", 0600);
        if (send_config_json(&the_host, &domain, rows[i].file,
                             SEND_CONFIG_XL_MS, true, &json, &err))
            fail_msg("%s", err.msg);
        assert_string_equal(json, "guest 7");
        free(json);
        expect_asked(rows[i].asked);
    }
}

static void what_xl_does_not_take_is_refused_in_its_words(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char *json = NULL;

    (void)state;
    put("bad.cfg", "", 0600);
    assert_int_equal(send_config_json(&the_host, &domain, "bad.cfg",
                                      SEND_CONFIG_XL_MS, false, &json, &err),
                     -1);
    assert_string_equal(err.msg, "bad.cfg: xl does not take this "
                                 "configuration: bad:3: no such key");
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    err = XCX_ERR_INIT;
    assert_int_equal(send_config_json(&the_host, &domain, "none.cfg",
                                      SEND_CONFIG_XL_MS, false, &json, &err),
                     -1);
    assert_string_equal(err.msg, "none.cfg: No such file or directory");
    assert_int_equal(err.kind, XCX_ERR_USAGE);
    assert_null(json);
}

/* And one whose child keeps its output open. */
static void an_xl_that_does_not_end_is_not_waited_for(void **state)
{
    static const char *const files[] = {"silent.cfg", "held.cfg"};
    int go_fd;

    (void)state;
    assert_int_equal(mkfifo("go", 0600), 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        uint64_t start_ns = deadline_now_ns();
        struct xcx_err err = XCX_ERR_INIT;
        char *json = NULL, want[128];

        put(files[i], "", 0600);
        assert_int_equal(send_config_json(&the_host, &domain, files[i],
                                          SHORT_MS, false, &json, &err),
                         -1);
        snprintf(want, sizeof(want),
                 "%s: xl has not read this configuration within %d ms",
                 files[i], SHORT_MS);
        assert_string_equal(err.msg, want);
        assert_int_equal(err.kind, XCX_ERR_RESOURCE);
        assert_in_range(deadline_now_ns() - start_ns, SHORT_MS * 1000000u,
                        15000000000);
        assert_null(json);
    }
    go_fd = open("go", O_RDWR | O_CLOEXEC); /* waits for no reader */
    assert_int_equal(write(go_fd, "\n", 1), 1);
    close(go_fd);
}

static void without_a_file_it_is_the_guest_s_own(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char *json = NULL;

    (void)state;
    assert_int_equal(send_config_json(&the_host, &domain, NULL,
                                      SEND_CONFIG_XL_MS, false, &json, &err),
                     0);
    assert_string_equal(json, "its own");
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_what_xl_makes_of_it),
        cmocka_unit_test(what_xl_does_not_take_is_refused_in_its_words),
        cmocka_unit_test(an_xl_that_does_not_end_is_not_waited_for),
        cmocka_unit_test(without_a_file_it_is_the_guest_s_own),
    };

    return cmocka_run_group_tests(tests, make_xl, remove_xl);
}
