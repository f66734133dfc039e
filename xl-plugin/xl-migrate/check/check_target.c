/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks the target for all but devices. */
#include "check_parts.h"

#include <inttypes.h>
#include <string.h>

#include "xl-migrate/wire/channel.h"
#include "common/deadline.h"

/* Below this a receiver knows no stream of version 3. */
#define STREAM_V3_MAJOR 4
#define STREAM_V3_MINOR 14

#define KIB_A_MIB       1024

#define CLOCK_APART_NS  NS_PER_S

static void check_same_host(struct checking *at)
{
    if (at->same_host)
        check_add(at->check, "same-host", CHECK_BLOCKER, "name another host",
                  "%s is this very host: there is nothing to move", at->target);
}

static void check_plugin(struct checking *at)
{
    if (at->there->version[0])
        check_add(at->check, "plugin", CHECK_OK, "", "%s has xl-migrate %s",
                  at->target, at->there->version);
    else
        check_add(at->check, "plugin", CHECK_WARNING,
                  "install xl-migrate there, too",
                  "%s has no xl-migrate: its stock xl receives, and xenstore "
                  "keys, network announcements and the hooks pre-start and "
                  "post-start are left out",
                  at->target);
}

/* As send will: it speaks its own version of the protocol only. */
static void check_protocol(struct checking *at)
{
    unsigned protocol = at->there->protocol;

    if (protocol && protocol != CHANNEL_PROTOCOL)
        check_add(at->check, "protocol", CHECK_BLOCKER,
                  "install the same version at both ends, or move it with "
                  "--stock",
                  "%s speaks protocol %u of xl-migrate, this host %u",
                  at->target, protocol, CHANNEL_PROTOCOL);
}

static void check_clock(struct checking *at)
{
    const struct facts_host *there = at->there;
    uint64_t apart_ns =
        (uint64_t)(there->clock_ahead_ns < 0 ? -there->clock_ahead_ns
                                             : there->clock_ahead_ns);

    if (!there->has_clock)
        check_add(at->check, "clock", CHECK_UNKNOWN, "",
                  "the time of %s was not found out", at->target);
    else if (apart_ns > there->clock_error_ns + CLOCK_APART_NS)
        check_add(at->check, "clock", CHECK_WARNING, "set both clocks by NTP",
                  "the clock of %s is %" PRIu64 " s %s: that of %s will be, "
                  "too, until it sets its own",
                  at->target, apart_ns / NS_PER_S,
                  there->clock_ahead_ns < 0 ? "behind" : "ahead",
                  at->guest->name);
    else
        check_add(at->check, "clock", CHECK_OK, "",
                  "the clock of %s shows the same time", at->target);
}

static void check_domid(struct checking *at)
{
    if (!at->guest->keep_domid || at->same_host)
        return;
    if (at->there->domid_taken == FACTS_YES)
        check_add(at->check, "domid", CHECK_BLOCKER, "move it without -D",
                  "%s has another domain %u", at->target, at->guest->domid);
    else if (at->there->domid_taken == FACTS_UNKNOWN)
        check_add(at->check, "domid", CHECK_UNKNOWN, "",
                  "whether %s has a domain %u was not found out", at->target,
                  at->guest->domid);
}

static bool is_older(unsigned major, unsigned minor, unsigned than_major,
                     unsigned than_minor)
{
    return major < than_major || (major == than_major && minor < than_minor);
}

static void check_xen(struct checking *at)
{
    const struct facts_host *here = at->here, *there = at->there;

    if (!there->has_xen || !here->has_xen)
        check_add(at->check, "xen-version", CHECK_UNKNOWN, "",
                  "Xen's version on %s was not found out", at->target);
    else if (is_older(there->xen_major, there->xen_minor, STREAM_V3_MAJOR,
                      STREAM_V3_MINOR))
        check_add(at->check, "xen-version", CHECK_BLOCKER,
                  "upgrade Xen there to 4.14 or later",
                  "%s has Xen %u.%u, which cannot read this stream", at->target,
                  there->xen_major, there->xen_minor);
    else if (is_older(there->xen_major, there->xen_minor, here->xen_major,
                      here->xen_minor))
        check_add(at->check, "xen-version", CHECK_WARNING,
                  "upgrade Xen there first",
                  "%s has Xen %u.%u, older than %u.%u here: Xen promises "
                  "moves to newer releases only",
                  at->target, there->xen_major, there->xen_minor,
                  here->xen_major, here->xen_minor);
    else
        check_add(at->check, "xen-version", CHECK_OK, "",
                  "Xen %u.%u here, %u.%u on %s", here->xen_major,
                  here->xen_minor, there->xen_major, there->xen_minor,
                  at->target);
}

