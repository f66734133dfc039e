/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spec: the description of a simulated world, as text and as a struct.
 *
 * The text is a list of key=value joined by commas, in any order:
 *
 *   kind=hvm|pv           what the domain is (hvm also stands for PVH)
 *   mem=64M               memory populated at the start (K, M, G, T)
 *   p2m=N                 p2m size in pfns; 0: just large enough;
 *                         xl: 1,044,480 as xl gives a small HVM guest
 *   spread=1              2 MiB pieces spread evenly over the p2m
 *   vcpus=N  seed=N  domid=N
 *   content=zero|text|random|mix|file   file=PATH for the last
 *   holes=N               N in 1000 pfns ballooned out at the start
 *   broken=N  special=N   broken pages; pages that answer XTAB to a type
 *                         query and map all the same (HVM)
 *   silent=N              pages the hypervisor itself writes: dirty only in
 *                         a CLEAN with the FINAL flag (HVM)
 *   paged=N               Xen says that so many pages are paged out
 *   rate=N                pages a second that the guest dirties
 *   pattern=uniform|seq|hot
 *   balloon=N             pages a second ballooned out or in
 *   tables=N              page table changes a second (PV)
 *   clock=time|calls      the guest's time: real, or 1 ms a simulated call
 *   p2mform=list|tree     the guest's own p2m (PV)
 *   move=N  grow=N        at the Nth CLEAN the guest's p2m moves (PV), or
 *                         grows by 64 pfns (HVM)
 *   shadow=0              log-dirty is not to be had (PV without shadow)
 *   busy=1                log-dirty is on already, by somebody else
 *   rival=off|cycle|clean|end  rivalat=N
 *                         another program switches log-dirty off, off and on,
 *                         or takes its bits, once the guest has written 100
 *                         pages after the Nth CLEAN (1); end: switches it off
 *                         when the guest suspends
 *   xsave=N               bytes of extended state a vCPU (PV); 0: none
 *   sched=credit2|credit|none  cap=N
 *   lose=N                a flaw on purpose: the Nth dirty bit is lost
 */
#ifndef SIM_SPEC_H
#define SIM_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "xcext/err.h"

#define SIM_PAGE_SHIFT  12
#define SIM_PAGE_BYTES  (1UL << SIM_PAGE_SHIFT)
#define SIM_XL_NR_PFNS  0xff000UL
#define SIM_MAX_NR_PFNS (1UL << 28)
#define SIM_MAX_VCPUS   8U
#define SIM_PATH_BYTES  256

enum sim_kind { SIM_HVM, SIM_PV };

enum sim_content {
    SIM_ZERO,
    SIM_TEXT,
    SIM_RANDOM,
    SIM_MIX,
    SIM_FILE,
};

enum sim_pattern { SIM_UNIFORM, SIM_SEQ, SIM_HOT };

enum sim_sched { SIM_CREDIT2, SIM_CREDIT, SIM_NO_CAPS };

enum sim_rival {
    SIM_NO_RIVAL,
    SIM_RIVAL_OFF,
    SIM_RIVAL_CYCLE,
    SIM_RIVAL_CLEAN,
    SIM_RIVAL_END,
};

struct sim_spec {
    enum sim_kind kind;
    uint64_t nr_pages; /* populated at the start */
    uint64_t nr_pfns;  /* p2m size; 0: just large enough */
    bool spread;
    uint32_t nr_vcpus;
    uint32_t domid;
    uint64_t seed;
    enum sim_content content;
    char file[SIM_PATH_BYTES];
    uint32_t holes_permille;
    uint32_t nr_broken;
    uint32_t nr_special;
    uint32_t nr_silent;
    uint32_t nr_paged;
    uint64_t dirty_rate; /* pages a second */
    enum sim_pattern pattern;
    uint64_t balloon_rate; /* pages a second */
    uint64_t tables_rate;  /* changes a second */
    bool clock_calls;
    bool p2m_tree;
    uint32_t move_at; /* 0: never */
    uint32_t grow_at;
    bool no_shadow;
    bool busy;
    enum sim_rival rival;
    uint32_t rival_at;
    uint32_t xsave_bytes;
    enum sim_sched sched;
    uint32_t cap_percent;
    uint64_t lose_nth; /* 0: none */
};

/* Fills in the defaults, then what the text says. USAGE for a bad text. */
int sim_spec_parse(const char *text, struct sim_spec *ret_spec,
                   struct xcx_err *err);

#endif
