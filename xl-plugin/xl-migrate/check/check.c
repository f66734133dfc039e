/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The findings, in the order in which they are printed for equal levels: the
 * guest, this host, the target, the guest's devices there.
 */
#include "check.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "check_parts.h"

/* SHUTDOWN_* of Xen's public sched.h. */
static const char *const shutdown_names[] = {
    "powered off",
    "wants to reboot",
    "is suspended",
    "has crashed",
    "was stopped by its watchdog",
};
#define SHUTDOWN_SUSPENDED 2

#define KIB_A_PAGE         4
#define KIB_A_MIB          1024

#define NR(array)          (sizeof(array) / sizeof((array)[0]))

/* ---- the guest ---------------------------------------------------------- */

static void check_stopped(struct checking *at)
{
    const struct xcx_survey *survey = &at->guest->survey;
    const char *how = "has stopped";

    if (survey->shutdown_reason < NR(shutdown_names))
        how = shutdown_names[survey->shutdown_reason];
    if (survey->shutdown_reason == SHUTDOWN_SUSPENDED)
        check_add(at->check, "state", CHECK_BLOCKER, "xl-migrate recover",
                  "%s is suspended: another save or migration has it, or left "
                  "it so",
                  at->guest->name);
    else
        check_add(at->check, "state", CHECK_BLOCKER, "",
                  "%s %s: there is nothing to move", at->guest->name, how);
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), suffix_length = strlen(suffix);

    return length > suffix_length &&
           strcmp(text + length - suffix_length, suffix) == 0;
}

/* As xl calls a guest while it moves it. */
static void check_name(struct checking *at)
{
    const char *name = at->guest->name;

    if (ends_with(name, DOMAIN_SUFFIX_INCOMING) ||
        ends_with(name, DOMAIN_SUFFIX_AWAY))
        check_add(at->check, "state", CHECK_BLOCKER,
                  "wait for that; or look at where it runs, and xl rename it",
                  "%s is called so because another program moves it or has "
                  "moved it",
                  name);
}

static void check_keys(struct checking *at)
{
    if (at->guest->keys_problem[0])
        check_add(at->check, "xenstore-keys", CHECK_WARNING,
                  "in the guest: xenstore-rm what it does not need",
                  "keys of %s in xenstore cannot move with it: %s",
                  at->guest->name, at->guest->keys_problem);
}

static void check_state(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    char fix[CHECK_TEXT_BYTES];

    snprintf(fix, sizeof(fix), "xl unpause %u", guest->domid);
    if (guest->survey.dying)
        check_add(at->check, "state", CHECK_BLOCKER, "",
                  "%s is being destroyed", guest->name);
    else if (guest->survey.shutdown)
        check_stopped(at);
    else if (guest->survey.paused)
        check_add(at->check, "state", CHECK_BLOCKER, fix,
                  "%s is paused and so cannot answer", guest->name);
    else
        check_add(at->check, "state", CHECK_OK, "", "%s (%s) runs", guest->name,
                  check_kind_name(guest->kind));
}

static void check_suspend(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    const char *name = guest->name;

    if (guest->suspend_event_channel)
        check_add(at->check, "suspend", CHECK_OK, "",
                  "%s suspends by event channel", name);
    else if (guest->suspend_feature)
        check_add(at->check, "suspend", CHECK_OK, "",
                  "%s suspends when xenstore asks it to", name);
    else if (guest->suspend_unsaid && guest->kind != DOMAIN_PVH)
        check_add(at->check, "suspend", CHECK_UNKNOWN, "",
                  "%s has not said that it can be suspended since it has "
                  "moved, restored or begun to start",
                  name);
    else if (guest->kind == DOMAIN_HVM && !guest->survey.hvm_pv_drivers)
        check_add(at->check, "suspend", CHECK_WARNING,
                  "install Xen's PV drivers in the guest",
                  "%s has no PV drivers: Xen suspends it unasked, and its "
                  "clock and network connections notice",
                  name);
    else if (guest->kind == DOMAIN_PVH && !guest->survey.hvm_pv_drivers)
        check_add(at->check, "suspend", CHECK_BLOCKER,
                  "wait until its kernel is up; it needs Xen guest support "
                  "(Linux: CONFIG_XEN_PVH)",
                  "%s cannot be suspended: its kernel does not talk to Xen",
                  name);
    else
        check_add(at->check, "suspend", CHECK_WARNING,
                  "use a guest kernel that writes control/feature-suspend "
                  "(Linux 4.11 and later)",
                  "%s does not say that it can be suspended; should it not "
                  "answer, it stays here",
                  name);
}

