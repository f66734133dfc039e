/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check: can this guest move from here to there? Pure: facts in, findings
 * out, in a fixed order. check_print.h prints them, cmd_check and send get
 * the facts.
 *
 *   ok        looked at, nothing to say against it
 *   unknown   could not be looked at (a target without the plugin, say)
 *   warning   it may be moved, but something is to be expected
 *   blocker   moving it fails, or harms it; send refuses
 *
 * Each finding that is neither ok nor unknown says what to do. Whatever the
 * other end told stands in one line, without control characters.
 */
#ifndef XL_MIGRATE_CHECK_H
#define XL_MIGRATE_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "check_ids.h"
#include "xl-migrate/facts/facts.h"

#define CHECK_TEXT_BYTES   320
#define CHECK_MAX_FINDINGS 160

enum check_level { CHECK_OK, CHECK_UNKNOWN, CHECK_WARNING, CHECK_BLOCKER };

/* "ok", "unknown", "warning", "blocker" */
const char *check_level_name(enum check_level level);

struct check_finding {
    const char *id; /* static; as in xl-migrate(8) */
    enum check_level level;
    bool ignored; /* a blocker that the administrator overrules: a warning */
    char text[CHECK_TEXT_BYTES]; /* one line, names the thing */
    char fix[CHECK_TEXT_BYTES];  /* what to type; "": nothing */
};

/* Zeroed: no findings. Past the bound the worst are kept. */
struct check {
    unsigned nr_findings;
    struct check_finding findings[CHECK_MAX_FINDINGS];
};

struct check_wishes {
    const char *target; /* as the user named it */
    bool pv_may_pause;  /* PV without log-dirty may be moved stopped */
    bool may_throttle;  /* precheck sets it, by on_slow */
};

/*
 * All findings on the facts. query: what both hosts were asked. there NULL:
 * the target was not asked; only the guest and this host are looked at.
 */
void check_facts(const struct facts_guest *guest,
                 const struct facts_query *query, const struct facts_host *here,
                 const struct facts_host *there,
                 const struct check_wishes *wishes, struct check *check);

/* For findings from elsewhere: probes, the connection, hooks. */
void check_add(struct check *check, const char *id, enum check_level level,
               const char *fix, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Blockers of these ids become warnings that are marked as ignored. */
void check_ignore(struct check *check, const struct check_ids *ids);

/* "bridge, disk": the ids of the blockers, each once, cut to fit. */
void check_list_blockers(const struct check *check, char *text, size_t bytes);

/* Lists the ignored findings in the same way. */
void check_list_ignored(const struct check *check, char *text, size_t bytes);

/* The worst of them; CHECK_OK for none. */
enum check_level check_worst(const struct check *check);
unsigned check_count(const struct check *check, enum check_level level);

/* Prints findings of at least min, the worst first: "blocker: TEXT", the fix.
 */
void check_print_text(const struct check *check, enum check_level min,
                      FILE *out);
/* An array under key. */
void check_print_json(const struct check *check, struct json *json,
                      const char *key);

#endif
