/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding a domain, looking at one for a handover, and acting on it once. */
#include "xl-migrate/domain/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_xenlight.h"
#include "unit/fake_xenstore.h"

#define UUID1 "11111111-2222-3333-4444-aabbccddeeff"
#define UUID2 "22222222-2222-3333-4444-aabbccddeeff"
#define UUID0 "00000000-0000-0000-0000-000000000000"

static struct host host;

static int reset(void **state)
{
    static const struct fake_domain domains[] = {
        {.domid = 0, .uuid = UUID0, .name = "Domain-0"},
        {.domid = 5, .uuid = UUID1, .name = "web", .hvm = true},
        {.domid = 7, .uuid = UUID2, .name = "5"},
        {.domid = 9, .uuid = UUID1, .name = "gone", .dying = true},
    };

    (void)state;
    fake_xenstore_reset();
    fake_xenlight_reset();
    memcpy(fake_xenlight.domains, domains, sizeof(domains));
    fake_xenlight.nr_domains = sizeof(domains) / sizeof(domains[0]);
    host = (struct host){.xs = fake_xenstore_handle()};
    return 0;
}

static void assert_err(const struct xcx_err *err, enum xcx_err_kind kind,
                       const char *text)
{
    assert_int_equal(err->kind, kind);
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err->msg);
}

/* ---- finding ------------------------------------------------------------ */

static void test_found_by_whatever_names_it(void **state)
{
    static const struct {
        const char *text;
        uint32_t domid;
    } cases[] = {
        {"web", 5},
        {"5", 5},
        {"7", 7},
        {UUID1, 5},
        {"22222222-2222-3333-4444-AABBCCDDEEFF", 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct domain domain;

        if (domain_find(&host, cases[i].text, &domain, &err) < 0)
            fail_msg("%s", err.msg);
        assert_int_equal(domain.domid, cases[i].domid);
    }
    /* A name that looks like an id, once no domain has that id. */
    fake_xenlight.domains[1].gone = true;
    {
        struct domain domain;

        assert_int_equal(domain_find(&host, "5", &domain, NULL), 0);
        assert_int_equal(domain.domid, 7);
        assert_string_equal(domain.uuid, UUID2);
        assert_string_equal(domain.name, "5");
    }
}

static void test_not_found(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"nobody", "there is no domain \"nobody\" on this host"},
        {"", "there is no domain \"\""},
        {"6", "there is no domain \"6\""},
        {"9", "there is no domain \"9\""},
        {"-1", "there is no domain \"-1\""},
        {"99999999999", "there is no domain \"99999999999\""},
        {"0", "\"0\" is Dom0, not a guest"},
        {"Domain-0", "is Dom0"},
        {UUID0, "there is no domain \"" UUID0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct domain domain;

        assert_int_equal(domain_find(&host, cases[i].text, &domain, &err), -1);
        assert_err(&err, XCX_ERR_USAGE, cases[i].message);
    }
}

static void test_two_of_a_uuid(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct domain domain;

    (void)state;
    fake_xenlight.domains[2].uuid = UUID1;
    assert_int_equal(domain_find(&host, UUID1, &domain, &err), -1);
    assert_err(&err, XCX_ERR_USAGE, "2 domains have the UUID " UUID1);
}

static void test_libxl_fails(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct domain domain;

    (void)state;
    fake_xenlight.rc = ERROR_FAIL;
    assert_int_equal(domain_get(&host, 5, &domain, &err), -1);
    assert_err(&err, XCX_ERR_RESOURCE, "domain 5: libxl cannot look at it");
}