static void check_pages(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    const struct xcx_survey *survey = &guest->survey;
    char fix[CHECK_TEXT_BYTES];

    if (survey->nr_pages_paged)
        check_add(at->check, "paged-out", CHECK_BLOCKER,
                  "end its pager (xenpaging), which brings them back",
                  "%s has %" PRIu64 " pages paged out", guest->name,
                  survey->nr_pages_paged);
    else
        check_add(at->check, "paged-out", CHECK_OK, "", "no page is paged out");

    snprintf(fix, sizeof(fix),
             "start the guest's balloon driver, or set memory = maxmem in its "
             "configuration");
    if (survey->nr_pages_on_demand)
        check_add(at->check, "populate-on-demand", CHECK_WARNING, fix,
                  "%s has %" PRIu64 " MiB that it has never touched; moving "
                  "it makes them real, and can run out of memory doing so",
                  guest->name, survey->nr_pages_on_demand / 256);
    else
        check_add(at->check, "populate-on-demand", CHECK_OK, "",
                  "no page is populated on demand");
}

/*
 * libxl gives the guest at the target no more than its target of memory, plus
 * a little; what it has beyond that does not fit.
 */
static void check_max_memory(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    uint64_t has_kib = guest->survey.nr_pages * KIB_A_PAGE;
    char fix[CHECK_TEXT_BYTES];

    if (!guest->max_memory_kib || has_kib <= guest->max_memory_kib)
        return;
    snprintf(fix, sizeof(fix),
             "xl mem-set %u %" PRIu64 "m; or wait until its balloon driver "
             "has given the rest back",
             guest->domid, has_kib / KIB_A_MIB + 1);
    check_add(at->check, "max-memory", CHECK_BLOCKER, fix,
              "%s has %" PRIu64 " MiB, and may have %" PRIu64 " at the target",
              guest->name, has_kib / KIB_A_MIB,
              guest->max_memory_kib / KIB_A_MIB);
}

static void check_autostart(struct checking *at)
{
    char fix[CHECK_TEXT_BYTES];

    if (!at->guest->autostart[0])
        return;
    snprintf(fix, sizeof(fix),
             "once it has moved: rm %.200s here, and put it at the target",
             at->guest->autostart);
    check_add(at->check, "autostart", CHECK_WARNING, fix,
              "%s starts %s with this host: at its next boot there would be "
              "two",
              at->guest->autostart, at->guest->name);
}

static void check_device_model_state(struct checking *at)
{
    if (at->guest->qemu_blocker[0])
        check_add(at->check, "device-model-state", CHECK_BLOCKER,
                  "take the device away that it names",
                  "the device model of %s cannot be moved: %s", at->guest->name,
                  at->guest->qemu_blocker);
}

static void check_no_migrate(struct checking *at)
{
    if (at->guest->no_migrate)
        check_add(at->check, "nomigrate", CHECK_BLOCKER,
                  "take nomigrate=1 out of its configuration, and start it "
                  "anew",
                  "the configuration of %s forbids to move it",
                  at->guest->name);
}

static void check_pv_width(struct checking *at)
{
    if (at->guest->kind == DOMAIN_PV && at->guest->survey.pv_width == 4)
        check_add(at->check, "pv-width", CHECK_BLOCKER,
                  "xl migrate, with the stock helper",
                  "%s is a 32-bit PV guest; only 64-bit ones are moved",
                  at->guest->name);
}

