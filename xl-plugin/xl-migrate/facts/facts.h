/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts: the facts that a check compares: the guest, and each of the two hosts
 * as far as the guest needs it.
 *
 *   libxl, Xen ──facts_guest──▶ guest ──facts_query_of──▶ query
 *                                                           │
 *   source:  facts_host(query) ──▶ host facts               │ facts_query_put
 *   target:  facts_host(query) ──▶ host facts ◀─────────────┤ facts_query_get
 *               │ facts_host_put ... facts_host_get         │
 *               ▼                                           ▼
 *            check(guest, here, there)        stock: facts_stock_command
 *
 * A query names what is to be looked at, and the answer has it in the same
 * order; so no more is told of a host than the guest needs. Either may come
 * from a hostile end: every text, number and array has a bound here, and what
 * exceeds it is refused. What an end cannot say is marked as not known.
 *
 * Threads: any, one object at a time. All structs are plain and own nothing;
 * they are large, so better not on a stack.
 */
#ifndef XL_MIGRATE_FACTS_H
#define XL_MIGRATE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_tree.h>

#include "xl-migrate/domain/domain.h"
#include "common/json.h"
#include "xl-migrate/domain/vif_script.h"
#include "xcext.h"

#define FACTS_MAX_FILES   64
#define FACTS_MAX_BRIDGES 32
#define FACTS_MAX_DISKS   48
#define FACTS_MAX_NICS    32
#define FACTS_MAX_CLASHES 16
#define FACTS_PATH_BYTES  512
#define FACTS_NAME_BYTES  256 /* of domains, bridges, pools, hosts */
#define FACTS_WORD_BYTES  32  /* of schedulers, versions */
#define FACTS_MAX_CPUS    1024
#define FACTS_FIRST_POOL  "Pool-0" /* Xen's own */
#define FACTS_MAX_PORTS   16
#define FACTS_MAX_BOOT    8
#define FACTS_MAX_PINS    16 /* different sets of CPUs that vCPUs are bound to */

/* CPUs of a host, by their numbers. */
struct facts_cpus {
    uint64_t words[FACTS_MAX_CPUS / 64];
};

enum facts_answer { FACTS_UNKNOWN, FACTS_NO, FACTS_YES };

/* ---- the guest --------------------------------------------------------- */

struct facts_disk {
    char vdev[FACTS_NAME_BYTES];
    char path[FACTS_PATH_BYTES];   /* "": an empty drive */
    char script[FACTS_PATH_BYTES]; /* whole path; "": none */
    bool is_path;   /* path is a file or device of this host's Dom0 */
    bool read_only; /* a CD or the like */
    bool is_image;  /* qcow2, vhd and the like: a file of it may grow */
};

struct facts_nic {
    char bridge[FACTS_NAME_BYTES]; /* the device to look for; "": none */
    char script[FACTS_PATH_BYTES]; /* whole path; "": none */
    enum vif_script kind;          /* of the script */
    bool elsewhere;                /* its backend is another domain's */
};

/* A file that the guest starts from when it reboots. */
struct facts_boot_file {
    const char *what;            /* static: "kernel" */
    char path[FACTS_PATH_BYTES]; /* absolute */
};

/* A TCP port that its device model listens on, just that one. */
struct facts_port {
    const char *what; /* static: "VNC" */
    uint16_t port;
};

/* How many there are of what does not move. */
struct facts_fixed {
    unsigned nr_pci, nr_usb, nr_device_tree, nr_ports, nr_vtpms, nr_9p;
    unsigned nr_vdispls, nr_vsnds, nr_pvcalls;
    bool gfx_passthru;
};

