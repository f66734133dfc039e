/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings: kept within bounds, and printed. */
#include "check.h"

#include <stdarg.h>
#include <string.h>

#include "common/lines.h"

static const char *const level_names[] = {"ok", "unknown", "warning",
                                          "blocker"};

const char *check_level_name(enum check_level level)
{
    return level_names[level];
}

/* A place for one more; the least bad of them where there is none. */
static struct check_finding *place_for(struct check *check,
                                       enum check_level level)
{
    struct check_finding *least = &check->findings[0];

    if (check->nr_findings < CHECK_MAX_FINDINGS)
        return &check->findings[check->nr_findings++];
    for (unsigned i = 1; i < CHECK_MAX_FINDINGS; i++) {
        if (check->findings[i].level < least->level)
            least = &check->findings[i];
    }
    return least->level < level ? least : NULL;
}

void check_add(struct check *check, const char *id, enum check_level level,
               const char *fix, const char *fmt, ...)
{
    struct check_finding *finding = place_for(check, level);
    va_list args;

    if (!finding)
        return;
    *finding = (struct check_finding){.id = id, .level = level};
    va_start(args, fmt);
    vsnprintf(finding->text, sizeof(finding->text), fmt, args);
    va_end(args);
    snprintf(finding->fix, sizeof(finding->fix), "%s", fix);
    lines_make_plain(finding->text);
    lines_make_plain(finding->fix);
}

void check_ignore(struct check *check, const struct check_ids *ids)
{
    for (unsigned i = 0; i < check->nr_findings; i++) {
        struct check_finding *finding = &check->findings[i];

        if (finding->level != CHECK_BLOCKER ||
            !check_ids_have(ids, finding->id))
            continue;
        finding->level = CHECK_WARNING;
        finding->ignored = true;
    }
}

/* Findings of an id need not be neighbours. */
static void list(const struct check *check, bool of_ignored, char *text,
                 size_t bytes)
{
    struct check_ids seen = {0};
    size_t used = 0;

    text[0] = 0;
    for (unsigned i = 0; i < check->nr_findings && used < bytes; i++) {
        const struct check_finding *finding = &check->findings[i];

        if ((of_ignored ? !finding->ignored
                        : finding->level != CHECK_BLOCKER) ||
            check_ids_have(&seen, finding->id))
            continue;
        check_ids_add(&seen, finding->id);
        used += (size_t)snprintf(text + used, bytes - used, "%s%s",
                                 used ? ", " : "", finding->id);
    }
}

void check_list_blockers(const struct check *check, char *text, size_t bytes)
{
    list(check, false, text, bytes);
}

void check_list_ignored(const struct check *check, char *text, size_t bytes)
{
    list(check, true, text, bytes);
}

enum check_level check_worst(const struct check *check)
{
    enum check_level worst = CHECK_OK;

    for (unsigned i = 0; i < check->nr_findings; i++) {
        if (check->findings[i].level > worst)
            worst = check->findings[i].level;
    }
    return worst;
}

unsigned check_count(const struct check *check, enum check_level level)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < check->nr_findings; i++)
        nr += check->findings[i].level == level;
    return nr;
}

void check_print_text(const struct check *check, enum check_level min,
                      FILE *out)
{
    for (int level = CHECK_BLOCKER; level >= (int)min; level--) {
        for (unsigned i = 0; i < check->nr_findings; i++) {
            const struct check_finding *finding = &check->findings[i];

            if (finding->level != (enum check_level)level)
                continue;
            fprintf(out, "%-8s %s: %s\n",
                    finding->ignored ? "ignored" : level_names[level],
                    finding->id, finding->text);
            if (finding->fix[0])
                fprintf(out, "         fix: %s\n", finding->fix);
        }
    }
}

void check_print_json(const struct check *check, struct json *json,
                      const char *key)
{
    json_open_array(json, key);
    for (unsigned i = 0; i < check->nr_findings; i++) {
        const struct check_finding *finding = &check->findings[i];

        json_open_map(json, NULL);
        json_text(json, "id", finding->id);
        json_text(json, "level", level_names[finding->level]);
        if (finding->ignored)
            json_bool(json, "ignored", true);
        json_text(json, "text", finding->text);
        json_text(json, "fix", finding->fix);
        json_close_map(json);
    }
    json_close_array(json);
}
