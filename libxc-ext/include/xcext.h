/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xcext: the public face of libxcext, the engine that saves a running Xen
 * domain into a libxc migration stream, version 3, and restores one from it.
 *
 *   caller (save helper, xl-migrate)
 *      |  xcx_save(params, ops)                     ops: suspend, log, ...
 *      v                                                 ^
 *   engine ── rounds ── guest (HVM, PV) ── hv ── Xen     |
 *      └──────────────── stream ─────────▶ out_fd     the caller's thread
 *
 *   in_fd ──▶ stream ──▶ restore ── guest ── hv ── Xen    xcx_restore()
 *
 * Units are in the names: _ns, _bytes, nr_pfns; a page is 4096 bytes.
 * Threads: one xcx_save() or xcx_restore() at a time in a process; every
 * callback comes on the thread that called it. The library reads no
 * environment, installs no signal handler, prints nothing and never exits (its
 * worker processes do).
 */
#ifndef XCEXT_H
#define XCEXT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "xcext/err.h"
#include "xcext/log.h"
#include "xcext/plain.h"

/* ---- policy ----------------------------------------------------------- */

/* The action once the dirty set stops shrinking short of the target. */
enum xcx_on_slow {
    XCX_ON_SLOW_THROTTLE, /* lower its scheduler cap; not enough: abort */
    XCX_ON_SLOW_STOP,     /* suspend it anyway, however long it takes */
    XCX_ON_SLOW_ABORT,    /* fail; the guest stays here and runs */
    XCX_ON_SLOW_THROTTLE_THEN_STOP, /* if the lowest cap is not enough: stop */
};

struct xcx_policy_limits {
    uint64_t downtime_target_ns; /* 300 ms by default; 0: as short as it gets */
    uint64_t time_budget_ns;     /* live phase at most; 0: no limit */
    unsigned max_rounds; /* live rounds, round 0 included; 0: no limit */
    uint64_t bandwidth_bytes_per_s; /* 0: no limit */
    enum xcx_on_slow on_slow;
};

/* The defaults that README and the manual promise. */
void xcx_policy_limits_default(struct xcx_policy_limits *ret_limits);

/* ---- statistics ------------------------------------------------------- */

#define XCX_STATS_MAX_ROUNDS 64 /* later rounds are added to the last one */

struct xcx_round_stats {
    unsigned round;    /* 0: every populated page */
    bool final;        /* the round with the guest suspended */
    uint64_t start_ns; /* since the start of the save */
    uint64_t duration_ns;
    uint64_t nr_pfns_dirty;         /* what the round set out to send */
    uint64_t nr_pfns_sent;          /* with data */
    uint64_t nr_pfns_deferred;      /* left for a later round */
    uint64_t nr_pfns_no_data;       /* holes and page types without contents */
    uint64_t nr_pfns_written;       /* by the guest during it; final: 0 */
    uint64_t bytes;                 /* written to the stream */
    uint64_t predicted_blackout_ns; /* policy's forecast at the round's end */
};

struct xcx_save_stats {
    uint32_t domid;
    bool hvm;
    uint64_t nr_pfns_p2m;   /* p2m size, holes included */
    uint64_t nr_pfns_guest; /* pages the guest has */
    unsigned nr_rounds;     /* entries of round[] in use */
    struct xcx_round_stats round[XCX_STATS_MAX_ROUNDS];
    uint64_t total_ns;
    uint64_t total_bytes;
    uint64_t prepare_ns; /* of it, in prepare_suspend(), the guest running */
    /* The blackout as the engine sees it, in its parts. */
    uint64_t suspend_ns;    /* asking for suspend until the guest has stopped */
    uint64_t final_scan_ns; /* the last CLEAN */
    uint64_t final_copy_ns; /* the rest of memory */
    uint64_t cpu_state_ns;  /* vCPU and platform state, END */
    uint64_t blackout_ns;   /* all of it */
    /* At the moment of deciding to suspend; UINT64_MAX: there was none. */
    uint64_t predicted_blackout_ns;
    unsigned throttle_percent_min; /* lowest cap applied; 100: never */
    const char *stop_reason;       /* static text: why the live phase ended */
};

/* ---- looking before a save -------------------------------------------- */

