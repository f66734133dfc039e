/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check_parts: what check.c makes its findings from: check_target.c,
 * check_sched.c and check_devices.c.
 */
#ifndef XL_MIGRATE_CHECK_PARTS_H
#define XL_MIGRATE_CHECK_PARTS_H

#include "check.h"

/* What is at hand while findings are made. */
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

/* What does not move, whatever the target. */
void check_fixed_devices(struct checking *at);

/* What the target must have, devices apart. */
void check_target(struct checking *at);

/* Its CPU pool, CPUs and scheduler. */
void check_scheduling(struct checking *at);

/* Disks whose server must have written all before the target reads. */
void check_qemu_disks(struct checking *at);

/* What must be there. */
void check_disks(struct checking *at);
void check_nics(struct checking *at);
void check_device_model(struct checking *at);
void check_ports(struct checking *at);
void check_boot_files(struct checking *at);

#endif