struct facts_guest {
    uint32_t domid;
    char name[FACTS_NAME_BYTES];
    char uuid[DOMAIN_UUID_BYTES]; /* in lower case */
    enum domain_kind kind;
    uint64_t need_memory_kib; /* at a target, all in all */
    unsigned nr_vcpus;
    char pool[FACTS_NAME_BYTES];     /* by its configuration; "": the first */
    char pool_now[FACTS_NAME_BYTES]; /* that it is in here; "": not known */
    char sched[FACTS_WORD_BYTES];    /* of that pool, as xl calls it */
    unsigned cap;                    /* of its CPU time, in percent; 0: none */
    unsigned nr_pins; /* more than there is room for: not known */
    struct facts_cpus pins[FACTS_MAX_PINS];
    char device_model[FACTS_PATH_BYTES]; /* "": the default, or none */
    char qemu_path[FACTS_PATH_BYTES];    /* that runs here; "": none */
    char qemu_version[FACTS_WORD_BYTES]; /* of that; "": not known */
    char qemu_blocker[FACTS_NAME_BYTES]; /* why it cannot move; "": it can */
    unsigned nr_boot_files;
    struct facts_boot_file boot_files[FACTS_MAX_BOOT];
    unsigned nr_ports;
    struct facts_port ports[FACTS_MAX_PORTS];
    bool keep_domid;                  /* it wants the same domid there */
    uint64_t max_memory_kib;          /* that libxl lets it have; 0: unknown */
    char autostart[FACTS_PATH_BYTES]; /* starts it with this host; "": none */
    unsigned nr_disks, nr_disks_left_out; /* left out: past the bound */
    struct facts_disk disks[FACTS_MAX_DISKS];
    unsigned nr_qemu_disks; /* that QEMU serves and the guest may write */
    char qemu_fault[XCX_ERR_MSG_BYTES]; /* why they cannot move; "": they can */
    unsigned nr_nics, nr_nics_left_out;
    struct facts_nic nics[FACTS_MAX_NICS];
    struct facts_fixed fixed;
    bool no_migrate; /* its configuration says so */
    bool stub_domain;
    bool old_device_model; /* qemu-traditional */
    bool nested_hvm;
    enum facts_answer is_hypervisor; /* if nested: it has VMX or SVM on */
    bool native_tsc;
    unsigned nr_vnuma_nodes;
    char keys_problem[FACTS_NAME_BYTES]; /* of its xenstore keys; "": none */
    bool suspend_event_channel;          /* it has one */
    bool suspend_feature;                /* it answers control/shutdown */
    bool suspend_unsaid;                 /* the node is there, and empty */
    struct xcx_survey survey;
    bool has_cpu_policy;
    struct xcx_cpu_policy cpu_policy;
};

/* ---- a host ------------------------------------------------------------ */

/* For what a file is asked: no more is told than that needs. */
enum facts_file_kind {
    FACTS_KIND_ANY, /* by an older version: type, size and so on */
    FACTS_KIND_DISK,
    FACTS_KIND_SCRIPT,
    FACTS_KIND_BOOT,
    FACTS_KIND_DEVICE_MODEL,
};

struct facts_query {
    char name[FACTS_NAME_BYTES]; /* of the guest */
    char uuid[DOMAIN_UUID_BYTES];
    enum domain_kind kind;
    char pool[FACTS_NAME_BYTES];
    unsigned nr_files;
    char files[FACTS_MAX_FILES][FACTS_PATH_BYTES]; /* absolute paths */
    enum facts_file_kind kinds[FACTS_MAX_FILES];
    unsigned nr_ports;
    uint16_t ports[FACTS_MAX_PORTS];
    uint32_t domid; /* that it wants to have; 0: any */
    unsigned nr_bridges;
    char bridges[FACTS_MAX_BRIDGES][FACTS_NAME_BYTES];
};

enum facts_file_type {
    FACTS_FILE_ABSENT,
    FACTS_FILE_PLAIN,
    FACTS_FILE_BLOCK,
    FACTS_FILE_OTHER
};

struct facts_file {
    enum facts_file_type type;
    bool executable;
    bool has_size; /* of a plain file or block device */
    uint64_t size_bytes;
    uint64_t fs_magic; /* of a plain file: statfs(2)'s f_type; 0: not known */
    bool untold;       /* not a path that is told of: all else is void */
    char version[FACTS_WORD_BYTES]; /* of a device model; "": not known */
};

/* A domain there that has the guest's name, or will, or its UUID. */
struct facts_clash {
    uint32_t domid;
    char name[FACTS_NAME_BYTES];
    char uuid[DOMAIN_UUID_BYTES];
};