/* Xen's facts about a domain that is to be saved. Nothing is changed. */
struct xcx_survey {
    bool hvm; /* HVM or PVH */
    bool hap; /* and with hardware-assisted paging */
    bool dying, paused, shutdown;
    unsigned shutdown_reason; /* SHUTDOWN_* of Xen, when shutdown */
    unsigned pv_width;        /* octets of a PV guest's word; 0: is none */
    bool hvm_pv_drivers;      /* it has told Xen where to send its events */
    unsigned nr_vcpus;        /* online */
    uint64_t nr_pfns_p2m;     /* holes included */
    uint64_t nr_pages;
    uint64_t nr_pages_paged;     /* paged out: a save refuses */
    uint64_t nr_pages_on_demand; /* not there before they are touched */
};

/* Errors: GUEST when there is no such domain, HYPERCALL, RESOURCE. */
int xcx_survey(uint32_t domid, struct xcx_survey *ret_survey,
               struct xcx_err *err);

/*
 * Whether an HVM or PVH domain has switched VMX or SVM on, so that guests of
 * its own may run. Xen pauses it for microseconds. Errors: HYPERCALL, RESOURCE.
 */
int xcx_is_hypervisor(uint32_t domid, unsigned nr_vcpus, bool *ret_is,
                      struct xcx_err *err);

/* Xen's own have some 120 leaves and 3 MSRs; empty leaves are left out. */
#define XCX_CPU_MAX_LEAVES 256
#define XCX_CPU_MAX_MSRS   32

struct xcx_cpu_leaf {
    uint32_t leaf, subleaf; /* UINT32_MAX: has no subleaves */
    uint32_t a, b, c, d;
};

struct xcx_cpu_msr {
    uint32_t index;
    uint64_t value;
};

struct xcx_cpu_policy {
    unsigned nr_leaves, nr_msrs;
    struct xcx_cpu_leaf leaves[XCX_CPU_MAX_LEAVES];
    struct xcx_cpu_msr msrs[XCX_CPU_MAX_MSRS];
};

/* Reads which CPU features the domain sees. Errors: HYPERCALL, RESOURCE. */
int xcx_cpu_policy_of_domain(uint32_t domid, struct xcx_cpu_policy *ret_policy,
                             struct xcx_err *err);

/* The most that a domain of the kind can have on this host. Same errors. */
int xcx_cpu_policy_of_host(bool hvm, struct xcx_cpu_policy *ret_policy,
                           struct xcx_err *err);

/*
 * NEEDED: instructions, registers and MSRs that software uses once it has seen
 * the feature. HINTS: what software only chooses by: that the CPU does not
 * have a flaw, that VERW clears buffers, that a way to copy is fast. Without
 * those the guest runs as before, but may be slower or leave a flaw open.
 */
enum xcx_cpu_features { XCX_CPU_NEEDED, XCX_CPU_HINTS };

/*
 * The features of that sort that the guest has and the host lacks, in words
 * ("AVX2, BMI1, XSAVE state 0x4"), cut to fit, into text; returns how many
 * there are; 0 NEEDED: the guest can run there. Pure; both may come from
 * anywhere. Xen itself compares no more than the highest leaves, and takes the
 * features away without a word.
 */
unsigned xcx_cpu_policy_missing(const struct xcx_cpu_policy *guest,
                                const struct xcx_cpu_policy *host,
                                enum xcx_cpu_features sort, char *text,
                                size_t text_bytes);

#define XCX_PROBE_MAX_SAMPLES 16

/*
 * How many different pages a guest writes within a time, seen over a second
 * or so by log-dirty mode; the guest runs all the while, some of it slower.
 */
struct xcx_probe {
    bool unsupported; /* Xen has no log-dirty mode for it; the rest is 0 */
    uint64_t nr_pfns_p2m, nr_pages;
    uint64_t clean_ns; /* the shorter of two CLEANs of the whole bitmap */
    uint64_t count_ns; /* the shortest that counting them took */
    unsigned nr_samples;
    struct {
        uint64_t at_ns; /* since log-dirty came on; ascending */
        uint64_t nr_pfns_dirty;
    } samples[XCX_PROBE_MAX_SAMPLES];
};

struct xcx_probe_params {
    uint32_t domid;
    uint64_t duration_ns; /* 0: one second */
    const int *cancel_fd; /* NULL, or an fd that is readable to cancel */
    const char *lock_dir; /* for the one lock a domain; NULL: the default */
    /* Optional. One line without a newline; opaque is given back as is. */
    void (*log)(void *opaque, enum xcx_log_level level, const char *line);
    void *opaque;
};

