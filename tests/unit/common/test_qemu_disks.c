/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks that QEMU serves, in a xenstore of this process, with rings that
 * are here in the place of granted pages, and a QEMU that a thread plays.
 */
#include "common/qemu_disks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xengnttab.h>
#include <cmocka.h>

#include "unit/fake_qemu.h"
#include "unit/fake_xenstore.h"

#define DOMID 5
#define REF   8

/* ---- granted pages ------------------------------------------------------- */

static struct {
    struct {
        uint32_t req_prod, req_event, rsp_prod, rsp_event;
    } page;
    bool is_stuck;   /* QEMU answers nothing more */
    bool is_refused; /* the grant is none */
    unsigned nr_looks, nr_mapped, nr_open;
    uint32_t last_ref;
} ring;

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned open_flags)
{
    (void)logger;
    (void)open_flags;
    ring.nr_open++;
    return (xengnttab_handle *)&ring;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    (void)xgt;
    ring.nr_open--;
    return 0;
}

/* One more request is answered between two looks. */
void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
                              uint32_t ref, int prot)
{
    (void)xgt;
    (void)prot;
    assert_int_equal(domid, DOMID);
    ring.last_ref = ref;
    if (ring.is_refused) {
        errno = EINVAL;
        return NULL;
    }
    if (ring.nr_looks++ && !ring.is_stuck &&
        ring.page.rsp_prod != ring.page.req_prod)
        ring.page.rsp_prod++;
    ring.nr_mapped++;
    return &ring.page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
    (void)xgt;
    (void)start;
    ring.nr_mapped -= count;
    return 0;
}

/* ---- the domain ---------------------------------------------------------- */

static void set(const char *dir, const char *node, const char *value)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    fake_xenstore_set(path, value, 0);
}

static void add_disk(const char *devid, const char *backend, const char *mode)
{
    char dir[128], front[128], back[128];

    snprintf(dir, sizeof(dir), "/libxl/5/device/vbd/%s", devid);
    snprintf(front, sizeof(front), "/local/domain/5/device/vbd/%s", devid);
    snprintf(back, sizeof(back), "%s/5/%s", backend, devid);
    fake_xenstore_set(dir, "", 0);
    set(dir, "frontend", front);
    set(dir, "backend", back);
    set(back, "mode", mode);
    set(back, "state", "4");
    set(back, "dev", "xvda");
    set(front, "ring-ref", "8");
}

