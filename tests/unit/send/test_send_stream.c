/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In which order send_stream has the guest and its QEMU stop: all that it
 * calls is played here and writes its name into one line.
 */
#include "xl-migrate/send/send_stream.h"

#include "common/guardian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "xl-migrate/domain/device_model.h"
#include "xl-migrate/domain/xenstore.h"

static struct {
    char line[512];
    const char *fails; /* the call that does */
    unsigned nr_disks; /* that QEMU serves */
} calls;

static int call(const char *name, struct xcx_err *err)
{
    size_t used = strlen(calls.line);

    snprintf(calls.line + used, sizeof(calls.line) - used, "%s%s",
             used ? " " : "", name);
    if (calls.fails && strcmp(calls.fails, name) == 0)
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "%s fails", name);
    return 0;
}

/* ---- what it calls ------------------------------------------------------- */

int qemu_disks_check(struct qemu_disks *disks, struct xcx_err *err)
{
    assert_int_equal(disks->domid, 5);
    return call("check", err);
}

int qemu_disks_flush_live(struct qemu_disks *disks, struct xcx_err *err)
{
    (void)disks;
    return call("flush-live", err);
}

int qemu_disks_settle(struct qemu_disks *disks, struct xcx_err *err)
{
    disks->nr = calls.nr_disks;
    return call("settle", err);
}

int qemu_disks_drain(struct qemu_disks *disks, struct xcx_err *err)
{
    (void)disks;
    return call("drain", err);
}

int suspend_prepare(struct suspend *suspend, const struct domain *domain,
                    unsigned timeout_s, struct xcx_err *err)
{
    (void)suspend;
    (void)domain;
    (void)timeout_s;
    return call("prepare", err);
}

int suspend_guest(struct suspend *suspend, struct xcx_err *err)
{
    (void)suspend;
    return call("suspend", err);
}

void suspend_done(struct suspend *suspend)
{
    (void)suspend;
}

struct device_model device_model_of(const struct domain *domain)
{
    return (struct device_model){.domid = domain->domid};
}

int device_model_save(const struct device_model *model, bool live, int *ret_fd,
                      uint64_t *ret_bytes, struct xcx_err *err)
{
    (void)model;
    (void)live;
    *ret_fd = -1;
    *ret_bytes = 0;
    return call("model", err);
}

int device_model_set_log_dirty(const struct device_model *model, bool on,
                               struct xcx_err *err)
{
    (void)model;
    (void)on;
    (void)err;
    return 0;
}

int xenstore_read_physmap(struct xs_handle *xs, uint32_t domid,
                          char **ret_pairs, size_t *ret_bytes,
                          struct xcx_err *err)
{
    (void)xs;
    (void)domid;
    (void)ret_pairs;
    (void)ret_bytes;
    (void)err;
    return 0;
}

int libxl_write_start(struct libxl_write *write, const char *config_json,
                      struct xcx_err *err)
{
    (void)write;
    (void)config_json;
    return call("start", err);
}

int libxl_write_xenstore(struct libxl_write *write, const char *pairs,
                         size_t nr_bytes, struct xcx_err *err)
{
    (void)write;
    (void)pairs;
    (void)nr_bytes;
    (void)err;
    return 0;
}

int libxl_write_emulator(struct libxl_write *write, int fd, uint64_t nr_bytes,
                         struct xcx_err *err)
{
    (void)write;
    (void)fd;
    (void)nr_bytes;
    (void)err;
    return 0;
}

int libxl_write_end(struct libxl_write *write, struct xcx_err *err)
{
    (void)write;
    return call("end", err);
}

int libxl_write_bytes(struct libxl_write *write, const void *bytes,
                      size_t nr_bytes, struct xcx_err *err)
{
    (void)write;
    (void)bytes;
    (void)nr_bytes;
    (void)err;
    return 0;
}

int __wrap_xcx_save(const struct xcx_save_params *params,
                    const struct xcx_save_ops *ops,
                    struct xcx_save_stats *ret_stats, struct xcx_err *err);

int __wrap_xcx_save(const struct xcx_save_params *params,
                    const struct xcx_save_ops *ops,
                    struct xcx_save_stats *ret_stats, struct xcx_err *err)
{
    (void)params;
    (void)ret_stats;
    return ops->prepare_suspend(ops->opaque, err)
               ? -1
               : ops->suspend(ops->opaque, err);
}

/* A send that is killed while it copies must not leave the guest throttled. */
int guardian_start(struct guardian *guardian, uint32_t domid,
                   const char *lock_dir, struct xcx_err *err)
{
    (void)domid;
    (void)lock_dir;
    guardian->fd = 1000;
    return call("guard", err);
}

void guardian_end(struct guardian *guardian)
{
    assert_int_equal(guardian->fd, 1000);
    guardian->fd = -1;
    call("clean", NULL);
}

static int before_suspend(void *opaque, struct xcx_err *err)
{
    assert_ptr_equal(opaque, &calls);
    return call("note", err);
}

/* ---- tests --------------------------------------------------------------- */

static const struct {
    enum domain_kind kind;
    unsigned nr_disks;
    const char *fails;
    const char *line;
    bool times_qemu; /* model_ns is set */
} cases[] = {
    {DOMAIN_PVH, 1, NULL,
     "check prepare start guard flush-live note suspend settle clean end",
     true},
    {DOMAIN_PV, 1, NULL,
     "check prepare start guard flush-live note suspend settle clean end",
     true},
    {DOMAIN_PV, 0, NULL,
     "check prepare start guard flush-live note suspend settle clean end",
     false},
    {DOMAIN_HVM, 0, NULL,
     "check prepare start guard flush-live note suspend drain model clean end",
     true},
    /* Before the first byte. */
    {DOMAIN_PVH, 1, "check", "check", false},
    /* The guest still runs. */
    {DOMAIN_PVH, 1, "flush-live", "check prepare start guard flush-live clean",
     false},
    /* Not asked before that is on disk. */
    {DOMAIN_PVH, 1, "note", "check prepare start guard flush-live note clean",
     false},
    /* Without an end the target never starts its QEMU. */
    {DOMAIN_PVH, 1, "settle",
     "check prepare start guard flush-live note suspend settle clean", false},
    {DOMAIN_HVM, 1, "drain",
     "check prepare start guard flush-live note suspend drain clean", false},
};

static void test_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct domain domain = {.domid = 5, .kind = cases[i].kind};
        const struct xcx_save_params params = {.domid = 5, .out_fd = -1};
        const struct xcx_save_ops ops = {.opaque = NULL};
        struct host host = {.xs = NULL};
        struct send_stream stream = {.host = &host,
                                     .domain = &domain,
                                     .params = &params,
                                     .ops = &ops,
                                     .before_suspend = before_suspend,
                                     .opaque = &calls};
        struct xcx_err err = XCX_ERR_INIT;
        int rc;

        memset(&calls, 0, sizeof(calls));
        calls.fails = cases[i].fails;
        calls.nr_disks = cases[i].nr_disks;
        rc = send_stream_run(&stream, &err);
        assert_int_equal(rc, cases[i].fails ? -1 : 0);
        assert_string_equal(calls.line, cases[i].line);
        assert_int_equal(stream.times.model_ns != 0, cases[i].times_qemu);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