/*
 * Blocks for the duration, under the domain's lock; log-dirty is off again on
 * every path. Errors: GUEST (another program has the lock or the mode),
 * CANCELLED, HYPERCALL, RESOURCE.
 */
int xcx_probe(const struct xcx_probe_params *params,
              struct xcx_probe *ret_probe, struct xcx_err *err);

/* The input of a forecast: all that is known before a save. */
struct xcx_forecast_params {
    struct xcx_probe probe;
    struct xcx_policy_limits limits;
    uint64_t bytes_per_s; /* that get through, end to end; not 0 */
    /* Measured in earlier saves, for blackout_ns alone; 0: guessed. */
    uint64_t suspend_ns;   /* asking until it has stopped */
    uint64_t cpu_state_ns; /* vCPU and platform state, END */
};

struct xcx_forecast {
    bool aborts;          /* by its limits it would give up: stays here */
    unsigned nr_rounds;   /* live ones */
    uint64_t live_ns;     /* until the guest is asked to suspend */
    uint64_t blackout_ns; /* as in xcx_save_stats */
    uint64_t bytes;
    unsigned throttle_percent_min; /* lowest cap applied; 100: never */
    const char *stop_reason;       /* static text */
};

/*
 * Plays the save's rounds through by the same policy as xcx_save(). Pure.
 * Errors: USAGE for params that make no sense.
 */
int xcx_forecast(const struct xcx_forecast_params *params,
                 struct xcx_forecast *ret_forecast, struct xcx_err *err);

/* ---- saving ----------------------------------------------------------- */

/* All are called on the caller's own thread; opaque is given back as is. */
struct xcx_save_ops {
    void *opaque;
    /* Suspends the guest; 0 once it has stopped. Called once. Required. */
    int (*suspend)(void *opaque, struct xcx_err *err);
    /*
     * Optional: does what takes time and is to be done shortly before the
     * guest is suspended, while it still runs. If that took long, another live
     * round sends what the guest wrote meanwhile, and it is called once more.
     */
    int (*prepare_suspend)(void *opaque, struct xcx_err *err);
    /* Device model's log-dirty on or off. NULL: there is none. */
    int (*switch_qemu_logdirty)(void *opaque, bool on, struct xcx_err *err);
    /* Optional. One line without a newline. */
    void (*log)(void *opaque, enum xcx_log_level level, const char *line);
    /* Optional; often, and whenever a phase begins. done of total pages. */
    void (*progress)(void *opaque, const char *what, uint64_t done,
                     uint64_t total);
    /* Optional: the statistics so far, at each round's end and at the end. */
    void (*stats)(void *opaque, const struct xcx_save_stats *stats);
    /*
     * Optional; often, from the live phase on: *limits are those in force;
     * what is changed in them counts from now on. Must not block.
     */
    void (*limits)(void *opaque, struct xcx_policy_limits *limits);
    /*
     * Optional: waits until what lies behind out_fd (ssh, a socket's buffer)
     * has sent most of what it holds; a pipe that is out_fd itself is waited
     * for in any case. At each live round's end: else it would be sent while
     * the guest stands still, and pages that are only buffered would count as
     * sent in no time. It need not succeed.
     */
    void (*drain)(void *opaque);
    /*
     * Optional: what must outlive a crash, before it is done (the original
     * scheduler cap before a throttle) and once it has been undone.
     */
    int (*journal_cap)(void *opaque, uint32_t cap, bool undone,
                       struct xcx_err *err);
};

/* Map in the calling process: slower in a PV Dom0, but no fork. */
#define XCX_NO_WORKERS UINT_MAX

struct xcx_save_params {
    uint32_t domid;
    int out_fd;           /* blocking; stays the caller's */
    const int *cancel_fd; /* NULL, or an fd that is readable to cancel */
    bool live;
    bool verify; /* xl migrate --debug: a VERIFY pass at the end */
    bool pv_without_logdirty_pause; /* PV, no shadow paging: stop-and-copy */
    unsigned nr_workers; /* 0: the library chooses; or XCX_NO_WORKERS */
    struct xcx_policy_limits limits; /* to begin with */
    /* Without a byte taken from out_fd, at most; 0: no limit. IO, ETIMEDOUT. */
    uint64_t live_stall_ns;
    uint64_t blackout_stall_ns; /* the same, once the guest is suspended */
    const char *lock_dir; /* for the one lock a domain; NULL: the default */
};