static void check_kind(struct checking *at)
{
    const struct facts_host *there = at->there;
    const char *kind = check_kind_name(at->guest->kind);
    bool hvm = at->guest->kind != DOMAIN_PV;
    enum facts_answer answer = hvm ? there->hvm : there->pv;

    if (hvm && answer == FACTS_YES && there->hap == FACTS_NO &&
        there->shadow == FACTS_NO)
        answer = FACTS_NO;
    if (answer == FACTS_NO)
        check_add(at->check, "guest-kind", CHECK_BLOCKER,
                  hvm ? "switch hardware virtualisation on in its firmware"
                      : "boot a hypervisor there that is built with PV",
                  "%s cannot run %s guests", at->target, kind);
    else if (answer == FACTS_UNKNOWN)
        check_add(at->check, "guest-kind", CHECK_UNKNOWN, "",
                  "whether %s can run %s guests was not found out", at->target,
                  kind);
    else
        check_add(at->check, "guest-kind", CHECK_OK, "", "%s runs %s guests",
                  at->target, kind);
    if (at->guest->kind == DOMAIN_PV && there->shadow == FACTS_NO)
        check_add(at->check, "way-back", CHECK_WARNING,
                  "boot a hypervisor there that is built with shadow paging",
                  "%s has no shadow paging: %s could not be moved live from "
                  "there again",
                  at->target, at->guest->name);
}

/* As much of the list as a finding has room for. */
#define FEATURES_CHARS 200

static void check_cpu_needs(struct checking *at)
{
    char missing[CHECK_TEXT_BYTES];
    unsigned nr =
        xcx_cpu_policy_missing(&at->guest->cpu_policy, &at->there->cpu_policy,
                               XCX_CPU_NEEDED, missing, sizeof(missing));

    if (nr == 0)
        check_add(at->check, "cpu", CHECK_OK, "",
                  "%s has all CPU features that %s sees", at->target,
                  at->guest->name);
    else
        check_add(at->check, "cpu", CHECK_BLOCKER,
                  "start the guest without them (cpuid= in xl.cfg), or move "
                  "it to a host that has them",
                  "%s lacks CPU features that %s sees: %.*s%s", at->target,
                  at->guest->name, FEATURES_CHARS, missing,
                  strlen(missing) > FEATURES_CHARS ? " ..." : "");
}

static void check_cpu_hints(struct checking *at)
{
    char missing[CHECK_TEXT_BYTES];

    if (xcx_cpu_policy_missing(&at->guest->cpu_policy, &at->there->cpu_policy,
                               XCX_CPU_HINTS, missing, sizeof(missing)))
        check_add(at->check, "cpu", CHECK_WARNING,
                  "give both hosts the same Xen and microcode; a guest that "
                  "has moved chooses anew when it reboots",
                  "%s lacks what %s only chooses by: %.*s%s", at->target,
                  at->guest->name, FEATURES_CHARS, missing,
                  strlen(missing) > FEATURES_CHARS ? " ..." : "");
}

static void check_cpu(struct checking *at)
{
    if (!at->guest->has_cpu_policy || !at->there->has_cpu_policy) {
        check_add(at->check, "cpu", CHECK_UNKNOWN, "",
                  "the CPU features of %s were not checked", at->target);
        return;
    }
    check_cpu_needs(at);
    check_cpu_hints(at);
}

static void check_cpus(struct checking *at)
{
    if (at->there->has_xen && at->there->nr_cpus &&
        at->guest->nr_vcpus > at->there->nr_cpus)
        check_add(at->check, "nr-cpus", CHECK_WARNING, "",
                  "%s has %u vCPUs, %s only %u CPUs", at->guest->name,
                  at->guest->nr_vcpus, at->target, at->there->nr_cpus);
}

static void too_little_memory(struct checking *at)
{
    uint64_t need_mib = at->guest->need_memory_kib / KIB_A_MIB + 1;
    uint64_t free_mib = at->there->free_kib / KIB_A_MIB;
    bool balloons = at->there->autoballoon == FACTS_YES;
    char fix[CHECK_TEXT_BYTES];

    if (balloons && at->guest->need_memory_kib < at->there->total_kib) {
        check_add(at->check, "memory", CHECK_WARNING, "",
                  "%s has %" PRIu64 " MiB free, %s needs %" PRIu64
                  ": its Dom0 must give up the rest",
                  at->target, free_mib, at->guest->name, need_mib);
        return;
    }
    snprintf(fix, sizeof(fix),
             "free %" PRIu64 " MiB there: move or shut down guests, or "
             "xl mem-set 0 to shrink Dom0",
             need_mib - free_mib);
    check_add(at->check, "memory", CHECK_BLOCKER, fix,
              "%s has %" PRIu64 " MiB free, %s needs %" PRIu64, at->target,
              free_mib, at->guest->name, need_mib);
}

