/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recover_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "xl-migrate/handover/cases.h"
#include "common/exit_status.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/domain/host.h"
#include "xl-migrate/handover/journal_line.h"
#include "common/json.h"
#include "common/lines.h"
#include "target_domain.h"

#define S_PER_MIN  60
#define S_PER_H    3600
#define S_PER_DAY  86400
#define TEXT_BYTES 512

/* The state of the case's own domain on this host. */
enum here {
    HERE_NOTHING, /* none was made, or the host was started anew since */
    HERE_GONE,
    HERE_BUILDING,
    HERE_WHOLE,
    HERE_RUNS,
    HERE_PAUSED,
    HERE_SUSPENDED,
    HERE_SHUT_DOWN,
    NR_HERE
};

static const struct {
    const char *name, *text;
} here_words[NR_HERE] = {
    [HERE_NOTHING] = {"nothing", "no domain of it"},
    [HERE_GONE] = {"gone", "is gone"},
    [HERE_BUILDING] = {"half-built", "is half-built"},
    [HERE_WHOLE] = {"whole", "is whole, and has never run"},
    [HERE_RUNS] = {"runs", "runs, or has run"},
    [HERE_PAUSED] = {"paused", "is paused"},
    [HERE_SUSPENDED] = {"suspended", "is suspended"},
    [HERE_SHUT_DOWN] = {"shut-down", "has shut down"},
};

struct listed {
    struct journal journal;
    uint64_t age_s;
    int held_by; /* the process at work on it; 0: none */
    enum here here;
    uint32_t domid; /* of here; 0: none */
    uint32_t other; /* a domain of the guest's UUID that is not known as its */
    char next[TEXT_BYTES];
};

struct listing {
    const struct recover_list_options *options;
    const struct config *config;
    struct host host;
    struct json json;
    unsigned nr;
};

/* ---- who is at work ------------------------------------------------------ */

/* Not by a lock of our own: that would be in the way of whoever wants it. */
static int holder_of(const char *path)
{
    char line[256];
    struct stat st;
    FILE *locks = fopen("/proc/locks", "re");
    int holder = 0;

    if (locks && stat(path, &st) == 0) {
        while (!holder && fgets(line, sizeof(line), locks)) {
            uint64_t inode;
            int pid;

            if (sscanf(line, "%*d: FLOCK %*s WRITE %d %*x:%*x:%" SCNu64, &pid,
                       &inode) == 2 &&
                inode == st.st_ino)
                holder = pid;
        }
    }
    if (locks)
        fclose(locks);
    return holder;
}

/* ---- what is here -------------------------------------------------------- */

static enum here of_state(enum domain_state state)
{
    switch (state) {
    case DOMAIN_PAUSED:
        return HERE_PAUSED;
    case DOMAIN_SUSPENDED:
        return HERE_SUSPENDED;
    case DOMAIN_SHUT_DOWN:
        return HERE_SHUT_DOWN;
    default:
        return HERE_RUNS;
    }
}

static int look_at_source(struct listing *listing, struct listed *listed,
                          struct xcx_err *err)
{
    const struct journal *journal = &listed->journal;
    struct xcx_err why = XCX_ERR_INIT;
    struct domain domain;

    if (!journal->domid || strcmp(journal->about.boot, listing->host.boot) != 0)
        return 0;
    listed->domid = journal->domid;
    listed->here = HERE_GONE;
    if (domain_get(&listing->host, journal->domid, &domain, &why))
        return why.kind == XCX_ERR_USAGE
                   ? 0
                   : xcx_err_set(err, why.kind, 0, "%s", why.msg);
    if (!strcmp(domain.uuid, journal->about.uuid))
        listed->here = of_state(domain.state);
    return 0;
}