static int set_up(void **state)
{
    (void)state;
    fake_xenstore_reset();
    memset(&ring, 0, sizeof(ring));
    fake_xenstore_set("/libxl/5/type", "pvh", 0);
    fake_xenstore_set("/local/domain/5/vm", "/vm/" UUID, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(ring.nr_mapped, 0);
    assert_int_equal(ring.nr_open, 0);
    return 0;
}

static struct qemu_disks disks_of(unsigned limit_ms)
{
    return (struct qemu_disks){.xs = fake_xenstore_handle(),
                               .domid = DOMID,
                               .run_dir = fake_qemu_dir,
                               .lock_dir = fake_qemu_dir,
                               .limit_ms = limit_ms};
}

static void assert_text(const struct xcx_err *err, const char *text)
{
    if (!strstr(err->msg, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err->msg);
}

#define QDISK "/local/domain/0/backend/qdisk"

/* ---- tests --------------------------------------------------------------- */

/* Nothing listens: whoever wanted QEMU would fail. */
static void test_other_disks_need_no_qemu(void **state)
{
    struct qemu_disks disks = disks_of(50);
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    assert_int_equal(qemu_disks_check(&disks, &err), 0);
    add_disk("51712", "/local/domain/0/backend/vbd", "w");
    add_disk("51728", QDISK, "r");
    add_disk("51744", "/local/domain/3/backend/vbd", "w");
    assert_int_equal(qemu_disks_check(&disks, &err), 0);
    assert_int_equal(qemu_disks_flush_live(&disks, &err), 0);
    assert_int_equal(qemu_disks_settle(&disks, &err), 0);
    assert_int_equal(disks.nr, 0);
    assert_int_equal(ring.nr_looks, 0);
}

static void test_requests_are_answered_before_the_flush(void **state)
{
    struct qemu qemu = {.steps = {{"qmp_capabilities", OK},
                                  {"\"stop\"", OK},
                                  {"\"cont\"", OK}}};
    struct qemu_disks disks = disks_of(5000);
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread;

    (void)state;
    add_disk("51712", QDISK, "w");
    ring.page.req_prod = 2; /* past the end of what 32 bits count */
    ring.page.rsp_prod = UINT32_MAX;
    thread = fake_qemu_start(&qemu);
    if (qemu_disks_settle(&disks, &err))
        fail_msg("%s", err.msg);
    fake_qemu_end(thread, &qemu);
    assert_int_equal(ring.page.rsp_prod, 2);
    assert_int_equal(ring.last_ref, REF);
    assert_int_equal(qemu.nr_commands, 3);
    assert_true(qemu.saw_lock);
    assert_int_equal(disks.nr, 1);
}

/* No QEMU is there: it must not come to a flush. */
static void test_a_request_without_an_answer(void **state)
{
    struct qemu_disks disks = disks_of(20);
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    add_disk("51712", QDISK, "w");
    ring.page.req_prod = 1;
    ring.is_stuck = true;
    assert_int_equal(qemu_disks_settle(&disks, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_text(&err, "disk xvda: QEMU has not answered all requests of the "
                      "guest within 20 ms");
    assert_true(ring.nr_looks > 1);
}

static void test_a_driver_that_uses_several_pages_or_none(void **state)
{
    struct qemu_disks disks = disks_of(20);
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    add_disk("51712", QDISK, "w");
    fake_xenstore_set("/local/domain/5/device/vbd/51712/ring-ref", "", 5);
    fake_xenstore_set("/local/domain/5/device/vbd/51712/ring-ref0", "9", 5);
    assert_int_equal(qemu_disks_drain(&disks, &err), 0);
    assert_int_equal(ring.last_ref, 9);
    ring.nr_looks = 0;
    fake_xenstore_set(QDISK "/5/51712/state", "2", 0);
    assert_int_equal(qemu_disks_drain(&disks, &err), 0);
    assert_int_equal(ring.nr_looks, 0);
}

/* Its device model's state is taken next, and that flushes. */
static void test_of_an_hvm_guest_only_the_rings_matter(void **state)
{
    struct qemu_disks disks = disks_of(5000);
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    fake_xenstore_set("/libxl/5/type", "hvm", 0);
    add_disk("51712", QDISK, "w");
    ring.page.req_prod = 3;
    assert_int_equal(qemu_disks_check(&disks, &err), 0);
    assert_int_equal(qemu_disks_flush_live(&disks, &err), 0);
    assert_int_equal(qemu_disks_settle(&disks, &err), 0);
    assert_int_equal(ring.page.rsp_prod, 0);
    assert_int_equal(qemu_disks_drain(&disks, &err), 0);
    assert_int_equal(ring.page.rsp_prod, 3);
}

static void test_a_live_flush_waits_for_no_ring(void **state)
{
    struct qemu qemu = {
        .steps = {{"capab", OK}, {"\"stop\"", OK}, {"\"cont\"", OK}}};
    struct qemu_disks disks = disks_of(5000);
    struct xcx_err err = XCX_ERR_INIT;
    pthread_t thread = fake_qemu_start(&qemu);

    (void)state;
    add_disk("51712", QDISK, "w");
    ring.is_stuck = true;
    ring.page.req_prod = 1;
    if (qemu_disks_flush_live(&disks, &err))
        fail_msg("%s", err.msg);
    fake_qemu_end(thread, &qemu);
    assert_int_equal(qemu.nr_commands, 3);
}

static void test_a_qemu_that_does_not_do_it(void **state)
{
    static const struct {
        struct qemu qemu;
        const char *text;
    } cases[] = {
        {{.steps = {{"capab", OK}, {"stop", NULL}}}, "stop: it hung up"},
        {{.steps = {{"capab", OK},
                    {"stop", "{\"error\": {\"desc\": \"dump\"}, \"id\": "
                             "ID}\r\n"}}},
         "stop: dump"},
        {{.steps = {{"capab", OK}, {"stop", ""}}, .stays = true},
         "stop: no answer in time"},
        {{.steps = {{"capab", OK}, {"stop", OK}, {"cont", NULL}}},
         "cont: it hung up"},
    };

    (void)state;
    add_disk("51712", QDISK, "w");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qemu_disks disks = disks_of(100);
        struct qemu qemu = cases[i].qemu;
        struct xcx_err err = XCX_ERR_INIT;
        pthread_t thread = fake_qemu_start(&qemu);

        assert_int_equal(qemu_disks_settle(&disks, &err), -1);
        fake_qemu_end(thread, &qemu);
        assert_int_equal(err.kind, XCX_ERR_PEER);
        assert_text(&err, "disk xvda: the QEMU that serves it: ");
        assert_text(&err, cases[i].text);
    }
}

static void test_a_qemu_elsewhere_cannot_be_flushed(void **state)
{
    int (*const calls[])(struct qemu_disks * disks, struct xcx_err * err) = {
        qemu_disks_check, qemu_disks_flush_live, qemu_disks_settle};

    (void)state;
    add_disk("51712", "/local/domain/3/backend/qdisk", "w");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct qemu_disks disks = disks_of(20);
        struct xcx_err err = XCX_ERR_INIT;

        assert_int_equal(calls[i](&disks, &err), -1);
        assert_int_equal(err.kind, XCX_ERR_GUEST);
        assert_text(&err, "disk xvda is served by QEMU in driver domain 3");
    }
}

#define IMAGE(MORE)                                                            \
    "{\"return\": [{\"device\": \"\"}, {\"inserted\": {\"node-name\": "        \
    "\"xvda-qcow2\", \"ro\": false" MORE "}}], \"id\": ID}\r\n"
#define LAZY(WORD)                                                             \
    ", \"image\": {\"format-specific\": {\"data\": {\"lazy-refcounts\": " WORD \
    "}}}"

static void test_images_that_are_written_at_the_end(void **state)
{
    static const struct {
        const char *answer, *text;
        enum xcx_err_kind kind;
    } cases[] = {
        {IMAGE(""), NULL, 0},
        {IMAGE(LAZY("false")), NULL, 0},
        {IMAGE(LAZY("true")),
         "disk xvda: the QEMU that serves it: writes to image xvda-qcow2 as it "
         "ends, when the target has opened it (lazy refcounts)",
         XCX_ERR_GUEST},
        {IMAGE(", \"dirty-bitmaps\": [{\"persistent\": false}]"), NULL, 0},
        {IMAGE(", \"dirty-bitmaps\": [{\"persistent\": true}]"),
         "persistent bitmaps", XCX_ERR_GUEST},
        {OK, "query-block: no list", XCX_ERR_PEER},
    };

    (void)state;
    add_disk("51712", QDISK, "w");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qemu qemu = {
            .steps = {{"capab", OK}, {"query-block", cases[i].answer}}};
        struct qemu_disks disks = disks_of(5000);
        struct xcx_err err = XCX_ERR_INIT;
        pthread_t thread = fake_qemu_start(&qemu);
        int rc = qemu_disks_check(&disks, &err);

        fake_qemu_end(thread, &qemu);
        assert_int_equal(rc, cases[i].text ? -1 : 0);
        if (cases[i].text) {
            assert_int_equal(err.kind, cases[i].kind);
            assert_text(&err, cases[i].text);
        }
    }
}

static void test_what_cannot_be_looked_at(void **state)
{
    struct qemu_disks disks = disks_of(20);
    struct xcx_err err = XCX_ERR_INIT;

    (void)state;
    add_disk("51712", QDISK, "w");
    ring.is_refused = true;
    assert_int_equal(qemu_disks_check(&disks, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_text(&err, "disk xvda: ring at grant 8 cannot be mapped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_other_disks_need_no_qemu, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_requests_are_answered_before_the_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_without_an_answer,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_driver_that_uses_several_pages_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_of_an_hvm_guest_only_the_rings_matter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_live_flush_waits_for_no_ring,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_qemu_that_does_not_do_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_qemu_elsewhere_cannot_be_flushed,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_images_that_are_written_at_the_end,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_looked_at, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, fake_qemu_make_dir,
                                  fake_qemu_remove_dir);
}
