/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake_xenlight: what of libxl acts on a host, over a few domains in this
 * process; libxl's types remain the library's own. A program that links it has
 * these functions in the place of libxl's. Every act is a word in calls.
 */
#ifndef FAKE_XENLIGHT_H
#define FAKE_XENLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>
#include <libxl_event.h>

#define FAKE_NR_DOMAINS 8
#define FAKE_NR_EVENTS  8

struct fake_domain {
    uint32_t domid;
    const char *uuid;
    const char *name;
    bool hvm, paused, shutdown, dying, has_run;
    int reason; /* of its shutdown */
    int stubdom;
    bool gone;
};

struct fake_event {
    int type;
    uint32_t domid;
    int reason;
};

struct fake_xenlight {
    struct fake_domain domains[FAKE_NR_DOMAINS];
    unsigned nr_domains;
    struct fake_event events[FAKE_NR_EVENTS]; /* that wait returns, in order */
    unsigned next_event;
    uint32_t next_domid;   /* of a domain that is created */
    unsigned resume_fails; /* so often first */
    unsigned create_fails;
    const char *xen_command_line; /* NULL: Dom0's memory is fixed by it */
    uint64_t free_kib, need_kib;
    bool dom0_keeps_all; /* whatever its target is */
    int rc;              /* set: acts fail so */
    int config_fails;    /* set: no configuration */
    unsigned nr_watched; /* 0 at the end */
    libxl_action_on_shutdown on_poweroff, on_reboot, on_crash, on_watchdog,
        on_soft_reset;
    uint32_t config_domid; /* c_info.domid when it was made JSON */
    char calls[1024];
};

extern struct fake_xenlight fake_xenlight;

/* No domains; everything of the last test is gone. */
void fake_xenlight_reset(void);

#endif