static int look_at_target(struct listing *listing, struct listed *listed,
                          struct xcx_err *err)
{
    static const enum here heres[] = {
        [HANDOVER_ABSENT] = HERE_GONE,
        [HANDOVER_BUILDING] = HERE_BUILDING,
        [HANDOVER_PAUSED] = HERE_WHOLE,
        [HANDOVER_RUNNING] = HERE_RUNS,
    };
    struct target_domain target = {.host = &listing->host,
                                   .journal = &listed->journal};
    enum handover_copy copy;
    uint32_t domid;

    if (target_domain_look(&target, &copy, &domid, err) ||
        target_domain_find_other(&target, &listed->other, err))
        return -1;
    if (!listed->journal.domid ||
        strcmp(listed->journal.about.boot, listing->host.boot) != 0)
        return 0;
    listed->domid = listed->journal.domid;
    listed->here = heres[copy];
    return 0;
}

/* ---- what to do ---------------------------------------------------------- */

static const char *next_of_source(const struct listed *listed)
{
    enum handover_entry entry = listed->journal.entry;

    if (listed->held_by)
        return "wait: a process works on it (xl-migrate status, cancel)";
    if (entry == HANDOVER_NONE)
        return "nothing was offered: xl-migrate recover @ removes it";
    if (entry <= HANDOVER_GO)
        return "only the other host's word decides: xl-migrate recover @; "
               "with --target-is-fenced if that host is off for good";
    if (entry == HANDOVER_DONE)
        return "the other host has the guest: xl-migrate recover @ tells it "
               "so";
    return "the other host has to hear that it does not have the guest: "
           "xl-migrate recover @";
}

static const char *next_of_target(const struct listed *listed)
{
    bool is_here = listed->here != HERE_NOTHING && listed->here != HERE_GONE;

    if (listed->held_by)
        return "wait: a process works on it; xl-migrate recover @ takes it "
               "over once the source is silent";
    switch (listed->journal.entry) {
    case HANDOVER_NONE:
        return is_here ? "its receiver is gone: xl-migrate recover @ destroys "
                         "the domain"
                       : "its receiver is gone: xl-migrate recover @ gives it "
                         "up";
    case HANDOVER_READY:
        return listed->here == HERE_RUNS
                   ? "the domain was let run by hand: look at both hosts"
                   : "only the source knows whether it may run: xl-migrate "
                     "recover @ there";
    case HANDOVER_STARTING:
        return "xl-migrate recover @ here starts it, if it has not run";
    case HANDOVER_ABORTED:
        if (is_here)
            return "xl-migrate recover @ here destroys the domain";
        /* fall through */
    default:
        return "nothing here: xl-migrate recover @ at the source settles it; "
               "else it expires (decided_keep_h)";
    }
}

/* '@' stands for the ID. */
static void put_next(struct listed *listed)
{
    const struct journal *journal = &listed->journal;
    const char *text = journal->about.side == JOURNAL_SOURCE
                           ? next_of_source(listed)
                           : next_of_target(listed);
    const char *at = strchr(text, '@');
    size_t used;

    if (at)
        snprintf(listed->next, sizeof(listed->next), "%.*s%s%s",
                 (int)(at - text), text, journal->about.id, at + 1);
    else
        snprintf(listed->next, sizeof(listed->next), "%s", text);
    used = strlen(listed->next);
    if (listed->other)
        snprintf(listed->next + used, sizeof(listed->next) - used,
                 "; domain %" PRIu32 " has the guest's UUID, and nothing shows "
                 "that it is this migration's: if no other program receives or "
                 "runs it, xl destroy %" PRIu32,
                 listed->other, listed->other);
}

/* ---- printing ------------------------------------------------------------ */

static void put_age(uint64_t age_s, char ret[32])
{
    if (age_s >= S_PER_DAY)
        snprintf(ret, 32, "%" PRIu64 " d", age_s / S_PER_DAY);
    else if (age_s >= S_PER_H)
        snprintf(ret, 32, "%" PRIu64 " h", age_s / S_PER_H);
    else if (age_s >= S_PER_MIN)
        snprintf(ret, 32, "%" PRIu64 " min", age_s / S_PER_MIN);
    else
        snprintf(ret, 32, "%" PRIu64 " s", age_s);
}

