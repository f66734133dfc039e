/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_parts: the parts of check.c that make its findings: check_target.c,
 * check_sched.c and check_devices.c.
 */
#ifndef XL_MIGRATE_CHECK_PARTS_H
#define XL_MIGRATE_CHECK_PARTS_H

#include "check.h"

/* The input of the parts, and the findings that they add to. */
struct checking {
    const struct facts_guest *guest;
    const struct facts_query *query;
    const struct facts_host *here, *there;
    const struct check_wishes *wishes;
    const char *target;
    bool same_host;
    struct check *check;
};

/* "PV", "PVH", "HVM" */
const char *check_kind_name(enum domain_kind kind);

/* Finds the devices that do not move, whatever the target. */
void check_fixed_devices(struct checking *at);

/* Checks the target for all but devices. */
void check_target(struct checking *at);

/* Checks the target's CPU pool, CPUs and scheduler. */
void check_scheduling(struct checking *at);

/* Disks whose server must have written all before the target reads. */
void check_qemu_disks(struct checking *at);

/* Checks that the disks are there. */
void check_disks(struct checking *at);
void check_nics(struct checking *at);
void check_device_model(struct checking *at);
void check_ports(struct checking *at);
void check_boot_files(struct checking *at);

#endif
