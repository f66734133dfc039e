/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain: a guest as the toolstack knows it: found, looked at, and what its
 * life cycle asks for. All by libxl, so that the domain is in every way one of
 * xl's. Each function may be repeated: what is so already is no error.
 *
 * Blocking: as libxl does, seconds in the case of destroy. Threads: the
 * host's.
 *
 * Errors: USAGE for a domain that is not there (or is not a guest); GUEST for
 * one that cannot do it in its state; RESOURCE where libxl failed, whose own
 * lines are in the log.
 */
#ifndef XL_MIGRATE_DOMAIN_H
#define XL_MIGRATE_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "xl-migrate/handover/handover.h"
#include "host.h"
#include "xl-migrate/handover/journal.h"
#include "xcext.h"

#define DOMAIN_NAME_BYTES      JOURNAL_TEXT_BYTES
#define DOMAIN_UUID_BYTES      JOURNAL_UUID_BYTES

#define DOMAIN_SUFFIX_INCOMING "--incoming"     /* xl's, while it builds */
#define DOMAIN_SUFFIX_AWAY     "--migratedaway" /* xl's, of the source */

enum domain_kind { DOMAIN_PV, DOMAIN_PVH, DOMAIN_HVM };

enum domain_state {
    DOMAIN_RUNS,
    DOMAIN_PAUSED,    /* by a toolstack: unpause lets it go on */
    DOMAIN_SUSPENDED, /* has suspended itself: resume lets it go on */
    DOMAIN_SHUT_DOWN, /* powered off, crashed, …: does not go on */
};

/* At one moment. */
struct domain {
    uint32_t domid;
    char uuid[DOMAIN_UUID_BYTES]; /* lower case, with dashes */
    char name[DOMAIN_NAME_BYTES]; /* "" if it has none (yet) */
    enum domain_kind kind;
    enum domain_state state;
    uint32_t stubdom_domid; /* its device model's; 0: none */
    bool old_device_model;  /* qemu-traditional, without QMP for this */
    uint64_t memory_kib;    /* what it has now */
    bool has_run;           /* at all, since it was made */
};

/* "pv", "pvh", "hvm". */
const char *domain_kind_name(enum domain_kind kind);

/*
 * text: a name, a domid, or a UUID. A name that looks like one of the others
 * is still found, after them. Dom0 is none of them. USAGE: none, or two of
 * this UUID.
 */
int domain_find(struct host *host, const char *text, struct domain *ret,
                struct xcx_err *err);

/* By domid, as it is now. USAGE: gone, or being destroyed. */
int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err);

/*
 * For handover's looks. At the source the very domain of a case: *ret_there
 * false for one that is gone or dying, and for another one that has its domid
 * by now. ret: domid, uuid, name, state, memory_kib.
 */
int domain_look_source(struct host *host, uint32_t domid, const char *uuid,
                       bool *ret_there, struct domain *ret,
                       struct xcx_err *err);

/*
 * At the target the domain with this UUID, name being the guest's: BUILDING
 * as long as xl calls it NAME--incoming. The source's own copy, on the same
 * host, goes by NAME--migratedaway and does not count. *ret_domid: 0 if
 * absent.
 */
int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err);

/*
 * The very domain that a case has made at the target, name being the guest's:
 * ABSENT where this domid has another UUID or is dying; BUILDING as above;
 * PAUSED only as long as it has never run, RUNNING from then on.
 */
int domain_look_copy(struct host *host, uint32_t domid, const char *uuid,
                     const char *name, enum handover_copy *ret_copy,
                     struct xcx_err *err);

/*
 * A domain of this UUID that has another domid than but; *ret_domid 0: there
 * is none. NAME--migratedaway does not count.
 */
int domain_find_other(struct host *host, const char *uuid, uint32_t but,
                      uint32_t *ret_domid, struct xcx_err *err);

/*
 * The domains that xl calls NAME--incoming; *ret is malloc'ed, the caller's,
 * also for none. RESOURCE.
 */
int domain_list_incoming(struct host *host, struct domain **ret,
                         unsigned *ret_nr, struct xcx_err *err);

/*
 * The configuration as xl sends it, JSON with live settings (memory target,
 * scheduler, devices): read it before a throttle. keep_domid: ask the target
 * for the same domid. *ret_json is malloc'ed, the caller's.
 */
int domain_config_json(struct host *host, uint32_t domid, bool keep_domid,
                       char **ret_json, struct xcx_err *err);

int domain_unpause(struct host *host, uint32_t domid, struct xcx_err *err);

/* Destroys a domain; one that is gone already is no error. */
int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err);

/* Whether xl migrate has called it so, as its copy elsewhere may run. */
bool domain_is_away(const char *name);

/*
 * A suspended guest goes on where it was: device model, Xen, xenstored, in
 * this order. Does nothing to one that is not suspended; GUEST for one that xl
 * migrate has called NAME--migratedaway. For an HVM guest it
 * is tried again for up to timeout_ms, since its disk images may still be held
 * by the device model of a target that is about to give up.
 */
int domain_resume(struct host *host, uint32_t domid, unsigned timeout_ms,
                  struct xcx_err *err);

/* Lower case with dashes, or false for what is no UUID. Pure. */
bool domain_uuid_normalise(const char *text, char ret[DOMAIN_UUID_BYTES]);

#endif