static void print_text(const struct listed *listed)
{
    const struct journal_case *about = &listed->journal.about;
    char age[32];

    put_age(listed->age_s, age);
    lines_print(stdout, "%s: %s, %s %s, %s, %s, %s old", about->id, about->name,
                about->side == JOURNAL_SOURCE ? "to" : "from", about->peer,
                journal_side_name(about->side),
                handover_entry_name(listed->journal.entry), age);
    if (listed->here == HERE_NOTHING)
        printf("    here: %s\n", here_words[HERE_NOTHING].text);
    else
        printf("    here: domain %" PRIu32 " %s\n", listed->domid,
               here_words[listed->here].text);
    lines_print(stdout, "    next: %s", listed->next);
}

static void print_json(struct json *json, const struct listed *listed)
{
    const struct journal_case *about = &listed->journal.about;

    json_open_map(json, NULL);
    json_text(json, "id", about->id);
    json_text(json, "name", about->name);
    json_text(json, "uuid", about->uuid);
    json_text(json, "side", journal_side_name(about->side));
    json_text(json, "entry", handover_entry_name(listed->journal.entry));
    json_count(json, "age_s", listed->age_s);
    json_text(json, "peer", about->peer);
    if (listed->held_by)
        json_count(json, "held_by", (uint64_t)listed->held_by);
    else
        json_null(json, "held_by");
    json_text(json, "here", here_words[listed->here].name);
    if (listed->domid)
        json_count(json, "domid", listed->domid);
    else
        json_null(json, "domid");
    if (listed->other)
        json_count(json, "other_domid", listed->other);
    else
        json_null(json, "other_domid");
    json_text(json, "next", listed->next);
    json_close_map(json);
}

/* ---- all of them --------------------------------------------------------- */

static bool is_asked_for(const char *what, const struct journal_case *about)
{
    char uuid[DOMAIN_UUID_BYTES];

    return !what || !strcmp(what, about->id) || !strcmp(what, about->name) ||
           (domain_uuid_normalise(what, uuid) && !strcmp(uuid, about->uuid));
}

static uint64_t age_of(const struct journal *journal)
{
    uint64_t now_s = (uint64_t)time(NULL);

    return journal->time_s < now_s ? now_s - journal->time_s : 0;
}

static int list_one(struct listing *listing, const struct case_name *name,
                    const struct xcx_log *log, struct xcx_err *err)
{
    struct listed listed = {.age_s = 0};
    int rc;

    if (cases_peek(listing->config->journal_dir, name, log, &listed.journal) ||
        !is_asked_for(listing->options->what, &listed.journal.about))
        return 0;
    rc = name->side == JOURNAL_SOURCE ? look_at_source(listing, &listed, err)
                                      : look_at_target(listing, &listed, err);
    if (rc)
        return xcx_err_prefix(err, "%s", name->id);
    listed.age_s = age_of(&listed.journal);
    listed.held_by = holder_of(listed.journal.path);
    put_next(&listed);
    listing->nr++;
    if (listing->options->json)
        print_json(&listing->json, &listed);
    else
        print_text(&listed);
    return 0;
}

/* ---- copies that no case is about ---------------------------------------- */

struct unowned {
    const struct listing *listing;
    const struct domain *domain;
    bool has_case;
};

/* A case of its UUID names it, if only as a domain that may be another's. */
static int look_for_case(void *opaque, const struct case_name *name,
                         struct xcx_err *err)
{
    struct unowned *unowned = opaque;
    struct journal seen;

    (void)err;
    unowned->has_case =
        unowned->has_case || (name->side == JOURNAL_TARGET &&
                              !cases_peek(unowned->listing->config->journal_dir,
                                          name, NULL, &seen) &&
                              !strcmp(seen.about.uuid, unowned->domain->uuid));
    return 0;
}