struct facts_host {
    char host[FACTS_NAME_BYTES];
    char boot[DOMAIN_UUID_BYTES];   /* kernel's boot id; "": not known */
    char version[FACTS_NAME_BYTES]; /* of xl-migrate; "": it has none */
    bool has_xen;                   /* the next three lines are known */
    unsigned xen_major, xen_minor;
    uint64_t total_kib, free_kib;
    unsigned nr_cpus;
    enum facts_answer pv, hvm, hap, shadow;
    enum facts_answer autoballoon; /* as its xl sees it */
    enum facts_answer pool;        /* it has the query's */
    char sched[FACTS_WORD_BYTES];  /* of that pool; "": not known */
    bool has_cpus;                 /* of that pool */
    struct facts_cpus cpus;
    bool has_clashes; /* they were looked for */
    unsigned nr_clashes;
    struct facts_clash clashes[FACTS_MAX_CLASHES];
    unsigned nr_files; /* as the query's, or 0: not looked at */
    struct facts_file files[FACTS_MAX_FILES];
    enum facts_answer domid_taken; /* the query's */
    unsigned nr_ports;             /* as the query's, or 0: not looked at */
    enum facts_answer ports_taken[FACTS_MAX_PORTS];
    bool has_clock;
    uint64_t clock_ns;      /* since 1970, when it answered */
    int64_t clock_ahead_ns; /* of ours; facts_ask sets these two */
    uint64_t clock_error_ns;
    unsigned protocol;   /* of its xl-migrate; facts_ask sets it; 0: unknown */
    unsigned nr_bridges; /* the same as with files */
    enum facts_answer bridges[FACTS_MAX_BRIDGES];
    bool has_cpu_policy; /* the most that a guest of the kind may have */
    struct xcx_cpu_policy cpu_policy;
};

/* Puts the needs of the guest into a query. */
void facts_query_of(const struct facts_guest *guest,
                    struct facts_query *ret_query);

/* Adds a CPU; one past FACTS_MAX_CPUS is left out. */
void facts_cpus_add(struct facts_cpus *cpus, unsigned cpu);
bool facts_cpus_have(const struct facts_cpus *cpus, unsigned cpu);
bool facts_cpus_meet(const struct facts_cpus *a, const struct facts_cpus *b);

/* The index in the query, or -1. */
int facts_query_file(const struct facts_query *query, const char *path);
int facts_query_bridge(const struct facts_query *query, const char *bridge);

/*
 * Whether the domain is in the way of the guest: by its name, by the one that
 * xl gives a guest while it arrives, or by its UUID.
 */
bool facts_is_clash(const struct facts_query *query,
                    const struct facts_clash *domain);

/* "7.2.22" is older than "7.10": as numbers, as far as both have them. */
bool facts_version_is_older(const char *version, const char *than);

/* ---- as JSON ------------------------------------------------------------ */

/* An object under key. */
void facts_query_put(struct json *json, const char *key,
                     const struct facts_query *query);
void facts_host_put(struct json *json, const char *key,
                    const struct facts_host *host);

/*
 * The reverse. Errors: PEER, naming what is wrong; *ret is untouched then.
 * The answer must fit the query.
 */
int facts_query_get(yajl_val object, struct facts_query *ret_query,
                    struct xcx_err *err);
int facts_host_get(yajl_val object, const struct facts_query *query,
                   struct facts_host *ret_host, struct xcx_err *err);

/* ---- a target without the plugin ---------------------------------------- */

#define FACTS_COMMAND_BYTES 49152
#define FACTS_ANSWER_BYTES  65536

/*
 * Input for the target's sh, which prints what can be learnt by xl and sh
 * alone, and exits. Nothing in it is executed from the query's texts. Errors:
 * USAGE, if it does not fit.
 */
int facts_stock_command(const struct facts_query *query, char *text,
                        size_t text_bytes, struct xcx_err *err);

/* Parses what the sh printed. Errors: PEER; *ret is untouched then. */
int facts_stock_get(const char *text, size_t nr_bytes,
                    const struct facts_query *query,
                    struct facts_host *ret_host, struct xcx_err *err);

#endif