/*
 * Saves the domain into out_fd. Blocks until the stream is complete or it has
 * failed. On success the guest is left suspended. On failure everything this
 * call did to the domain is undone (log-dirty off, the device model's too,
 * scheduler cap back), except that a guest that was suspended stays so: who
 * suspended it resumes it. ret_stats may be NULL; it is filled either way.
 *
 * Worker processes are forked and waited for by pid: the caller must not reap
 * children it does not know. SIGPIPE must be ignored where out_fd is a pipe.
 */
int xcx_save(const struct xcx_save_params *params,
             const struct xcx_save_ops *ops, struct xcx_save_stats *ret_stats,
             struct xcx_err *err);

/*
 * Undoes what a save that died has left behind: the guest's scheduler cap, and
 * Xen's log-dirty mode. Does nothing if nothing was left. lock_dir: as in the
 * params; log may be NULL. GUEST while a save is running.
 */
int xcx_settle(uint32_t domid, const char *lock_dir, const struct xcx_log *log,
               struct xcx_err *err);

/*
 * Does what xcx_settle() does, and under the same lock switches the device
 * model's log-dirty mode off by ops->switch_qemu_logdirty(), if there is one.
 * Of ops only that and log are used.
 */
int xcx_settle_with(uint32_t domid, const char *lock_dir,
                    const struct xcx_save_ops *ops, struct xcx_err *err);

/*
 * Lifts the scheduler cap alone, at once and without the lock: if the save that
 * has written it down is that of the process holder, alive or not, and the
 * guest has the very cap that the save had set. lock_dir: as above.
 */
int xcx_lift_cap(uint32_t domid, const char *lock_dir, pid_t holder,
                 const struct xcx_log *log, struct xcx_err *err);

/* ---- restoring -------------------------------------------------------- */

/* Bits of `missing`, as libxl has them (xenguest.h, XGR_SDD_MISSING_*). */
#define XCX_MISSING_CPUID 0x1u
#define XCX_MISSING_MSR   0x2u

struct xcx_restore_stats {
    uint32_t domid;
    bool hvm;
    uint64_t nr_records;
    uint64_t nr_pages_placed; /* contents written, each time they came */
    uint64_t nr_pfns_populated;
    uint64_t nr_superpages;        /* of 2 MiB, among these */
    uint64_t nr_pfns_given_back;   /* of superpages, never named */
    uint64_t nr_pages_verified;    /* compared after VERIFY */
    uint64_t nr_pages_not_as_sent; /* of them, those that differed */
    uint64_t total_bytes;
    uint64_t total_ns;
    uint64_t complete_ns;      /* of it, after END: what the guest waits for */
    uint64_t nr_tables_at_end; /* PV: page tables localised in that time */
};

/* Where the guest's rings are: gfns of HVM, mfns of PV; 0: none. */
struct xcx_restore_results {
    uint64_t store_frame;
    uint64_t console_frame;
};

/* Called on the caller's own thread; opaque is given back as is. */
struct xcx_restore_ops {
    void *opaque;
    /*
     * Optional: what is needed to build the domain is there, and of the CPU
     * policies those of `missing` did not come; before any memory.
     */
    int (*static_data_done)(void *opaque, unsigned missing,
                            struct xcx_err *err);
    /*
     * Optional: the restore of this domain will map less than more_bytes of
     * address space beyond what the process has now. Before the stream is read.
     */
    void (*address_space)(void *opaque, uint64_t more_bytes);
    /* Optional. One line without a newline. */
    void (*log)(void *opaque, enum xcx_log_level level, const char *line);
    /* Optional; often. total 0: not known. */
    void (*progress)(void *opaque, const char *what, uint64_t done,
                     uint64_t total);
};

struct xcx_restore_params {
    uint32_t domid;       /* built, paused and empty, its limits set */
    int in_fd;            /* blocking; stays the caller's */
    const int *cancel_fd; /* NULL, or an fd that is readable to cancel */
    uint32_t store_port;  /* event channels of the guest's two rings */
    uint32_t store_domid;
    uint32_t console_port;
    uint32_t console_domid;
    unsigned nr_workers; /* 0: the library chooses; or XCX_NO_WORKERS */
    /* For the next 64 KiB, or a record's pages; 0: no limit. IO, ETIMEDOUT. */
    uint64_t stall_ns;
};

