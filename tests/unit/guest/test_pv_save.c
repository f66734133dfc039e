/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A page table with an entry that maps a foreign frame, a grant say: while the
 * guest runs the table comes again later; once it is suspended it would never
 * come, and the guest is not moved without it. Stock sends such a table as one
 * that does not exist, and the guest at the target loses it.
 */
#include "guest/pv_save.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <xen/xen.h>

#include "guest/pv_p2m.h"
#include "hv/domain.h"
#include "hv/map.h"

#define NR_PFNS    16
#define NR_MFNS    64
#define FIRST_MFN  32 /* pfn n has mfn FIRST_MFN + n */
#define PTE(frame) ((uint64_t)(frame) << 12 | 7)

static uint64_t m2p[NR_MFNS], p2m[NR_PFNS];
static struct shared_info shared_info;

/* ---- the guest's tables, in the place of Xen ----------------------------- */

void *xcx_map_all(const struct xcx_hv *hv, bool of_xen, const uint64_t *frames,
                  uint64_t nr_pages, struct xcx_err *err)
{
    (void)hv, (void)of_xen, (void)frames, (void)nr_pages, (void)err;
    return &shared_info;
}

void xcx_unmap(const struct xcx_hv *hv, void *addr, uint64_t nr_pages)
{
    (void)hv, (void)addr, (void)nr_pages;
}

int xcx_map_m2p(const struct xcx_hv *hv, const uint64_t **ret_m2p,
                uint64_t *ret_nr_mfns, uint64_t *ret_nr_pages,
                struct xcx_err *err)
{
    (void)hv, (void)err;
    *ret_m2p = m2p;
    *ret_nr_mfns = NR_MFNS;
    *ret_nr_pages = 1;
    return 0;
}

int xcx_pv_p2m_find(const struct xcx_hv *hv, const struct shared_info *info,
                    uint64_t nr_mfns, struct xcx_pv_p2m *ret,
                    struct xcx_err *err)
{
    (void)hv, (void)info, (void)nr_mfns, (void)err;
    *ret = (struct xcx_pv_p2m){.nr_pfns = NR_PFNS, .entries = p2m};
    return 0;
}

int xcx_pv_p2m_map(const struct xcx_hv *hv, struct xcx_pv_p2m *found,
                   struct xcx_err *err)
{
    (void)hv, (void)found, (void)err;
    return 0;
}

bool xcx_pv_p2m_is_current(const struct shared_info *info,
                           const struct xcx_pv_p2m *found)
{
    (void)info, (void)found;
    return true;
}

bool xcx_pv_p2m_same_leaves(const struct xcx_pv_p2m *a,
                            const struct xcx_pv_p2m *b)
{
    (void)a, (void)b;
    return true;
}

void xcx_pv_p2m_done(const struct xcx_hv *hv, struct xcx_pv_p2m *found)
{
    (void)hv, (void)found;
}

int __wrap_xcx_domain_guest_width(const struct xcx_hv *hv, unsigned *ret_width,
                                  struct xcx_err *err);

int __wrap_xcx_domain_guest_width(const struct xcx_hv *hv, unsigned *ret_width,
                                  struct xcx_err *err)
{
    (void)hv, (void)err;
    *ret_width = 8;
    return 0;
}

/* ---- tests --------------------------------------------------------------- */

static struct xcx_guest *make_guest(const struct xcx_hv *hv)
{
    const struct xcx_domain_info info = {.shared_info_mfn = 1};
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_guest *guest = NULL;

    memset(m2p, 0xff, sizeof(m2p));
    for (uint64_t pfn = 0; pfn < NR_PFNS; pfn++) {
        p2m[pfn] = FIRST_MFN + pfn;
        m2p[FIRST_MFN + pfn] = pfn;
    }
    assert_int_equal(xcx_pv_save_new(hv, &info, &guest, &err), 0);
    assert_int_equal(guest->ops->setup(guest, &err), 0);
    return guest;
}

static void a_foreign_frame_waits_and_is_then_refused(void **state)
{
    static uint64_t src[512], dst[512];
    const struct xcx_hv hv = {.domid = 7};
    struct xcx_guest *guest = make_guest(&hv);
    struct xcx_err err = XCX_ERR_INIT;
    enum xcx_normalised result = XCX_NORMALISED;

    (void)state;
    src[3] = PTE(FIRST_MFN + 5);
    assert_int_equal(guest->ops->normalise(guest, XCX_PAGE_L1TAB, 9, src, dst,
                                           true, &result, &err),
                     0);
    assert_int_equal(result, XCX_NORMALISED);
    assert_true(dst[3] == PTE(5));

    src[4] = PTE(20); /* another domain's */
    assert_int_equal(guest->ops->normalise(guest, XCX_PAGE_L1TAB, 9, src, dst,
                                           false, &result, &err),
                     0);
    assert_int_equal(result, XCX_RACED);

    assert_int_equal(guest->ops->normalise(guest, XCX_PAGE_L1TAB, 9, src, dst,
                                           true, &result, &err),
                     -1);
    assert_int_equal(err.kind, XCX_ERR_GUEST);
    assert_string_equal(err.msg,
                        "domain 7: L1 at pfn 0x9, slot 4: maps a frame that "
                        "is not its own (a grant still mapped?)");
    guest->ops->done(guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_foreign_frame_waits_and_is_then_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