static void check_memory(struct checking *at)
{
    if (!at->there->has_xen)
        check_add(at->check, "memory", CHECK_UNKNOWN, "",
                  "the free memory of %s was not found out", at->target);
    else if (at->there->free_kib <= at->guest->need_memory_kib)
        too_little_memory(at);
    else
        check_add(at->check, "memory", CHECK_OK, "",
                  "%s has %" PRIu64 " MiB free, %s needs %" PRIu64, at->target,
                  at->there->free_kib / KIB_A_MIB, at->guest->name,
                  at->guest->need_memory_kib / KIB_A_MIB + 1);
}

static void check_autoballoon(struct checking *at)
{
    switch (at->there->autoballoon) {
    case FACTS_YES:
        check_add(at->check, "autoballoon", CHECK_WARNING,
                  "there: give Xen dom0_mem= on its command line, or set "
                  "autoballoon=\"off\" in /etc/xen/xl.conf",
                  "%s takes guests' memory from its Dom0: moves to it wait "
                  "for each other",
                  at->target);
        break;
    case FACTS_NO:
        check_add(at->check, "autoballoon", CHECK_OK, "",
                  "%s leaves its Dom0's memory alone", at->target);
        break;
    default:
        check_add(at->check, "autoballoon", CHECK_UNKNOWN, "",
                  "whether %s balloons its Dom0 was not found out", at->target);
    }
}

/* xl names a guest so until it is whole. */
static bool is_arriving(const struct facts_clash *clash)
{
    const char *suffix = strstr(clash->name, DOMAIN_SUFFIX_INCOMING);

    return suffix && !suffix[sizeof(DOMAIN_SUFFIX_INCOMING) - 1];
}

static void add_clash(struct checking *at, const struct facts_clash *clash)
{
    const struct facts_guest *guest = at->guest;
    char fix[CHECK_TEXT_BYTES];

    if (strcmp(clash->uuid, guest->uuid) == 0 && is_arriving(clash)) {
        check_add(at->check, "uuid-clash", CHECK_BLOCKER,
                  "xl-migrate status; if none goes on, xl-migrate recover, at "
                  "both ends",
                  "%s has a domain %u, %s: a copy of %s that is arriving, or "
                  "is left of a move that failed",
                  at->target, clash->domid, clash->name, guest->name);
    } else if (strcmp(clash->uuid, guest->uuid) == 0) {
        check_add(at->check, "uuid-clash", CHECK_BLOCKER,
                  "xl-migrate recover, at both ends; a copy that is known to "
                  "be dead: xl destroy, there",
                  "%s has a domain %u, %s, of the UUID of %s: a copy of it?",
                  at->target, clash->domid, clash->name, guest->name);
    } else if (strcmp(clash->name, guest->name) == 0) {
        snprintf(fix, sizeof(fix), "there: xl rename %u ANOTHER_NAME",
                 clash->domid);
        check_add(at->check, "name-clash", CHECK_BLOCKER, fix,
                  "%s has another domain, %u, of the name %s", at->target,
                  clash->domid, guest->name);
    } else {
        snprintf(fix, sizeof(fix), "there: xl-migrate recover %.100s",
                 guest->name);
        check_add(at->check, "name-clash", CHECK_BLOCKER, fix,
                  "%s has a domain %u, %s, that is arriving or is left of a "
                  "move that failed",
                  at->target, clash->domid, clash->name);
    }
}

static void check_clashes(struct checking *at)
{
    unsigned nr = 0;

    if (!at->there->has_clashes) {
        check_add(at->check, "name-clash", CHECK_UNKNOWN, "",
                  "the domains of %s could not be listed", at->target);
        return;
    }
    for (unsigned i = 0; i < at->there->nr_clashes; i++) {
        const struct facts_clash *clash = &at->there->clashes[i];

        if (at->same_host && clash->domid == at->guest->domid)
            continue;
        add_clash(at, clash);
        nr++;
    }
    if (nr == 0)
        check_add(at->check, "name-clash", CHECK_OK, "",
                  "%s has no domain of this name or UUID", at->target);
}

void check_target(struct checking *at)
{
    check_same_host(at);
    check_plugin(at);
    check_protocol(at);
    check_clock(at);
    check_domid(at);
    check_xen(at);
    check_kind(at);
    check_cpu(at);
    check_cpus(at);
    check_memory(at);
    check_autoballoon(at);
    check_clashes(at);
    check_scheduling(at);
}