/*
 * Restores a plain stream of version 2 or 3 from in_fd, and reads nothing
 * past its end. Blocks until the domain is complete (it is left paused) or
 * something has failed: the domain is then to be destroyed by the caller,
 * and err names the record and its offset. Only 64-bit PV guests. ret_stats
 * may be NULL; it is filled either way. Errors: STREAM for what the peer did
 * wrong, GUEST for a stream that is not for this domain, and the others.
 */
int xcx_restore(const struct xcx_restore_params *params,
                const struct xcx_restore_ops *ops,
                struct xcx_restore_results *ret_results,
                struct xcx_restore_stats *ret_stats, struct xcx_err *err);

/* ---- suspending ------------------------------------------------------- */

enum xcx_run_state {
    XCX_RUNS,      /* or could: not shut down */
    XCX_SUSPENDED, /* has shut down, to suspend */
    XCX_SHUT_DOWN, /* for another reason */
    XCX_GONE,      /* no such domain, or dying */
};

/*
 * The hypervisor's side of suspending a guest; the xenstore handshake is the
 * caller's job.
 * Errors of all: HYPERCALL unless said otherwise. None blocks for long.
 */
struct xcx_suspender;

/* log may be NULL and must outlive it. GUEST: vNUMA, which no stream has. */
int xcx_suspender_open(uint32_t domid, const struct xcx_log *log,
                       struct xcx_suspender **ret_suspender,
                       struct xcx_err *err);

/* Gives back channel and lock; NULL: nothing. */
void xcx_suspender_close(struct xcx_suspender *suspender);

/*
 * Binds the suspend event channel that the guest offers at its port, under
 * libxl's lock file for it. Once. GUEST: another process holds it, or it
 * cannot be bound.
 */
int xcx_suspender_bind(struct xcx_suspender *suspender, unsigned port,
                       struct xcx_err *err);

/* Readable once Xen or the guest has fired the channel; -1: not bound. */
int xcx_suspender_fd(const struct xcx_suspender *suspender);

/* Takes what made the fd readable, so that it can be awaited again. */
int xcx_suspender_take_event(struct xcx_suspender *suspender,
                             struct xcx_err *err);

/* Asks the guest by the channel. */
int xcx_suspender_notify(struct xcx_suspender *suspender, struct xcx_err *err);

/* Suspends it without asking: for HVM guests that need not know. */
int xcx_suspender_force(struct xcx_suspender *suspender, struct xcx_err *err);

/* HVM, PVH: whether it has PV drivers, and sleeps as in ACPI S3. */
int xcx_suspender_hvm_state(struct xcx_suspender *suspender,
                            bool *ret_pv_drivers, bool *ret_sleeps,
                            struct xcx_err *err);

int xcx_suspender_run_state(struct xcx_suspender *suspender,
                            enum xcx_run_state *ret_state, struct xcx_err *err);

/*
 * Asks for the state of any domain once, without a suspender.
 * *ret_reason: SHUTDOWN_* of Xen once the domain has shut down, and as long as
 * Xen knows it, also while it is being destroyed; else XCX_NO_REASON.
 */
#define XCX_NO_REASON UINT_MAX
int xcx_run_state(uint32_t domid, enum xcx_run_state *ret_state,
                  unsigned *ret_reason, struct xcx_err *err);

/* ---- inspecting ------------------------------------------------------- */

/* The spec's record types in their order; the last: optional, of no name. */
#define XCX_INSPECT_NR_KINDS       20
#define XCX_INSPECT_NR_PAGE_TYPES  16
#define XCX_INSPECT_MAX_HVM_PARAMS 256

struct xcx_inspect_kind {
    const char *name; /* static text, as in the spec */
    uint64_t nr_records;
    uint64_t bytes;        /* on the wire: header, body and padding */
    uint64_t first_offset; /* of the first one's header */
};

/*
 * Entries of the pfn lists of PAGE_DATA. What follows VERIFY is the same
 * memory once more, and counts in nr_pfns_verify only.
 */
