/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recover_tell.h"

#include <stdio.h>
#include <string.h>

#include "xl-migrate/domain/domain.h"
#include "common/lines.h"

void recover_tell_fault(struct recover_tell *tell, const char *id,
                        const char *what)
{
    lines_print(stderr, "xl-migrate recover: %s%s%s", id, id[0] ? ": " : "",
                what);
    if (tell->worst < EXIT_STATUS_UNDECIDED)
        tell->worst = EXIT_STATUS_UNDECIDED;
}

/* A guest that went on here may have been moved before this host went down. */
static const char *cold_start(const struct journal_case *about,
                              enum handover_entry entry, char *text,
                              size_t text_bytes)
{
    bool went_on = handover_is_back(entry) || entry == HANDOVER_STARTED;

    snprintf(text, text_bytes,
             "%sit runs nowhere: start it from its disks with xl create and "
             "its configuration (%.60s)",
             went_on ? "unless it was moved on since, " : "", about->name);
    return text;
}

static void tell_last_here(struct recover_tell *tell,
                           const struct journal_case *about,
                           enum handover_entry entry)
{
    char text[256];

    lines_print(stdout, "%s: this host had the last complete copy of %s; %s",
                about->id, about->name,
                cold_start(about, entry, text, sizeof(text)));
    tell->worst = EXIT_STATUS_LOST;
}

/* A guest that has rebooted has another domid than its case. */
static bool is_here_anew(struct recover_tell *tell,
                         const struct journal_case *about)
{
    enum handover_copy copy = HANDOVER_ABSENT;
    struct xcx_err err = XCX_ERR_INIT;
    uint32_t domid = 0;

    if (domain_look_target(tell->host, about->uuid, about->name, &copy, &domid,
                           &err)) {
        recover_tell_fault(tell, about->id, err.msg);
        return false;
    }
    if ((copy != HANDOVER_PAUSED && copy != HANDOVER_RUNNING) ||
        (domid == tell->domid && !strcmp(about->boot, tell->host->boot)))
        return false;
    lines_print(stdout,
                "%s: %s is here as domain %u: it was started anew since",
                about->id, about->name, (unsigned)domid);
    return true;
}

/* Not by this host's power: that it ended is none of the migration's. */
static bool has_ended_here(const struct recover_tell *tell,
                           const struct journal_case *about,
                           enum handover_entry entry)
{
    if ((entry != HANDOVER_RAN && entry != HANDOVER_FENCED_RAN &&
         entry != HANDOVER_STARTED) ||
        strcmp(about->boot, tell->host->boot) != 0)
        return false;
    lines_print(
        stdout,
        "%s: %s went on here and is not here any more: it was shut down, "
        "destroyed or moved since",
        about->id, about->name);
    return true;
}

/* As the journal has it, and as it is now. */
static enum handover_place place_now(struct recover_tell *tell,
                                     const struct journal_case *about,
                                     enum handover_entry entry,
                                     enum handover_place place, bool *ret_told)
{
    *ret_told =
        (place == HANDOVER_LAST_HERE || place == HANDOVER_LAST_EITHER ||
         place == HANDOVER_NOT_OURS) &&
        (is_here_anew(tell, about) || has_ended_here(tell, about, entry));
    return *ret_told ? HANDOVER_HERE : place;
}

/* With the target fenced, that it was not told is no fault. */
static bool is_at_fault(const struct recover_tell *tell,
                        const struct settle_result *result)
{
    return !result->settled &&
           (!tell->target_is_fenced || (result->copy != HANDOVER_RUNNING &&
                                        result->place != HANDOVER_NOT_OURS));
}

/* The case is at an end, and has left the guest to whoever has it. */
static void tell_taken(struct recover_tell *tell,
                       const struct journal_case *about)
{
    const char *seen = tell->source->seen;

    lines_print(stdout,
                "%s: %s%s; this migration has given it up, and leaves it alone",
                about->id, seen[0] ? seen : about->name,
                seen[0] ? "" : " was taken over by another program");
    if (tell->worst != EXIT_STATUS_LOST)
        tell->worst = EXIT_STATUS_TAKEN;
}

static void tell_way_out(const struct recover_tell *tell,
                         const struct journal_case *about,
                         enum handover_copy copy)
{
    char text[512];

    if (source_domain_way_out(tell->source, copy, text, sizeof(text)))
        lines_print(stdout, "%s: %s", about->id, text);
}

/* The state of a guest that ran on here; later stops are not the case's. */
static const char *state_here(const struct settle_result *result)
{
    return result->copy == HANDOVER_RUNNING || result->copy == HANDOVER_ASKED
               ? "runs here"
               : "ran on here, and was suspended since by another program";
}

void recover_tell_source(struct recover_tell *tell,
                         const struct journal_case *about,
                         const struct settle_result *result)
{
    char text[256];
    bool told;

    switch (place_now(tell, about, result->entry, result->place, &told)) {
    case HANDOVER_HERE:
        if (told)
            break;
        lines_print(stdout, "%s: %s %s%s", about->id, about->name,
                    state_here(result),
                    result->settled ? "" : "; the target was not told yet");
        tell_way_out(tell, about, result->copy);
        break;
    case HANDOVER_THERE:
        lines_print(stdout, "%s: %s is at %s%s", about->id, about->name,
                    about->peer,
                    result->settled ? "" : ", which was not told yet");
        break;
    case HANDOVER_LAST_HERE:
        tell_last_here(tell, about, result->entry);
        return;
    case HANDOVER_NOT_OURS:
        tell_taken(tell, about);
        tell_way_out(tell, about, result->copy);
        break;
    case HANDOVER_LAST_EITHER:
        lines_print(stdout,
                    "%s: %s ran last here or at %s, which was fenced; %s",
                    about->id, about->name, about->peer,
                    cold_start(about, result->entry, text, sizeof(text)));
        tell->worst = EXIT_STATUS_LOST;
        return;
    default:
        recover_tell_fault(tell, about->id, result->why.msg);
        lines_print(
            stdout,
            "%s: %s is suspended here, and %s must be heard before it may "
            "run: run recover again when it can be reached, or with "
            "--target-is-fenced if it will never come back",
            about->id, about->name, about->peer);
        return;
    }
    if (is_at_fault(tell, result))
        recover_tell_fault(tell, about->id,
                           result->why.msg[0] ? result->why.msg
                                              : "not settled");
}

void recover_tell_target(struct recover_tell *tell,
                         const struct journal_case *about,
                         const struct handover_outcome *outcome)
{
    bool told;

    switch (place_now(tell, about, outcome->entry, outcome->place, &told)) {
    case HANDOVER_HERE:
        lines_print(stdout, "%s: %s%srecover at %s settles the rest", about->id,
                    told ? "" : about->name, told ? "" : " runs here; ",
                    about->peer);
        return;
    case HANDOVER_THERE:
        lines_print(stdout,
                    "%s: %s was given up here; recover at %s settles the rest",
                    about->id, about->name, about->peer);
        return;
    case HANDOVER_LAST_HERE:
        tell_last_here(tell, about, outcome->entry);
        return;
    default:
        lines_print(stdout,
                    "%s: a whole copy of %s is paused here, and only %s knows "
                    "whether it may run: run xl-migrate recover there",
                    about->id, about->name, about->peer);
        if (tell->worst < EXIT_STATUS_UNDECIDED)
            tell->worst = EXIT_STATUS_UNDECIDED;
        return;
    }
}