static bool is_named(const char *what, const struct domain *domain)
{
    char uuid[DOMAIN_UUID_BYTES];
    size_t name_bytes = strlen(domain->name) - strlen(DOMAIN_SUFFIX_INCOMING);

    return !what || !strcmp(what, domain->name) ||
           (strlen(what) == name_bytes &&
            !strncmp(what, domain->name, name_bytes)) ||
           (domain_uuid_normalise(what, uuid) && !strcmp(uuid, domain->uuid));
}

static void print_unowned(struct listing *listing, const struct domain *domain)
{
    struct json *json = &listing->json;
    char name[DOMAIN_NAME_BYTES], next[TEXT_BYTES];

    strcpy(name, domain->name);
    lines_make_plain(name);
    snprintf(next, sizeof(next),
             "if no program receives it, xl destroy %" PRIu32, domain->domid);
    listing->nr++;
    if (!listing->options->json) {
        printf("%s (domain %" PRIu32 "): no case of this host is about it\n"
               "    next: %s\n",
               name, domain->domid, next);
        return;
    }
    json_open_map(json, NULL);
    json_text(json, "name", name);
    json_text(json, "uuid", domain->uuid);
    json_count(json, "domid", domain->domid);
    json_text(json, "next", next);
    json_close_map(json);
}

/* Half copies whose journal is gone, or that another program makes. */
static int list_unowned(struct listing *listing, struct xcx_err *err)
{
    struct domain *domains = NULL;
    unsigned nr = 0;
    int rc = domain_list_incoming(&listing->host, &domains, &nr, err);

    for (unsigned i = 0; i < nr && !rc; i++) {
        struct unowned unowned = {.listing = listing, .domain = &domains[i]};

        rc = cases_each(listing->config->journal_dir, look_for_case, &unowned,
                        err);
        if (!rc && !unowned.has_case &&
            is_named(listing->options->what, &domains[i]))
            print_unowned(listing, &domains[i]);
    }
    free(domains);
    return rc;
}

static void on_log(void *opaque, enum xcx_log_level level, const char *line)
{
    (void)opaque;
    if (level >= XCX_LOG_WARN)
        fprintf(stderr, "xl-migrate recover: %s\n", line);
}

static int list_all(struct listing *listing, const struct xcx_log *log,
                    struct xcx_err *err)
{
    struct case_name *names = NULL;
    unsigned nr = 0;
    int rc = cases_list(listing->config->journal_dir, &names, &nr, err);

    for (unsigned i = 0; i < nr && !rc; i++)
        rc = list_one(listing, &names[i], log, err);
    free(names);
    return rc;
}

static int print(struct listing *listing, const struct xcx_log *log,
                 struct xcx_err *err)
{
    struct json *json = &listing->json;
    int rc;

    if (!listing->options->json) {
        rc = list_all(listing, log, err);
        if (!rc)
            rc = list_unowned(listing, err);
        if (!rc && !listing->nr)
            printf("no case is open in %s\n", listing->config->journal_dir);
        return rc;
    }
    if (json_init(json, err))
        return -1;
    json_open_map(json, NULL);
    json_count(json, "version", 1);
    json_open_array(json, "cases");
    rc = list_all(listing, log, err);
    json_close_array(json);
    json_open_array(json, "unowned");
    if (!rc)
        rc = list_unowned(listing, err);
    json_close_array(json);
    json_close_map(json);
    if (!rc)
        rc = json_write(json, stdout, err);
    json_done(json);
    return rc;
}

int recover_list(const struct recover_list_options *options,
                 const struct config *config)
{
    static const struct xcx_log log = {.emit = on_log};
    struct listing listing = {.options = options, .config = config};
    struct xcx_err err = XCX_ERR_INIT;
    int rc = host_open(&listing.host, &log, &err);

    if (!rc)
        rc = print(&listing, &log, &err);
    if (rc)
        fprintf(stderr, "xl-migrate recover: %s\n", err.msg);
    host_close(&listing.host);
    return rc ? EXIT_STATUS_USAGE : EXIT_STATUS_DONE;
}