struct xcx_inspect_pages {
    uint64_t nr_pfns;
    uint64_t nr_pfns_data;   /* of them, those with contents */
    uint64_t nr_pfns_verify; /* behind VERIFY */
    uint64_t by_type[XCX_INSPECT_NR_PAGE_TYPES];
    uint64_t nr_pfns_distinct;    /* different pfns with contents */
    uint64_t nr_pfns_repeated;    /* of them, sent more than once */
    uint64_t nr_pfns_uncounted;   /* contents whose pfn found no counter */
    unsigned max_times;           /* that one pfn was sent; 255: or more */
    uint64_t nr_passes;           /* ascending runs, each about one round */
    uint64_t nr_superpages;       /* aligned 2 MiB, new, whole and in order */
    uint64_t first_pfn, last_pfn; /* lowest and highest in a list */
};

/* A libxc stream, as far as it was read. Offsets as in xcx_inspector_new. */
struct xcx_inspect {
    bool has_headers; /* the next four are known */
    bool hvm;
    uint32_t version;
    uint32_t xen_major, xen_minor; /* major 0: converted from legacy */
    uint64_t offset;               /* of the image header */
    uint64_t end_offset;           /* behind the last byte taken */
    bool complete;                 /* END is behind */
    uint64_t nr_records;
    struct xcx_inspect_kind kinds[XCX_INSPECT_NR_KINDS];
    struct xcx_inspect_pages pages;
    unsigned nr_vcpus;               /* 0: none seen, or not understood */
    unsigned guest_width, pt_levels; /* PV; 0 before X86_PV_INFO */
    bool has_p2m;
    uint64_t p2m_first_pfn, p2m_last_pfn; /* PV: the last P2M_FRAMES */
    unsigned nr_hvm_params;               /* the last HVM_PARAMS */
    struct {
        uint64_t index, value;
    } hvm_params[XCX_INSPECT_MAX_HVM_PARAMS];
    uint64_t hvm_context_bytes; /* the last one's */
    uint64_t nr_cpuid_leaves, nr_msr_entries;
    bool has_tsc;
    uint32_t tsc_mode, tsc_khz, tsc_incarnation;
    uint64_t tsc_elapsed_ns;
    /* The record being read, or its header: where a failure happened. */
    const char *record_name; /* "" in a header */
    uint64_t record_index;   /* from 0 */
    uint64_t record_offset;
};

enum xcx_inspector_state {
    XCX_INSPECTOR_READING,
    XCX_INSPECTOR_CHECKPOINT, /* behind one; others' bytes may come here */
    XCX_INSPECTOR_END,
    XCX_INSPECTOR_FAILED,
};

/*
 * Reads a libxc stream without a domain and without keeping page contents.
 * Memory is bounded, and follows the bytes that came, not what they claim:
 * one record's body other than pages (128 MiB at most), and a byte for each
 * pfn that had contents, in blocks of 4096 (256 MiB at most). offset: where
 * the stream begins in the caller's file; all offsets count from there.
 */
struct xcx_inspector;
int xcx_inspector_new(uint64_t offset, struct xcx_inspector **ret_inspector,
                      struct xcx_err *err);
void xcx_inspector_free(struct xcx_inspector *inspector); /* NULL: nothing */

/*
 * Takes bytes until they are used up, or END or a CHECKPOINT is behind; how
 * many is in *ret_used. Errors: STREAM, naming record and offset, and
 * RESOURCE; untouched *ret_used and nothing more to feed then.
 */
int xcx_inspector_feed(struct xcx_inspector *inspector, const void *bytes,
                       size_t nr_bytes, size_t *ret_used, struct xcx_err *err);

/* Goes on behind a CHECKPOINT; the next byte lies at offset. */
void xcx_inspector_resume(struct xcx_inspector *inspector, uint64_t offset);

/* The input has ended: 0 if the stream is complete, else STREAM. */
int xcx_inspector_finish(const struct xcx_inspector *inspector,
                         struct xcx_err *err);

enum xcx_inspector_state
xcx_inspector_state(const struct xcx_inspector *inspector);

/* The findings so far; valid until the inspector is freed. */
const struct xcx_inspect *xcx_inspector_report(struct xcx_inspector *inspector);

/* "NOTAB", "L1TAB", … "XTAB"; NULL for a type that is reserved. */
const char *xcx_inspect_page_type_name(unsigned type);

#endif
