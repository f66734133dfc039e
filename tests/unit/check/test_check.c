/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest and two hosts between which it may move, without a finding; then
 * one thing is changed at a time, and just that is found.
 */
#include "check_trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define UUID       CHECK_SAMPLE_UUID
#define OTHER_UUID "99999999-2222-3333-4444-555555555555"

/* For brevity: one each is all there is. */
#define guest  sample.guest
#define query  sample.query
#define here   sample.here
#define there  sample.there
#define wishes sample.wishes
#define check  sample.check

static void put(char *to, const char *text)
{
    strcpy(to, text);
}

/* ---- one change each ---------------------------------------------------- */

static void dying(void)
{
    guest.survey.dying = true;
}
static void paused(void)
{
    guest.survey.paused = true;
}
static void moved_away(void)
{
    put(guest.name, "web--migratedaway");
}
static void half_arrived(void)
{
    put(guest.name, "web--incoming");
}
static void keys_too_large(void)
{
    put(guest.keys_problem, "too long a path below data");
}
static void crashed(void)
{
    guest.survey.shutdown = true;
    guest.survey.shutdown_reason = 3;
}
static void suspended(void)
{
    guest.survey.shutdown = true;
    guest.survey.shutdown_reason = 2;
}
static void odd_shutdown(void)
{
    guest.survey.shutdown = true;
    guest.survey.shutdown_reason = 77;
}
static void no_drivers(void)
{
    guest.suspend_feature = false;
    guest.survey.hvm_pv_drivers = false;
}
static void pvh_no_drivers(void)
{
    guest.kind = DOMAIN_PVH;
    no_drivers();
}
static void silent(void)
{
    guest.suspend_feature = false;
}
static void has_moved_before(void)
{
    silent();
    guest.suspend_unsaid = true;
}
static void paged_out(void)
{
    guest.survey.nr_pages_paged = 12;
}
static void on_demand(void)
{
    guest.survey.nr_pages_on_demand = 25600;
}
static void no_migrate(void)
{
    guest.no_migrate = true;
}
static void pv(void)
{
    guest.kind = DOMAIN_PV;
    guest.survey.hvm = false;
    guest.survey.pv_width = 8;
}
static void pv_32_bit(void)
{
    pv();
    guest.survey.pv_width = 4;
}
static void stub_domain(void)
{
    guest.stub_domain = true;
}
static void old_device_model(void)
{
    guest.old_device_model = true;
}
static void vnuma(void)
{
    guest.nr_vnuma_nodes = 2;
}
static void nested(void)
{
    guest.nested_hvm = true;
    guest.is_hypervisor = FACTS_YES;
}
static void nested_unknown(void)
{
    guest.nested_hvm = true;
}
static void nested_not_used(void)
{
    guest.nested_hvm = true;
    guest.is_hypervisor = FACTS_NO;
}
static void native_tsc(void)
{
    guest.native_tsc = true;
}
static void pci(void)
{
    guest.fixed.nr_pci = 1;
}
static void usb(void)
{
    guest.fixed.nr_usb = 2;
}
static void device_tree(void)
{
    guest.fixed.nr_device_tree = 1;
}
static void ports(void)
{
    guest.fixed.nr_ports = 1;
}
static void graphics(void)
{
    guest.fixed.gfx_passthru = true;
}
static void plan9(void)
{
    guest.fixed.nr_9p = 1;
}
static void vtpm(void)
{
    guest.fixed.nr_vtpms = 1;
}
static void vdispl(void)
{
    guest.fixed.nr_vdispls = 1;
}
static void pv_no_shadow(void)
{
    pv();
    here.shadow = FACTS_NO;
}
static void pv_no_shadow_may_pause(void)
{
    pv_no_shadow();
    wishes.pv_may_pause = true;
}
static void pv_shadow_unknown(void)
{
    pv();
    here.shadow = FACTS_UNKNOWN;
}
static void pv_no_way_back(void)
{
    pv();
    there.shadow = FACTS_NO;
}
static void same_host(void)
{
    put(there.boot, here.boot);
}
static void no_plugin(void)
{
    there.version[0] = 0;
}
static void older(void)
{
    there.xen_minor = 16;
}
static void much_older(void)
{
    there.xen_minor = 13;
}
static void no_xen_facts(void)
{
    there.has_xen = false;
}
static void no_hvm(void)
{
    there.hvm = FACTS_NO;
}
static void no_paging(void)
{
    there.hap = there.shadow = FACTS_NO;
}
static void hvm_unknown(void)
{
    there.hvm = FACTS_UNKNOWN;
}
static void no_pv(void)
{
    pv();
    there.pv = FACTS_NO;
}
static void clock_ahead(void)
{
    there.clock_ahead_ns = INT64_C(3600000000000);
    there.clock_error_ns = 5000000;
}
static void clock_behind(void)
{
    there.clock_ahead_ns = INT64_C(-3600000000000);
}
static void clock_unknown(void)
{
    there.has_clock = false;
}
static void other_protocol(void)
{
    there.protocol = 2;
}
static void domid_taken(void)
{
    guest.keep_domid = true;
    there.domid_taken = FACTS_YES;
}
static void domid_unknown(void)
{
    guest.keep_domid = true;
}
static void much_memory(void)
{
    guest.survey.nr_pages = 111 * 256;
    guest.max_memory_kib = 41 * 1024;
}
static void starts_with_host(void)
{
    put(guest.autostart, "/etc/xen/auto/web.cfg");
}
static void qemu_blocks(void)
{
    put(guest.qemu_blocker, "device ivshmem");
}
static void no_popcnt(void)
{
    there.cpu_policy.leaves[0].c = 1;
}
static void no_md_clear(void)
{
    guest.cpu_policy.leaves[1] =
        (struct xcx_cpu_leaf){.leaf = 7, .d = 1u << 10};
    guest.cpu_policy.nr_leaves = 2;
}
static void cpu_unknown(void)
{
    there.has_cpu_policy = false;
}
static void few_cpus(void)
{
    there.nr_cpus = 1;
}
static void little_memory(void)
{
    there.free_kib = 500 * 1024;
}
static void little_memory_balloons(void)
{
    little_memory();
    there.autoballoon = FACTS_YES;
}
static void balloons(void)
{
    there.autoballoon = FACTS_YES;
}
static void balloons_unknown(void)
{
    there.autoballoon = FACTS_UNKNOWN;
}
static void tiny_host_balloons(void)
{
    little_memory_balloons();
    there.total_kib = 550 * 1024;
}
static void clash(const char *name, const char *uuid)
{
    there.nr_clashes = 1;
    there.clashes[0].domid = 9;
    put(there.clashes[0].name, name);
    put(there.clashes[0].uuid, uuid);
}
static void name_clash(void)
{
    clash("web", OTHER_UUID);
}
static void arriving(void)
{
    clash("web--incoming", OTHER_UUID);
}
static void uuid_clash(void)
{
    clash("old", UUID);
}
static void own_copy_arrives(void)
{
    clash("web--incoming", UUID);
}
static void domains_unknown(void)
{
    there.has_clashes = false;
}
static const struct check_change changes[] = {
    {dying, "state", CHECK_BLOCKER, "web is being destroyed", NULL},
    {paused, "state", CHECK_BLOCKER, "web is paused", "xl unpause 5"},
    {moved_away, "state", CHECK_BLOCKER, "another program moves it or has",
     "xl rename"},
    {half_arrived, "state", CHECK_BLOCKER, "another program moves it or has",
     "xl rename"},
    {keys_too_large, "xenstore-keys", CHECK_WARNING,
     "too long a path below data", "in the guest"},
    {crashed, "state", CHECK_BLOCKER, "web has crashed", NULL},
    {suspended, "state", CHECK_BLOCKER, "web is suspended",
     "xl-migrate recover"},
    {odd_shutdown, "state", CHECK_BLOCKER, "web has stopped", NULL},
    {no_drivers, "suspend", CHECK_WARNING, "web has no PV drivers", "install"},
    {pvh_no_drivers, "suspend", CHECK_BLOCKER, "web cannot be suspended",
     "CONFIG_XEN_PVH"},
    {silent, "suspend", CHECK_WARNING, "does not say", "feature-suspend"},
    {has_moved_before, "suspend", CHECK_UNKNOWN, "since it has moved", NULL},
    {paged_out, "paged-out", CHECK_BLOCKER, "12 pages paged out", "xenpaging"},
    {on_demand, "populate-on-demand", CHECK_WARNING, "100 MiB", "balloon"},
    {no_migrate, "nomigrate", CHECK_BLOCKER, "forbids", "nomigrate=1"},
    {pv_32_bit, "pv-width", CHECK_BLOCKER, "32-bit PV", "xl migrate"},
    {stub_domain, "stub-domain", CHECK_BLOCKER, "web has its device model",
     "device_model_stubdomain_override"},
    {old_device_model, "device-model-version", CHECK_BLOCKER,
     "web runs on qemu-traditional", "xl migrate"},
    {vnuma, "vnuma", CHECK_BLOCKER, "2 virtual NUMA nodes", "vnuma="},
    {nested, "nested-hvm", CHECK_BLOCKER, "runs a hypervisor", "nestedhvm=0"},
    {nested_unknown, "nested-hvm", CHECK_WARNING, "not found out",
     "nestedhvm=0"},
    {nested_not_used, "nested-hvm", CHECK_WARNING, "runs none now",
     "nestedhvm=0"},
    {native_tsc, "tsc", CHECK_WARNING, "TSC", "tsc_mode"},
    {pci, "devices", CHECK_BLOCKER, "web has 1 PCI devices", "xl pci-detach"},
    {usb, "devices", CHECK_BLOCKER, "2 USB devices", "xl usbdev-detach"},
    {device_tree, "devices", CHECK_BLOCKER, "device tree", "dtdev="},
    {ports, "devices", CHECK_BLOCKER, "I/O ports", "ioports="},
    {graphics, "devices", CHECK_BLOCKER, "graphics card", "gfx_passthru="},
    {plan9, "devices", CHECK_BLOCKER, "9pfs", "p9="},
    {vtpm, "devices", CHECK_WARNING, "virtual TPMs", "TPM"},
    {vdispl, "devices", CHECK_WARNING, "displays", "backend domains"},
    {pv_no_shadow, "log-dirty", CHECK_BLOCKER, "no shadow paging",
     "pv_without_logdirty"},
    {pv_no_shadow_may_pause, "log-dirty", CHECK_WARNING, "stands still",
     "CONFIG_SHADOW_PAGING"},
    {pv_shadow_unknown, "log-dirty", CHECK_UNKNOWN, "not known", NULL},
    {pv_no_way_back, "way-back", CHECK_WARNING, "host2 has no shadow paging",
     "shadow"},
    {same_host, "same-host", CHECK_BLOCKER, "host2 is this very host",
     "another host"},
    {no_plugin, "plugin", CHECK_WARNING, "host2 has no xl-migrate", "install"},
    {no_plugin, "plugin", CHECK_WARNING,
     "announcements and the hooks pre-start and post-start are left out",
     "install"},
    {older, "xen-version", CHECK_WARNING, "Xen 4.16, older than 4.17",
     "upgrade"},
    {much_older, "xen-version", CHECK_BLOCKER, "Xen 4.13", "4.14"},
    {no_xen_facts, "xen-version", CHECK_UNKNOWN, "not found out", NULL},
    {no_xen_facts, "memory", CHECK_UNKNOWN, "not found out", NULL},
    {no_hvm, "guest-kind", CHECK_BLOCKER, "host2 cannot run HVM", "firmware"},
    {no_paging, "guest-kind", CHECK_BLOCKER, "cannot run HVM", "firmware"},
    {hvm_unknown, "guest-kind", CHECK_UNKNOWN, "HVM", NULL},
    {no_pv, "guest-kind", CHECK_BLOCKER, "cannot run PV", "PV"},
    {clock_ahead, "clock", CHECK_WARNING,
     "the clock of host2 is 3600 s ahead: that of web will be", "NTP"},
    {clock_behind, "clock", CHECK_WARNING, "3600 s behind", "NTP"},
    {clock_unknown, "clock", CHECK_UNKNOWN, "host2", NULL},
    {other_protocol, "protocol", CHECK_BLOCKER,
     "host2 speaks protocol 2 of xl-migrate, this host 1", "--stock"},
    {domid_taken, "domid", CHECK_BLOCKER, "another domain 5", "without -D"},
    {domid_unknown, "domid", CHECK_UNKNOWN, "domain 5", NULL},
    {much_memory, "max-memory", CHECK_BLOCKER,
     "web has 111 MiB, and may have 41 at the target", "xl mem-set 5 112m"},
    {starts_with_host, "autostart", CHECK_WARNING,
     "/etc/xen/auto/web.cfg starts web with this host", "rm"},
    {qemu_blocks, "device-model-state", CHECK_BLOCKER, "device ivshmem",
     "take the device away"},
    {no_popcnt, "cpu", CHECK_BLOCKER,
     "host2 lacks CPU features that web sees: POPCNT", "cpuid="},
    {no_md_clear, "cpu", CHECK_WARNING,
     "lacks what web only chooses by: MD_CLEAR", "microcode"},
    {cpu_unknown, "cpu", CHECK_UNKNOWN, "not checked", NULL},
    {few_cpus, "nr-cpus", CHECK_WARNING, "2 vCPUs, host2 only 1", NULL},
    {little_memory, "memory", CHECK_BLOCKER,
     "host2 has 500 MiB free, web needs 601", "free 101 MiB"},
    {little_memory_balloons, "memory", CHECK_WARNING, "Dom0 must give up",
     NULL},
    {tiny_host_balloons, "memory", CHECK_BLOCKER, "host2 has 500 MiB", "free"},
    {balloons, "autoballoon", CHECK_WARNING, "wait for each other",
     "dom0_mem="},
    {balloons_unknown, "autoballoon", CHECK_UNKNOWN, "host2", NULL},
    {name_clash, "name-clash", CHECK_BLOCKER, "another domain, 9",
     "xl rename 9"},
    {arriving, "name-clash", CHECK_BLOCKER, "web--incoming",
     "xl-migrate recover web"},
    {uuid_clash, "uuid-clash", CHECK_BLOCKER, "domain 9, old",
     "xl-migrate recover"},
    {own_copy_arrives, "uuid-clash", CHECK_BLOCKER,
     "web--incoming: a copy of web that is arriving", "xl-migrate status"},
    {domains_unknown, "name-clash", CHECK_UNKNOWN, "listed", NULL},
};

