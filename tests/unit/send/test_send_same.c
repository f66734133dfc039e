/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that is changed while it is copied is not the one that was sent. */
#include "xl-migrate/send/send_same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "unit/fake_xenstore.h"
#include "unit/scratch.h"

#define UUID   "6b1f0e6e-3f3e-4b57-9d39-3a4a6cf0a001"
#define TARGET "/local/domain/7/memory/target"

#define BEFORE                                                                 \
    "{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0, 1], "  \
    "\"target_memkb\": 131072, \"sched_params\": {\"weight\": 256}}, "         \
    "\"disks\": [{\"vdev\": \"xvda\"}], \"nics\": [{\"mac\": \"00:16\"}]}"

static const struct domain domain = {.domid = 7, .uuid = UUID, .name = "g1"};
static const char *config;

int domain_config_json(struct host *host, uint32_t domid, bool keep_domid,
                       char **ret_json, struct xcx_err *err)
{
    (void)host;
    assert_int_equal(domid, 7);
    assert_false(keep_domid);
    if (!config)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "libxl does not answer");
    *ret_json = strdup(config);
    return 0;
}

static void each_change_is_named(void **state)
{
    static const struct {
        const char *now, *text; /* NULL: it is the same */
    } rows[] = {
        {BEFORE, NULL},
        /* Order and blanks are not the guest's. */
        {"{\"nics\":[{\"mac\":\"00:16\"}],\"disks\":[{\"vdev\":\"xvda\"}],"
         "\"b_info\":{\"sched_params\":{\"weight\":256},\"target_memkb\":131072"
         ",\"avail_vcpus\":[0,1]},\"c_info\":{\"name\":\"g1\"}}",
         NULL},
        {"{\"c_info\": {\"name\": \"g2\"}}",
         "c_info.name: \"g1\" before, \"g2\" now"},
        {"{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0]}}",
         "b_info.avail_vcpus: 2 of them before, 1 of them now"},
        {"{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0, "
         "1], \"target_memkb\": 65536}}",
         "b_info.target_memkb: 131072 before, 65536 now"},
        {"{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0, "
         "1], \"target_memkb\": 131072, \"sched_params\": {\"weight\": 512}}}",
         "b_info.sched_params.weight: 256 before, 512 now"},
        {"{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0, "
         "1], \"target_memkb\": 131072, \"sched_params\": {\"weight\": 256}}, "
         "\"disks\": [{\"vdev\": \"xvda\"}, {\"vdev\": \"xvdb\"}]}",
         "disks: 1 of them before, 2 of them now"},
        {"{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0, "
         "1], \"target_memkb\": 131072, \"sched_params\": {\"weight\": 256}}, "
         "\"disks\": [{\"vdev\": \"xvdc\"}]}",
         "disks[0].vdev: \"xvda\" before, \"xvdc\" now"},
        {"{\"c_info\": {\"name\": \"g1\"}, \"b_info\": {\"avail_vcpus\": [0, "
         "1], \"target_memkb\": 131072, \"sched_params\": {\"weight\": 256}}, "
         "\"disks\": [{\"vdev\": \"xvda\"}]}",
         "nics: 1 of them before, nothing now"},
        {"no JSON", "libxl prints it differently"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256] = "";
        bool same = send_same_config(BEFORE, rows[i].now, text, sizeof(text));

        assert_int_equal(same, !rows[i].text);
        assert_string_equal(text, rows[i].text ? rows[i].text : "");
    }
}

static void put_file(const char *text)
{
    char path[256], old[300];
    FILE *file;

    snprintf(path, sizeof(path), "%s/userdata-d.7." UUID ".libxl-json",
             scratch_dir);
    snprintf(old, sizeof(old), "%s.old", path);
    rename(path, old); /* so that its inode is not used again */
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void begin(struct send_same *same, struct host *host)
{
    struct xcx_err err = XCX_ERR_INIT;

    fake_xenstore_reset();
    *host = (struct host){.xs = fake_xenstore_handle()};
    *same = SEND_SAME_INIT;
    same->libxl_dir = scratch_dir;
    put_file("{}");
    fake_xenstore_set(TARGET, "131072", 0);
    config = BEFORE;
    if (send_same_note(same, host, &domain, &err) ||
        send_same_check(same, host, &domain, &err) ||
        send_same_glance(same, host, &domain, &err))
        fail_msg("%s", err.msg);
}

static void a_guest_that_was_changed_does_not_move(void **state)
{
    struct send_same same;
    struct host host;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&same, &host);
    config = "{\"c_info\": {\"name\": \"g2\"}}";
    assert_int_equal(send_same_check(&same, &host, &domain, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_non_null(strstr(err.msg, "g1 was changed while it was copied "
                                    "(c_info.name"));
    send_same_done(&same);
}

static void a_change_is_noticed_at_a_glance(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct send_same same;
        struct host host;
        struct xcx_err err = XCX_ERR_INIT;

        begin(&same, &host);
        if (i)
            fake_xenstore_set(TARGET, "65536", 0);
        else
            put_file("{}"); /* anew, however the same */
        assert_int_equal(send_same_glance(&same, &host, &domain, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_GUEST);
        assert_non_null(strstr(err.msg, i ? "its memory target"
                                          : "stored its configuration anew"));
        send_same_done(&same);
        send_same_done(&same);
    }
}

static void what_cannot_be_read_is_another_error(void **state)
{
    struct send_same same;
    struct host host;
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    begin(&same, &host);
    config = NULL;
    assert_int_equal(send_same_check(&same, &host, &domain, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    send_same_done(&same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_is_named),
        cmocka_unit_test(a_guest_that_was_changed_does_not_move),
        cmocka_unit_test(a_change_is_noticed_at_a_glance),
        cmocka_unit_test(what_cannot_be_read_is_another_error),
    };

    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