/* Xen carries no nested state, so a guest of the guest would not survive. */
static void check_nested(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    const char *fix = "start it with nestedhvm=0";

    if (!guest->nested_hvm)
        return;
    if (guest->is_hypervisor == FACTS_YES)
        check_add(at->check, "nested-hvm", CHECK_BLOCKER,
                  "shut down its guests and unload its hypervisor; or start "
                  "it with nestedhvm=0",
                  "%s runs a hypervisor, whose guests no stream carries",
                  guest->name);
    else if (guest->is_hypervisor == FACTS_NO)
        check_add(at->check, "nested-hvm", CHECK_WARNING, fix,
                  "%s may run guests of its own, whose state no stream "
                  "carries; it runs none now",
                  guest->name);
    else
        check_add(at->check, "nested-hvm", CHECK_WARNING, fix,
                  "%s may run guests of its own, whose state no stream "
                  "carries; whether it does was not found out",
                  guest->name);
}

static void check_specials(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    const char *name = guest->name;

    if (guest->stub_domain)
        check_add(at->check, "stub-domain", CHECK_BLOCKER,
                  "start it with device_model_stubdomain_override=0",
                  "%s has its device model in a stub domain", name);
    else
        check_add(at->check, "stub-domain", CHECK_OK, "", "no stub domain");
    if (guest->old_device_model)
        check_add(at->check, "device-model-version", CHECK_BLOCKER,
                  "xl migrate; or start it with "
                  "device_model_version=\"qemu-xen\"",
                  "%s runs on qemu-traditional, whose state cannot be taken",
                  name);
    if (guest->nr_vnuma_nodes)
        check_add(at->check, "vnuma", CHECK_BLOCKER, "start it without vnuma=",
                  "%s has %u virtual NUMA nodes, which no stream carries", name,
                  guest->nr_vnuma_nodes);
    else
        check_add(at->check, "vnuma", CHECK_OK, "", "no virtual NUMA");
    if (guest->native_tsc)
        check_add(at->check, "tsc", CHECK_WARNING,
                  "start it with tsc_mode=\"default\"",
                  "%s reads the CPU's own TSC, which is another one there",
                  name);
}

/* ---- this host ---------------------------------------------------------- */

static void check_log_dirty(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    const char *fix = "boot a hypervisor built with shadow paging "
                      "(CONFIG_SHADOW_PAGING=y)";

    if (guest->kind != DOMAIN_PV || at->here->shadow == FACTS_YES) {
        check_add(at->check, "log-dirty", CHECK_OK, "",
                  "Xen here can log what %s writes", guest->name);
    } else if (at->here->shadow == FACTS_UNKNOWN) {
        check_add(at->check, "log-dirty", CHECK_UNKNOWN, "",
                  "whether Xen here has shadow paging is not known");
    } else if (at->wishes->pv_may_pause) {
        check_add(at->check, "log-dirty", CHECK_WARNING, fix,
                  "%s is a PV guest and Xen here has no shadow paging: it "
                  "stands still while all of its memory is copied",
                  guest->name);
    } else {
        check_add(at->check, "log-dirty", CHECK_BLOCKER,
                  "boot a hypervisor built with shadow paging, or set "
                  "pv_without_logdirty = \"pause\" in "
                  "/etc/xen/xl-migrate.conf",
                  "%s is a PV guest and Xen here has no shadow paging, which "
                  "moving it live needs",
                  guest->name);
    }
}

/* ---- all of them -------------------------------------------------------- */

static bool is_same_host(const struct facts_host *here,
                         const struct facts_host *there)
{
    return there && here->boot[0] && strcmp(here->boot, there->boot) == 0;
}

void check_facts(const struct facts_guest *guest,
                 const struct facts_query *query, const struct facts_host *here,
                 const struct facts_host *there,
                 const struct check_wishes *wishes, struct check *check)
{
    struct checking at = {
        .guest = guest,
        .query = query,
        .here = here,
        .there = there,
        .wishes = wishes,
        .target = wishes->target,
        .same_host = is_same_host(here, there),
        .check = check,
    };

    check_state(&at);
    check_name(&at);
    check_keys(&at);
    check_suspend(&at);
    check_pages(&at);
    check_max_memory(&at);
    check_autostart(&at);
    check_device_model_state(&at);
    check_no_migrate(&at);
    check_pv_width(&at);
    check_specials(&at);
    check_nested(&at);
    check_fixed_devices(&at);
    check_qemu_disks(&at);
    check_log_dirty(&at);
    if (!there)
        return;
    check_target(&at);
    check_disks(&at);
    check_nics(&at);
    check_device_model(&at);
    check_ports(&at);
    check_boot_files(&at);
}