static void test_nothing_is_found(void **state)
{
    (void)state;
    check_sample_make();
    check_trial_run();
    for (unsigned i = 0; i < check.nr_findings; i++) {
        /* The iSCSI target is none of Dom0's paths. */
        if (strstr(check.findings[i].text, "iqn."))
            assert_int_equal(check.findings[i].level, CHECK_UNKNOWN);
        else
            assert_int_equal(check.findings[i].level, CHECK_OK);
        assert_string_equal(check.findings[i].fix, "");
    }
    assert_int_equal(check_worst(&check), CHECK_UNKNOWN);
    assert_true(check.nr_findings > 15);
}

static void test_each_is_found(void **state)
{
    (void)state;
    check_trial_all(changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_event_channel_is_enough(void **state)
{
    const struct check_finding *found = NULL;

    (void)state;
    check_sample_make();
    guest.suspend_feature = false;
    guest.suspend_event_channel = true;
    check_trial_run();
    assert_int_equal(check_trial_count("suspend", &found), 0);
}

/* Less than what asking took, and a second, is nothing that was seen. */
static void test_clocks_that_agree(void **state)
{
    const struct check_finding *found = NULL;

    (void)state;
    check_sample_make();
    there.clock_ahead_ns = INT64_C(1400000000);
    there.clock_error_ns = 500000000;
    there.protocol = 1;
    guest.survey.nr_pages = 41 * 256;
    guest.max_memory_kib = 41 * 1024;
    guest.keep_domid = true;
    there.domid_taken = FACTS_NO;
    check_trial_run();
    assert_int_equal(check_trial_count("clock", &found), 0);
    assert_int_equal(check_trial_count("protocol", &found), 0);
    assert_int_equal(check_trial_count("max-memory", &found), 0);
    assert_int_equal(check_trial_count("domid", &found), 0);
}

/* A guest moved within its host is its own namesake. */
static void test_no_clash_with_itself(void **state)
{
    const struct check_finding *found = NULL;

    (void)state;
    check_sample_make();
    same_host();
    uuid_clash();
    there.clashes[0].domid = guest.domid;
    check_trial_run();
    assert_int_equal(check_trial_count("uuid-clash", &found), 0);
    assert_int_equal(check_trial_count("name-clash", &found), 0);
}

static void test_without_a_target(void **state)
{
    (void)state;
    check_sample_make();
    check_facts(&guest, &query, &here, NULL, &wishes, &check);
    assert_int_equal(check_worst(&check), CHECK_OK);
    for (unsigned i = 0; i < check.nr_findings; i++)
        assert_null(strstr(check.findings[i].text, "host2"));
}

static void test_hostile_text_is_plain(void **state)
{
    const struct check_finding *found = NULL;

    (void)state;
    check_sample_make();
    clash("web\n\033[2J", OTHER_UUID);
    check_trial_run();
    assert_int_equal(check_trial_count("name-clash", &found), 1);
    assert_non_null(strstr(found->text, "web??[2J"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_found),
        cmocka_unit_test(test_each_is_found),
        cmocka_unit_test(test_event_channel_is_enough),
        cmocka_unit_test(test_clocks_that_agree),
        cmocka_unit_test(test_no_clash_with_itself),
        cmocka_unit_test(test_without_a_target),
        cmocka_unit_test(test_hostile_text_is_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
