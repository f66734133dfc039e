/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status: how far a migration is, as send tells it over the control socket
 * and `status` shows it; a message of type "status" (message.h):
 *
 *   {"type":"status","domid":7,"name":"web","uuid":...,"host":"host2",
 *    "phase":"copying memory","what":"Round 3","done_pages":5,
 *    "total_pages":10,"sent_bytes":...,"send_bytes_per_s":...,
 *    "dirty_bytes_per_s":...,"elapsed_ms":...,"left_ms":...,
 *    "downtime_ms":...,"throttle_percent":100,
 *    "limits":{"downtime_ms":300,"time_budget_s":0,"max_rounds":30,
 *    "bandwidth_mib_per_s":0,"on_slow":"throttle"}}
 *
 * What is not known is not there. Pure. Threads: any.
 */
#ifndef XL_MIGRATE_STATUS_H
#define XL_MIGRATE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json.h"
#include "xl-migrate/wire/message.h"
#include "xcext.h"

#define STATUS_TEXT_BYTES 256
#define STATUS_UUID_BYTES 40
#define STATUS_LINE_BYTES 1024
#define STATUS_UNKNOWN    UINT64_MAX

struct status {
    uint32_t domid;
    /* Texts: "" is not known. */
    char name[STATUS_TEXT_BYTES];
    char uuid[STATUS_UUID_BYTES];
    char host[STATUS_TEXT_BYTES];  /* where it goes */
    char phase[STATUS_TEXT_BYTES]; /* "checking", "copying memory", ... */
    char what[STATUS_TEXT_BYTES];  /* within it: the engine's "Round 3" */
    /* Each may be STATUS_UNKNOWN. */
    uint64_t done_pages, total_pages; /* of what */
    uint64_t sent_bytes;
    uint64_t send_bytes_per_s, dirty_bytes_per_s;
    uint64_t elapsed_ms, left_ms; /* of the whole migration; forecast */
    uint64_t downtime_ms;         /* forecast */
    uint64_t throttle_percent;    /* 100: not throttled */
    bool has_limits;              /* they are known */
    struct xcx_policy_limits limits;
};

/* All unknown. */
void status_init(struct status *ret_status);

/* The keys, without "type", into an object that is open. */
void status_put(const struct status *status, struct json *json);

/* Errors: PEER, naming the key. */
int status_take(const struct message *message, struct status *ret_status,
                struct xcx_err *err);

/* One line for people, without what comes before: "Round 3, 45 %, ...". */
void status_line(const struct status *status, char ret_line[STATUS_LINE_BYTES]);

/* The limits' keys, into an object that is open. */
void status_put_limits(const struct xcx_policy_limits *limits,
                       struct json *json);

/*
 * The limits' keys out of an object, checked as in the configuration; those
 * that are not there stay as they are. *ret_nr: how many there were. Errors:
 * USAGE, naming key and value; *limits is untouched then.
 */
int status_take_limits(yajl_val object, struct xcx_policy_limits *limits,
                       unsigned *ret_nr, struct xcx_err *err);

#endif