static void test_what_a_domain_is(void **state)
{
    static const struct {
        bool hvm, paused, shutdown;
        int reason;
        const char *type, *version;
        enum domain_kind kind;
        enum domain_state state;
        bool old;
    } cases[] = {
        {false, false, false, 0, "pv", NULL, DOMAIN_PV, DOMAIN_RUNS, false},
        {true, true, false, 0, "pvh", NULL, DOMAIN_PVH, DOMAIN_PAUSED, false},
        {true, false, true, LIBXL_SHUTDOWN_REASON_SUSPEND, "hvm", "qemu_xen",
         DOMAIN_HVM, DOMAIN_SUSPENDED, false},
        {true, true, true, LIBXL_SHUTDOWN_REASON_CRASH, NULL,
         "qemu_xen_traditional", DOMAIN_HVM, DOMAIN_SHUT_DOWN, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_domain *fake = &fake_xenlight.domains[1];
        struct xcx_err err = XCX_ERR_INIT;
        struct domain domain;

        reset(state);
        fake->hvm = cases[i].hvm;
        fake->paused = cases[i].paused;
        fake->shutdown = cases[i].shutdown;
        fake->reason = cases[i].reason;
        fake->stubdom = (int)i;
        if (cases[i].type)
            fake_xenstore_set("/libxl/5/type", cases[i].type, 0);
        if (cases[i].version)
            fake_xenstore_set("/libxl/5/dm-version", cases[i].version, 0);
        assert_int_equal(domain_get(&host, 5, &domain, &err), 0);
        assert_int_equal(domain.kind, cases[i].kind);
        assert_int_equal(domain.state, cases[i].state);
        assert_int_equal(domain.old_device_model, cases[i].old);
        assert_int_equal(domain.stubdom_domid, i);
        assert_int_equal(domain.memory_kib, 1024);
        assert_string_equal(domain.uuid, UUID1);
    }
}

static void test_uuids(void **state)
{
    static const char *const bad[] = {"",
                                      "11111111222233334444aabbccddeeff",
                                      "11111111-2222-3333-4444-aabbccddeef",
                                      "11111111-2222-3333-4444-aabbccddeeffa",
                                      "g1111111-2222-3333-4444-aabbccddeeff",
                                      "11111111-2222-3333-44444aabbccddeeff"};
    char uuid[DOMAIN_UUID_BYTES];

    (void)state;
    assert_true(
        domain_uuid_normalise("11111111-2222-3333-4444-AABBccddeeff", uuid));
    assert_string_equal(uuid, UUID1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(domain_uuid_normalise(bad[i], uuid));
}

/* ---- looks -------------------------------------------------------------- */

static void test_looks_at_the_source(void **state)
{
    static const struct {
        uint32_t domid;
        const char *uuid;
        bool shutdown;
        int reason;
        bool there;
        enum domain_state state;
        const char
            *name; /* in xenstore; NULL: none, as while it is destroyed */
    } cases[] = {
        {5, UUID1, false, 0, true, DOMAIN_RUNS, "web"},
        {5, UUID1, true, LIBXL_SHUTDOWN_REASON_SUSPEND, true, DOMAIN_SUSPENDED,
         "web--migratedaway"},
        {5, UUID1, true, LIBXL_SHUTDOWN_REASON_SUSPEND, true, DOMAIN_SUSPENDED,
         NULL},
        {5, UUID1, true, LIBXL_SHUTDOWN_REASON_POWEROFF, true, DOMAIN_SHUT_DOWN,
         "web"},
        {5, UUID2, true, LIBXL_SHUTDOWN_REASON_SUSPEND, false, 0, "web"},
        {6, UUID1, false, 0, false, 0, "web"},
        {9, UUID1, false, 0, false, 0, "web"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        struct domain domain;
        bool there;

        reset(state);
        fake_xenlight.domains[1].shutdown = cases[i].shutdown;
        fake_xenlight.domains[1].reason = cases[i].reason;
        if (cases[i].name)
            fake_xenstore_set("/local/domain/5/name", cases[i].name, 0);
        assert_int_equal(domain_look_source(&host, cases[i].domid,
                                            cases[i].uuid, &there, &domain,
                                            &err),
                         0);
        assert_int_equal(there, cases[i].there);
        if (!there)
            continue;
        assert_int_equal(domain.state, cases[i].state);
        assert_string_equal(domain.name, cases[i].name ? cases[i].name : "");
    }
}

/* No answer is not a guest without a name, which is being destroyed. */
static void test_a_look_needs_xenstored(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct domain domain;
    bool there;

    (void)state;
    fake_xenstore.fail_errno = EIO;
    assert_int_equal(domain_look_source(&host, 5, UUID1, &there, &domain, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_non_null(strstr(err.msg, "domain 5: xenstore: reading its name"));
}

static void test_looks_at_the_target(void **state)
{
    static const struct {
        const char *name;
        bool paused;
        enum handover_copy copy;
        uint32_t domid;
    } cases[] = {
        {"web--incoming", true, HANDOVER_BUILDING, 5},
        {NULL, true, HANDOVER_BUILDING, 5},
        {"web", true, HANDOVER_PAUSED, 5},
        {"web", false, HANDOVER_RUNNING, 5},
        {"renamed", false, HANDOVER_RUNNING, 5},
        {"web--migratedaway", true, HANDOVER_ABSENT, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum handover_copy copy = HANDOVER_NR_COPIES;
        struct xcx_err err = XCX_ERR_INIT;
        uint32_t domid = 77;

        reset(state);
        fake_xenlight.domains[1].name = cases[i].name;
        fake_xenlight.domains[1].paused = cases[i].paused;
        assert_int_equal(
            domain_look_target(&host, UUID1, "web", &copy, &domid, &err), 0);
        assert_int_equal(copy, cases[i].copy);
        assert_int_equal(domid, cases[i].domid);
    }
    /* The source's own copy beside it, on one host. */
    fake_xenlight.domains[2].uuid = UUID1;
    fake_xenlight.domains[2].name = "web";
    fake_xenlight.domains[2].paused = true;
    {
        enum handover_copy copy;
        uint32_t domid;

        assert_int_equal(
            domain_look_target(&host, UUID1, "web", &copy, &domid, NULL), 0);
        assert_int_equal(copy, HANDOVER_PAUSED);
        assert_int_equal(domid, 7);
    }
}

static void test_lists_half_copies(void **state)
{
    struct domain *domains = NULL;
    unsigned nr = 7;

    reset(state);
    assert_int_equal(domain_list_incoming(&host, &domains, &nr, NULL), 0);
    assert_int_equal(nr, 0);
    free(domains);
    fake_xenlight.domains[1].name = "web--incoming";
    assert_int_equal(domain_list_incoming(&host, &domains, &nr, NULL), 0);
    assert_int_equal(nr, 1);
    assert_int_equal(domains->domid, 5);
    assert_string_equal(domains->uuid, UUID1);
    assert_string_equal(domains->name, "web--incoming");
    free(domains);
}

static void test_two_copies_at_the_target(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    enum handover_copy copy;
    uint32_t domid;

    (void)state;
    fake_xenlight.domains[2].uuid = UUID1;
    assert_int_equal(
        domain_look_target(&host, UUID1, "web", &copy, &domid, &err), -1);
    assert_err(&err, XCX_ERR_GUEST, "2 domains on this host have the UUID");
}

static void test_looks_at_the_very_copy(void **state)
{
    static const struct {
        uint32_t domid;
        const char *uuid, *name;
        bool paused, has_run;
        enum handover_copy copy;
    } cases[] = {
        {5, UUID1, "web--incoming", true, false, HANDOVER_BUILDING},
        {5, UUID1, NULL, true, false, HANDOVER_BUILDING},
        {5, UUID1, "web", true, false, HANDOVER_PAUSED},
        {5, UUID1, "renamed", true, false, HANDOVER_PAUSED},
        {5, UUID1, "web", false, true, HANDOVER_RUNNING},
        {5, UUID1, "web", false, false, HANDOVER_RUNNING},
        /* An administrator has paused it, and must find it again. */
        {5, UUID1, "web", true, true, HANDOVER_RUNNING},
        {5, UUID2, "web", true, false, HANDOVER_ABSENT},
        {6, UUID1, "web", true, false, HANDOVER_ABSENT},
        {9, UUID1, "web", true, false, HANDOVER_ABSENT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum handover_copy copy = HANDOVER_NR_COPIES;
        struct xcx_err err = XCX_ERR_INIT;

        reset(state);
        fake_xenlight.domains[1].name = cases[i].name;
        fake_xenlight.domains[1].paused = cases[i].paused;
        fake_xenlight.domains[1].has_run = cases[i].has_run;
        assert_int_equal(domain_look_copy(&host, cases[i].domid, cases[i].uuid,
                                          "web", &copy, &err),
                         0);
        assert_int_equal(copy, cases[i].copy);
    }
}

static void test_another_of_the_uuid(void **state)
{
    static const struct {
        uint32_t but, other;
        const char *name; /* of 7, which has the UUID, too; NULL: it has not */
    } cases[] = {
        {5, 0, NULL},  {0, 5, NULL}, {5, 7, "web"}, {5, 0, "web--migratedaway"},
        {7, 5, "web"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        uint32_t other = 77;

        reset(state);
        if (cases[i].name) {
            fake_xenlight.domains[2].uuid = UUID1;
            fake_xenlight.domains[2].name = cases[i].name;
        }
        assert_int_equal(
            domain_find_other(&host, UUID1, cases[i].but, &other, &err), 0);
        assert_int_equal(other, cases[i].other);
    }
}

/* ---- acts --------------------------------------------------------------- */

static void test_acts_that_are_done_already(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(domain_destroy(&host, 6, &err), 0);
    assert_int_equal(domain_destroy(&host, 9, &err), 0);
    assert_int_equal(domain_resume(&host, 5, 0, &err), 0);
    assert_string_equal(fake_xenlight.calls, "");
}

static void test_acts(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(domain_unpause(&host, 5, &err), 0);
    assert_int_equal(domain_destroy(&host, 5, &err), 0);
    assert_string_equal(fake_xenlight.calls, "unpause:5 destroy:5");
}

static void test_resume_waits_for_the_images(void **state)
{
    static const struct {
        bool hvm;
        unsigned nr_failures, timeout_ms;
        const char *calls;
        const char *message; /* NULL: it succeeds */
    } cases[] = {
        {true, 0, 0, "resume:5:1", NULL},
        {true, 1, 1, "resume:5:1 resume:5:1", NULL},
        {true, 9, 0, "resume:5:1",
         "its device model cannot go on: domain 5: libxl cannot resume it"},
        {false, 9, 1000, "resume:5:1", "domain 5: libxl cannot resume it"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct xcx_err err = XCX_ERR_INIT;
        int rc;

        reset(state);
        fake_xenlight.domains[1].hvm = cases[i].hvm;
        fake_xenlight.domains[1].shutdown = true;
        fake_xenlight.domains[1].reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
        fake_xenlight.resume_fails = cases[i].nr_failures;
        rc = domain_resume(&host, 5, cases[i].timeout_ms, &err);
        assert_string_equal(fake_xenlight.calls, cases[i].calls);
        assert_int_equal(rc, cases[i].message ? -1 : 0);
        if (cases[i].message)
            assert_err(&err, XCX_ERR_RESOURCE, cases[i].message);
    }
}

/* Its copy at xl's target may run. */
static void test_what_xl_moves_is_not_resumed(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;

    reset(state);
    fake_xenlight.domains[1].shutdown = true;
    fake_xenlight.domains[1].reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
    fake_xenlight.domains[1].name = "web--migratedaway";
    assert_int_equal(domain_resume(&host, 5, 0, &err), -1);
    assert_err(&err, XCX_ERR_GUEST,
               "web--migratedaway is being moved by xl migrate");
    assert_string_equal(fake_xenlight.calls, "");
}

static void test_configuration(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    char *json = NULL;

    (void)state;
    for (unsigned keep = 0; keep < 2; keep++) {
        assert_int_equal(domain_config_json(&host, 5, keep, &json, &err), 0);
        assert_string_equal(json, "{}");
        assert_int_equal(fake_xenlight.config_domid, keep ? 5 : 0);
        free(json);
    }
    fake_xenlight.config_fails = 1;
    assert_int_equal(domain_config_json(&host, 5, false, &json, &err), -1);
    assert_err(&err, XCX_ERR_RESOURCE, "libxl has no configuration of it");
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_found_by_whatever_names_it),
        TEST(test_not_found),
        TEST(test_two_of_a_uuid),
        TEST(test_libxl_fails),
        TEST(test_what_a_domain_is),
        TEST(test_uuids),
        TEST(test_looks_at_the_source),
        TEST(test_a_look_needs_xenstored),
        TEST(test_looks_at_the_target),
        TEST(test_lists_half_copies),
        TEST(test_two_copies_at_the_target),
        TEST(test_looks_at_the_very_copy),
        TEST(test_another_of_the_uuid),
        TEST(test_acts_that_are_done_already),
        TEST(test_acts),
        TEST(test_resume_waits_for_the_images),
        TEST(test_what_xl_moves_is_not_resumed),
        TEST(test_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, reset);
}
